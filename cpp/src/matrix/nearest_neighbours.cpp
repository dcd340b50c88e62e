// Nearest neighbours within a set and across two, as counts of comparisons of squared distances in float64. A matrix product
// in float32 decides almost all of them with a bound on its error; what lies within the bound of a radius, and the radii
// themselves, are computed again from the differences in float64. No matrix of distances is stored.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <mutex>
#include <string>
#include <vector>

#include "kernels/table.h"
#include "matrix/gemm.h"
#include "matrix/matrices.h"
#include "matrix/samples.h"
#include "runtime/sizes.h"
#include "runtime/status.h"
#include "runtime/threads.h"

namespace pixelgauge {

namespace {

constexpr int64_t kRows = 4096;  // of each set in work at a time: two packed copies of 32 MB at 2048 columns

int64_t near_row(const NearRow<float>& row, int32_t* found) { return kernels().near_f32(&row, found); }
int64_t near_row(const NearRow<double>& row, int32_t* found) { return kernels().near_f64(&row, found); }

// Bounds of squared distances in T for samples of In.
template <class In, class T>
class Distances {
  public:
    using Shift = typename Rows<In, T>::Shift;

    Distances(const std::vector<double>& centre, double largest_norm, int64_t samples)
        : centre_(centre.begin(), centre.end()), exact_left_(sizeof(T) == 4 ? 64 * samples : std::numeric_limits<int64_t>::max()) {
        // A dot product is off by as many roundings of |x| |y| <= (|x|^2 + |y|^2) / 2 as products are added in a row, plus
        // those of the partial sums and of the elements less the centre; the rest are the norms, their sum and the result.
        const auto dim = static_cast<double>(centre.size());
        const double roundings = static_cast<double>(kLongestSum) + dim / 96 + 24;
        const double unit = sizeof(T) == 4 ? 0x1p-24 : 0x1p-53;
        keep_ = static_cast<T>(1 - 1.01 * roundings * unit);
        less_ = static_cast<T>(-largest_norm * (sizeof(T) == 4 ? 1e-18 : 1e-40));  // products that underflow
    }

    // Whether T can hold the squares of these norms, and whether it has decided enough.
    static bool holds(double largest_norm) { return sizeof(T) == 8 || largest_norm == 0 || (largest_norm > 1e-15 && largest_norm < 1e30); }
    bool gave_up() const { return exact_left_.load(std::memory_order_relaxed) < 0; }

    double exact(const Samples<In>& x, int64_t i, const Samples<In>& y, int64_t j) {
        exact_left_.fetch_sub(1, std::memory_order_relaxed);
        return squared_distance(x.row(i), y.row(j), x.dim);
    }

    std::vector<T> rounded(const std::vector<double>& norms) const { return {norms.begin(), norms.end()}; }

    // Calls task(first row, first column, block) for all pairs of samples; below the diagonal only where x and y are one.
    template <class F>
    void for_blocks(const Samples<In>& x, const Samples<In>& y, F task) {
        const bool same = &x == &y;
        for (int64_t i0 = 0; i0 < x.count; i0 += kRows) {
            for (int64_t j0 = 0; j0 < (same ? i0 + 1 : y.count) && !gave_up(); j0 += kRows) {
                const Rows<In, T> rows{x.row(i0), x.stride, 1, centre_.data(), true}, columns{y.row(j0), y.stride, 1, centre_.data(), true};
                product_blocks<In, T>(std::min(kRows, x.count - i0), std::min(kRows, y.count - j0), x.dim, rows, columns,
                                      same && i0 == j0 ? Part::Lower : Part::Full,
                                      [&](const Block<T>& block) { task(i0 + block.i, j0 + block.j, block); });
            }
        }
    }

    // The pairs of a row of a block that may lie within one of their limits, with bounds of their distance.
    template <class F>
    void near(const T* dots, int64_t n, T norm, const T* norms, T limit, const T* limits, F found) const {
        int32_t indices[kWidest];
        const int64_t count = near_row(NearRow<T>{n, dots, norm, norms, keep_, less_, limit, limits}, indices);
        for (int64_t c = 0; c < count; ++c) {
            const int32_t j = indices[c];
            const T sum = norm + norms[j];
            found(j, sum * keep_ + less_ - 2 * dots[j], sum * (2 - keep_) - less_ - 2 * dots[j]);
        }
    }
    static constexpr int64_t kWidest = 256;  // columns of a block are fewer, and one is written before it is counted

