#include "gemm.h"

#include <algorithm>
#include <new>
#include <string>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "kernels/table.h"
#include "pixelgauge/pixelgauge.h"
#include "status.h"
#include "threads.h"

namespace pixelgauge {

namespace {

constexpr size_t kHugePage = size_t{2} << 20;

std::align_val_t alignment(size_t bytes) { return std::align_val_t{bytes >= 2 * kHugePage ? kHugePage : 64}; }

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

// Panels first .. last - 1 of `width` rows each (zeros beyond `rows`): for each k, width values side by side.
template <class In, class T>
void pack_panels(const Rows<In, T>& x, int64_t first, int64_t last, int64_t width, int64_t rows, int64_t k0, int64_t k_count, T* out,
                 uint8_t* filled) {
    using Shift = typename Rows<In, T>::Shift;
    const auto taken = [&](In value, int64_t row, int64_t k) {
        return x.shift ? static_cast<T>(static_cast<Shift>(value) - x.shift[x.shift_by_k ? k : row]) : static_cast<T>(value);
    };
    const auto holds_a_value = [&](int64_t row, int64_t count) {
        if (x.shift) return true;
        const bool along_k = x.k_stride < x.row_stride;
        for (int64_t u = 0; u < (along_k ? count : k_count); ++u)
            for (int64_t v = 0; v < (along_k ? k_count : count); ++v)
                if (x.data[(row + (along_k ? u : v)) * x.row_stride + (k0 + (along_k ? v : u)) * x.k_stride] != 0) return true;
        return false;
    };
    for (int64_t panel = first; panel < last; ++panel) filled[panel] = holds_a_value(panel * width, std::min(width, rows - panel * width));
    if (x.row_stride == 1) {
        // Along k outermost: a whole line of the source serves all panels of the block, where panel by panel would touch a
        // page and a set of the cache for every few values.
        for (int64_t p = 0; p < k_count; ++p) {
            const In* const column = x.data + (k0 + p) * x.k_stride;
            for (int64_t panel = first; panel < last; ++panel) {
                if (!filled[panel]) continue;
                T* const to = out + (panel - first) * width * k_count + p * width;
                const int64_t row = panel * width, count = std::min(width, rows - row);
                if (x.shift && !x.shift_by_k)
                    for (int64_t r = 0; r < count; ++r) to[r] = static_cast<T>(static_cast<Shift>(column[row + r]) - x.shift[row + r]);
                else if (x.shift)
                    for (int64_t r = 0; r < count; ++r) to[r] = taken(column[row + r], row + r, k0 + p);
                else
                    for (int64_t r = 0; r < count; ++r) to[r] = static_cast<T>(column[row + r]);
                for (int64_t r = count; r < width; ++r) to[r] = 0;
            }
        }
        return;
    }
    // Runs of 32 along k: whole cache lines of the source, and a stretch of the panel that stays in L1.
    constexpr int64_t kRun = 32;
    for (int64_t panel = first; panel < last; ++panel) {
        if (!filled[panel]) continue;
        T* const to = out + (panel - first) * width * k_count;
        const int64_t row = panel * width, count = std::min(width, rows - row);
        for (int64_t p0 = 0; p0 < k_count; p0 += kRun) {
            const int64_t p1 = std::min(p0 + kRun, k_count);
            for (int64_t r = 0; r < width; ++r) {
                if (r >= count) {
                    for (int64_t p = p0; p < p1; ++p) to[p * width + r] = 0;
                    continue;
                }
                const In* const source = x.data + (row + r) * x.row_stride + k0 * x.k_stride;
                if (x.shift)
                    for (int64_t p = p0; p < p1; ++p) to[p * width + r] = taken(source[p * x.k_stride], row + r, k0 + p);
                else
                    for (int64_t p = p0; p < p1; ++p) to[p * width + r] = static_cast<T>(source[p * x.k_stride]);
            }
        }
    }
}

// Asks for count values to come into L2, a part of them: the part-th of parts.
template <class T>
void prefetch_part(const T* from, int64_t count, int64_t part, int64_t parts) {
#if defined(__GNUC__) || defined(__clang__)
    constexpr int64_t line = 64 / sizeof(T);
    for (int64_t i = count * part / parts / line * line; i < count * (part + 1) / parts; i += line) __builtin_prefetch(from + i, 0, 2);
#else
    static_cast<void>(from), static_cast<void>(count), static_cast<void>(part), static_cast<void>(parts);
#endif
}

// All of a matrix, packed: depth by depth of k_block, each a run of panels.
template <class T>
struct Packed {
    int64_t width, panels, depths;
    Buffer<T> values;
    std::vector<uint8_t> filled;  // by depth and panel: some value is not zero

