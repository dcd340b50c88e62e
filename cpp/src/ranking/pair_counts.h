// How many pairs of a positive and a negative stand in order, those of equal scores counted half: exactly, as twice as many.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/table.h"
#include "pixelgauge/pixelgauge.h"
#include "ranking/buckets.h"
#include "ranking/ranked_class.h"
#include "ranking/scores.h"
#include "runtime/wide.h"

namespace pixelgauge {

template <class K>
Wide twice_u_sorted(std::vector<K>& positive, std::vector<K>& negative) {
    std::sort(positive.begin(), positive.end());
    std::sort(negative.begin(), negative.end());
    Wide sum = 0;
    size_t less = 0, not_more = 0;
    for (const K key : positive) {
        while (less < negative.size() && negative[less] < key) ++less;
        while (not_more < negative.size() && negative[not_more] <= key) ++not_more;
        sum += less + not_more;
    }
    return sum;
}

// 2 #{negative < positive} + #{negative = positive} of two classes of which one is small enough for a RankedClass.
template <class K>
class PairCounter {
  public:
    // visit(f) calls f(keys, m) for the other class, m <= kBlockKeys.
    template <class Visit>
    Wide twice_u(const K* small, int64_t n, bool small_positive, Wide pairs, Visit visit) {
        class_.build(small, n);
        Wide ranks = 0;
        int64_t open = 0;
        K unresolved[2 * kBlockKeys + 16];
        const auto resolve = [&] {
            for (int64_t k = 0; k < open; ++k) ranks += class_.rank(unresolved[k]);
            open = 0;
        };
        visit([&](const K* keys, int64_t m) {
            ranks += placement<K>().rank_sum(keys, m, &class_.table(), unresolved, &open);
            if (open >= kBlockKeys) resolve();
        });
        resolve();
        return small_positive ? 2 * pairs - ranks : ranks;
    }

  private:
    RankedClass<K> class_;
};

// 2 #{negative < positive} + #{negative = positive}
template <class K>
Wide twice_u(const std::vector<ScoreSource<K>>& sources, int depth, int64_t* positives, int64_t* negatives) {
    Wide total = 0;
    *positives = *negatives = 0;
    for_each_slice(sources, [&](const Buckets<K>& buckets) {
        *positives += buckets.positives();
        *negatives += buckets.negatives();
        std::vector<Wide> sums(static_cast<size_t>(buckets.count()));
        std::vector<char> again(static_cast<size_t>(buckets.count()));
        for_bucket_groups(buckets.count(), [&](int64_t, int64_t first, int64_t last) {
            PairCounter<K> counter;
            std::vector<K> small, other;
            for (int64_t i = first; i < last; ++i) {
                const Bucket<K> b = buckets[i];
                const Wide pairs = static_cast<Wide>(b.positives) * static_cast<Wide>(b.negatives);
                Wide& sum = sums[static_cast<size_t>(i)];
                sum = 2 * static_cast<Wide>(b.positives_above) * static_cast<Wide>(b.negatives);
                if (pairs == 0) continue;
                if (b.low == b.high) {
                    sum += pairs;
                    continue;
                }
                if (b.positives + b.negatives > buckets.largest()) {
                    if (depth < 8) {
                        again[static_cast<size_t>(i)] = 1;
                        continue;
                    }
                    buckets.read(i, true, small);
                    buckets.read(i, false, other);
                    sum += twice_u_sorted(small, other);
                    continue;
                }
                const bool small_positive = b.positives < b.negatives;
                buckets.read(i, small_positive, small);
                sum += counter.twice_u(small.data(), static_cast<int64_t>(small.size()), small_positive, pairs, [&](auto f) {
                    buckets.visit(i, !small_positive, [&](const K* keys, const double*, int64_t m) { f(keys, m); });
                });
            }
        });
        for (int64_t i = 0; i < buckets.count(); ++i) {
            total += sums[static_cast<size_t>(i)];
            if (!again[static_cast<size_t>(i)]) continue;
            int64_t p = 0, n = 0;
            total += twice_u<K>({buckets.source(i, true), buckets.source(i, false)}, depth + 1, &p, &n);
        }
    });
    return total;
}

inline void set_counts(pg_auroc_counts& counts, Wide twice_u, int64_t positives, int64_t negatives) {
    counts = {low_word(twice_u), high_word(twice_u), positives, negatives};
}

}  // namespace pixelgauge
