// Sums and scatter matrices of features: SYRK over chunks of rows in float64, chunks added in doubled precision.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>

#include "kernels/table.h"
#include "matrix/gemm.h"
#include "matrix/matrices.h"
#include "runtime/sizes.h"
#include "runtime/status.h"
#include "runtime/threads.h"

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

// The squares of larger differences would leave float64's room when they are added.
constexpr double kLargestDifference = 1e140;

// Squares of float32 never do, those of float64 are looked at first.
void require_room(const pg_matrix&, const Rows<float, double>&, const double*) {}
void require_room(const pg_matrix& features, const Rows<double, double>& x, const double* shift) {
    const int64_t dim = features.columns, chunks = (features.rows + kChunk - 1) / kChunk;
    const Buffer<double> largest(chunks);
    parallel_for(chunks, [&](int64_t chunk) {
        double most = 0;
        for (int64_t i = chunk * kChunk; i < std::min((chunk + 1) * kChunk, features.rows); ++i)
            for (int64_t j = 0; j < dim; ++j) most = std::max(most, std::fabs(x.data[i * x.row_stride + j * x.k_stride] - shift[j]));
        largest[chunk] = most;
    });
    for (int64_t chunk = 0; chunk < chunks; ++chunk)
        require(largest[chunk] <= kLargestDifference, [&] {
            return Fault(PG_ERROR_OVERFLOW, "features", "",
                         "features lie up to " + short_number(largest[chunk]) + " from shift, which leaves no room for their squares",
                         "scale them down");
        });
}

template <class In>
void add_rows(const pg_matrix& features, const double* shift, double* sum, double* scatter) {
    const int64_t dim = features.columns;
    const auto x = rows_of<In, double>(features);
    for (int64_t j = 0; j < dim; ++j)
        require(std::fabs(shift[j]) <= kLargestDifference, [&] {
            return Fault(std::isfinite(shift[j]) ? PG_ERROR_OVERFLOW : PG_ERROR_NOT_FINITE, "shift", "",
                         "shift holds " + short_number(shift[j]), "use finite values, of the features' size")
                .in_column(j);
        });
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
    for (int64_t i = 0; i < chunks * dim; ++i) {
        if (std::isfinite(sums[i])) continue;
        const int64_t column = i % dim;
        int64_t row = i / dim * kChunk;
        while (row < features.rows && std::isfinite(x.data[row * x.row_stride + column * x.k_stride])) ++row;
        if (row == features.rows) break;  // finite features whose sum is not: they leave no room
        throw InvalidArgument(Fault(PG_ERROR_NOT_FINITE, "features", "",
                                    "features hold NaN or infinity in column " + std::to_string(column), "remove or repair them first")
                                  .in_row(row)
                                  .in_column(column));
    }
    require_room(features, x, shift);
    const Kernels& kernel = kernels();
    std::atomic<bool> finite{true};
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        const int64_t first = chunk * kChunk, count = std::min(kChunk, features.rows - first);
        const Rows<In, double> columns{x.data + first * x.row_stride, x.k_stride, x.row_stride, shift};
        product_blocks<In, double>(dim, dim, count, columns, columns, Part::Lower, [&](const Block<double>& block) {
            for (int64_t i = 0; i < block.rows; ++i) {
                double* const high = scatter + (block.i + i) * dim + block.j;
                const int64_t n = std::min(block.columns, block.i + i - block.j + 1);
                kernel.add_doubled(n, block.values + i * block.stride, high, high + dim * dim);
                if (n > 0 && !are_finite(high, n)) finite.store(false, std::memory_order_relaxed);
            }
        });
        kernel.add_doubled(dim, sums.data() + chunk * dim, sum, sum + dim);
    }
    require(finite.load() && are_finite(sum, 2 * dim), [&] {
        return Fault(PG_ERROR_NOT_FINITE, finite.load() ? "sum" : "scatter", "",
                     "sum or scatter holds NaN or infinity, or values that overflow with these features", "begin with zeros");
    });
}

}  // namespace

void require_matrix(const pg_matrix* m, const char* name) {
    require_given({{name, m}});
    const auto refused = [&](pg_error_kind kind, const char* problem, const char* remedy) {
        return [=] { return Fault(kind, name, "", std::string(name) + problem, remedy); };
    };
    require(m->dtype == PG_FLOAT32 || m->dtype == PG_FLOAT64, refused(PG_ERROR_VALUE, " must be float32 or float64", ""));
    require(m->rows >= 1 && m->columns >= 1, [&] {
        return Fault(PG_ERROR_MISSING, name, "",
                     std::string(name) + " is empty: its shape is (" + std::to_string(m->rows) + ", " + std::to_string(m->columns) + ")");
    });
    require(m->data != nullptr, refused(PG_ERROR_MISSING, " has no data", ""));
    const int64_t item = m->dtype == PG_FLOAT32 ? 4 : 8;
    require(m->row_stride % item == 0 && m->column_stride % item == 0,
            refused(PG_ERROR_VALUE, " has strides that are not multiples of its element", "copy it"));
    require(reinterpret_cast<uintptr_t>(m->data) % static_cast<uintptr_t>(item) == 0,
            refused(PG_ERROR_VALUE, " has data that is not aligned to its element", "copy it"));
    checked_product(name, {m->rows, m->columns, item});
    require_reach(name, m->data, {{m->rows, m->row_stride}, {m->columns, m->column_stride}});
}

