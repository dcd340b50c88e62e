// What the place of every positive among the negatives gives: average precision, and the sums of DeLong's variances. Buckets are
// independent, and their sums are added in the order of the scores.
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "pixelgauge/pixelgauge.h"
#include "ranking/average_precision.h"
#include "ranking/buckets.h"
#include "ranking/groups.h"
#include "ranking/ranked_class.h"
#include "ranking/scores.h"
#include "ranking/weighted.h"
#include "runtime/status.h"
#include "runtime/wide.h"

namespace pixelgauge {

namespace {

// The positives of a bucket by score, highest first, and how many negatives lie between and beside them.
template <class K>
class PositiveGroups {
  public:
    // Calls f(positives, negatives above them and below the group before, negatives equal to them); the last call, with no
    // positives, is for the negatives below all.
    template <class F>
    void each(const Buckets<K>& buckets, int64_t i, F f, int depth = 0) {
        const Bucket<K> b = buckets[i];
        if (b.positives == 0 || b.low == b.high) {
            if (b.positives) f(b.positives, int64_t{0}, b.negatives);
            f(int64_t{0}, b.positives ? 0 : b.negatives, int64_t{0});
            return;
        }
        if (b.positives + b.negatives > buckets.largest() && depth < 8) {
            PositiveGroups inner;
            for_each_slice(
                b.negatives ? std::vector{buckets.source(i, true), buckets.source(i, false)} : std::vector{buckets.source(i, true)},
                [&](const Buckets<K>& finer) {
                    for (int64_t k = finer.count(); k-- > 0;) inner.each(finer, k, f, depth + 1);
                });
            return;
        }
        buckets.read(i, true, positive_);
        class_.build(positive_.data(), b.positives);
        // ranks are 0 to 2 P; beyond lie those that the cells cannot tell
        at_rank_.assign(static_cast<size_t>(2 * b.positives) + 2, 0);
        K unresolved[2 * kBlockKeys + 16];
        int64_t open = 0;
        const auto resolve = [&] {
            for (int64_t k = 0; k < open; ++k) ++at_rank_[class_.rank(unresolved[k])];
            open = 0;
        };
        buckets.visit(i, false, [&](const K* keys, const double*, int64_t m) {
            placement<K>().count_ranks(keys, m, &class_.table(), static_cast<uint32_t>(2 * b.positives + 1), at_rank_.data(), unresolved,
                                       &open);
            if (open >= kBlockKeys) resolve();
        });
        resolve();
        int64_t between = at_rank_[static_cast<size_t>(2 * b.positives)];
        class_.each_group(b.positives, [&](uint32_t from, uint32_t to) {
            f(int64_t{to - from}, between, int64_t{at_rank_[from + to]});
            between = at_rank_[2 * from];
        });
        f(int64_t{0}, between, int64_t{0});
    }

  private:
    RankedClass<K> class_;
    std::vector<K> positive_;
    std::vector<uint32_t> at_rank_;
};

// Sums over the buckets, each with what lies above it, in the order of the scores: f(groups, positives above, negatives
// above, sum of the bucket). Narrow scores are one bucket.
template <class Sum, class F>
Sum sum_of_groups(const pg_ranking& r, int64_t* positives, int64_t* negatives, F f) {
    if (key_bytes(r.dtype) == 2) {
        const Groups<uint32_t> groups = narrow_groups(r);
        *positives = sum_of(groups.p);
        *negatives = sum_of(groups.q);
        Sum sum{};
        f(
            [&](auto visit) {
                int64_t between = 0;
                for (size_t g = groups.size(); g-- > 0;) {
                    if (groups.p[g] == 0) {
                        between += groups.q[g];
                    } else {
                        visit(groups.p[g], between, groups.q[g]);
                        between = 0;
                    }
                }
                visit(int64_t{0}, between, int64_t{0});
            },
            int64_t{0}, int64_t{0}, sum);
        return sum;
    }
    return with_key_type(r.dtype, [&](auto key) {
        using K = decltype(key);
        *positives = count_positives(r);
        *negatives = r.count - *positives;
        Sum sum{};
        for_each_slice<K>({score_source<K>(r)}, [&](const Buckets<K>& buckets) {
            std::vector<Sum> sums(static_cast<size_t>(buckets.count()));
            for_bucket_groups(buckets.count(), [&](int64_t, int64_t first, int64_t last) {
                PositiveGroups<K> groups;
                for (int64_t b = first; b < last; ++b) {
                    const Bucket<K> bucket = buckets[b];
                    f([&](auto visit) { groups.each(buckets, b, visit); }, bucket.positives_above, bucket.negatives_above,
                      sums[static_cast<size_t>(b)]);
                }
            });
            for (size_t b = sums.size(); b-- > 0;) sum += sums[b];
        });
        return sum;
    });
}

// Sums of twice the placements: at most (2N)^2 P, which 128 bits hold beyond 1e12 samples.
struct DelongSums {
    Wide twice_u = 0, positive_squares = 0, negative_squares = 0;

    void operator+=(const DelongSums& other) {
        twice_u += other.twice_u;
        positive_squares += other.positive_squares;
        negative_squares += other.negative_squares;
    }
};

}  // namespace

}  // namespace pixelgauge

extern "C" pg_status pg_average_precision(const pg_ranking* ranking, const double* weights, double* result) {
    using namespace pixelgauge;
    return guarded([&] {
        require_ranking(ranking);
        require_given({{"result", result}});
        if (weights) {
            *result = weighted_average_precision(*ranking, weights);
            return;
        }
        int64_t positives = 0, negatives = 0;
        const double sum = sum_of_groups<double>(
            *ranking, &positives, &negatives, [](auto groups, int64_t positives_above, int64_t negatives_above, double& bucket) {
                int64_t called = positives_above + negatives_above;
                groups([&](int64_t p, int64_t between, int64_t equal) {
                    positives_above += p;
                    called += p + between + equal;
                    // the last call has no positives, and nothing may be called yet
                    if (p) bucket += static_cast<double>(p) * (static_cast<double>(positives_above) / static_cast<double>(called));
                });
            });
        *result = sum / static_cast<double>(positives);
    });
}

extern "C" pg_status pg_delong(const pg_ranking* ranking, pg_delong_sums* result) {
    using namespace pixelgauge;
    return guarded([&] {
        require_ranking(ranking);
        require_given({{"result", result}});
        const DelongSums sums = sum_of_groups<DelongSums>(
            *ranking, &result->positives, &result->negatives,
            [&](auto groups, int64_t positives_above, int64_t negatives_above, DelongSums& bucket) {
                groups([&](int64_t p, int64_t between, int64_t equal) {
                    const Wide of_between = 2 * static_cast<Wide>(positives_above), of_equal = of_between + static_cast<Wide>(p);
                    negatives_above += between + equal;
                    const Wide of_positive = 2 * static_cast<Wide>(result->negatives - negatives_above) + static_cast<Wide>(equal);
                    positives_above += p;
                    bucket.twice_u += of_positive * static_cast<Wide>(p);
                    bucket.positive_squares += of_positive * of_positive * static_cast<Wide>(p);
                    bucket.negative_squares +=
                        of_between * of_between * static_cast<Wide>(between) + of_equal * of_equal * static_cast<Wide>(equal);
                });
            });
        const Wide totals[3] = {sums.twice_u, sums.positive_squares, sums.negative_squares};
        uint64_t* out[3] = {result->twice_u, result->positive_squares, result->negative_squares};
        for (int k = 0; k < 3; ++k) {
            out[k][0] = low_word(totals[k]);
            out[k][1] = high_word(totals[k]);
        }
    });
}
