// Nuclear norms between bounds: any approximate polar factor gives one from below and one from above that hold whatever it is.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "matrix/cholesky.h"
#include "matrix/gemm.h"
#include "matrix/matrices.h"
#include "matrix/polar.h"
#include "matrix/row_blocks.h"
#include "pixelgauge/pixelgauge.h"
#include "runtime/status.h"

namespace pixelgauge {

namespace {

struct Interval {
    double lower, upper;
};

// ||E||_F of E = I - G for a Gram matrix G.
double distance_from_identity(int64_t n, const double* gram) {
    return std::sqrt(sum_rows(n, [&](int64_t i) {
        const double *const row = gram + i * n, d = 1 - row[i];
        return dot(row, row, n) - row[i] * row[i] + d * d;
    }));
}

double largest_row_sum(int64_t n, const double* gram) {
    double largest = 0;
    for (int64_t i = 0; i < n; ++i) {
        double sum = 0;
        for (int64_t j = 0; j < n; ++j) sum += std::fabs(gram[i * n + j]);
        largest = std::max(largest, sum);
    }
    return largest;
}

// `lower`, Tr(W^T M) for W = U (I + E / 2), with the term 3/8 E^2 of W, which is below 1e-9 of the first and needs no more than
// float32; then W has no singular value above 1 + ||E||^3 / 2, with ||E||^4 <= ||E^2||_F^2.
double with_third_term(int64_t n, const double* gram, const double* product, double lower) {
    const float scale = 0x1p20f;
    const Buffer<float> small(n * n), small_square(n * n);
    for_row_blocks(n, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i)
            for (int64_t j = 0; j < n; ++j) small[i * n + j] = scale * static_cast<float>((i == j) - gram[i * n + j]);
    });
    const Rows<float> rows_of_small{small.data(), n, 1};
    gemm<float, float>(n, n, n, 1.0f, rows_of_small, rows_of_small, 0.0f, small_square.data(), n, Part::Lower);
    mirror(n, small_square.data(), n);
    const double third = sum_rows(n, [&](int64_t i) {
        double sum = 0;
        for (int64_t j = 0; j < n; ++j) sum += static_cast<double>(small_square[i * n + j]) * product[i * n + j];
        return sum;
    });
    const double fourth = 0x1p-80 * sum_rows(n, [&](int64_t i) {
                              double sum = 0;
                              for (int64_t j = 0; j < n; ++j) sum += static_cast<double>(small_square[i * n + j]) * small_square[i * n + j];
                              return sum;
                          });
    return (lower + 0.375 * 0x1p-40 * third) / (1 + 0.5 * std::pow(fourth, 0.75));
}

// From below, by Tr(W^T M) for W of norm at most 1 made of U and E = I - U^T U, without another product by U. Far from
// convergence W = U (I + E / 2), which is that while U's norm is at most 2 (3/2 s - s^3/2 peaks at s = 1), as the largest
// row sum of U^T U shows; near it, W = U (I + E/2 + 3/8 E^2).
double lower_bound(int64_t n, const double* gram, const double* product) {
    double lower = sum_rows(n, [&](int64_t i) { return 1.5 * product[i * n + i] - 0.5 * dot(gram + i * n, product + i * n, n); });
    if (distance_from_identity(n, gram) < 1e-3) {
        lower = with_third_term(n, gram, product, lower);
    } else if (const double row_sum = largest_row_sum(n, gram); !(row_sum <= 4)) {
        // Row sums say little when U has null directions; 4 I - U^T U having a Cholesky factor says all.
        const Buffer<double> rest(n * n);
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j <= i; ++j) rest[i * n + j] = (i == j ? 4.0 : 0.0) - gram[i * n + j];
        if (!cholesky(n, rest.data(), n)) {
            double trace = 0;
            for (int64_t i = 0; i < n; ++i) trace += product[i * n + i];
            lower = trace / std::sqrt(row_sum);
        }
    }
    return std::max(lower, 0.0);
}

// From above: ||M||_* <= ||M L^-T||_F ||L||_F <= (||M L^-T||_F^2 + ||L||_F^2) / 2 for any L; equality for L L^T =
// (M^T M)^(1/2), to which M^T U comes close, and the bound feels a deviation in second order. Its lower triangle alone is
// taken: rounding there is relative to the column of M with the higher index, the smaller one of a Cholesky factor.
// `root` (n x n) is overwritten.
double upper_bound(int64_t rows, int64_t n, const double* m, const double* product, const Buffer<double>& root) {
    const Buffer<double> solved(rows * n);
    double ridge = 0;
    for (int64_t i = 0; i < n; ++i) ridge = std::max(ridge, std::fabs(product[i * n + i]));
    ridge *= 16 * kEps;
    for (int attempt = 0; attempt < 24; ++attempt, ridge *= 4) {
        for_row_blocks(n, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                std::copy(product + i * n, product + i * n + i, root.data() + i * n);
                root[i * n + i] = product[i * n + i] + ridge;
            }
        });
        if (!cholesky(n, root.data(), n)) continue;
        for_row_blocks(rows, [&](int64_t first, int64_t last) { std::copy(m + first * n, m + last * n, solved.data() + first * n); });
        solve_transposed(rows, n, solved.data(), n, root.data(), n);
        const double norm_l = sum_rows(n, [&](int64_t i) { return dot(root.data() + i * n, root.data() + i * n, i + 1); });
        const double bound = std::sqrt(norm_l) * std::sqrt(squared_norm(rows, n, solved.data()));
        return bound < std::numeric_limits<double>::infinity() ? bound : std::numeric_limits<double>::infinity();  // NaN is no bound
    }
    return std::numeric_limits<double>::infinity();
}

