// Square roots of covariances without LAPACK: pivoted Cholesky, and the polar factor U of a matrix M in float64. Two or
// three dynamically weighted Halley steps (Nakatsukasa, Bai, Gygi: Optimizing Halley's iteration, SIAM J. Matrix Anal. Appl.
// 31(5), 2010) lift the small singular values, optimal odd quintics (Amsel, Persson, Musco, Gower: The Polar Express, arXiv
// 2505.16932) finish. U is only ever used through bounds that hold for any U and any Cholesky factor, so an iteration
// that stops early cannot give a wrong number, only a wide interval.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "kernels/table.h"
#include "matrix/gemm.h"
#include "matrix/matrices.h"
#include "runtime/sizes.h"
#include "runtime/status.h"
#include "runtime/threads.h"

namespace pixelgauge {

namespace {

constexpr double kEps = 0x1p-53;

// Splits rows over threads in blocks, each to fn(first, last).
template <class F>
void for_row_blocks(int64_t rows, F fn) {
    constexpr int64_t kBlock = 64;
    parallel_for((rows + kBlock - 1) / kBlock, [&](int64_t t) { fn(t * kBlock, std::min((t + 1) * kBlock, rows)); });
}

// Sum over the rows of row(i), added in order.
template <class F>
double sum_rows(int64_t rows, F row) {
    const Buffer<double> parts(rows);
    for_row_blocks(rows, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) parts[i] = row(i);
    });
    double sum = 0;
    for (int64_t i = 0; i < rows; ++i) sum += parts[i];
    return sum;
}

double dot(const double* a, const double* b, int64_t n) {
    double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        s0 += a[i] * b[i];
        s1 += a[i + 1] * b[i + 1];
        s2 += a[i + 2] * b[i + 2];
        s3 += a[i + 3] * b[i + 3];
    }
    for (; i < n; ++i) s0 += a[i] * b[i];
    return (s0 + s1) + (s2 + s3);
}

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

// x l^T = m for x, in place of m (rows x n), by halves: all but the last 64 columns of each half are matrix products.
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

// x l = m for x, in place of m: the same from the last column to the first.
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

// Lower Cholesky in place by halves, without exchanges; false where the matrix is not positive definite.
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
                if (!std::isfinite(a[i * n + j])) throw InvalidArgument("the matrix a holds NaN or infinity at " + place(i, j));
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
                    if (!(std::fabs(a[i * n + j] - a[j * n + i]) <= kAsymmetry * largest))
                        throw InvalidArgument("the matrix a is not symmetric: element " + place(i, j) + " is " +
                                              short_number(a[i * n + j]) + ", element " + place(j, i) + " is " +
                                              short_number(a[j * n + i]) + "; take the mean of it and its transpose");
    });
    return largest;
}

// Of a 2^(-2 half_exponent), which is not 0 only where squares and sums of a's elements leave float64's room.
struct Factor {
    int64_t rank;
    double remainder;
    int half_exponent;
};

