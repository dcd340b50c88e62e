// Means of the Gaussian kernel over pairs of samples: blocks of a matrix product, each turned into the kernel and summed where it was
// made. No matrix of the kernel is stored.
//
// exp(-gamma |x - y|^2) = w(x) w(y) exp(t), w(x) = exp(-gamma |x|^2), t = 2 gamma x.y. Where t is small, means of 1, t and t^2 / 2
// are products of moments in float64, and the rest, below t^3 / 5, takes no more than a product in float32. Elsewhere the product is
// one in float64.
#include <algorithm>
#include <cmath>
#include <mutex>
#include <tuple>
#include <vector>

#include "matrix/gemm.h"
#include "matrix/row_blocks.h"
#include "matrix/samples.h"
#include "runtime/threads.h"

namespace pixelgauge {

namespace {

constexpr int64_t kRows = 4096;  // of each set in work at a time: two packed copies of 32 MB at 1024 columns in float64
constexpr double kMostExponent = 1e8;

// Sums of blocks, which threads finish in any order, added in that of their places.
class BlockSums {
  public:
    void add(int64_t i, int64_t j, double sum) {
        const std::lock_guard<std::mutex> lock(mutex_);
        sums_.emplace_back(i, j, sum);
    }
    double total() {
        std::sort(sums_.begin(), sums_.end());
        double total = 0;
        for (const auto& block : sums_) total += std::get<2>(block);
        return total;
    }

  private:
    std::mutex mutex_;
    std::vector<std::tuple<int64_t, int64_t, double>> sums_;
};

// Sum over pairs of samples of row(i, j, n, dots), that of sample i with the n from j on; if x and y are one, over those with j < i.
template <class T, class In, class F>
double sum_pairs(const Samples<In>& x, const Samples<In>& y, const std::vector<typename Rows<In, T>::Shift>& centre, F row) {
    const bool same = &x == &y;
    double total = 0;
    for (int64_t i0 = 0; i0 < x.count; i0 += kRows) {
        for (int64_t j0 = 0; j0 < (same ? i0 + 1 : y.count); j0 += kRows) {
            BlockSums sums;
            const Rows<In, T> rows{x.row(i0), x.stride, 1, centre.data(), true}, columns{y.row(j0), y.stride, 1, centre.data(), true};
            product_blocks<In, T>(std::min(kRows, x.count - i0), std::min(kRows, y.count - j0), x.dim, rows, columns,
                                  same && i0 == j0 ? Part::Lower : Part::Full, [&](const Block<T>& block) {
                                      double of_block = 0;
                                      for (int64_t r = 0; r < block.rows; ++r) {
                                          const int64_t i = i0 + block.i + r, j = j0 + block.j;
                                          const int64_t n = same ? std::min(block.columns, i - j) : block.columns;
                                          if (n > 0) of_block += row(i, j, n, block.values + r * block.stride);
                                      }
                                      sums.add(block.i, block.j, of_block);
                                  });
            total += sums.total();
        }
    }
    return total;
}

template <class In>
double mean_of_pairs(double sum, const Samples<In>& x, const Samples<In>& y) {
    return sum / static_cast<double>(x.count) / static_cast<double>(y.count);
}

// By a product in float64 and the kernel itself.
template <class In>
class ByProduct {
  public:
    ByProduct(const Samples<In>& x, const Samples<In>& y, const std::vector<double>& centre, double gamma)
        : centre_(centre.begin(), centre.end()), gamma_(gamma), x_(x, exponents(x)), y_(y, exponents(y)) {}

    pg_kernel_means means() const { return {within(x_), within(y_), mean_of_pairs(sum(x_, y_), x_.samples, y_.samples)}; }

  private:
    struct Set {
        const Samples<In>& samples;
        const std::vector<double> exponents;
        Set(const Samples<In>& of, std::vector<double> values) : samples(of), exponents(std::move(values)) {}
    };

