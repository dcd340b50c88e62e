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

// Samples, and as much room beside them, through which they are sorted.
template <class K>
struct WeightedRoom {
    std::vector<Weighted<K>> samples, spare;
};

// Highest key first, those of one key in their order: by bytes, from the lowest that differs to the highest.
template <class K>
void sort_weighted(WeightedRoom<K>& room) {
    auto& [samples, spare] = room;
    K differ = 0;
    for (const Weighted<K>& sample : samples) differ |= sample.key ^ samples[0].key;
    if (samples.size() < 128) {  // the counters of a byte would cost more
        std::stable_sort(samples.begin(), samples.end(), [](const Weighted<K>& a, const Weighted<K>& b) { return a.key > b.key; });
        return;
    }
    spare.resize(samples.size());
    for (unsigned shift = 0; shift < 8 * sizeof(K); shift += 8) {
        if ((differ >> shift & 255) == 0) continue;
        uint64_t places[256] = {};
        for (const Weighted<K>& sample : samples) ++places[255 - (sample.key >> shift & 255)];
        uint64_t before = 0;
        for (uint64_t& place : places) {
            const uint64_t count = place;
            place = before;
            before += count;
        }
        for (const Weighted<K>& sample : samples) spare[places[255 - (sample.key >> shift & 255)]++] = sample;
        samples.swap(spare);
    }
}

// A bucket's samples that weigh anything, highest score first, those of one score in their order.
template <class K>
void read_weighted(const Buckets<K>& buckets, int64_t i, WeightedRoom<K>& room) {
    room.samples.clear();
    for (const bool positive : {true, false})
        buckets.visit(i, positive, [&](const K* keys, const double* weights, int64_t m) {
            for (int64_t j = 0; j < m; ++j)
                if (weights[j] > 0) room.samples.push_back({keys[j], positive, weights[j]});
        });
    if (!room.samples.empty()) sort_weighted(room);
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
    ScratchPool<WeightedRoom<K>> pool;
    for_each_slice<K>({score_source<K>(r, weights)}, [&](const Buckets<K>& buckets) {
        InOrder order;
        parallel_for(buckets.count(), [&](int64_t i) {
            try {
                typename ScratchPool<WeightedRoom<K>>::Lease room(pool);
                read_weighted(buckets, buckets.count() - 1 - i, *room);
                const std::vector<Weighted<K>>& samples = (*room).samples;
                const auto result = local(samples);
                order.pass(i, [&] { ordered(samples, result); });
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