    Packed(int64_t rows, int64_t k, int64_t panel_width, int64_t k_block)
        : width(panel_width),
          panels(ceil_div(rows, panel_width)),
          depths(ceil_div(k, k_block)),
          values(panels * panel_width * k),
          filled(static_cast<size_t>(depths * panels)) {}
    const uint8_t* flags(int64_t depth) const { return filled.data() + depth * panels; }
};

}  // namespace

void* allocate_aligned(size_t bytes) {
    void* const p = ::operator new(bytes, alignment(bytes));
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (bytes >= 2 * kHugePage) madvise(p, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);  // a wish: refusal costs nothing
#endif
    return p;
}

void free_aligned(void* p, size_t bytes) { ::operator delete(p, alignment(bytes)); }

template <class In, class T>
void product_blocks(int64_t m, int64_t n, int64_t k, const Rows<In, T>& a, const Rows<In, T>& b, Part part, BlockTask<T> task,
                    void* context) {
    if (m <= 0 || n <= 0) return;
    const GemmKernels<T>& kernel = gemm_kernels<T>();
    const int64_t mr = kernel.rows, nr = kernel.columns;
    // The running panel of b (30 kB at most) stays in L1 while the panels of a, a third as wide, stream past it from L2,
    // which holds a block of them (0.3 MB) and the block of the result (0.4 MB).
    const int64_t k_block = std::min<int64_t>(kLongestSum, 30720 / (nr * static_cast<int64_t>(sizeof(T))));
    const int64_t panels_m = 192 / mr, panels_n = 240 / nr;
    const bool same = m == n && a.data == b.data && a.row_stride == b.row_stride && a.k_stride == b.k_stride && a.shift == b.shift;
    const bool shared = same && nr % mr == 0;  // the panels of b hold those of a side by side
    Packed<T> packed_a(shared ? 0 : m, k, mr, k_block), packed_b(n, k, nr, k_block);
    const int64_t panels_of_a = ceil_div(m, mr), blocks_m = ceil_div(panels_of_a, panels_m), blocks_n = ceil_div(packed_b.panels, panels_n);
    const int64_t packs_m = shared ? 0 : blocks_m, depths = packed_b.depths;
    parallel_for((packs_m + blocks_n) * depths, [&](int64_t t) {
        const int64_t depth = t / (packs_m + blocks_n), block = t % (packs_m + blocks_n), k0 = depth * k_block;
        const bool is_a = block < packs_m;
        Packed<T>& to = is_a ? packed_a : packed_b;
        const int64_t per_block = is_a ? panels_m : panels_n, k_count = std::min(k_block, k - k0);
        const int64_t first = (is_a ? block : block - packs_m) * per_block, last = std::min(first + per_block, to.panels);
        pack_panels(is_a ? a : b, first, last, to.width, is_a ? m : n, k0, k_count,
                    to.values.data() + to.panels * to.width * k0 + first * to.width * k_count, to.filled.data() + depth * to.panels);
    });
    parallel_for(blocks_m * blocks_n, [&](int64_t t) {
        const int64_t i_first = t % blocks_m * panels_m, i_last = std::min(i_first + panels_m, panels_of_a);
        const int64_t j_first = t / blocks_m * panels_n, j_last = std::min(j_first + panels_n, packed_b.panels);
        const int64_t i0 = i_first * mr, j0 = j_first * nr, stride = (j_last - j_first) * nr;
        if (part == Part::Lower && std::min(i_last * mr, m) <= j0) return;
        const Buffer<T> block((i_last - i_first) * mr * stride);
        std::fill(block.data(), block.data() + (i_last - i_first) * mr * stride, T(0));
        for (int64_t depth = 0; depth < depths; ++depth) {
            const int64_t k0 = depth * k_block, k_count = std::min(k_block, k - k0);
            const T* const from_b = packed_b.values.data() + packed_b.panels * nr * k0;
            const T* const from_a = shared ? from_b : packed_a.values.data() + packed_a.panels * mr * k0;
            const int64_t a_step = shared ? nr : mr;
            // Panels come from L3 or memory once a block: the next panel of b, and the rows of the next depth, are asked for
            // a few lines a tile, so that no tile waits for them.
            const int64_t tiles = i_last - i_first, next_k = std::min(k_block, k - k0 - k_count), rows_k = tiles * mr * next_k;
            const T* const next_a = next_k > 0 && !shared ? from_a + panels_of_a * mr * k_count + i_first * mr * next_k : nullptr;
            for (int64_t jp = j_first; jp < j_last; ++jp) {
                if (!packed_b.flags(depth)[jp]) continue;
                for (int64_t ip = i_first; ip < i_last; ++ip) {
                    if (jp + 1 < j_last) prefetch_part(from_b + (jp + 1) * nr * k_count, nr * k_count, ip - i_first, tiles);
                    if (next_a) prefetch_part(next_a, rows_k, (jp - j_first) * tiles + ip - i_first, (j_last - j_first) * tiles);
                    const int64_t i = ip * mr, panel = i / a_step;
                    if (!(shared ? packed_b : packed_a).flags(depth)[panel] || (part == Part::Lower && i + mr <= jp * nr)) continue;
                    kernel.tile(k_count, from_a + panel * a_step * k_count + i % a_step, a_step, from_b + jp * nr * k_count,
                                block.data() + (i - i0) * stride + (jp - j_first) * nr, stride);
                }
            }
        }
        task(context, Block<T>{i0, j0, std::min(i_last * mr, m) - i0, std::min(j_last * nr, n) - j0, block.data(), stride});
    });
}

template <class In, class T>
void gemm(int64_t m, int64_t n, int64_t k, T alpha, const Rows<In, T>& a, const Rows<In, T>& b, T beta, T* c, int64_t c_stride, Part part) {
    // Packed copies of a and b are 64 MB together or so, however long their rows: all of k at 2048 x 2048 in float64.
    const int64_t depth =
        std::max<int64_t>(kLongestSum, (int64_t{64} << 20) / static_cast<int64_t>(sizeof(T)) / std::max<int64_t>(1, m + n) / 128 * 128);
    for (int64_t k0 = 0; k0 < std::max<int64_t>(k, 1); k0 += depth) {
        const auto from = [&](Rows<In, T> x) {
            x.data += k0 * x.k_stride;
            if (x.shift && x.shift_by_k) x.shift += k0;
            return x;
        };
        const T keep = k0 == 0 ? beta : T(1);
        product_blocks<In, T>(m, n, std::min(depth, k - k0), from(a), from(b), part, [&](const Block<T>& block) {
            for (int64_t i = 0; i < block.rows; ++i) {
                T* const to = c + (block.i + i) * c_stride + block.j;
                const T* const values = block.values + i * block.stride;
                if (keep == 0)
                    for (int64_t j = 0; j < block.columns; ++j) to[j] = alpha * values[j];
                else
                    for (int64_t j = 0; j < block.columns; ++j) to[j] = keep * to[j] + alpha * values[j];
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
template void product_blocks(int64_t, int64_t, int64_t, const Rows<float>&, const Rows<float>&, Part, BlockTask<float>, void*);
template void product_blocks(int64_t, int64_t, int64_t, const Rows<double, float>&, const Rows<double, float>&, Part, BlockTask<float>,
                             void*);
template void product_blocks(int64_t, int64_t, int64_t, const Rows<float, double>&, const Rows<float, double>&, Part, BlockTask<double>,
                             void*);
template void product_blocks(int64_t, int64_t, int64_t, const Rows<double>&, const Rows<double>&, Part, BlockTask<double>, void*);
template void mirror(int64_t, float*, int64_t);
template void mirror(int64_t, double*, int64_t);

}  // namespace pixelgauge
