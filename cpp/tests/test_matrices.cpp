// Products, statistics, neighbours and matrix square roots through the C ABI, every instruction set against plain loops.
#include <pixelgauge/pixelgauge.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "check.h"

namespace {

const char* const kIsas[] = {"baseline", "avx2", "avx512"};

bool message_has(const char* text) { return std::string(pg_last_error()).find(text) != std::string::npos; }

template <class T>
pg_matrix matrix(const std::vector<T>& values, int64_t rows, int64_t columns) {
    const int64_t item = sizeof(T);
    return {values.data(), std::is_same<T, float>::value ? PG_FLOAT32 : PG_FLOAT64, rows, columns, columns * item, item};
}

template <class T>
std::vector<T> normal(int64_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> values;
    std::vector<T> result(static_cast<size_t>(count));
    for (T& x : result) x = static_cast<T>(values(random));
    return result;
}

// Sizes around the tile of every instruction set, its panels, the blocks of 192 x 240 and the depth of 384.
template <class T>
void products() {
    const double unit = std::is_same<T, float>::value ? 0x1p-24 : 0x1p-53;
    const int64_t shapes[][3] = {{1, 1, 1}, {7, 25, 3}, {8, 24, 385}, {9, 49, 160}, {193, 241, 33}, {50, 70, 800}};
    for (const auto& s : shapes) {
        const int64_t m = s[0], n = s[1], k = s[2];
        auto a = normal<T>(m * k, 1), b = normal<T>(n * k, 2);
        for (int64_t i = 0; i < m; ++i)  // a zero triangle: whole panels are skipped
            for (int64_t p = i + 1; p < k; ++p) a[static_cast<size_t>(i * k + p)] = m > 8 ? T(0) : a[static_cast<size_t>(i * k + p)];
        std::vector<T> c(static_cast<size_t>(m * n), std::numeric_limits<T>::quiet_NaN()), square(static_cast<size_t>(m * m));
        const pg_matrix x = matrix(a, m, k), y = matrix(b, n, k);
        CHECK(pg_matmul_transposed(&x, &y, c.data()) == PG_OK);
        CHECK(pg_matmul_transposed(&x, &x, square.data()) == PG_OK);
        double worst = 0, worst_square = 0, longest = 0;
        for (int64_t i = 0; i < m; ++i) {
            const auto dot = [&](const std::vector<T>& other, int64_t j) {
                double sum = 0;
                for (int64_t p = 0; p < k; ++p)
                    sum += double(a[static_cast<size_t>(i * k + p)]) * double(other[static_cast<size_t>(j * k + p)]);
                return sum;
            };
            longest = std::max(longest, dot(a, i));
            for (int64_t j = 0; j < n; ++j) worst = std::max(worst, std::fabs(double(c[static_cast<size_t>(i * n + j)]) - dot(b, j)));
            for (int64_t j = 0; j < m; ++j) {
                CHECK(square[static_cast<size_t>(i * m + j)] == square[static_cast<size_t>(j * m + i)]);
                worst_square = std::max(worst_square, std::fabs(double(square[static_cast<size_t>(i * m + j)]) - dot(a, j)));
            }
        }
        // sums of k products of unit variance: sqrt(k) eps happens; on the diagonal all terms are positive
        CHECK(worst <= 32 * std::sqrt(double(k)) * unit);
        CHECK(worst_square <= 32 * std::sqrt(double(k)) * unit * std::max(1.0, longest / std::sqrt(double(k))));
    }
}

void statistics() {
    const int64_t n = 3200, dim = 37;  // more than one chunk
    const auto x = normal<float>(n * dim, 3);
    const pg_matrix features = matrix(x, n, dim);
    const std::vector<double> shift(static_cast<size_t>(dim), 0.25);
    std::vector<double> sum(static_cast<size_t>(2 * dim)), scatter(static_cast<size_t>(2 * dim * dim));
    CHECK(pg_scatter_add(&features, shift.data(), sum.data(), scatter.data()) == PG_OK);
    for (int64_t i = 0; i < dim; ++i) {
        for (int64_t j = 0; j <= i; ++j) {
            double exact = 0;
            for (int64_t r = 0; r < n; ++r)
                exact += (double(x[static_cast<size_t>(r * dim + i)]) - 0.25) * (double(x[static_cast<size_t>(r * dim + j)]) - 0.25);
            CHECK(std::fabs(scatter[static_cast<size_t>(i * dim + j)] - exact) <= 1e-12 * double(n));
        }
    }
    auto bad = x;
    bad[40] = std::numeric_limits<float>::quiet_NaN();
    const pg_matrix damaged = matrix(bad, n, dim);
    CHECK(pg_scatter_add(&damaged, shift.data(), sum.data(), scatter.data()) == PG_INVALID_ARGUMENT && message_has("column 3"));
}

void neighbours() {
    // on a line: 0, 1, 3, 7 against 0.5 and 20; balls to the first neighbour have radii 1, 1, 2, 4 and 19.5 twice
    const std::vector<double> real{0, 1, 3, 7}, fake{0.5, 20};
    const pg_matrix x = matrix(real, 4, 1), y = matrix(fake, 2, 1);
    pg_neighbours found{};
    CHECK(pg_count_neighbours(&x, &y, 1, 1, &found) == PG_OK);
    CHECK(found.fake_inside == 1 && found.real_inside == 4);
    CHECK(found.pairs == 2 && found.real_covered == 2);  // 0.5 lies in the open balls of 0 and 1
    CHECK(pg_count_neighbours(&x, &y, 2, 1, &found) == PG_INVALID_ARGUMENT && message_has("fake has 2 samples"));
    CHECK(pg_count_neighbours(&x, &y, 0, 0, &found) == PG_INVALID_ARGUMENT && message_has("positive"));
    CHECK(pg_count_neighbours(&x, &y, 1, 4, &found) == PG_INVALID_ARGUMENT && message_has("real has 4 samples"));
    const pg_matrix strided{real.data(), PG_FLOAT64, 2, 1, 8, 16};
    CHECK(pg_count_neighbours(&strided, &y, 1, 1, &found) == PG_INVALID_ARGUMENT && message_has("contiguous"));
}

// Sets about 3, of distances about `spread`: near enough for moments at 0.01, by products at 1.
template <class T>
void gaussian_kernels() {
    const int64_t shapes[][3] = {{1, 1, 1}, {5, 9, 3}, {60, 50, 24}, {250, 197, 33}};
    for (const auto& s : shapes) {
        for (const double spread : {0.01, 1.0}) {
            const int64_t m = s[0], n = s[1], k = s[2];
            const double gamma = 0.5;
            auto a = normal<T>(m * k, 1), b = normal<T>(n * k, 2);
            for (auto* set : {&a, &b})
                for (T& x : *set) x = static_cast<T>(3 + spread * double(x));
            const auto mean = [&](const std::vector<T>& x, const std::vector<T>& y) {
                double sum = 0;
                for (size_t i = 0; i < x.size(); i += static_cast<size_t>(k)) {
                    for (size_t j = 0; j < y.size(); j += static_cast<size_t>(k)) {
                        double squared = 0;
                        for (size_t p = 0; p < static_cast<size_t>(k); ++p)
                            squared += (double(x[i + p]) - double(y[j + p])) * (double(x[i + p]) - double(y[j + p]));
                        sum += std::expm1(-gamma * squared);
                    }
                }
                return sum / double(x.size() / static_cast<size_t>(k)) / double(y.size() / static_cast<size_t>(k));
            };
            const pg_matrix x = matrix(a, m, k), y = matrix(b, n, k);
            pg_kernel_means found{}, again{};
            CHECK(pg_gaussian_kernel_means(&x, &y, gamma, &found) == PG_OK);
            // exponents of up to 100 in float64; a rest of the series in float32 is below unit * t^3
            const double tolerance = 1e-13;
            CHECK(std::fabs(found.within_x - mean(a, a)) <= tolerance);
            CHECK(std::fabs(found.within_y - mean(b, b)) <= tolerance);
            CHECK(std::fabs(found.across - mean(a, b)) <= tolerance);
            int32_t threads = 0;
            CHECK(pg_get_num_threads(&threads) == PG_OK && pg_set_num_threads(3) == PG_OK);
            CHECK(pg_gaussian_kernel_means(&x, &y, gamma, &again) == PG_OK);
            CHECK(pg_set_num_threads(threads) == PG_OK);
            CHECK(again.within_x == found.within_x && again.within_y == found.within_y && again.across == found.across);
        }
    }
    const std::vector<T> far{0, T(1e6)};
    const pg_matrix x = matrix(far, 2, 1), wide = matrix(far, 1, 2);
    pg_kernel_means found{};
    CHECK(pg_gaussian_kernel_means(&x, &x, 1.0, &found) == PG_INVALID_ARGUMENT && message_has("gamma=1 is too large"));
    CHECK(pg_gaussian_kernel_means(&x, &x, 0.0, &found) == PG_INVALID_ARGUMENT && message_has("above 0"));
    CHECK(pg_gaussian_kernel_means(&x, &wide, 1.0, &found) == PG_INVALID_ARGUMENT && message_has("x has 1 columns and y 2"));
    CHECK(pg_gaussian_kernel_means(&x, &x, 1.0, nullptr) == PG_INVALID_ARGUMENT && message_has("result"));
}

void square_roots() {
    for (const int64_t n : {1, 2, 63, 64, 65, 200}) {
        // L L^T with columns that fall to 1e-4 and a heavy diagonal: condition some 1e8, and a nuclear norm that is its trace
        auto l = normal<double>(n * n, static_cast<unsigned>(n));
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < n; ++j) {
                double& x = l[static_cast<size_t>(i * n + j)];
                x = ((j < i ? 0.5 * x / std::sqrt(double(n)) : 0) + (i == j)) * std::pow(10.0, -4.0 * double(j) / double(n));
            }
        std::vector<double> a(static_cast<size_t>(n * n)), root(a), factor(a), back(a);
        const pg_matrix rows = matrix(l, n, n);
        CHECK(pg_matmul_transposed(&rows, &rows, a.data()) == PG_OK);
        double trace = 0, largest = 0, remainder = -1;
        for (int64_t i = 0; i < n; ++i) trace += a[static_cast<size_t>(i * n + i)];
        for (const double x : a) largest = std::max(largest, std::fabs(x));
        const pg_matrix whole = matrix(a, n, n);
        pg_nuclear_norm_result norm{};
        CHECK(pg_nuclear_norm(&whole, &norm) == PG_OK);
        CHECK(norm.lower <= trace * (1 + 1e-14) && trace * (1 - 1e-14) <= norm.upper);
        CHECK(norm.upper - norm.lower <= 1e-10 * trace);
        const double tolerance = 64 * double(n) * 0x1p-53 * largest;
        CHECK(pg_sqrtm_psd(a.data(), n, root.data()) == PG_OK);
        const pg_matrix r = matrix(root, n, n);
        CHECK(pg_matmul_transposed(&r, &r, back.data()) == PG_OK);
        // the quintics multiply what rounding leaves in small directions: 1e-11 of the norm at worst, as documented
        for (size_t i = 0; i < a.size(); ++i) CHECK(std::fabs(back[i] - a[i]) <= 1e-11 * largest);
        int64_t rank = 0;
        CHECK(pg_pivoted_cholesky(a.data(), n, factor.data(), &rank, &remainder) == PG_OK && remainder >= 0 && rank <= n);
        const pg_matrix f = matrix(factor, n, n);
        CHECK(pg_matmul_transposed(&f, &f, back.data()) == PG_OK);
        for (size_t i = 0; i < a.size(); ++i) CHECK(std::fabs(back[i] - a[i]) <= tolerance);
    }
    std::vector<double> indefinite{1, 2, 2, 1}, l(4);
    int64_t rank = 0;
    double remainder = 0;
    CHECK(pg_pivoted_cholesky(indefinite.data(), 2, l.data(), &rank, &remainder) == PG_INVALID_ARGUMENT &&
          message_has("not positive semi-definite"));
}