    std::vector<double> exponents(const Samples<In>& x) const {
        std::vector<double> result = x.norms;
        for (double& norm : result) norm *= gamma_;
        return result;
    }
    // Pairs below the diagonal count twice; on it the kernel less 1 is 0.
    double within(const Set& x) const { return mean_of_pairs(2 * sum(x, x), x.samples, x.samples); }
    double sum(const Set& x, const Set& y) const {
        return sum_pairs<double>(x.samples, y.samples, centre_, [&](int64_t i, int64_t j, int64_t n, const double* dots) {
            const GaussianRow row{n, dots, y.exponents.data() + j, x.exponents[static_cast<size_t>(i)], 2 * gamma_};
            return kernels().gaussian_row(&row);
        });
    }

    const std::vector<double> centre_;
    const double gamma_;
    const Set x_, y_;
};

// By moments of weighted samples, and a product in float32 for the rest.
template <class In>
class ByMoments {
  public:
    ByMoments(const Samples<In>& x, const Samples<In>& y, const std::vector<double>& centre, double gamma)
        : centre_(centre), rounded_(centre.begin(), centre.end()), gamma_(gamma), x_(moments(x)), y_(moments(y)) {}

    // Whether that is within 1e-10, whatever the features, and less work. A product t in float32 is off by some 400 roundings of its
    // largest value, and the rest has the slope t^2 / 2; four means are added.
    static bool will_do(const Samples<In>& x, const Samples<In>& y, double largest_norm, double gamma) {
        const double t = 2 * gamma * largest_norm;
        const double roundings = static_cast<double>(kLongestSum) + static_cast<double>(x.dim) / 96 + 24;
        return t <= 1.0 / 16 && 4 * t * t * t * (0.6 * roundings + 4) * 0x1p-24 <= 1e-10 && largest_norm > 1e-15 && largest_norm < 1e30 &&
               std::min(x.count, y.count) >= 2 * x.dim;
    }

    pg_kernel_means means() const {
        return {mean(x_, x_, 2 * rest(x_, x_) + rest_of_diagonal(x_)), mean(y_, y_, 2 * rest(y_, y_) + rest_of_diagonal(y_)),
                mean(x_, y_, rest(x_, y_))};
    }

  private:
    struct Set {
        const Samples<In>& samples;
        std::vector<double> weights;
        std::vector<float> rounded;
        double lacking = 0;         // mean weight, less 1
        std::vector<double> first;  // means of weighted samples
        Buffer<double> second;      // and of their outer products: the lower triangle
    };

    Set moments(const Samples<In>& x) const {
        const int64_t dim = x.dim;
        Set set{x, std::vector<double>(static_cast<size_t>(x.count)), {},
                0, std::vector<double>(static_cast<size_t>(dim)),     Buffer<double>(dim * dim)};
        const double share = 1 / static_cast<double>(x.count);
        for (int64_t i = 0; i < x.count; ++i) {
            const double lacking = std::expm1(-gamma_ * x.norms[static_cast<size_t>(i)]);
            set.weights[static_cast<size_t>(i)] = 1 + lacking;
            set.lacking += lacking * share;
        }
        set.rounded.assign(set.weights.begin(), set.weights.end());
        const Buffer<double> rows(std::min(kMomentRows, x.count) * dim);
        for (int64_t i0 = 0; i0 < x.count; i0 += kMomentRows) {
            const int64_t count = std::min(kMomentRows, x.count - i0);
            for_row_blocks(count, [&](int64_t first, int64_t last) {
                for (int64_t i = first; i < last; ++i) {
                    const double root = std::sqrt(set.weights[static_cast<size_t>(i0 + i)]);
                    const In* const from = x.row(i0 + i);
                    for (int64_t k = 0; k < dim; ++k)
                        rows[i * dim + k] = root * (static_cast<double>(from[k]) - centre_[static_cast<size_t>(k)]);
                }
            });
            constexpr int64_t kColumns = 64;
            parallel_for((dim + kColumns - 1) / kColumns, [&](int64_t t) {
                for (int64_t i = 0; i < count; ++i) {
                    const double root = std::sqrt(set.weights[static_cast<size_t>(i0 + i)]) * share;
                    for (int64_t k = t * kColumns; k < std::min((t + 1) * kColumns, dim); ++k)
                        set.first[static_cast<size_t>(k)] += root * rows[i * dim + k];
                }
            });
            const Rows<double> turned{rows.data(), 1, dim};
            gemm<double, double>(dim, dim, count, share, turned, turned, i0 == 0 ? 0.0 : 1.0, set.second.data(), dim, Part::Lower);
        }
        return set;
    }

