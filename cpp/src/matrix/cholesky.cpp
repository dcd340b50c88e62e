#include "matrix/cholesky.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "kernels/table.h"
#include "matrix/gemm.h"
#include "matrix/row_blocks.h"
#include "pixelgauge/pixelgauge.h"
#include "runtime/sizes.h"
#include "runtime/status.h"
#include "runtime/threads.h"

namespace pixelgauge {

namespace {

// Lower Cholesky in place, right-looking in panels, rows and columns exchanged so that each pivot is the largest left; the
// strict upper triangle is overwritten. Returns how many pivots exceeded the tolerance; what remains is up to date.
int64_t cholesky_with_pivots(int64_t n, double* a, int64_t* order, double tolerance) {
    constexpr int64_t kPanel = 64;
    std::vector<double> spent(static_cast<size_t>(n));
    for (int64_t k = 0; k < n; k += kPanel) {
        const int64_t end = std::min(k + kPanel, n);
        std::fill(spent.begin() + k, spent.end(), 0.0);
        int64_t j = k;
        for (; j < end; ++j) {
            int64_t pivot = j;
            double largest = -std::numeric_limits<double>::infinity();
            for (int64_t i = j; i < n; ++i) {
                const double left = a[i * n + i] - spent[static_cast<size_t>(i)];
                if (left > largest) {
                    largest = left;
                    pivot = i;
                }
            }
            if (!(largest > tolerance)) break;
            if (pivot != j) {
                std::swap_ranges(a + j * n, a + j * n + j, a + pivot * n);
                a[pivot * n + pivot] = a[j * n + j];
                for (int64_t i = pivot + 1; i < n; ++i) std::swap(a[i * n + j], a[i * n + pivot]);
                for (int64_t i = j + 1; i < pivot; ++i) std::swap(a[i * n + j], a[pivot * n + i]);
                std::swap(spent[static_cast<size_t>(j)], spent[static_cast<size_t>(pivot)]);
                std::swap(order[j], order[pivot]);
            }
            const double root = std::sqrt(largest);
            a[j * n + j] = root;
            for (int64_t i = j + 1; i < n; ++i) {
                double& x = a[i * n + j];
                x = (x - dot(a + i * n + k, a + j * n + k, j - k)) / root;
                spent[static_cast<size_t>(i)] += x * x;
            }
        }
        if (j < n && j > k) {
            const Rows<double> panel{a + j * n + k, n, 1};
            gemm<double, double>(n - j, n - j, j - k, -1.0, panel, panel, 1.0, a + j * n + j, n, Part::Lower);
        }
        if (j < end) return j;
    }
    return n;
}

// Substitution for a block of up to kLeaf unknowns in all rows of x: panels of rows are turned, so that a register holds
// one unknown of several rows. `backward` runs from the last unknown to the first.
constexpr int64_t kLeaf = 64;

void solve_leaf(int64_t rows, int64_t n, double* x, int64_t x_stride, const double* l, int64_t l_stride, bool backward) {
    const GemmKernels<double>& kernel = kernels().gemm_f64;
    const int64_t width = kernel.solve_width;
    constexpr int64_t kWidest = 32;  // four registers of eight
    parallel_for((rows + width - 1) / width, [&](int64_t t) {
        alignas(64) double panel[kLeaf * kWidest];
        const int64_t first = t * width, count = std::min(width, rows - first);
        std::fill(panel, panel + n * width, 0.0);
        for (int64_t i = 0; i < count; ++i)
            for (int64_t j = 0; j < n; ++j) panel[(backward ? n - 1 - j : j) * width + i] = x[(first + i) * x_stride + j];
        if (backward)
            kernel.solve(n, l + (n - 1) * (l_stride + 1), -1, -l_stride, panel);
        else
            kernel.solve(n, l, l_stride, 1, panel);
        for (int64_t i = 0; i < count; ++i)
            for (int64_t j = 0; j < n; ++j) x[(first + i) * x_stride + j] = panel[(backward ? n - 1 - j : j) * width + i];
    });
}

}  // namespace

// By halves: all but the last 64 columns of each half are matrix products.
void solve_transposed(int64_t rows, int64_t n, double* x, int64_t x_stride, const double* l, int64_t l_stride) {
    if (n > kLeaf) {
        const int64_t left = (n / 2 + kLeaf - 1) / kLeaf * kLeaf;
        solve_transposed(rows, left, x, x_stride, l, l_stride);
        gemm<double, double>(rows, n - left, left, -1.0, Rows<double>{x, x_stride, 1}, Rows<double>{l + left * l_stride, l_stride, 1}, 1.0,
                             x + left, x_stride, Part::Full);
        solve_transposed(rows, n - left, x + left, x_stride, l + left * l_stride + left, l_stride);
        return;
    }
    solve_leaf(rows, n, x, x_stride, l, l_stride, false);
}

// The same from the last column to the first.
void solve(int64_t rows, int64_t n, double* x, int64_t x_stride, const double* l, int64_t l_stride) {
    if (n > kLeaf) {
        const int64_t left = (n / 2 + kLeaf - 1) / kLeaf * kLeaf;
        solve(rows, n - left, x + left, x_stride, l + left * l_stride + left, l_stride);
        gemm<double, double>(rows, left, n - left, -1.0, Rows<double>{x + left, x_stride, 1},
                             Rows<double>{l + left * l_stride, 1, l_stride}, 1.0, x, x_stride, Part::Full);
        solve(rows, left, x, x_stride, l, l_stride);
        return;
    }
    solve_leaf(rows, n, x, x_stride, l, l_stride, true);
}

bool cholesky(int64_t n, double* a, int64_t stride) {
    if (n > kLeaf) {
        const int64_t left = (n / 2 + kLeaf - 1) / kLeaf * kLeaf;
        double* const below = a + left * stride;
        if (!cholesky(left, a, stride)) return false;
        solve_transposed(n - left, left, below, stride, a, stride);
        gemm<double, double>(n - left, n - left, left, -1.0, Rows<double>{below, stride, 1}, Rows<double>{below, stride, 1}, 1.0,
                             below + left, stride, Part::Lower);
        return cholesky(n - left, below + left, stride);
    }
    for (int64_t j = 0; j < n; ++j) {
        double* const row = a + j * stride;
        for (int64_t q = 0; q < j; ++q) row[q] = (row[q] - dot(row, a + q * stride, q)) / a[q * stride + q];
        const double left = row[j] - dot(row, row, j);
        if (!(left > 0)) return false;
        row[j] = std::sqrt(left);
    }
    return true;
}

namespace {

// Elements of a symmetric matrix may differ from their mirror images by this much of the largest.
constexpr double kAsymmetry = 1e-11;

// The largest absolute value of a matrix, which is to be finite and symmetric.
double require_symmetric(const double* a, int64_t n) {
    const auto place = [](int64_t i, int64_t j) { return "(" + std::to_string(i) + ", " + std::to_string(j) + ")"; };
    std::vector<double> rows(static_cast<size_t>(n));
    for_row_blocks(n, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) {
            double& most = rows[static_cast<size_t>(i)];
            for (int64_t j = 0; j < n; ++j) {
                require(std::isfinite(a[i * n + j]), [&] {
                    return Fault(PG_ERROR_NOT_FINITE, "a", "", "the matrix a holds NaN or infinity at " + place(i, j))
                        .in_row(i)
                        .in_column(j);
                });
                most = std::max(most, std::fabs(a[i * n + j]));
            }
        }
    });
    const double largest = *std::max_element(rows.begin(), rows.end());
    for_row_blocks(n, [&](int64_t first, int64_t last) {
        constexpr int64_t kTile = 64;
        for (int64_t j0 = 0; j0 < last; j0 += kTile)
            for (int64_t i = first; i < last; ++i)
                for (int64_t j = j0; j < std::min(j0 + kTile, i); ++j)
                    require(std::fabs(a[i * n + j] - a[j * n + i]) <= kAsymmetry * largest, [&] {
                        return Fault(PG_ERROR_VALUE, "a", "",
                                     "the matrix a is not symmetric: element " + place(i, j) + " is " + short_number(a[i * n + j]) +
                                         ", element " + place(j, i) + " is " + short_number(a[j * n + i]),
                                     "take the mean of it and its transpose")
                            .in_row(i)
                            .in_column(j);
                    });
    });
    return largest;
}

