// Matrix products without a BLAS: packed panels, register tiles from the kernel table, threads over a fixed grid of
// blocks. Each element is summed over k in one order, so a result depends on neither threads nor neighbours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "kernels/table.h"

namespace pixelgauge {

// Aligned to a cache line (and to the widest register); in large pages where the system lends them, because packed panels
// and matrices of some 10 MB are otherwise a page fault every 4 kB and a translation miss every few lines. Freed blocks of 4
// MB and more are kept for the next of their size, 64 MB in all.
void* allocate_aligned(size_t bytes);
void free_aligned(void* p, size_t bytes);

// Uninitialised memory.
template <class T>
class Buffer {
  public:
    Buffer() = default;
    explicit Buffer(int64_t size)
        : data_(static_cast<T*>(allocate_aligned(static_cast<size_t>(size) * sizeof(T))), Free{static_cast<size_t>(size) * sizeof(T)}) {}
    T* data() const { return data_.get(); }
    T& operator[](int64_t i) const { return data_.get()[i]; }

  private:
    struct Free {
        size_t bytes = 0;
        void operator()(T* p) const { free_aligned(p, bytes); }
    };
    std::unique_ptr<T, Free> data_;
};

// A matrix seen as rows of k values each, wherever they lie; shift, if any, is one value a row (a k where `shift_by_k`) and
// is subtracted in the wider of the two types. Elements are converted to the type of the product when they are packed.
template <class In, class T = In>
struct Rows {
    using Shift = typename PanelRows<In, T>::Shift;
    const In* data;
    int64_t row_stride, k_stride;
    const Shift* shift = nullptr;
    bool shift_by_k = false;
};

enum class Part { Full, Lower };

// No more products than this are added one after the other; such sums are then added one after the other.
constexpr int64_t kLongestSum = 384;

// A finished block of a product: rows x columns values at (i, j), to be read only while the task runs.
template <class T>
struct Block {
    int64_t i, j, rows, columns;
    const T* values;
    int64_t stride;
};
template <class T>
using BlockTask = void (*)(void* context, const Block<T>& block);

// sum_k a(i, k) b(j, k), each block handed to the task on the thread that computed it; blocks wholly above the diagonal are
// left out for Part::Lower. Panels of zeros are skipped: triangular operands cost what they hold, and 0 times infinity is 0.
template <class In, class T>
void product_blocks(int64_t m, int64_t n, int64_t k, const Rows<In, T>& a, const Rows<In, T>& b, Part part, BlockTask<T> task,
                    void* context);

template <class In, class T, class F>
void product_blocks(int64_t m, int64_t n, int64_t k, const Rows<In, T>& a, const Rows<In, T>& b, Part part, F&& fn) {
    using Fn = std::remove_reference_t<F>;
    product_blocks<In, T>(
        m, n, k, a, b, part, [](void* context, const Block<T>& block) { (*static_cast<Fn*>(context))(block); },
        const_cast<void*>(static_cast<const void*>(&fn)));
}

// c[i][j] = alpha sum_k a(i, k) b(j, k) + beta c[i][j]. Part::Lower promises the elements with j <= i only; above the
// diagonal it writes whatever its blocks cover. The rows of c must not overlap a or b.
template <class In, class T>
void gemm(int64_t m, int64_t n, int64_t k, T alpha, const Rows<In, T>& a, const Rows<In, T>& b, T beta, T* c, int64_t c_stride, Part part);

// Copies the lower triangle of an n x n matrix to the upper one.
template <class T>
void mirror(int64_t n, T* c, int64_t c_stride);

}  // namespace pixelgauge
