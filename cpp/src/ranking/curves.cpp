// Curves: every distinct score a point, those left out that scikit-learn leaves out. Each bucket is counted or sorted in cache and
// read as groups of equal scores; a bucket's counts start from what lies above it, so buckets are independent, and their points
// follow in the order of the scores.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

#include "kernels/table.h"
#include "pixelgauge/pixelgauge.h"
#include "ranking/buckets.h"
#include "ranking/decode.h"
#include "ranking/groups.h"
#include "ranking/in_order.h"
#include "ranking/scores.h"
#include "ranking/weighted.h"
#include "runtime/status.h"
#include "runtime/threads.h"

// Address space for a point a sample; only the pages of points that are kept are ever used.
struct pg_curve {
    explicit pg_curve(int64_t samples)
        : thresholds(static_cast<size_t>(samples + 1) * sizeof(double)),
          positives(static_cast<size_t>(samples + 1) * sizeof(double)),
          negatives(static_cast<size_t>(samples + 1) * sizeof(double)) {
        thresholds.as<double>()[0] = HUGE_VAL;
        positives.as<double>()[0] = negatives.as<double>()[0] = 0;
    }
    pixelgauge::LargeBuffer thresholds, positives, negatives;
    size_t count = 1;
};

namespace pixelgauge {

namespace {

// Points of a bucket, falling, counted from its top: fewer than 2^32 of a class unless C is wider.
template <class K, class C>
struct Points {
    std::vector<K> keys;
    std::vector<uint32_t> places;
    std::vector<C> positives, negatives;
};

// Writes a curve bucket by bucket, highest scores first.
template <class K, class C>
class CurveWriter {
  public:
    // Totals of counts that are not rates are 1.
    CurveWriter(pg_score_dtype dtype, pg_curve_drop drop, double positives, double negatives, pg_curve& curve)
        : dtype_(dtype), drop_(drop), positives_(positives), negatives_(negatives), curve_(curve) {}

    // Points of a bucket from its groups and what lies above it; order and index make the buckets follow each other.
    template <class G>
    void write(InOrder& order, int64_t index, const G& groups, int64_t positives_above, int64_t negatives_above, Points<K, C>& points) {
        const size_t n = groups.size();
        const bool very_first = positives_above == 0 && negatives_above == 0;
        K* keys = room_for(points.keys, n);
        C *p = room_for(points.positives, n + 16), *q = room_for(points.negatives, n + 16), positives = 0, negatives = 0;
        size_t kept = 0;
        // the last point waits for the first group of the next bucket
        if constexpr (std::is_same_v<G, PackedGroups<K>> && sizeof(C) == 4) {
            uint32_t *places = room_for(points.places, n + 16), totals[2] = {};
            kept = static_cast<size_t>(kernels().ranking.select_points(groups.places, groups.counts, static_cast<int64_t>(n), drop_,
                                                                       very_first, places, p, q, totals));
            positives = totals[0];
            negatives = totals[1];
            for (size_t k = 0; k < kept; ++k) keys[k] = static_cast<K>(groups.low + places[k]);
        } else {
            for (size_t g = n; g-- > 1;) {
                positives = static_cast<C>(positives + static_cast<C>(groups.positives(g)));
                negatives = static_cast<C>(negatives + static_cast<C>(groups.negatives(g)));
                keys[kept] = groups.key(g);
                p[kept] = positives;
                q[kept] = negatives;
                kept += (very_first && g == n - 1) ||
                        stays(static_cast<int64_t>(groups.positives(g)), static_cast<int64_t>(groups.negatives(g)),
                              static_cast<int64_t>(groups.positives(g - 1)), static_cast<int64_t>(groups.negatives(g - 1)));
            }
        }
        size_t at = 0;
        const bool passed = order.pass(index, [&] {
            if (n == 0) return;
            const int64_t top_p = static_cast<int64_t>(groups.positives(n - 1)), top_q = static_cast<int64_t>(groups.negatives(n - 1));
            if (waiting_ && (waits_first_ || stays(step_p_, step_q_, top_p, top_q))) finish();
            at = curve_.count;
            curve_.count += kept;
            waiting_ = true;
            waits_first_ = n == 1 && very_first;
            step_p_ = static_cast<int64_t>(groups.positives(0));
            step_q_ = static_cast<int64_t>(groups.negatives(0));
            key_ = groups.key(0);
            waiting_positives_ = positives_above + static_cast<int64_t>(positives) + step_p_;
            waiting_negatives_ = negatives_above + static_cast<int64_t>(negatives) + step_q_;
        });
        if (!passed || n == 0) return;
        decode(dtype_, keys, kept, curve_.thresholds.as<double>() + at);
        rates(p, kept, positives_above, positives_, curve_.positives.as<double>() + at);
        rates(q, kept, negatives_above, negatives_, curve_.negatives.as<double>() + at);
    }