void scaled_copy(const double* a, int64_t n, int exponent, double* to) {
    for_row_blocks(n, [&](int64_t first, int64_t last) {
        if (exponent == 0)
            std::copy(a + first * n, a + last * n, to + first * n);
        else
            for (int64_t i = first * n; i < last * n; ++i) to[i] = std::ldexp(a[i], exponent);
    });
}

double largest_variance(const double* a, int64_t n) {
    double largest = 0;
    for (int64_t i = 0; i < n; ++i) largest = std::max(largest, a[i * n + i]);
    return largest;
}

// No variance of `scaled` is negative beyond rounding; those of a are named.
void require_variances(const double* a, const double* scaled, int64_t n, double tolerance) {
    for (int64_t i = 0; i < n; ++i)
        require(scaled[i * n + i] >= -tolerance, [&] {
            return Fault(PG_ERROR_VALUE, "a", "",
                         "the matrix a is not positive semi-definite: element (" + std::to_string(i) + ", " + std::to_string(i) +
                             ") of its diagonal is " + short_number(a[i * n + i]))
                .in_row(i)
                .in_column(i);
        });
}

// Most covariances have full rank, and then pivots are not needed and the factor costs a fifth; a pivot within ten times the
// tolerance sends the matrix to the search for its rank. The factor is left in place.
bool full_rank_factor(int64_t n, double* a, double tolerance) {
    bool full = cholesky(n, a, n);
    for (int64_t i = 0; full && i < n; ++i) full = a[i * n + i] * a[i * n + i] > 10 * tolerance;
    return full;
}