  private:
    std::vector<Shift> centre_;
    T keep_, less_;
    std::atomic<int64_t> exact_left_;
};

// The nearest of every sample by their lower bounds, some more than k: those that rounding leaves in doubt must all be among them.
// Blocks of distances are added by several threads.
template <class T>
class Candidates {
  public:
    struct Candidate {
        T low, high;
        int32_t index;
    };
    struct Pair {  // of a row and a column of a block
        int32_t i, j;
        T low, high;
    };
    struct Limits {
        std::vector<T> rows, columns;
    };

    Candidates(int64_t samples, int64_t k)
        : capacity_(k + 8),
          nearest_(static_cast<size_t>(samples * capacity_)),
          counts_(static_cast<size_t>(samples)),
          limits_(static_cast<size_t>(samples), std::numeric_limits<T>::infinity()) {}

    // What a lower bound must be less than to be kept, for the rows and the columns of a block.
    Limits limits(int64_t i0, int64_t rows, int64_t j0, int64_t columns) {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto all = limits_.begin();
        return {{all + i0, all + i0 + rows}, {all + j0, all + j0 + columns}};
    }
    void add(int64_t i0, int64_t j0, const std::vector<Pair>& pairs) {
        const std::lock_guard<std::mutex> lock(mutex_);
        for (const Pair& pair : pairs) {
            insert(i0 + pair.i, {pair.low, pair.high, static_cast<int32_t>(j0 + pair.j)});
            insert(j0 + pair.j, {pair.low, pair.high, static_cast<int32_t>(i0 + pair.i)});
        }
    }
    const Candidate* begin(int64_t i) const { return nearest_.data() + i * capacity_; }
    const Candidate* end(int64_t i) const { return begin(i) + counts_[static_cast<size_t>(i)]; }
    // Whether none was dropped that may lie within the bound.
    bool hold_all(int64_t i, double bound) const { return end(i) - begin(i) < capacity_ || static_cast<double>(end(i)[-1].low) > bound; }

  private:
    void insert(int64_t i, Candidate candidate) {
        Candidate* const list = nearest_.data() + i * capacity_;
        int32_t& count = counts_[static_cast<size_t>(i)];
        if (count == capacity_ && !(candidate.low < list[count - 1].low)) return;
        int64_t at = count < capacity_ ? count++ : capacity_ - 1;
        for (; at > 0 && candidate.low < list[at - 1].low; --at) list[at] = list[at - 1];
        list[at] = candidate;
        if (count == capacity_) limits_[static_cast<size_t>(i)] = list[capacity_ - 1].low;
    }