// l (n x n, rows in a's order, columns from rank on zero) with 2^(-2 half_exponent) a = l l^T up to the remainder.
Factor pivoted_cholesky(const double* a, int64_t n, double* l) {
    constexpr int kUsual = 600;
    int exponent = 0;
    std::frexp(require_symmetric(a, n), &exponent);
    const int half = std::abs(exponent) <= kUsual ? 0 : exponent / 2;
    const Buffer<double> work(n * n);
    const auto copy = [&] {
        for_row_blocks(n, [&](int64_t first, int64_t last) {
            if (half == 0)
                std::copy(a + first * n, a + last * n, work.data() + first * n);
            else
                for (int64_t i = first * n; i < last * n; ++i) work[i] = std::ldexp(a[i], -2 * half);
        });
    };
    copy();
    double largest = 0;
    for (int64_t i = 0; i < n; ++i) largest = std::max(largest, work[i * n + i]);
    const double tolerance = static_cast<double>(n) * kEps * largest;
    for (int64_t i = 0; i < n; ++i)
        if (work[i * n + i] < -tolerance)
            throw InvalidArgument("the matrix a is not positive semi-definite: element (" + std::to_string(i) + ", " + std::to_string(i) +
                                  ") of its diagonal is " + short_number(a[i * n + i]));
    // Most covariances have full rank, and then pivots are not needed and the factor costs a fifth; a pivot within ten
    // times the tolerance sends the matrix to the search for its rank.
    bool full = cholesky(n, work.data(), n);
    for (int64_t i = 0; full && i < n; ++i) full = work[i * n + i] * work[i * n + i] > 10 * tolerance;
    if (full) {
        for_row_blocks(n, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                std::copy(work.data() + i * n, work.data() + i * n + i + 1, l + i * n);
                std::fill(l + i * n + i + 1, l + (i + 1) * n, 0.0);
            }
        });
        return {n, 0, half};
    }
    copy();
    std::vector<int64_t> order(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) order[static_cast<size_t>(i)] = i;
    const int64_t rank = cholesky_with_pivots(n, work.data(), order.data(), tolerance);
    double remainder = 0, worst = 0;
    for (int64_t i = rank; i < n; ++i) {
        remainder += std::max(work[i * n + i], 0.0);
        for (int64_t j = rank; j <= i; ++j) worst = std::max(worst, std::fabs(work[i * n + j]));
    }
    // What is left of a semi-definite matrix has no element above its largest diagonal. Rounding in the matrix itself
    // and in the elimination leaves a few n eps; a hundred times that is no rounding any more.
    require(worst <= 100 * tolerance, [&] {
        return "the matrix a is not positive semi-definite: after " + std::to_string(rank) + " pivots an element of " +
               (largest > 0 ? short_number(worst / largest) + " times the largest variance remains, where rounding explains " +
                                  short_number(tolerance / largest)
                            : short_number(std::ldexp(worst, 2 * half)) + " remains, and no variance is positive");
    });
    for (int64_t i = 0; i < n; ++i) {
        double* const to = l + order[static_cast<size_t>(i)] * n;
        const int64_t filled = std::min(i + 1, rank);
        std::copy(work.data() + i * n, work.data() + i * n + filled, to);
        std::fill(to + filled, to + n, 0.0);
    }
    return {rank, remainder, half};
}

struct Quintic {
    double a, b, c;
    double error;  // largest |1 - p| over the interval
};

// The odd quintic that stays closest to 1 on [low, high] (Remez with four alternations).
Quintic best_quintic(double low, double high) {
    if (low / high > 1 - 5e-6) {  // the alternations merge: the limit is the Taylor polynomial of order three
        const double gap = 1 - low / high;
        return {1.875 / high, -1.25 / (high * high * high), 0.375 / std::pow(high, 5), gap * gap * gap};
    }
    double x[4] = {low, (3 * low + high) / 4, (low + 3 * high) / 4, high};
    double p[4] = {0, 0, 0, 0};
    // Until the inner two stand still: the error is flat there, and long settled while the polynomial still leaves its bounds.
    double moved = high;
    for (int round = 0; round < 60 && moved > 1e-14 * high; ++round) {
        double m[4][5];
        for (int i = 0; i < 4; ++i) {
            const double square = x[i] * x[i];
            m[i][0] = x[i];
            m[i][1] = x[i] * square;
            m[i][2] = x[i] * square * square;
            m[i][3] = i % 2 == 0 ? 1 : -1;
            m[i][4] = 1;
        }
        for (int col = 0; col < 4; ++col) {
            int pivot = col;
            for (int r = col + 1; r < 4; ++r)
                if (std::fabs(m[r][col]) > std::fabs(m[pivot][col])) pivot = r;
            std::swap_ranges(m[col], m[col] + 5, m[pivot]);
            for (int r = 0; r < 4; ++r) {
                if (r == col) continue;
                const double f = m[r][col] / m[col][col];
                for (int q = col; q < 5; ++q) m[r][q] -= f * m[col][q];
            }
        }
        for (int i = 0; i < 4; ++i) p[i] = m[i][4] / m[i][i];
        const double root = std::sqrt(std::max(0.0, 9 * p[1] * p[1] - 20 * p[0] * p[2]));
        const double inner[2] = {std::sqrt((-3 * p[1] - root) / (10 * p[2])), std::sqrt((-3 * p[1] + root) / (10 * p[2]))};
        moved = std::max(std::fabs(inner[0] - x[1]), std::fabs(inner[1] - x[2]));
        x[1] = inner[0];
        x[2] = inner[1];
    }
    return {p[0], p[1], p[2], std::fabs(p[3])};
}

