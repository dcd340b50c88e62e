// Matrix products without a BLAS: packed panels, register tiles from the kernel table, threads over a fixed grid. Each
// element is summed over k in one order, so a result depends on neither threads nor neighbours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace pixelgauge {

// Uninitialised memory aligned to a cache line (and to the widest register).
template <class T>
class Buffer {
  public:
    Buffer() = default;
    explicit Buffer(int64_t size) : data_(static_cast<T*>(::operator new(static_cast<size_t>(size) * sizeof(T), std::align_val_t{64}))) {}
    T* data() const { return data_.get(); }
    T& operator[](int64_t i) const { return data_.get()[i]; }

  private:
    struct Free {
        void operator()(T* p) const { ::operator delete(p, std::align_val_t{64}); }
    };
    std::unique_ptr<T, Free> data_;
};

// A matrix seen as rows of k values each, wherever they lie; shift, if any, is one value a row and is subtracted.
// Elements are converted to the type of the product when they are packed.
template <class In, class T = In>
struct Rows {
    const In* data;
    int64_t row_stride, k_stride;
    const T* shift = nullptr;
};

enum class Part { Full, Lower };

// c[i][j] = alpha sum_k a(i, k) b(j, k) + beta c[i][j]. Part::Lower promises the elements with j <= i only; above the
// diagonal it writes whatever its tiles cover. The rows of c must not overlap a or b.
template <class In, class T>
void gemm(int64_t m, int64_t n, int64_t k, T alpha, const Rows<In, T>& a, const Rows<In, T>& b, T beta, T* c, int64_t c_stride, Part part);

// Copies the lower triangle of an n x n matrix to the upper one.
template <class T>
void mirror(int64_t n, T* c, int64_t c_stride);

}  // namespace pixelgauge
