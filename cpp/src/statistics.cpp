// Sums and scatter matrices of features: SYRK over chunks of rows in float64, chunks added in doubled precision.
#include <algorithm>
#include <cmath>
#include <string>

#include "gemm.h"
#include "kernels/table.h"
#include "matrices.h"
#include "status.h"
#include "threads.h"

namespace pixelgauge {

namespace {

// A chunk bounds the rounding of its sums and the packed copy of the features, 48 MB at 2048 columns; each costs a pass over
// the state, 64 MB there.
constexpr int64_t kChunk = 3072;

void sum_rows(int64_t rows, const float* x, int64_t row_stride, int64_t n, const double* shift, double* sums) {
    kernels().add_rows_f32(rows, x, row_stride, n, shift, sums);
}
void sum_rows(int64_t rows, const double* x, int64_t row_stride, int64_t n, const double* shift, double* sums) {
    kernels().add_rows_f64(rows, x, row_stride, n, shift, sums);
}

template <class In>
void add_rows(const pg_matrix& features, const double* shift, double* sum, double* scatter) {
    const int64_t dim = features.columns;
    const auto x = rows_of<In, double>(features);
    const int64_t chunks = (features.rows + kChunk - 1) / kChunk;
    const Buffer<double> sums(chunks * dim);
    constexpr int64_t kColumns = 512;  // a page of the source a row, and sums that stay in L1
    parallel_for((dim + kColumns - 1) / kColumns * chunks, [&](int64_t t) {
        const int64_t chunk = t % chunks, j0 = t / chunks * kColumns, j1 = std::min(j0 + kColumns, dim);
        double* const to = sums.data() + chunk * dim;
        std::fill(to + j0, to + j1, 0.0);
        const int64_t first = chunk * kChunk, last = std::min(first + kChunk, features.rows);
        if (x.k_stride == 1)
            sum_rows(last - first, x.data + first * x.row_stride + j0, x.row_stride, j1 - j0, shift + j0, to + j0);
        else
            for (int64_t j = j0; j < j1; ++j)
                for (int64_t i = first; i < last; ++i) to[j] += static_cast<double>(x.data[i * x.row_stride + j * x.k_stride]) - shift[j];
    });
    for (int64_t i = 0; i < chunks * dim; ++i)
        require(std::isfinite(sums[i]),
                "features hold NaN or infinity in column " + std::to_string(i % dim) + ": remove or repair them first");
    const Kernels& kernel = kernels();
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        const int64_t first = chunk * kChunk, count = std::min(kChunk, features.rows - first);
        const Rows<In, double> columns{x.data + first * x.row_stride, x.k_stride, x.row_stride, shift};
        product_blocks<In, double>(dim, dim, count, columns, columns, Part::Lower, [&](const Block<double>& block) {
            for (int64_t i = 0; i < block.rows; ++i) {
                double* const high = scatter + (block.i + i) * dim + block.j;
                kernel.add_doubled(std::min(block.columns, block.i + i - block.j + 1), block.values + i * block.stride, high,
                                   high + dim * dim);
            }
        });
        kernel.add_doubled(dim, sums.data() + chunk * dim, sum, sum + dim);
    }
}

}  // namespace

void require_matrix(const pg_matrix* m, const char* name) {
    require(m != nullptr, std::string(name) + " is NULL");
    require(m->dtype == PG_FLOAT32 || m->dtype == PG_FLOAT64, std::string(name) + " must be float32 or float64");
    require(m->rows >= 1 && m->columns >= 1,
            std::string(name) + " is empty: its shape is (" + std::to_string(m->rows) + ", " + std::to_string(m->columns) + ")");
    require(m->data != nullptr, std::string(name) + " has no data");
    const int64_t item = m->dtype == PG_FLOAT32 ? 4 : 8;
    require(m->row_stride % item == 0 && m->column_stride % item == 0,
            std::string(name) + " has strides that are not multiples of its element: copy it");
}

}  // namespace pixelgauge

extern "C" pg_status pg_scatter_add(const pg_matrix* features, const double* shift, double* sum, double* scatter) {
    using namespace pixelgauge;
    return guarded([&] {
        require_matrix(features, "features");
        require(shift && sum && scatter, "shift, sum or scatter is NULL");
        if (features->dtype == PG_FLOAT32)
            add_rows<float>(*features, shift, sum, scatter);
        else
            add_rows<double>(*features, shift, sum, scatter);
    });
}

extern "C" pg_status pg_product(const pg_matrix* a, const pg_matrix* b, void* c) {
    using namespace pixelgauge;
    return guarded([&] {
        require_matrix(a, "a");
        require_matrix(b, "b");
        require(c != nullptr, "c is NULL");
        require(a->dtype == b->dtype, "a and b differ in dtype: convert one of them");
        require(a->columns == b->columns,
                "a has " + std::to_string(a->columns) + " columns and b " + std::to_string(b->columns) + ": they must agree");
        const bool same =
            a->data == b->data && a->rows == b->rows && a->row_stride == b->row_stride && a->column_stride == b->column_stride;
        const auto run = [&](auto zero) {
            using T = decltype(zero);
            T* const out = static_cast<T*>(c);
            gemm<T, T>(a->rows, b->rows, a->columns, T(1), rows_of<T, T>(*a), rows_of<T, T>(*b), T(0), out, b->rows,
                       same ? Part::Lower : Part::Full);
            if (same) mirror(a->rows, out, a->rows);
        };
        a->dtype == PG_FLOAT32 ? run(0.0f) : run(0.0);
    });
}