    int64_t capacity_;
    std::vector<Candidate> nearest_;
    std::vector<int32_t> counts_;
    std::vector<T> limits_;
    std::mutex mutex_;
};

template <class In, class T>
void find_candidates(const Samples<In>& x, Distances<In, T>& distances, Candidates<T>& candidates) {
    const std::vector<T> norms = distances.rounded(x.norms);
    distances.for_blocks(x, x, [&](int64_t i0, int64_t j0, const Block<T>& block) {
        const auto limits = candidates.limits(i0, block.rows, j0, block.columns);
        std::vector<typename Candidates<T>::Pair> pairs;
        for (int64_t i = 0; i < block.rows; ++i) {
            const int64_t n = std::min(block.columns, i0 + i - j0);
            if (n <= 0) continue;
            distances.near(block.values + i * block.stride, n, norms[static_cast<size_t>(i0 + i)], norms.data() + j0,
                           limits.rows[static_cast<size_t>(i)], limits.columns.data(),
                           [&](int32_t j, T low, T high) { pairs.push_back({static_cast<int32_t>(i), j, low, high}); });
        }
        candidates.add(i0, j0, pairs);
    });
}

// Squared distances from sample i to all that may be one of its k nearest, at least k; fewer where T cannot tell.
template <class In, class T>
std::vector<double> nearest_distances(const Samples<In>& x, int64_t i, int64_t k, const Candidates<T>& candidates,
                                      Distances<In, T>& distances) {
    const auto *const list = candidates.begin(i), *const end = candidates.end(i);
    std::vector<double> found;
    for (const auto* c = list; c < end; ++c) found.push_back(static_cast<double>(c->high));
    std::nth_element(found.begin(), found.begin() + k - 1, found.end());
    const double bound = found[static_cast<size_t>(k - 1)];
    found.clear();
    if (candidates.hold_all(i, bound)) {
        for (const auto* c = list; c < end; ++c)
            if (static_cast<double>(c->low) <= bound) found.push_back(distances.exact(x, i, x, c->index));
        return found;
    }
    // More in doubt than were kept: all of them, unless enough equal samples turn up first.
    int64_t zeros = 0;
    for (int64_t j = 0; j < x.count && zeros < k && !distances.gave_up(); ++j) {
        if (j == i) continue;
        found.push_back(distances.exact(x, i, x, j));
        zeros += found.back() == 0;
    }
    return found;
}

// Squared radii to the k-th neighbours in the set, for each of ks (ascending); empty where T cannot tell.
template <class In, class T>
std::vector<std::vector<double>> squared_radii(const Samples<In>& x, const std::vector<int64_t>& ks, Distances<In, T>& distances) {
    const int64_t k = ks.back();
    Candidates<T> candidates(x.count, k);
    find_candidates(x, distances, candidates);
    std::vector<std::vector<double>> radii(ks.size(), std::vector<double>(static_cast<size_t>(x.count)));
    parallel_for(x.count, [&](int64_t i) {
        if (distances.gave_up()) return;
        std::vector<double> found = nearest_distances(x, i, k, candidates, distances);
        if (static_cast<int64_t>(found.size()) < k) return;  // gave up
        std::partial_sort(found.begin(), found.begin() + k, found.end());
        for (size_t r = 0; r < ks.size(); ++r) radii[r][static_cast<size_t>(i)] = found[static_cast<size_t>(ks[r] - 1)];
    });
    if (distances.gave_up()) return {};
    return radii;
}

// Squared radii of the balls about real and fake samples: closed ones for precision and recall, open ones for density and coverage.
// -infinity, within which nothing lies, where none are asked for.
struct Radii {
    std::vector<double> closed, open, closed_fake;
};

// False where T leaves too many in doubt.
template <class In, class T>
bool find_radii(const Samples<In>& real, const Samples<In>& fake, int64_t precision_k, int64_t density_k, Distances<In, T>& distances,
                Radii& radii) {
    const double none = -std::numeric_limits<double>::infinity();
    std::vector<int64_t> ks;
    for (const int64_t k : {std::min(precision_k, density_k), std::max(precision_k, density_k)})
        if (k > 0 && (ks.empty() || ks.back() != k)) ks.push_back(k);
    const auto of_ks = squared_radii(real, ks, distances);
    if (of_ks.empty()) return false;
    const auto radius_of = [&](int64_t k) {
        return k > 0 ? of_ks[static_cast<size_t>(std::find(ks.begin(), ks.end(), k) - ks.begin())]
                     : std::vector<double>(static_cast<size_t>(real.count), none);
    };
    radii.closed = radius_of(precision_k);
    radii.open = radius_of(density_k);
    radii.closed_fake.assign(static_cast<size_t>(fake.count), none);
    if (precision_k > 0) {
        auto found = squared_radii(fake, {precision_k}, distances);
        if (found.empty()) return false;
        radii.closed_fake = std::move(found[0]);
    }
    return true;
}

template <class T>
T rounded_up(double x) {
    const T rounded = static_cast<T>(x);
    return static_cast<double>(rounded) < x ? std::nextafter(rounded, std::numeric_limits<T>::infinity()) : rounded;
}

// Which samples lie within which balls, in counts; false where T leaves too many in doubt.
template <class In, class T>
bool count_within(const Samples<In>& real, const Samples<In>& fake, const Radii& radii, Distances<In, T>& distances,
                  pg_neighbours* result) {
    const std::vector<double>&closed = radii.closed, &open = radii.open, &closed_fake = radii.closed_fake;
    std::vector<T> limits(closed.size()), limits_fake(closed_fake.size());
    for (size_t i = 0; i < limits.size(); ++i) limits[i] = rounded_up<T>(std::max(closed[i], open[i]));
    for (size_t j = 0; j < limits_fake.size(); ++j) limits_fake[j] = rounded_up<T>(closed_fake[j]);
    const std::vector<T> norms = distances.rounded(real.norms), norms_fake = distances.rounded(fake.norms);
    std::vector<std::atomic<uint8_t>> fake_inside(static_cast<size_t>(fake.count)), real_inside(static_cast<size_t>(real.count)),
        real_covered(static_cast<size_t>(real.count));
    std::atomic<int64_t> pairs{0};
    distances.for_blocks(real, fake, [&](int64_t i0, int64_t j0, const Block<T>& block) {
        int64_t held = 0;
        for (int64_t r = 0; r < block.rows && !distances.gave_up(); ++r) {
            const auto i = static_cast<size_t>(i0 + r);
            distances.near(block.values + r * block.stride, block.columns, norms[i], norms_fake.data() + j0, limits[i],
                           limits_fake.data() + j0, [&](int32_t column, T low, T high) {
                               const auto j = static_cast<size_t>(j0 + column);
                               double least = static_cast<double>(low), most = static_cast<double>(high);
                               // Bounds decide, or are replaced by the distance itself.
                               const auto within = [&](double radius, bool surface) {
                                   const auto inside = [&](double d) { return surface ? d <= radius : d < radius; };
                                   if (inside(least) != inside(most))
                                       least = most = distances.exact(real, i0 + r, fake, static_cast<int64_t>(j));
                                   return inside(most);
                               };
                               const auto relaxed = std::memory_order_relaxed;
                               if (!fake_inside[j].load(relaxed) && within(closed[i], true)) fake_inside[j].store(1, relaxed);
                               if (!real_inside[i].load(relaxed) && within(closed_fake[j], true)) real_inside[i].store(1, relaxed);
                               if (within(open[i], false)) {
                                   ++held;
                                   real_covered[i].store(1, relaxed);
                               }
                           });
        }
        pairs.fetch_add(held, std::memory_order_relaxed);
    });
    if (distances.gave_up()) return false;
    const auto count = [](const std::vector<std::atomic<uint8_t>>& flags) {
        int64_t n = 0;
        for (const auto& flag : flags) n += flag.load();
        return n;
    };
    *result = {count(fake_inside), count(real_inside), pairs.load(), count(real_covered)};
    return true;
}

// Counts of comparisons with T; false where T leaves too many in doubt.
template <class In, class T>
bool count_neighbours(const Samples<In>& real, const Samples<In>& fake, const std::vector<double>& centre, int64_t precision_k,
                      int64_t density_k, pg_neighbours* result) {
    double largest = 0;
    for (const double norm : real.norms) largest = std::max(largest, norm);
    for (const double norm : fake.norms) largest = std::max(largest, norm);
    if (!Distances<In, T>::holds(largest)) return false;
    Distances<In, T> distances(centre, largest, real.count + fake.count);
    Radii radii;
    return find_radii(real, fake, precision_k, density_k, distances, radii) && count_within(real, fake, radii, distances, result);
}

template <class In>
void count_neighbours(const pg_matrix& real, const pg_matrix& fake, int64_t precision_k, int64_t density_k, pg_neighbours* result) {
    const std::vector<double> centre = centre_of<In>(real);
    const Samples<In> x(real, "real", centre), y(fake, "fake", centre);
    if (count_neighbours<In, float>(x, y, centre, precision_k, density_k, result)) return;
    count_neighbours<In, double>(x, y, centre, precision_k, density_k, result);
}

}  // namespace

}  // namespace pixelgauge

