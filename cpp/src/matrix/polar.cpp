// Two or three dynamically weighted Halley steps (Nakatsukasa, Bai, Gygi: Optimizing Halley's iteration, SIAM J. Matrix Anal. Appl.
// 31(5), 2010) lift the small singular values, optimal odd quintics (Amsel, Persson, Musco, Gower: The Polar Express, arXiv 2505.16932)
// finish.
#include "matrix/polar.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "matrix/cholesky.h"
#include "matrix/matrices.h"
#include "matrix/row_blocks.h"
#include "pixelgauge/pixelgauge.h"
#include "runtime/status.h"

namespace pixelgauge {

namespace {

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

// By which the interval of singular values is wider than rounding made it.
constexpr double kWider = 1 + 1e-9;

// A bound from G = X^T X, of which the lower triangle is there: sigma_max^4 <= ||G||_F^2, tight for any spectrum that decays.
double largest_singular_value(int64_t n, const double* gram) {
    const double squares =
        sum_rows(n, [&](int64_t i) { return 2 * dot(gram + i * n, gram + i * n, i) + gram[i * n + i] * gram[i * n + i]; });
    return std::pow(squares, 0.25) * kWider;
}

// x becomes x (b/c + (a - b/c) (I + c G)^-1) of x / scale; false where I + c G has no factor.
bool halley_step(int64_t rows, int64_t n, const Buffer<double>& x, const Buffer<double>& gram, const Buffer<double>& next, const Halley& p,
                 double scale) {
    const double weight = p.c / (scale * scale);
    for_row_blocks(n, [&](int64_t from, int64_t to) {
        for (int64_t i = from; i < to; ++i) {
            for (int64_t j = 0; j <= i; ++j) gram[i * n + j] *= weight;
            gram[i * n + i] += 1;
        }
    });
    if (!cholesky(n, gram.data(), n)) return false;
    for_row_blocks(rows, [&](int64_t from, int64_t to) { std::copy(x.data() + from * n, x.data() + to * n, next.data() + from * n); });
    solve_transposed(rows, n, next.data(), n, gram.data(), n);
    solve(rows, n, next.data(), n, gram.data(), n);
    const double keep = p.b / p.c / scale, add = (p.a - p.b / p.c) / scale;
    for_row_blocks(rows, [&](int64_t from, int64_t to) {
        for (int64_t i = from * n; i < to * n; ++i) x[i] = keep * x[i] + add * next[i];
    });
    return true;
}

// x becomes x (a I + b G + c G^2) of x / scale.
void quintic_step(int64_t rows, int64_t n, Buffer<double>& x, const Buffer<double>& gram, const Buffer<double>& square,
                  Buffer<double>& next, const Quintic& p, double scale) {
    const Rows<double> rows_of_gram{gram.data(), n, 1};
    mirror(n, gram.data(), n);
    gemm<double, double>(n, n, n, 1.0, rows_of_gram, rows_of_gram, 0.0, square.data(), n, Part::Lower);
    mirror(n, square.data(), n);
    const double a = p.a / scale, b = p.b / std::pow(scale, 3), c = p.c / std::pow(scale, 5);
    for_row_blocks(n, [&](int64_t from, int64_t to) {
        for (int64_t i = from * n; i < to * n; ++i) gram[i] = b * gram[i] + c * square[i];
        for (int64_t i = from; i < to; ++i) gram[i * n + i] += a;
    });
    gemm<double, double>(rows, n, n, 1.0, Rows<double>{x.data(), n, 1}, rows_of_gram, 0.0, next.data(), n, Part::Full);
    std::swap(x, next);
}

}  // namespace

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
    constexpr double kCushion = 0.02;
    const Buffer<double> gram(n * n), square(halley ? 0 : n * n);
    Buffer<double> next(rows * n);
    double low = smallest, high = 1;
    Steps steps;
    for (bool first = !scaled; steps.halley + steps.newton_schulz < 64; first = false) {
        const Rows<double> columns{x.data(), 1, n};
        gemm<double, double>(n, n, rows, 1.0, columns, columns, 0.0, gram.data(), n, Part::Lower);
        const double scale = first ? largest_singular_value(n, gram.data()) : 1;
        if (halley) {
            const Halley p = best_halley(low);
            if (!halley_step(rows, n, x, gram, next, p, scale)) return steps;  // only where x is not finite: the certificate will tell
            low = p.low;
            ++steps.halley;
            if (1 - low <= accuracy) return steps;
            continue;
        }
        const double least = std::max(low, kCushion * high);
        const Quintic p = best_quintic(least, high);
        quintic_step(rows, n, x, gram, square, next, p, scale);
        // below the cushion the quintic rises from 0, to no more than its least value above
        low = low < least ? low * (p.a + low * low * (p.b + low * low * p.c)) : 1 - p.error;
        high = (1 + p.error) * kWider;
        ++steps.newton_schulz;
        if (low >= least && p.error <= accuracy) return steps;
    }
    return steps;
}

}  // namespace pixelgauge

extern "C" pg_status pg_sqrtm_psd(const double* a, int64_t n, double* root) {
    using namespace pixelgauge;
    return guarded([&] {
        require_given({{"a", a}, {"root", root}});
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
        require(are_finite(root, n * n),
                [] { return Fault(PG_ERROR_OVERFLOW, "a", "", "the matrix a has no square root within float64"); });
    });
}