// One step of Halley's iteration with the weights that are best for singular values in [low, 1].
struct Halley {
    double a, b, c;
    double low;  // of the interval that the step leads to
};

Halley best_halley(double low) {
    const double square = low * low, d = std::cbrt(4 * (1 - square) / (square * square)), root = std::sqrt(1 + d);
    const double a = root + 0.5 * std::sqrt(std::max(0.0, 8 - 4 * d + 8 * (2 - square) / (square * root)));
    const double b = (a - 1) * (a - 1) / 4, c = a + b - 1;
    return {a, b, c, std::min(1.0, low * (a + b * square) / (1 + c * square))};
}

struct Steps {
    int halley = 0, newton_schulz = 0;
};

// x (rows x n, n <= rows, row-major) becomes its polar factor, orthogonal to `accuracy`, for singular values above
// `smallest` times the largest. `scaled`: none of them exceeds 1.
// With `halley` all steps are rational: they cost 5/3 products (Gram matrix by half, Cholesky and two triangular solves)
// against 2 of a quintic, and four of them lift [1e-11, 1] to [1 - 3e-6, 1] where quintics need 19 steps. Forming I + c G
// loses c eps of the small singular directions; where the columns fall in size, as Cholesky factors make them, that
// loss falls with them.
//
// A quintic that is best on [low, 2] takes 2 to 2 with a slope of 13: what rounding puts above the interval would grow by that
// in every step, and the largest singular value of a spectrum that decays lies at its end. The interval is therefore wider by
// more than rounding, which costs nothing at the end, where the error is the cube of its width. And where the interval begins
// near 0, the best quintic takes values amid it near 0 too, which then have lost their digits: it is taken as beginning at a
// fiftieth of its end (the "cushion" of The Polar Express), and smaller values still grow fourfold.
Steps polar_iteration(int64_t rows, int64_t n, Buffer<double>& x, double smallest, bool halley, bool scaled, double accuracy) {
    constexpr double kWider = 1 + 1e-9, kCushion = 0.02;
    const Buffer<double> gram(n * n), square(halley ? 0 : n * n);
    Buffer<double> next(rows * n);
    double low = smallest, high = 1;
    Steps steps;
    for (bool first = !scaled; steps.halley + steps.newton_schulz < 64; first = false) {
        const Rows<double> columns{x.data(), 1, n}, rows_of_gram{gram.data(), n, 1};
        gemm<double, double>(n, n, rows, 1.0, columns, columns, 0.0, gram.data(), n, Part::Lower);
        double scale = 1;
        if (first) {  // sigma_max^4 <= ||G||_F^2, tight for any spectrum that decays
            scale = std::pow(sum_rows(n,
                                      [&](int64_t i) {
                                          return 2 * dot(gram.data() + i * n, gram.data() + i * n, i) + gram[i * n + i] * gram[i * n + i];
                                      }),
                             0.25) *
                    kWider;
        }
        if (halley) {
            const Halley p = best_halley(low);
            const double weight = p.c / (scale * scale);
            for_row_blocks(n, [&](int64_t from, int64_t to) {
                for (int64_t i = from; i < to; ++i) {
                    for (int64_t j = 0; j <= i; ++j) gram[i * n + j] *= weight;
                    gram[i * n + i] += 1;
                }
            });
            if (!cholesky(n, gram.data(), n)) return steps;  // only where x is not finite: the certificate will tell
            for_row_blocks(rows,
                           [&](int64_t from, int64_t to) { std::copy(x.data() + from * n, x.data() + to * n, next.data() + from * n); });
            solve_transposed(rows, n, next.data(), n, gram.data(), n);
            solve(rows, n, next.data(), n, gram.data(), n);
            const double keep = p.b / p.c / scale, add = (p.a - p.b / p.c) / scale;
            for_row_blocks(rows, [&](int64_t from, int64_t to) {
                for (int64_t i = from * n; i < to * n; ++i) x[i] = keep * x[i] + add * next[i];
            });
            low = p.low;
            ++steps.halley;
            if (1 - low <= accuracy) return steps;
            continue;
        }
        mirror(n, gram.data(), n);
        gemm<double, double>(n, n, n, 1.0, rows_of_gram, rows_of_gram, 0.0, square.data(), n, Part::Lower);
        mirror(n, square.data(), n);
        const double least = std::max(low, kCushion * high);
        const Quintic p = best_quintic(least, high);
        const double a = p.a / scale, b = p.b / std::pow(scale, 3), c = p.c / std::pow(scale, 5);
        for_row_blocks(n, [&](int64_t from, int64_t to) {
            for (int64_t i = from * n; i < to * n; ++i) gram[i] = b * gram[i] + c * square[i];
            for (int64_t i = from; i < to; ++i) gram[i * n + i] += a;
        });
        gemm<double, double>(rows, n, n, 1.0, Rows<double>{x.data(), n, 1}, rows_of_gram, 0.0, next.data(), n, Part::Full);
        std::swap(x, next);
        // below the cushion the quintic rises from 0, to no more than its least value above
        low = low < least ? low * (p.a + low * low * (p.b + low * low * p.c)) : 1 - p.error;
        high = (1 + p.error) * kWider;
        ++steps.newton_schulz;
        if (low >= least && p.error <= accuracy) return steps;
    }
    return steps;
}

