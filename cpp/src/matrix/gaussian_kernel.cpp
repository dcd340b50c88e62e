// Means of the Gaussian kernel over pairs of samples: blocks of a matrix product in float64, each turned into the kernel and summed
// where it was made. No matrix of the kernel is stored.
#include <algorithm>
#include <cmath>
#include <mutex>
#include <tuple>
#include <vector>

#include "matrix/gemm.h"
#include "matrix/samples.h"
#include "runtime/threads.h"

namespace pixelgauge {

namespace {

constexpr int64_t kRows = 4096;  // of each set in work at a time: two packed copies of 32 MB at 1024 columns
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

template <class In>
class GaussianKernel {
  public:
    GaussianKernel(const std::vector<double>& centre, double gamma) : centre_(centre), gamma_(gamma) {}

    // Over all pairs of two sets.
    double mean(const Samples<In>& x, const Samples<In>& y) const {
        return sum(x, y) / static_cast<double>(x.count) / static_cast<double>(y.count);
    }
    // Over all pairs of one: those below the diagonal twice, and the diagonal, where the kernel less 1 is 0.
    double mean(const Samples<In>& x) const { return 2 * sum(x, x) / static_cast<double>(x.count) / static_cast<double>(x.count); }

  private:
    std::vector<double> exponents(const Samples<In>& x) const {
        std::vector<double> result = x.norms;
        for (double& norm : result) norm *= gamma_;
        return result;
    }

    double sum(const Samples<In>& x, const Samples<In>& y) const {
        const bool same = &x == &y;
        const std::vector<double> of_x = exponents(x), of_y = exponents(y);
        double total = 0;
        for (int64_t i0 = 0; i0 < x.count; i0 += kRows) {
            for (int64_t j0 = 0; j0 < (same ? i0 + 1 : y.count); j0 += kRows) {
                BlockSums sums;
                const Rows<In, double> rows{x.row(i0), x.stride, 1, centre_.data(), true},
                    columns{y.row(j0), y.stride, 1, centre_.data(), true};
                product_blocks<In, double>(std::min(kRows, x.count - i0), std::min(kRows, y.count - j0), x.dim, rows, columns,
                                           same && i0 == j0 ? Part::Lower : Part::Full, [&](const Block<double>& block) {
                                               const int64_t i = i0 + block.i, j = j0 + block.j;
                                               double of_block = 0;
                                               for (int64_t r = 0; r < block.rows; ++r) {
                                                   const int64_t n = same ? std::min(block.columns, i + r - j) : block.columns;
                                                   if (n <= 0) continue;
                                                   const GaussianRow row{n, block.values + r * block.stride, of_y.data() + j,
                                                                         of_x[static_cast<size_t>(i + r)], 2 * gamma_};
                                                   of_block += kernels().gaussian_row(&row);
                                               }
                                               sums.add(block.i, block.j, of_block);
                                           });
                total += sums.total();
            }
        }
        return total;
    }

    const std::vector<double>& centre_;
    double gamma_;
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
    const GaussianKernel<In> kernel(centre, gamma);
    return {kernel.mean(of_x), kernel.mean(of_y), kernel.mean(of_x, of_y)};
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
