#include "gemm.h"

#include <algorithm>
#include <string>

#include "kernels/table.h"
#include "pixelgauge/pixelgauge.h"
#include "status.h"
#include "threads.h"

namespace pixelgauge {

namespace {

template <class T>
const GemmKernels<T>& gemm_kernels();
template <>
const GemmKernels<float>& gemm_kernels<float>() {
    return kernels().gemm_f32;
}
template <>
const GemmKernels<double>& gemm_kernels<double>() {
    return kernels().gemm_f64;
}

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Panel of `width` rows (zeros beyond `rows`): for each k, width values side by side.
template <class In, class T>
void pack_panel(const Rows<In, T>& x, int64_t row, int64_t rows, int64_t width, int64_t k0, int64_t k_count, T* out) {
    const In* const from = x.data + row * x.row_stride + k0 * x.k_stride;
    if (x.row_stride == 1 && rows == width) {
        for (int64_t p = 0; p < k_count; ++p) {
            const In* const column = from + p * x.k_stride;
            T* const to = out + p * width;
            if (x.shift) {
                const T* const shift = x.shift + row;
                for (int64_t r = 0; r < width; ++r) to[r] = static_cast<T>(column[r]) - shift[r];
            } else {
                for (int64_t r = 0; r < width; ++r) to[r] = static_cast<T>(column[r]);
            }
        }
        return;
    }
    // Runs of 32 along k: whole cache lines of the source, and a stretch of the panel that stays in L1.
    constexpr int64_t kRun = 32;
    for (int64_t p0 = 0; p0 < k_count; p0 += kRun) {
        const int64_t p1 = std::min(p0 + kRun, k_count);
        for (int64_t r = 0; r < width; ++r) {
            if (r >= rows) {
                for (int64_t p = p0; p < p1; ++p) out[p * width + r] = 0;
                continue;
            }
            const T shift = x.shift ? x.shift[row + r] : T(0);
            const In* const source = from + r * x.row_stride;
            for (int64_t p = p0; p < p1; ++p) out[p * width + r] = static_cast<T>(source[p * x.k_stride]) - shift;
        }
    }
}

}  // namespace

template <class In, class T>
void gemm(int64_t m, int64_t n, int64_t k, T alpha, const Rows<In, T>& a, const Rows<In, T>& b, T beta, T* c, int64_t c_stride, Part part) {
    if (m <= 0 || n <= 0) return;
    if (k <= 0) {
        for (int64_t i = 0; i < m; ++i)
            for (int64_t j = 0; j < (part == Part::Lower ? std::min(i + 1, n) : n); ++j)
                c[i * c_stride + j] = beta == 0 ? T(0) : beta * c[i * c_stride + j];
        return;
    }
    const GemmKernels<T>& kernel = gemm_kernels<T>();
    const int64_t mr = kernel.rows, nr = kernel.columns;
    // One panel of a (k_block x mr) lives in L1 beside the running panel of b; n_block columns of b (0.7 MB) in L2.
    constexpr int64_t kBlock = sizeof(T) == 8 ? 256 : 384;
    const int64_t n_panels = ceil_div(n, nr), m_panels = ceil_div(m, mr);
    const int64_t panels_n = std::max<int64_t>(1, 480 / nr), panels_m = std::max<int64_t>(1, 192 / mr);
    const int64_t blocks_n = ceil_div(n_panels, panels_n), blocks_m = ceil_div(m_panels, panels_m);
    const int64_t depth = std::min(k, kBlock);
    const Buffer<T> packed_a(m_panels * mr * depth), packed_b(n_panels * nr * depth);
    for (int64_t k0 = 0; k0 < k; k0 += kBlock) {
        const int64_t k_count = std::min(kBlock, k - k0);
        const T beta_now = k0 == 0 ? beta : T(1);
        parallel_for(blocks_m + blocks_n, [&](int64_t t) {
            const bool is_a = t < blocks_m;
            const int64_t per_block = is_a ? panels_m : panels_n, width = is_a ? mr : nr, size = is_a ? m : n;
            const int64_t first = (is_a ? t : t - blocks_m) * per_block, last = std::min(first + per_block, is_a ? m_panels : n_panels);
            for (int64_t panel = first; panel < last; ++panel)
                pack_panel(is_a ? a : b, panel * width, std::min(width, size - panel * width), width, k0, k_count,
                           (is_a ? packed_a : packed_b).data() + panel * width * k_count);
        });
        parallel_for(blocks_m * blocks_n, [&](int64_t t) {
            const int64_t i_first = t % blocks_m * panels_m, i_last = std::min(i_first + panels_m, m_panels);
            const int64_t j_first = t / blocks_m * panels_n, j_last = std::min(j_first + panels_n, n_panels);
            if (part == Part::Lower && i_last * mr <= j_first * nr) return;
            const T zero = 0;
            alignas(64) T edge[8 * 3 * 16];  // the largest tile: 8 rows of 3 registers of 16 floats
            for (int64_t ip = i_first; ip < i_last; ++ip) {
                const int64_t i = ip * mr, rows = std::min(mr, m - i);
                for (int64_t jp = j_first; jp < j_last; ++jp) {
                    const int64_t j = jp * nr, columns = std::min(nr, n - j);
                    if (part == Part::Lower && i + mr <= j) break;
                    const T *const pa = packed_a.data() + i * k_count, *const pb = packed_b.data() + j * k_count;
                    T* const at = c + i * c_stride + j;
                    if (rows == mr && columns == nr) {
                        kernel.tile(k_count, pa, pb, &alpha, &beta_now, at, c_stride);
                        continue;
                    }
                    kernel.tile(k_count, pa, pb, &alpha, &zero, edge, nr);
                    for (int64_t r = 0; r < rows; ++r) {
                        for (int64_t q = 0; q < columns; ++q) {
                            T& to = at[r * c_stride + q];
                            to = beta_now == 0 ? edge[r * nr + q] : beta_now * to + edge[r * nr + q];
                        }
                    }
                }
            }
        });
    }
}

template <class T>
void mirror(int64_t n, T* c, int64_t c_stride) {
    constexpr int64_t kTile = 32;
    const int64_t tiles = ceil_div(n, kTile);
    parallel_for(tiles, [&](int64_t ti) {
        const int64_t i0 = ti * kTile, i1 = std::min(i0 + kTile, n);
        for (int64_t j0 = 0; j0 <= i0; j0 += kTile)
            for (int64_t i = i0; i < i1; ++i)
                for (int64_t j = j0; j < std::min(j0 + kTile, i); ++j) c[j * c_stride + i] = c[i * c_stride + j];
    });
}

template void gemm(int64_t, int64_t, int64_t, float, const Rows<float>&, const Rows<float>&, float, float*, int64_t, Part);
template void gemm(int64_t, int64_t, int64_t, double, const Rows<double>&, const Rows<double>&, double, double*, int64_t, Part);
template void gemm(int64_t, int64_t, int64_t, double, const Rows<float, double>&, const Rows<float, double>&, double, double*, int64_t,
                   Part);
template void mirror(int64_t, float*, int64_t);
template void mirror(int64_t, double*, int64_t);

}  // namespace pixelgauge