struct Remainder {
    double trace = 0, worst = 0;  // worst: the largest element in magnitude
};

Remainder remainder_of(const double* a, int64_t n, int64_t rank) {
    Remainder left;
    for (int64_t i = rank; i < n; ++i) {
        left.trace += std::max(a[i * n + i], 0.0);
        for (int64_t j = rank; j <= i; ++j) left.worst = std::max(left.worst, std::fabs(a[i * n + j]));
    }
    return left;
}

// What is left of a semi-definite matrix has no element above its largest diagonal. Rounding in the matrix itself and in the
// elimination leaves a few n eps; a hundred times that is no rounding any more.
void require_semidefinite(double worst, double tolerance, double largest, int64_t rank, int exponent) {
    require(worst <= 100 * tolerance, [&] {
        return Fault(PG_ERROR_VALUE, "a", "",
                     "the matrix a is not positive semi-definite: after " + std::to_string(rank) + " pivots an element of " +
                         (largest > 0 ? short_number(worst / largest) + " times the largest variance remains, where rounding explains " +
                                            short_number(tolerance / largest)
                                      : short_number(std::ldexp(worst, exponent)) + " remains, and no variance is positive"));
    });
}

// The first `filled` elements of a row of the factor, and zeros.
void put_row(const double* row, int64_t filled, int64_t n, double* to) {
    std::copy(row, row + filled, to);
    std::fill(to + filled, to + n, 0.0);
}

}  // namespace

void require_order(int64_t n) {
    require(n >= 1, [&] { return Fault(PG_ERROR_VALUE, "n", std::to_string(n), "must be at least 1"); });
    checked_product("n", {n, n, sizeof(double)});
}

Factor pivoted_cholesky(const double* a, int64_t n, double* l) {
    constexpr int kUsual = 600;
    int exponent = 0;
    std::frexp(require_symmetric(a, n), &exponent);
    const int half = std::abs(exponent) <= kUsual ? 0 : exponent / 2;
    const Buffer<double> work(n * n);
    scaled_copy(a, n, -2 * half, work.data());
    const double largest = largest_variance(work.data(), n), tolerance = static_cast<double>(n) * kEps * largest;
    require_variances(a, work.data(), n, tolerance);
    if (full_rank_factor(n, work.data(), tolerance)) {
        for_row_blocks(n, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) put_row(work.data() + i * n, i + 1, n, l + i * n);
        });
        return {n, 0, half};
    }
    scaled_copy(a, n, -2 * half, work.data());
    std::vector<int64_t> order(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) order[static_cast<size_t>(i)] = i;
    const int64_t rank = cholesky_with_pivots(n, work.data(), order.data(), tolerance);
    const Remainder left = remainder_of(work.data(), n, rank);
    require_semidefinite(left.worst, tolerance, largest, rank, 2 * half);
    for (int64_t i = 0; i < n; ++i) put_row(work.data() + i * n, std::min(i + 1, rank), n, l + order[static_cast<size_t>(i)] * n);
    return {rank, left.trace, half};
}

}  // namespace pixelgauge

extern "C" pg_status pg_pivoted_cholesky(const double* a, int64_t n, double* l, int64_t* rank, double* remainder) {
    using namespace pixelgauge;
    return guarded([&] {
        require_given({{"a", a}, {"l", l}, {"rank", rank}, {"remainder", remainder}});
        require_order(n);
        const Factor factor = pivoted_cholesky(a, n, l);
        if (factor.half_exponent != 0)
            for (int64_t i = 0; i < n * n; ++i) l[i] = std::ldexp(l[i], factor.half_exponent);
        *rank = factor.rank;
        *remainder = std::ldexp(factor.remainder, 2 * factor.half_exponent);
    });
}