    double mean(const Set& x, const Set& y, double rest) const {
        const int64_t dim = x.samples.dim;
        const double squares = sum_rows(dim, [&](int64_t k) {
            const double *a = x.second.data() + k * dim, *b = y.second.data() + k * dim;
            return 2 * dot(a, b, k) + a[k] * b[k];
        });
        return x.lacking + y.lacking + x.lacking * y.lacking + 2 * gamma_ * dot(x.first.data(), y.first.data(), dim) +
               2 * gamma_ * gamma_ * squares + mean_of_pairs(rest, x.samples, y.samples);
    }
    double rest(const Set& x, const Set& y) const {
        return sum_pairs<float>(x.samples, y.samples, rounded_, [&](int64_t i, int64_t j, int64_t n, const float* dots) {
            const GaussianRest row{n, dots, y.rounded.data() + j, static_cast<float>(2 * gamma_)};
            return x.weights[static_cast<size_t>(i)] * kernels().gaussian_rest(&row);
        });
    }
    double rest_of_diagonal(const Set& x) const {
        double total = 0;
        for (int64_t i = 0; i < x.samples.count; ++i) {
            const double t = 2 * gamma_ * x.samples.norms[static_cast<size_t>(i)], weight = x.weights[static_cast<size_t>(i)];
            total += weight * weight * (std::expm1(t) - t - t * t / 2);
        }
        return total;
    }

    static constexpr int64_t kMomentRows = 3072;
    const std::vector<double>& centre_;
    const std::vector<typename Rows<In, float>::Shift> rounded_;
    const double gamma_;
    const Set x_, y_;
};

template <class In>
pg_kernel_means kernel_means(const pg_matrix& x, const pg_matrix& y, double gamma) {
    const std::vector<double> centre = centre_of<In>(x);
    const Samples<In> of_x(x, "x", centre), of_y(y, "y", centre);
    double largest = 0;
    for (const auto* norms : {&of_x.norms, &of_y.norms})
        for (const double norm : *norms) largest = std::max(largest, norm);
    require(gamma * largest <= kMostExponent, [&] {
        return Fault(PG_ERROR_OVERFLOW, "gamma", short_number(gamma),
                     "is too large for samples whose distances from their mean reach " + short_number(std::sqrt(largest)),
                     "rounding would decide the kernel: give a smaller one");
    });
    if (ByMoments<In>::will_do(of_x, of_y, largest, gamma)) return ByMoments<In>(of_x, of_y, centre, gamma).means();
    return ByProduct<In>(of_x, of_y, centre, gamma).means();
}

}  // namespace

}  // namespace pixelgauge

extern "C" pg_status pg_gaussian_kernel_means(const pg_matrix* x, const pg_matrix* y, double gamma, pg_kernel_means* result) {
    using namespace pixelgauge;
    return guarded([&] {
        require_matrix(x, "x");
        require_matrix(y, "y");
        require_given({{"result", result}});
        require_comparable(*x, "x", *y, "y");
        require(gamma > 0 && std::isfinite(gamma),
                [&] { return Fault(PG_ERROR_VALUE, "gamma", short_number(gamma), "must be a number above 0"); });
        *result = x->dtype == PG_FLOAT32 ? kernel_means<float>(*x, *y, gamma) : kernel_means<double>(*x, *y, gamma);
    });
}