    // The point that waits: after the last bucket, the last of the curve.
    void finish() {
        decode(dtype_, &key_, 1, curve_.thresholds.as<double>() + curve_.count);
        curve_.positives.as<double>()[curve_.count] = static_cast<double>(waiting_positives_) / positives_;
        curve_.negatives.as<double>()[curve_.count++] = static_cast<double>(waiting_negatives_) / negatives_;
    }

  private:
    // scikit-learn's rules for its three curves, given the steps to a point and to the next
    bool stays(int64_t p, int64_t q, int64_t next_p, int64_t next_q) const {
        if (drop_ == PG_CURVE_DROP_EQUAL_STEPS) return p != next_p || q != next_q;
        if (drop_ == PG_CURVE_DROP_SAME_POSITIVES) return p != 0 || next_p != 0;
        return true;
    }

    static void rates(const C* counts, size_t n, int64_t above, double total, double* out) {
        if constexpr (sizeof(C) == 4) {
            kernels().ranking.rates(counts, static_cast<int64_t>(n), static_cast<double>(above), total, out);
        } else {
            for (size_t i = 0; i < n; ++i) out[i] = static_cast<double>(above + static_cast<int64_t>(counts[i])) / total;
        }
    }

    const pg_score_dtype dtype_;
    const pg_curve_drop drop_;
    const double positives_, negatives_;
    pg_curve& curve_;
    bool waiting_ = false, waits_first_ = false;
    K key_ = 0;
    int64_t step_p_ = 0, step_q_ = 0;
    int64_t waiting_positives_ = 0, waiting_negatives_ = 0;
};

double divisor(pg_curve_values values, int64_t total) {
    return values == PG_CURVE_COUNTS ? 1 : total == 0 ? std::nan("") : static_cast<double>(total);
}

// Without a total, scikit-learn's rates are NaN throughout.
void rates_of_nothing(pg_curve& curve, pg_curve_values values, double positives, double negatives) {
    if (values == PG_CURVE_COUNTS) return;
    if (positives == 0) std::fill_n(curve.positives.as<double>(), curve.count, std::nan(""));
    if (negatives == 0) std::fill_n(curve.negatives.as<double>(), curve.count, std::nan(""));
}

template <class K, class C>
void counted_curve(const pg_ranking& r, pg_curve_drop drop, pg_curve_values values, pg_curve& curve) {
    struct Scratch {
        GroupReader<K> reader;
        Points<K, C> points;
    };
    ScratchPool<Scratch> pool;
    const int64_t positives = count_positives(r), negatives = r.count - positives;
    CurveWriter<K, C> writer(r.dtype, drop, divisor(values, positives), divisor(values, negatives), curve);
    for_each_slice<K>({score_source<K>(r)}, [&](const Buckets<K>& buckets) {
        InOrder order;
        parallel_for(buckets.count(), [&](int64_t i) {
            try {
                typename ScratchPool<Scratch>::Lease scratch(pool);
                const int64_t b = buckets.count() - 1 - i;
                const Bucket<K> bucket = buckets[b];
                (*scratch).reader.read(buckets, b, [&](const auto& groups) {
                    writer.write(order, i, groups, bucket.positives_above, bucket.negatives_above, (*scratch).points);
                });
            } catch (...) {
                order.fail();
                throw;
            }
        });
    });
    writer.finish();
    rates_of_nothing(curve, values, static_cast<double>(positives), static_cast<double>(negatives));
}

void narrow_curve(const pg_ranking& r, pg_curve_drop drop, pg_curve_values values, pg_curve& curve) {
    const Groups<uint32_t> groups = narrow_groups(r);
    const int64_t positives = sum_of(groups.p), negatives = sum_of(groups.q);
    CurveWriter<uint32_t, int64_t> writer(r.dtype, drop, divisor(values, positives), divisor(values, negatives), curve);
    InOrder order;
    Points<uint32_t, int64_t> points;
    writer.write(order, 0, groups, 0, 0, points);
    writer.finish();
    rates_of_nothing(curve, values, static_cast<double>(positives), static_cast<double>(negatives));
}

// Weights are added one by one in scikit-learn's order, so that the same points, equal to the last bit, are left out.
template <class K>
void weighted_curve(const pg_ranking& r, const double* weights, pg_curve_drop drop, pg_curve_values values, pg_curve& curve) {
    struct Point {
        K key;
        double positives, negatives;
    };
    Point before{}, last{}, now{};  // of every score, dropped or not
    int64_t points = 0;             // complete ones: `now` still grows
    bool any = false;
    const auto write = [&](const Point& p) {
        decode(r.dtype, &p.key, 1, curve.thresholds.as<double>() + curve.count);
        curve.positives.as<double>()[curve.count] = p.positives;
        curve.negatives.as<double>()[curve.count++] = p.negatives;
    };
    const auto complete = [&] {
        if (points >= 1) {
            const double p = last.positives - before.positives, q = last.negatives - before.negatives;
            const double next_p = now.positives - last.positives, next_q = now.negatives - last.negatives;
            if (points == 1 || drop == PG_CURVE_DROP_NONE ||
                (drop == PG_CURVE_DROP_SAME_POSITIVES ? p != 0 || next_p != 0 : next_p - p != 0 || next_q - q != 0))
                write(last);
        }
        before = last;
        last = now;
        ++points;
    };
    each_weighted_bucket<K>(
        r, weights, [](const std::vector<Weighted<K>>&) { return 0; },
        [&](const std::vector<Weighted<K>>& samples, int) {
            for (const Weighted<K>& sample : samples) {
                if (any && sample.key != now.key) complete();
                any = true;
                now.key = sample.key;
                (sample.positive ? now.positives : now.negatives) += sample.weight;
            }
        });
    complete();
    write(last);
    if (values == PG_CURVE_COUNTS) return;
    for (size_t i = 1; i < curve.count; ++i) {
        curve.positives.as<double>()[i] /= now.positives;
        curve.negatives.as<double>()[i] /= now.negatives;
    }
    rates_of_nothing(curve, values, now.positives, now.negatives);
}

}  // namespace

}  // namespace pixelgauge

