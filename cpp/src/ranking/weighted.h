// Samples with weights: their buckets in the order of the scores, and what weights must be.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "pixelgauge/pixelgauge.h"
#include "ranking/buckets.h"
#include "ranking/in_order.h"
#include "ranking/scores.h"
#include "runtime/threads.h"

namespace pixelgauge {

// One sample of a weighted bucket.
template <class K>
struct Weighted {
    K key;
    bool positive;
    double weight;
};

// A bucket's samples that weigh anything, highest score first, those of one score in their order.
template <class K>
void read_weighted(const Buckets<K>& buckets, int64_t i, std::vector<Weighted<K>>& samples) {
    samples.clear();
    for (const bool positive : {true, false})
        buckets.visit(i, positive, [&](const K* keys, const double* weights, int64_t m) {
            for (int64_t j = 0; j < m; ++j)
                if (weights[j] > 0) samples.push_back({keys[j], positive, weights[j]});
        });
    std::stable_sort(samples.begin(), samples.end(), [](const Weighted<K>& a, const Weighted<K>& b) { return a.key > b.key; });
}

// Powers of two that bring the largest weight of either class near 1, and the sum of all into float64's room: figures that do
// not depend on the size of weights are exact multiples then, and no product or sum of weights overflows or vanishes.
struct WeightScales {
    double positives, negatives;
    double sum;             // 1 but where the weights add up to more than float64 holds
    bool positive, finite;  // some weight is positive; the sum of them all is finite
};

WeightScales require_weights(const pg_ranking& r, const double* weights);

// The samples of each bucket, highest first, and then, bucket after bucket, whatever must follow the order.
template <class K, class Local, class Ordered>
void each_weighted_bucket(const pg_ranking& r, const double* weights, Local local, Ordered ordered) {
    ScratchPool<std::vector<Weighted<K>>> pool;
    for_each_slice<K>({score_source<K>(r, weights)}, [&](const Buckets<K>& buckets) {
        InOrder order;
        parallel_for(buckets.count(), [&](int64_t i) {
            try {
                typename ScratchPool<std::vector<Weighted<K>>>::Lease samples(pool);
                read_weighted(buckets, buckets.count() - 1 - i, *samples);
                const auto result = local(*samples);
                order.pass(i, [&] { ordered(*samples, result); });
            } catch (...) {
                order.fail();
                throw;
            }
        });
    });
}

// Runs f with the key type of weighted buckets, for which 16-bit keys are widened.
template <class F>
auto with_key_type(pg_score_dtype dtype, F f) {
    return key_bytes(dtype) == 8 ? f(uint64_t{}) : f(uint32_t{});
}

}  // namespace pixelgauge