bool is_finite(const pg_matrix& m) {
    constexpr int64_t kRows = 64;
    std::atomic<bool> finite{true};
    const auto run = [&](auto zero) {
        using T = decltype(zero);
        const auto x = rows_of<T, T>(m);
        parallel_for((m.rows + kRows - 1) / kRows, [&](int64_t t) {
            T poison = 0;
            for (int64_t i = t * kRows; i < std::min((t + 1) * kRows, m.rows); ++i) {
                if (x.k_stride == 1 && are_finite(x.data + i * x.row_stride, m.columns)) continue;
                for (int64_t j = 0; j < m.columns; ++j) poison += x.data[i * x.row_stride + j * x.k_stride] * 0;
            }
            if (!(poison == 0)) finite.store(false, std::memory_order_relaxed);
        });
    };
    m.dtype == PG_FLOAT32 ? run(0.0F) : run(0.0);
    return finite.load();
}

namespace {

// What an error says of a matrix that is not finite: the place is looked for now.
Fault not_finite(const pg_matrix& m, const char* name) {
    Fault fault(PG_ERROR_NOT_FINITE, name, "", std::string(name) + " holds NaN or infinity", "remove or repair such values first");
    const auto look = [&](auto zero) {
        using T = decltype(zero);
        const auto x = rows_of<T, T>(m);
        for (int64_t i = 0; i < m.rows; ++i)
            for (int64_t j = 0; j < m.columns; ++j)
                if (!std::isfinite(x.data[i * x.row_stride + j * x.k_stride])) {
                    fault.in_row(i).in_column(j);
                    return;
                }
    };
    m.dtype == PG_FLOAT32 ? look(0.0F) : look(0.0);
    return fault;
}

}  // namespace

}  // namespace pixelgauge

extern "C" pg_status pg_scatter_add(const pg_matrix* features, const double* shift, double* sum, double* scatter) {
    using namespace pixelgauge;
    return guarded([&] {
        require_matrix(features, "features");
        require_given({{"shift", shift}, {"sum", sum}, {"scatter", scatter}});
        checked_product("scatter", {2, features->columns, features->columns, sizeof(double)});
        if (features->dtype == PG_FLOAT32)
            add_rows<float>(*features, shift, sum, scatter);
        else
            add_rows<double>(*features, shift, sum, scatter);
    });
}

extern "C" pg_status pg_matmul_transposed(const pg_matrix* a, const pg_matrix* b, void* c) {
    using namespace pixelgauge;
    return guarded([&] {
        require_matrix(a, "a");
        require_matrix(b, "b");
        require_given({{"c", c}});
        require(a->dtype == b->dtype, [] { return Fault(PG_ERROR_MISMATCH, "b", "", "a and b differ in dtype", "convert one of them"); });
        require(a->columns == b->columns, [&] {
            return Fault(PG_ERROR_MISMATCH, "b", "", "a has " + std::to_string(a->columns) + " columns and b " + std::to_string(b->columns),
                         "they must agree");
        });
        checked_product("c", {a->rows, b->rows, a->dtype == PG_FLOAT32 ? 4 : 8});
        require(is_finite(*a), [&] { return not_finite(*a, "a"); });
        require(is_finite(*b), [&] { return not_finite(*b, "b"); });
        const bool same =
            a->data == b->data && a->rows == b->rows && a->row_stride == b->row_stride && a->column_stride == b->column_stride;
        const auto run = [&](auto zero) {
            using T = decltype(zero);
            T* const out = static_cast<T*>(c);
            gemm<T, T>(a->rows, b->rows, a->columns, T(1), rows_of<T, T>(*a), rows_of<T, T>(*b), T(0), out, b->rows,
                       same ? Part::Lower : Part::Full);
            if (same) mirror(a->rows, out, a->rows);
            const pg_matrix product{c, a->dtype, a->rows, b->rows, b->rows * static_cast<int64_t>(sizeof(T)), sizeof(T)};
            require(is_finite(product),
                    [] { return Fault(PG_ERROR_OVERFLOW, "c", "", "c: products of a and b overflow", "scale them down"); });
        };
        a->dtype == PG_FLOAT32 ? run(0.0f) : run(0.0);
    });
}