double squared_norm(int64_t rows, int64_t n, const double* x) {
    return sum_rows(rows, [&](int64_t i) { return dot(x + i * n, x + i * n, n); });
}

struct Interval {
    double lower, upper;
};

// Bounds of the nuclear norm of m (rows x n, n <= rows) from an approximate polar factor u.
Interval certify(int64_t rows, int64_t n, const double* m, const double* u) {
    const Buffer<double> gram(n * n), product(n * n);
    const Rows<double> columns_u{u, 1, n}, columns_m{m, 1, n};
    gemm<double, double>(n, n, rows, 1.0, columns_u, columns_u, 0.0, gram.data(), n, Part::Lower);
    mirror(n, gram.data(), n);
    gemm<double, double>(n, n, rows, 1.0, columns_m, columns_u, 0.0, product.data(), n, Part::Full);  // M^T U
    // From below, by Tr(W^T M) for W of norm at most 1 made of U and E = I - U^T U, without another product by U. Far from
    // convergence W = U (I + E / 2), which is that while U's norm is at most 2 (3/2 s - s^3/2 peaks at s = 1), as the largest
    // row sum of U^T U shows. Near it, W = U (I + E/2 + 3/8 E^2) has no singular value above 1 + ||E||^3 / 2, with ||E||^4 <=
    // ||E^2||_F^2, and the last term, below 1e-9 of the first, needs no more than float32.
    const double e = std::sqrt(sum_rows(n, [&](int64_t i) {
        const double *const row = gram.data() + i * n, d = 1 - row[i];
        return dot(row, row, n) - row[i] * row[i] + d * d;
    }));
    double row_sum = 0;
    for (int64_t i = 0; i < n; ++i) {
        double sum = 0;
        for (int64_t j = 0; j < n; ++j) sum += std::fabs(gram[i * n + j]);
        row_sum = std::max(row_sum, sum);
    }
    double lower =
        sum_rows(n, [&](int64_t i) { return 1.5 * product[i * n + i] - 0.5 * dot(gram.data() + i * n, product.data() + i * n, n); });
    if (e < 1e-3) {
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
                                  for (int64_t j = 0; j < n; ++j)
                                      sum += static_cast<double>(small_square[i * n + j]) * small_square[i * n + j];
                                  return sum;
                              });
        lower = (lower + 0.375 * 0x1p-40 * third) / (1 + 0.5 * std::pow(fourth, 0.75));
    } else if (!(row_sum <= 4)) {
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
    lower = std::max(lower, 0.0);
    // From above: ||M||_* <= ||M L^-T||_F ||L||_F <= (||M L^-T||_F^2 + ||L||_F^2) / 2 for any L; equality for L L^T =
    // (M^T M)^(1/2), to which M^T U comes close, and the bound feels a deviation in second order. Its lower triangle alone is
    // taken: rounding there is relative to the column of M with the higher index, the smaller one of a Cholesky factor.
    const Buffer<double>& root = gram;
    const Buffer<double> solved(rows * n);
    double ridge = 0;
    for (int64_t i = 0; i < n; ++i) ridge = std::max(ridge, std::fabs(product[i * n + i]));
    ridge *= 16 * kEps;
    double upper = std::numeric_limits<double>::infinity();
    for (int attempt = 0; attempt < 24; ++attempt, ridge *= 4) {
        for_row_blocks(n, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                std::copy(product.data() + i * n, product.data() + i * n + i, root.data() + i * n);
                root[i * n + i] = product[i * n + i] + ridge;
            }
        });
        if (!cholesky(n, root.data(), n)) continue;
        for_row_blocks(rows, [&](int64_t first, int64_t last) { std::copy(m + first * n, m + last * n, solved.data() + first * n); });
        solve_transposed(rows, n, solved.data(), n, root.data(), n);
        const double norm_l = sum_rows(n, [&](int64_t i) { return dot(root.data() + i * n, root.data() + i * n, i + 1); });
        const double norm_x = squared_norm(rows, n, solved.data());
        upper = std::min(upper, std::sqrt(norm_l) * std::sqrt(norm_x));
        break;
    }
    // The bounds' own sums round too: as the square root of their length, and a few times more.
    const double rounding = (8 + std::sqrt(static_cast<double>(rows))) * kEps;
    return {lower * (1 - rounding), upper * (1 + rounding)};
}

