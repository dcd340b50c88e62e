#include "matrix/gemm.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "pixelgauge/pixelgauge.h"
#include "runtime/status.h"
#include "runtime/threads.h"

namespace pixelgauge {

namespace {

constexpr size_t kHugePage = size_t{2} << 20;

size_t whole_pages(size_t bytes) { return (bytes + kHugePage - 1) / kHugePage * kHugePage; }

// Large blocks freed last, for the next product of the same size: fresh ones are pages that the system must clear and map,
// which is 3 % of a product at 2048. Never destroyed; the child of a fork that finds the lock held goes without.
class KeptBlocks {
  public:
    static KeptBlocks& get() {
        static KeptBlocks* const blocks = new KeptBlocks;
        return *blocks;
    }
    void* take(size_t size) {
        const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
        if (!lock) return nullptr;
        for (size_t i = count_; i-- > 0;) {
            if (blocks_[i].size != size) continue;
            void* const p = blocks_[i].p;
            forget(i);
            return p;
        }
        return nullptr;
    }
    void keep(void* p, size_t size) noexcept {
        const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
        if (!lock || size > kKeptBytes) return release(p);
        while (count_ == kMost || kept_ + size > kKeptBytes) {
            release(blocks_[0].p);
            forget(0);
        }
        blocks_[count_++] = {p, size};
        kept_ += size;
    }

  private:
    static constexpr size_t kKeptBytes = size_t{64} << 20, kMost = 8;
    struct Block {
        void* p;
        size_t size;
    };
    static void release(void* p) { ::operator delete(p, std::align_val_t{kHugePage}); }
    void forget(size_t i) {
        kept_ -= blocks_[i].size;
        std::copy(blocks_ + i + 1, blocks_ + count_--, blocks_ + i);
    }