extern "C" pg_status pg_curve_new(const pg_ranking* ranking, const double* weights, pg_curve_drop drop, pg_curve_values values,
                                  pg_curve** curve) {
    using namespace pixelgauge;
    return guarded([&] {
        require_given({{"curve", curve}});
        *curve = nullptr;
        require_ranking(ranking);
        require_choice(drop, PG_CURVE_DROP_SAME_POSITIVES, "drop", "pg_curve_drop");
        require_choice(values, PG_CURVE_RATES, "values", "pg_curve_values");
        auto made = std::make_unique<pg_curve>(ranking->count);
        if (weights) {
            const WeightScales scales = require_weights(*ranking, weights);
            require(scales.positive,
                    [] { return Fault(PG_ERROR_VALUE, "sample_weight", "", "sample_weight is all zero", "no sample would count"); });
            require(scales.finite, [] {
                return Fault(PG_ERROR_OVERFLOW, "sample_weight", "", "sample_weight adds up to more than float64 holds",
                             "divide the weights by a power of two");
            });
            with_key_type(ranking->dtype, [&](auto key) { weighted_curve<decltype(key)>(*ranking, weights, drop, values, *made); });
        } else if (key_bytes(ranking->dtype) == 2) {
            narrow_curve(*ranking, drop, values, *made);
        } else {
            with_key_type(ranking->dtype, [&](auto key) {
                if (ranking->count < (int64_t{1} << 31))
                    counted_curve<decltype(key), uint32_t>(*ranking, drop, values, *made);
                else
                    counted_curve<decltype(key), int64_t>(*ranking, drop, values, *made);
            });
        }
        *curve = made.release();
    });
}

extern "C" void pg_curve_free(pg_curve* curve) { delete curve; }

extern "C" pg_status pg_curve_points(const pg_curve* curve, int64_t* count, const double** thresholds, const double** positives,
                                     const double** negatives) {
    using namespace pixelgauge;
    return guarded([&] {
        require_given({{"curve", curve}, {"count", count}, {"thresholds", thresholds}, {"positives", positives}, {"negatives", negatives}});
        *count = static_cast<int64_t>(curve->count);
        *thresholds = curve->thresholds.as<double>();
        *positives = curve->positives.as<double>();
        *negatives = curve->negatives.as<double>();
    });
}