void require_order(int64_t n) {
    require(n >= 1, [&] { return "n=" + std::to_string(n) + ": the matrix a is empty"; });
    checked_product("n", {n, n, sizeof(double)});
}

// The first round is accepted when its interval is this narrow, relative to the norm.
constexpr double kAccepted = 2e-11;

}  // namespace

}  // namespace pixelgauge

using namespace pixelgauge;

extern "C" pg_status pg_pivoted_cholesky(const double* a, int64_t n, double* l, int64_t* rank, double* remainder) {
    return guarded([&] {
        require(a && l && rank && remainder, "a, l, rank or remainder is NULL");
        require_order(n);
        const Factor factor = pivoted_cholesky(a, n, l);
        if (factor.half_exponent != 0)
            for (int64_t i = 0; i < n * n; ++i) l[i] = std::ldexp(l[i], factor.half_exponent);
        *rank = factor.rank;
        *remainder = std::ldexp(factor.remainder, 2 * factor.half_exponent);
    });
}

extern "C" pg_status pg_nuclear_norm(const pg_matrix* matrix, pg_nuclear_norm_result* result) {
    return guarded([&] {
        require_matrix(matrix, "m");
        require(matrix->dtype == PG_FLOAT64, "m must be float64");
        require(result != nullptr, "result is NULL");
        const bool wide = matrix->columns > matrix->rows;
        const int64_t rows = wide ? matrix->columns : matrix->rows, n = wide ? matrix->rows : matrix->columns;
        auto source = rows_of<double, double>(*matrix);
        if (wide) std::swap(source.row_stride, source.k_stride);
        const Buffer<double> m(rows * n);
        double largest = 0;
        for (int64_t i = 0; i < rows; ++i) {
            for (int64_t j = 0; j < n; ++j) {
                const double x = source.data[i * source.row_stride + j * source.k_stride];
                if (!std::isfinite(x)) throw InvalidArgument("m holds NaN or infinity");
                m[i * n + j] = x;
                largest = std::max(largest, std::fabs(x));
            }
        }
        *result = {0, 0, 0, 0};
        if (largest == 0) return;
        int exponent = 0;
        std::frexp(largest, &exponent);
        for (int64_t i = 0; i < rows * n; ++i) m[i] = std::ldexp(m[i], -exponent);
        const double norm = std::sqrt(squared_norm(rows, n, m.data()));
        Interval best{0, std::numeric_limits<double>::infinity()};
        // Singular values below 1e-11 of the largest, which the first round leaves behind, it has multiplied by 1e11: the
        // second goes on from there. Where null directions keep the interval wide, quintics from the start disturb them
        // least: no step of theirs forms I + c G.
        const struct {
            bool restart, halley;
            double smallest, wide;
        } rounds[] = {{true, true, 1e-11, kAccepted}, {false, true, 1e-6, 1e-9}, {true, false, 1e-14, 0}};
        Buffer<double> u(rows * n);
        for (const auto& round : rounds) {
            if (round.restart)
                for (int64_t i = 0; i < rows * n; ++i) u[i] = m[i] / norm;
            const Steps steps = polar_iteration(rows, n, u, round.smallest, round.halley, !round.restart, round.halley ? 5e-6 : 1e-8);
            const Interval found = certify(rows, n, m.data(), u.data());
            best = {std::max(best.lower, found.lower), std::min(best.upper, found.upper)};
            result->halley_steps += steps.halley;
            result->newton_schulz_steps += steps.newton_schulz;
            if (best.upper - best.lower <= round.wide * best.lower) break;
        }
        if (!std::isfinite(best.upper)) best.upper = std::sqrt(static_cast<double>(n)) * norm;
        result->lower = std::ldexp(best.lower, exponent);
        result->upper = std::ldexp(std::max(best.upper, best.lower), exponent);
        require(std::isfinite(result->upper), "m: its nuclear norm is beyond float64: scale it down");
    });
}