extern "C" pg_status pg_count_neighbours(const pg_matrix* real, const pg_matrix* fake, int64_t precision_k, int64_t density_k,
                                         pg_neighbours* result) {
    using namespace pixelgauge;
    return guarded([&] {
        require_matrix(real, "real");
        require_matrix(fake, "fake");
        require_given({{"result", result}});
        require_comparable(*real, "real", *fake, "fake");
        constexpr int64_t kMostRows = (int64_t{1} << 31) - 1;
        require(real->rows <= kMostRows && fake->rows <= kMostRows, [&] {
            return Fault(PG_ERROR_TOO_LARGE, real->rows <= kMostRows ? "fake" : "real", "", "real and fake must have fewer than 2^31 rows");
        });
        require(precision_k >= 0 && density_k >= 0 && (precision_k > 0 || density_k > 0), [&] {
            return Fault(PG_ERROR_VALUE, precision_k < 0 || density_k >= 0 ? "precision_k" : "density_k", "",
                         "precision_k=" + std::to_string(precision_k) + " and density_k=" + std::to_string(density_k),
                         "both must be at least 0 and one of them positive");
        });
        const auto require_more = [](const char* name, int64_t rows, int64_t k) {
            require(rows > k, [&] {
                return Fault(PG_ERROR_TOO_SMALL, name, "", std::string(name) + " has " + std::to_string(rows) + " samples",
                             "the k-th neighbour needs more than k")
                    .needing(k < INT64_MAX ? k + 1 : k);
            });
        };
        const int64_t largest_k = std::max(precision_k, density_k);
        require_more("real", real->rows, largest_k);
        if (precision_k > 0) require_more("fake", fake->rows, precision_k);
        for (const int64_t rows : {real->rows, fake->rows})
            checked_product(precision_k == largest_k ? "precision_k" : "density_k", {rows, largest_k + 8, 24});
        if (real->dtype == PG_FLOAT32)
            count_neighbours<float>(*real, *fake, precision_k, density_k, result);
        else
            count_neighbours<double>(*real, *fake, precision_k, density_k, result);
    });
}