    std::mutex mutex_;
    Block blocks_[kMost];
    size_t count_ = 0, kept_ = 0;
};

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

template <class T>
void pack(const GemmKernels<T>& kernel, const PanelRows<float, T>& x, int64_t panels, int64_t width, const uint8_t* filled, T* out) {
    kernel.pack_f32(&x, panels, width, filled, out);
}
template <class T>
void pack(const GemmKernels<T>& kernel, const PanelRows<double, T>& x, int64_t panels, int64_t width, const uint8_t* filled, T* out) {
    kernel.pack_f64(&x, panels, width, filled, out);
}

template <class In, class T>
bool holds_a_value(const PanelRows<In, T>& x, int64_t first, int64_t count) {
    if (x.shift) return true;
    const bool along_k = x.k_stride < x.row_stride;
    for (int64_t u = 0; u < (along_k ? count : x.k); ++u)
        for (int64_t v = 0; v < (along_k ? x.k : count); ++v)
            if (x.data[(first + (along_k ? u : v)) * x.row_stride + (along_k ? v : u) * x.k_stride] != 0) return true;
    return false;
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

// A product by panels as wide as the kernel's tiles: all of a and b is packed, then each block of the result is added up, depth by
// depth.
template <class In, class T>
struct Product {
    const GemmKernels<T>& kernel = gemm_kernels<T>();
    const int64_t m, n, k;
    const Rows<In, T>&a, &b;
    const int64_t mr = kernel.rows, nr = kernel.columns;
    // The running panel of b (30 kB at most) stays in L1 while the panels of a, a third as wide, stream past it from L2,
    // which holds a block of them (0.3 MB) and the block of the result (0.4 MB).
    const int64_t k_block = std::min<int64_t>(kLongestSum, 30720 / (nr * static_cast<int64_t>(sizeof(T)))) / kernel.step * kernel.step;
    const int64_t k_packed = ceil_div(k, kernel.step) * kernel.step;
    const int64_t panels_m = 192 / mr, panels_n = 240 / nr;  // of a block
    const bool shared;
    Packed<T> packed_a, packed_b;
    const int64_t panels_of_a = ceil_div(m, mr), blocks_m = ceil_div(panels_of_a, panels_m), blocks_n = ceil_div(packed_b.panels, panels_n);

    Product(int64_t rows, int64_t columns, int64_t sum, const Rows<In, T>& from_a, const Rows<In, T>& from_b)
        : m(rows),
          n(columns),
          k(sum),
          a(from_a),
          b(from_b),
          shared(is_shared()),
          packed_a(shared ? 0 : m, k_packed, mr, k_block),
          packed_b(n, k_packed, nr, k_block) {}

    void pack_all() {
        const int64_t packs_m = shared ? 0 : blocks_m, packs = packs_m + blocks_n;
        parallel_for(packs * packed_b.depths, [&](int64_t t) {
            const int64_t depth = t / packs, block = t % packs;
            if (block < packs_m)
                pack_block(a, m, block * panels_m, panels_m, depth, packed_a);
            else
                pack_block(b, n, (block - packs_m) * panels_n, panels_n, depth, packed_b);
        });
    }

    void multiply(Part part, BlockTask<T> task, void* context) const {
        parallel_for(blocks_m * blocks_n, [&](int64_t t) {
            const int64_t i_first = t % blocks_m * panels_m, j_first = t / blocks_m * panels_n;
            const Panels at{i_first, std::min(i_first + panels_m, panels_of_a), j_first, std::min(j_first + panels_n, packed_b.panels)};
            const int64_t i0 = i_first * mr, j0 = j_first * nr, stride = (at.j_last - j_first) * nr;
            if (part == Part::Lower && std::min(at.i_last * mr, m) <= j0) return;
            const Buffer<T> block((at.i_last - i_first) * mr * stride);
            std::fill(block.data(), block.data() + (at.i_last - i_first) * mr * stride, T(0));
            for (int64_t depth = 0; depth < packed_b.depths; ++depth) add_depth(at, part, depth, block.data());
            task(context, Block<T>{i0, j0, std::min(at.i_last * mr, m) - i0, std::min(at.j_last * nr, n) - j0, block.data(), stride});
        });
    }

  private:
    struct Panels {  // of a and of b that make a block
        int64_t i_first, i_last, j_first, j_last;
    };

    // Whether the panels of b hold those of a side by side.
    bool is_shared() const {
        const bool same = m == n && a.data == b.data && a.row_stride == b.row_stride && a.k_stride == b.k_stride && a.shift == b.shift;
        return same && nr % mr == 0;
    }

    void pack_block(const Rows<In, T>& from, int64_t count, int64_t first, int64_t most, int64_t depth, Packed<T>& to) const {
        const int64_t k0 = depth * k_block, k_count = std::min(k_block, k_packed - k0), last = std::min(first + most, to.panels);
        const int64_t row = first * to.width, rows = count - row;
        const PanelRows<In, T> x{from.data + row * from.row_stride + k0 * from.k_stride,
                                 from.row_stride,
                                 from.k_stride,
                                 rows,
                                 std::min(k_block, k - k0),
                                 from.shift ? from.shift + (from.shift_by_k ? k0 : row) : nullptr,
                                 from.shift_by_k};
        uint8_t* const filled = to.filled.data() + depth * to.panels + first;
        for (int64_t panel = 0; panel < last - first; ++panel)
            filled[panel] = holds_a_value(x, panel * to.width, std::min(to.width, rows - panel * to.width));
        pack(kernel, x, last - first, to.width, filled, to.values.data() + to.panels * to.width * k0 + row * k_count);
    }

    void add_depth(const Panels& at, Part part, int64_t depth, T* block) const {
        const int64_t i0 = at.i_first * mr, j0 = at.j_first * nr, stride = (at.j_last - at.j_first) * nr;
        const int64_t k0 = depth * k_block, k_count = std::min(k_block, k_packed - k0);
        const T* const from_b = packed_b.values.data() + packed_b.panels * nr * k0;
        const T* const from_a = shared ? from_b : packed_a.values.data() + packed_a.panels * mr * k0;
        const int64_t a_step = shared ? nr : mr;
        // Panels come from L3 or memory once a block: the next panel of b, and the rows of the next depth, are asked for
        // a few lines a tile, so that no tile waits for them.
        const int64_t tiles = at.i_last - at.i_first, steps = k_count / kernel.step, item = sizeof(T);
        const int64_t next_k = std::min(k_block, k_packed - k0 - k_count);
        const auto at_next_depth = [&](const T* from, int64_t rows, int64_t row) {
            return reinterpret_cast<const char*>(next_k > 0 ? from + rows * k_count + row * next_k : from);
        };
        GemmTile<T> tile{k_count, nullptr, a_step, nullptr, nullptr, stride, nullptr, nullptr, 0, 0};
        tile.next_a = at_next_depth(from_a, shared ? packed_b.panels * nr : panels_of_a * mr, i0);
        const int64_t a_share = ceil_div(mr * next_k * item, at.j_last - at.j_first), b_share = ceil_div(nr * k_count * item, tiles);
        tile.next_a_step = ceil_div(a_share, steps);
        tile.next_b_step = ceil_div(b_share, steps);
        for (int64_t jp = at.j_first; jp < at.j_last; ++jp) {
            tile.b = from_b + jp * nr * k_count;
            if (!packed_b.flags(depth)[jp]) continue;
            tile.next_b =
                jp + 1 < at.j_last ? reinterpret_cast<const char*>(tile.b + nr * k_count) : at_next_depth(from_b, packed_b.panels * nr, j0);
            for (int64_t ip = at.i_first; ip < at.i_last; ++ip, tile.next_b += b_share, tile.next_a += a_share) {
                const int64_t i = ip * mr, panel = i / a_step;
                if (!(shared ? packed_b : packed_a).flags(depth)[panel] || (part == Part::Lower && i + mr <= jp * nr)) continue;
                tile.a = from_a + panel * a_step * k_count + i % a_step;
                tile.c = block + (i - i0) * stride + (jp - at.j_first) * nr;
                kernel.tile(&tile);
            }
        }
    }
};

}  // namespace

void* allocate_aligned(size_t bytes) {
    if (bytes < 2 * kHugePage) return ::operator new(bytes, std::align_val_t{64});
    const size_t size = whole_pages(bytes);
    if (void* const kept = KeptBlocks::get().take(size)) return kept;
    void* const p = ::operator new(size, std::align_val_t{kHugePage});
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    madvise(p, size, MADV_HUGEPAGE);  // a wish: refusal costs nothing
#endif
    return p;
}

void free_aligned(void* p, size_t bytes) {
    if (bytes < 2 * kHugePage)
        ::operator delete(p, std::align_val_t{64});
    else
        KeptBlocks::get().keep(p, whole_pages(bytes));
}

template <class In, class T>
void product_blocks(int64_t m, int64_t n, int64_t k, const Rows<In, T>& a, const Rows<In, T>& b, Part part, BlockTask<T> task,
                    void* context) {
    if (m <= 0 || n <= 0) return;
    Product<In, T> product(m, n, k, a, b);
    product.pack_all();
    product.multiply(part, task, context);
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