// A spectrum of one large value and many like each other, as counts without their mean have: its root was NaN for one matrix
// in a hundred, because the largest value was left to grow beyond the interval of the iteration.
void roots_of_a_leading_direction() {
    uint32_t state = 1;
    for (int trial = 0; trial < 70; ++trial) {
        const int64_t n = trial % 2 ? 64 : 63, rank = trial % 2 ? 64 : 31;
        std::vector<double> l(static_cast<size_t>(n * rank)), a(static_cast<size_t>(n * n)), root(a), back(a);
        for (double& x : l) x = (state = state * 1664525u + 1013904223u) / 256 % 200;
        const pg_matrix m = matrix(l, n, rank), r = matrix(root, n, n);
        CHECK(pg_matmul_transposed(&m, &m, a.data()) == PG_OK);
        CHECK(pg_sqrtm_psd(a.data(), n, root.data()) == PG_OK);
        CHECK(pg_matmul_transposed(&r, &r, back.data()) == PG_OK);
        const double largest = *std::max_element(a.begin(), a.end());
        for (size_t i = 0; i < a.size(); ++i) CHECK(std::fabs(back[i] - a[i]) <= 1e-11 * largest);
    }
}

// What squares would leave float64's room is scaled by a power of two: the same digits.
void extremes_of_scale() {
    const std::vector<double> a{4, 2, 2, 5};
    std::vector<double> plain(4), scaled(4), root(4), factor(4);
    CHECK(pg_sqrtm_psd(a.data(), 2, plain.data()) == PG_OK);
    for (const int exponent : {-1000, -640, 640, 1020}) {
        for (size_t i = 0; i < 4; ++i) scaled[i] = std::ldexp(a[i], exponent);
        CHECK(pg_sqrtm_psd(scaled.data(), 2, root.data()) == PG_OK);
        for (size_t i = 0; i < 4; ++i) CHECK(root[i] == std::ldexp(plain[i], exponent / 2));
        int64_t rank = 0;
        double remainder = 0;
        CHECK(pg_pivoted_cholesky(scaled.data(), 2, factor.data(), &rank, &remainder) == PG_OK && rank == 2);
        CHECK(factor[0] == std::ldexp(2.0, exponent / 2) && factor[3] == std::ldexp(2.0, exponent / 2));
    }
}

}  // namespace

int main() {
    for (const char* isa : kIsas) {
        if (!pg_has_isa(isa)) continue;
        CHECK(pg_set_isa(isa) == PG_OK);
        products<float>();
        products<double>();
        statistics();
        neighbours();
        gaussian_kernels<float>();
        gaussian_kernels<double>();
        square_roots();
        roots_of_a_leading_direction();
        extremes_of_scale();
    }
    return failures != 0;
}