// Bounds of the nuclear norm of m (rows x n, n <= rows) from an approximate polar factor u.
Interval certify(int64_t rows, int64_t n, const double* m, const double* u) {
    const Buffer<double> gram(n * n), product(n * n);
    const Rows<double> columns_u{u, 1, n}, columns_m{m, 1, n};
    gemm<double, double>(n, n, rows, 1.0, columns_u, columns_u, 0.0, gram.data(), n, Part::Lower);
    mirror(n, gram.data(), n);
    gemm<double, double>(n, n, rows, 1.0, columns_m, columns_u, 0.0, product.data(), n, Part::Full);  // M^T U
    const double lower = lower_bound(n, gram.data(), product.data()), upper = upper_bound(rows, n, m, product.data(), gram);
    // The bounds' own sums round too: as the square root of their length, and a few times more.
    const double rounding = (8 + std::sqrt(static_cast<double>(rows))) * kEps;
    return {lower * (1 - rounding), upper * (1 + rounding)};
}

// The first round is accepted when its interval is this narrow, relative to the norm.
constexpr double kAccepted = 2e-11;

// A matrix as rows of no more columns, and its largest absolute value.
struct Upright {
    int64_t rows, n;
    Buffer<double> values;
    double largest;
};

Upright upright(const pg_matrix& matrix) {
    const bool wide = matrix.columns > matrix.rows;
    const int64_t rows = wide ? matrix.columns : matrix.rows, n = wide ? matrix.rows : matrix.columns;
    auto source = rows_of<double, double>(matrix);
    if (wide) std::swap(source.row_stride, source.k_stride);
    Upright m{rows, n, Buffer<double>(rows * n), 0};
    for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < n; ++j) {
            const double x = source.data[i * source.row_stride + j * source.k_stride];
            require(std::isfinite(x), [&] {
                return Fault(PG_ERROR_NOT_FINITE, "m", "", "m holds NaN or infinity").in_row(wide ? j : i).in_column(wide ? i : j);
            });
            m.values[i * n + j] = x;
            m.largest = std::max(m.largest, std::fabs(x));
        }
    return m;
}

// Bounds for m, whose values are at most 1, in up to three rounds. Singular values below 1e-11 of the largest, which the first round
// leaves behind, it has multiplied by 1e11: the second goes on from there. Where null directions keep the interval wide, quintics
// from the start disturb them least: no step of theirs forms I + c G.
Interval bounds_of(const Upright& m, pg_nuclear_norm_result* result) {
    const int64_t rows = m.rows, n = m.n;
    const double norm = std::sqrt(squared_norm(rows, n, m.values.data()));
    const struct {
        bool restart, halley;
        double smallest, wide;
    } rounds[] = {{true, true, 1e-11, kAccepted}, {false, true, 1e-6, 1e-9}, {true, false, 1e-14, 0}};
    Interval best{0, std::numeric_limits<double>::infinity()};
    Buffer<double> u(rows * n);
    for (const auto& round : rounds) {
        if (round.restart)
            for (int64_t i = 0; i < rows * n; ++i) u[i] = m.values[i] / norm;
        const Steps steps = polar_iteration(rows, n, u, round.smallest, round.halley, !round.restart, round.halley ? 5e-6 : 1e-8);
        const Interval found = certify(rows, n, m.values.data(), u.data());
        best = {std::max(best.lower, found.lower), std::min(best.upper, found.upper)};
        result->halley_steps += steps.halley;
        result->newton_schulz_steps += steps.newton_schulz;
        if (best.upper - best.lower <= round.wide * best.lower) break;
    }
    if (!std::isfinite(best.upper)) best.upper = std::sqrt(static_cast<double>(n)) * norm;
    return best;
}

}  // namespace

}  // namespace pixelgauge

extern "C" pg_status pg_nuclear_norm(const pg_matrix* matrix, pg_nuclear_norm_result* result) {
    using namespace pixelgauge;
    return guarded([&] {
        require_matrix(matrix, "m");
        require(matrix->dtype == PG_FLOAT64, [] { return Fault(PG_ERROR_VALUE, "m", "", "m must be float64"); });
        require_given({{"result", result}});
        const Upright m = upright(*matrix);
        *result = {0, 0, 0, 0};
        if (m.largest == 0) return;
        int exponent = 0;
        std::frexp(m.largest, &exponent);
        for (int64_t i = 0; i < m.rows * m.n; ++i) m.values[i] = std::ldexp(m.values[i], -exponent);
        const Interval best = bounds_of(m, result);
        result->lower = std::ldexp(best.lower, exponent);
        result->upper = std::ldexp(std::max(best.upper, best.lower), exponent);
        require(std::isfinite(result->upper),
                [] { return Fault(PG_ERROR_OVERFLOW, "m", "", "m: its nuclear norm is beyond float64", "scale it down"); });
    });
}
