// Areas of weighted samples: sums in the order of the scores, of weights near 1.
#include "ranking/weighted.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "ranking/average_precision.h"
#include "runtime/status.h"

namespace pixelgauge {

WeightScales require_weights(const pg_ranking& r, const double* weights) {
    double of_positives = 0, of_negatives = 0, sum = 0;
    for (int64_t i = 0; i < r.count; ++i) {
        const double weight = weights[i];
        if (!(weight >= 0 && weight - weight == 0))
            throw InvalidArgument(Fault(std::isfinite(weight) ? PG_ERROR_VALUE : PG_ERROR_NOT_FINITE, "sample_weight", "",
                                        "sample_weight holds " + short_number(weight), "weights must be finite and not negative")
                                      .in_row(i));
        const bool positive = r.labels[i >> 6] >> (i & 63) & 1;
        const double p = positive ? weight : 0, n = positive ? 0 : weight;
        of_positives = p > of_positives ? p : of_positives;
        of_negatives = n > of_negatives ? n : of_negatives;
        sum += weight;
    }
    const auto near_one = [](double most) {
        int exponent = 0;
        std::frexp(most, &exponent);
        return most > 0 ? std::ldexp(1.0, std::min(-exponent, 1000)) : 1;
    };
    const bool finite = std::isfinite(sum);
    return {near_one(of_positives), near_one(of_negatives), finite ? 1 : 0x1p-64, of_positives + of_negatives > 0, finite};
}

namespace {

template <class K>
double average_precision(const pg_ranking& r, const double* weights) {
    const WeightScales scales = require_weights(r, weights);
    double positives = 0, negatives = 0, here = 0, sum = 0, whole = 0;
    K key = 0;
    const auto close = [&] {
        if (here > 0) sum += here * (positives / (positives + negatives));
        here = 0;
    };
    each_weighted_bucket<K>(
        r, weights, [](const std::vector<Weighted<K>>&) { return 0; },
        [&](const std::vector<Weighted<K>>& samples, int) {
            for (const Weighted<K>& sample : samples) {
                if (sample.key != key) close();
                key = sample.key;
                (sample.positive ? positives : negatives) += sample.weight * scales.sum;
                if (!sample.positive) continue;
                here += sample.weight * scales.positives;
                whole += sample.weight * scales.positives;
            }
        });
    close();
    return sum / whole;
}

template <class K>
double weighted_auroc(const pg_ranking& r, const double* weights) {
    struct Sums {
        double positives, negatives, area;  // area: of the bucket by itself
    };
    const WeightScales scales = require_weights(r, weights);
    double positives = 0, negatives = 0, area = 0;
    each_weighted_bucket<K>(
        r, weights,
        [scales](const std::vector<Weighted<K>>& samples) {
            Sums s{};
            for (size_t i = 0; i < samples.size();) {
                double p = 0, n = 0;
                for (const K key = samples[i].key; i < samples.size() && samples[i].key == key; ++i)
                    (samples[i].positive ? p : n) += samples[i].weight * (samples[i].positive ? scales.positives : scales.negatives);
                s.area += n * (s.positives + 0.5 * p);
                s.positives += p;
                s.negatives += n;
            }
            return s;
        },
        [&](const std::vector<Weighted<K>>&, const Sums& s) {
            area += s.area + positives * s.negatives;
            positives += s.positives;
            negatives += s.negatives;
        });
    return area / positives / negatives;
}

}  // namespace

double weighted_average_precision(const pg_ranking& r, const double* weights) {
    return with_key_type(r.dtype, [&](auto key) { return average_precision<decltype(key)>(r, weights); });
}

}  // namespace pixelgauge

extern "C" pg_status pg_weighted_auroc(const pg_ranking* ranking, const double* weights, double* result) {
    using namespace pixelgauge;
    return guarded([&] {
        require_ranking(ranking);
        require_given({{"weights", weights}, {"result", result}});
        *result = with_key_type(ranking->dtype, [&](auto key) { return weighted_auroc<decltype(key)>(*ranking, weights); });
    });
}