extern "C" pg_status pg_sqrtm_psd(const double* a, int64_t n, double* root) {
    return guarded([&] {
        require(a && root, "a or root is NULL");
        require_order(n);
        const Buffer<double> l(n * n);
        const Factor factor = pivoted_cholesky(a, n, l.data());
        const int64_t rank = factor.rank;
        if (rank == 0) {
            std::fill(root, root + n * n, 0.0);
            return;
        }
        Buffer<double> u(n * rank);
        double norm = 0;
        for (int64_t i = 0; i < n; ++i) norm += dot(l.data() + i * n, l.data() + i * n, rank);
        norm = std::sqrt(norm);
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < rank; ++j) u[i * rank + j] = l[i * n + j] / norm;
        polar_iteration(n, rank, u, 1e-15, false, false, kEps);
        // L = H U with H = (L L^T)^(1/2), so H = L U^T, whose halves differ by rounding only
        gemm<double, double>(n, n, rank, 1.0, Rows<double>{l.data(), n, 1}, Rows<double>{u.data(), rank, 1}, 0.0, root, n, Part::Full);
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < i; ++j) root[i * n + j] = root[j * n + i] = 0.5 * (root[i * n + j] + root[j * n + i]);
        if (factor.half_exponent != 0)
            for (int64_t i = 0; i < n * n; ++i) root[i] = std::ldexp(root[i], factor.half_exponent);
        require(are_finite(root, n * n), "the matrix a has no square root within float64");
    });
}
