// What needs every distinct score: curves, average precision, weighted areas, DeLong's variances. Each bucket is counted or
// sorted in cache and read as groups of equal scores; a bucket's counts start from what lies above it, so buckets are
// independent, and their sums are added in the order of the scores.
#include <cmath>
#include <condition_variable>
#include <mutex>

#include "ranking/ranking.h"
#include "runtime/status.h"

namespace pixelgauge {

namespace {

// What tasks keep between indices: as many as there are threads, so that no bucket pays for fresh memory.
template <class T>
class ScratchPool {
  public:
    class Lease {
      public:
        explicit Lease(ScratchPool& pool) : pool_(pool), scratch_(pool.take()) {}
        ~Lease() { pool_.give(std::move(scratch_)); }
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        T& operator*() { return *scratch_; }

      private:
        ScratchPool& pool_;
        std::unique_ptr<T> scratch_;
    };

  private:
    std::unique_ptr<T> take() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (!free_.empty()) {
                std::unique_ptr<T> scratch = std::move(free_.back());
                free_.pop_back();
                return scratch;
            }
        }
        return std::make_unique<T>();
    }
    void give(std::unique_ptr<T> scratch) {
        const std::lock_guard<std::mutex> lock(mutex_);
        free_.push_back(std::move(scratch));
    }

    std::mutex mutex_;
    std::vector<std::unique_ptr<T>> free_;
};

// Lets the indices of a parallel_for pass one by one: whoever waits, some thread works on an index before.
class InOrder {
  public:
    // False if an earlier index has failed.
    template <class F>
    bool pass(int64_t index, F f) {
        std::unique_lock<std::mutex> lock(mutex_);
        turn_.wait(lock, [&] { return next_ == index || failed_; });
        if (failed_) return false;
        f();
        ++next_;
        turn_.notify_all();
        return true;
    }
    void fail() {
        const std::lock_guard<std::mutex> lock(mutex_);
        failed_ = true;
        turn_.notify_all();
    }

  private:
    std::mutex mutex_;
    std::condition_variable turn_;
    int64_t next_ = 0;
    bool failed_ = false;
};

// Groups of equal scores, rising.
template <class K>
struct Groups {
    std::vector<K> keys;
    std::vector<int64_t> p, q;  // positives and negatives

    void clear() {
        keys.clear();
        p.clear();
        q.clear();
    }
    void add(K key, int64_t positives, int64_t negatives) {
        keys.push_back(key);
        p.push_back(positives);
        q.push_back(negatives);
    }
    size_t size() const { return keys.size(); }
    K key(size_t g) const { return keys[g]; }
    int64_t positives(size_t g) const { return p[g]; }
    int64_t negatives(size_t g) const { return q[g]; }
};

// Points of a bucket, falling, counted from its top: fewer than 2^32 of a class unless C is wider.
template <class K, class C>
struct Points {
    std::vector<K> keys;
    std::vector<uint32_t> places;
    std::vector<C> positives, negatives;
};

// Grows without giving up what it has: what is read was written before.
template <class T>
T* room_for(std::vector<T>& buffer, size_t n) {
    if (buffer.size() < n) buffer.resize(n);
    return buffer.data();
}

// Groups as counting leaves them: keys as distances from low, both counts in one word.
template <class K>
struct PackedGroups {
    K low;
    const uint32_t *places, *counts;
    size_t n;

    size_t size() const { return n; }
    K key(size_t g) const { return static_cast<K>(low + places[g]); }
    uint32_t positives(size_t g) const { return counts[g] >> 16; }
    uint32_t negatives(size_t g) const { return counts[g] & 0xffff; }
};

// Reads buckets as groups of equal scores with counts of both classes.
template <class K>
class GroupReader {
  public:
    // Calls f with the groups, rising.
    template <class F>
    void read(const Buckets<K>& buckets, int64_t i, F f) {
        const Bucket<K> b = buckets[i];
        const int64_t keys = b.positives + b.negatives;
        groups_.clear();
        if (keys == 0) return f(groups_);
        if (b.low == b.high) {
            groups_.add(b.low, b.positives, b.negatives);
            return f(groups_);
        }
        K low = b.low, high = b.high;
        if (static_cast<uint64_t>(high - low) >= kCellsPerKey * static_cast<uint64_t>(keys)) {
            low = static_cast<K>(~K{0});
            high = 0;
            for (const bool positive : {false, true})
                buckets.visit(i, positive, [&](const K* k, const double*, int64_t m) { placement<K>().bounds(k, m, &low, &high); });
        }
        const uint64_t width = high - low;
        // Sorting costs some 15 ns a key; a cell 0.1 ns, while all of them fit the second-level cache.
        const bool packed = keys < (1 << 16);
        if (width >= kCellsPerKey * static_cast<uint64_t>(keys) || width >= (packed ? 1u << 20 : 1u << 24)) {
            merge(buckets, i);
            return f(groups_);
        }
        if (packed) {
            // all zero, as it is left after every use
            if (table32_.size() <= width) table32_.resize(static_cast<size_t>(width) + 1);
            count(buckets, i, low, table32_);
            uint32_t *places = room_for(places_, width + 17), *counts = room_for(counts_, width + 17);
            const int64_t n = kernels().ranking.occupied(table32_.data(), static_cast<int64_t>(width) + 1, places, counts);
            return f(PackedGroups<K>{low, places, counts, static_cast<size_t>(n)});
        }
        table64_.assign(static_cast<size_t>(width) + 1, 0);
        count(buckets, i, low, table64_);
        for (size_t c = 0; c < table64_.size(); ++c)
            if (table64_[c])
                groups_.add(static_cast<K>(low + c), static_cast<int64_t>(table64_[c] >> 32),
                            static_cast<int64_t>(table64_[c] & 0xffffffffu));
        f(groups_);
    }

  private:
    static constexpr uint64_t kCellsPerKey = 24;

    // One cell a key, positives in the upper half of it.
    template <class T>
    void count(const Buckets<K>& buckets, int64_t i, K low, std::vector<T>& table) {
        for (const bool positive : {false, true}) {
            const T one = static_cast<T>(positive ? T{1} << (4 * sizeof(T)) : T{1});
            buckets.visit(i, positive, [&](const K* keys, const double*, int64_t m) {
                for (int64_t j = 0; j < m; ++j) table[static_cast<size_t>(keys[j] - low)] += one;
            });
        }
    }

    // The keys of a class, sorted; null where there are none.
    const K* sort(const Buckets<K>& buckets, int64_t i, bool positive, int64_t n) {
        std::vector<K>& keys = unsorted_[positive];
        buckets.read(i, positive, keys);
        if (n == 0 || n >= (int64_t{1} << 29)) {
            std::sort(keys.begin(), keys.end());
            return keys.data();
        }
        table_[positive].build(keys.data(), n, true);
        return table_[positive].gaps().sorted;
    }

    void merge(const Buckets<K>& buckets, int64_t i) {
        const int64_t positives = buckets[i].positives, negatives = buckets[i].negatives;
        const K *positive = sort(buckets, i, true, positives), *negative = sort(buckets, i, false, negatives);
        for (int64_t p = 0, n = 0; p < positives || n < negatives;) {
            const K key = n == negatives || (p < positives && positive[p] <= negative[n]) ? positive[p] : negative[n];
            const int64_t p0 = p, n0 = n;
            while (p < positives && positive[p] == key) ++p;
            while (n < negatives && negative[n] == key) ++n;
            groups_.add(key, p - p0, n - n0);
        }
    }

    Groups<K> groups_;
    std::vector<uint32_t> table32_, places_, counts_;
    std::vector<uint64_t> table64_;
    std::vector<K> unsorted_[2];
    GapTable<K> table_[2];
};

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

// Scores as float64 from their keys.
template <class K>
void decode(pg_score_dtype dtype, const K* keys, size_t n, double* scores) {
    const auto each = [&](auto f) {
        for (size_t i = 0; i < n; ++i) scores[i] = f(keys[i]);
    };
    const auto float32_of_bits = [](uint32_t bits) {
        float value;
        std::memcpy(&value, &bits, sizeof value);
        return static_cast<double>(value);
    };
    // keys of negative numbers are their bits reversed
    const auto bits32 = [](uint32_t key) { return key ^ (static_cast<uint32_t>(static_cast<int32_t>(~key) >> 31) | 0x80000000u); };
    const auto bits16 = [](K key) { return static_cast<uint32_t>(key & 0x8000 ? key ^ 0x8000 : ~key & 0xffff); };
    switch (dtype) {
        case PG_SCORE_UINT8:
        case PG_SCORE_UINT16:
        case PG_SCORE_UINT32:
        case PG_SCORE_UINT64:
            return each([](K key) { return static_cast<double>(key); });
        case PG_SCORE_INT8:
        case PG_SCORE_INT16:
            return each([](K key) { return static_cast<double>(static_cast<int64_t>(key) - 0x8000); });
        case PG_SCORE_INT32:
            return each([](K key) { return static_cast<double>(static_cast<int64_t>(key) - (int64_t{1} << 31)); });
        case PG_SCORE_INT64:
            return each([](K key) { return static_cast<double>(static_cast<int64_t>(static_cast<uint64_t>(key) ^ (uint64_t{1} << 63))); });
        case PG_SCORE_FLOAT16:
            return each([&](K key) {
                const uint32_t b = bits16(key), exponent = b >> 10 & 31, fraction = b & 1023;
                const double magnitude = exponent == 31  ? HUGE_VAL
                                         : exponent == 0 ? std::ldexp(fraction, -24)
                                                         : std::ldexp(1024 + fraction, static_cast<int>(exponent) - 25);
                return b >> 15 ? -magnitude : magnitude;
            });
        case PG_SCORE_BFLOAT16:
            return each([&](K key) { return float32_of_bits(bits16(key) << 16); });
        case PG_SCORE_FLOAT32:
            return each([&](K key) { return float32_of_bits(bits32(static_cast<uint32_t>(key))); });
        case PG_SCORE_FLOAT64:
            return each([](K key) {
                const uint64_t k = static_cast<uint64_t>(key), top = uint64_t{1} << 63, bits = k & top ? k ^ top : ~k;
                double value;
                std::memcpy(&value, &bits, sizeof value);
                return value;
            });
    }
}

// Groups of scores of one or two bytes, whose keys are few: rising.
Groups<uint32_t> narrow_groups(const pg_ranking& r) {
    std::vector<uint64_t> counts;
    narrow_counts(r, counts);
    // one-byte scores are counted by their biased byte, which for int8 is the low byte of the key
    const uint32_t first = r.dtype == PG_SCORE_INT8 ? 0x8000 - 0x80 : 0;
    Groups<uint32_t> groups;
    for (size_t at = 0; at < counts.size() / 2; ++at) {
        if ((counts[2 * at] | counts[2 * at + 1]) == 0) continue;
        groups.add(first + static_cast<uint32_t>(at), static_cast<int64_t>(counts[2 * at + 1]), static_cast<int64_t>(counts[2 * at]));
    }
    return groups;
}

// Powers of two that bring the largest weight of either class near 1, and the sum of all into float64's room: figures that do
// not depend on the size of weights are exact multiples then, and no product or sum of weights overflows or vanishes.
struct WeightScales {
    double positives, negatives;
    double sum;             // 1 but where the weights add up to more than float64 holds
    bool positive, finite;  // some weight is positive; the sum of them all is finite
};

WeightScales require_weights(const pg_ranking& r, const double* weights) {
    double largest[2] = {0, 0}, sum = 0;
    for (int64_t i = 0; i < r.count; ++i) {
        const double weight = weights[i];
        if (!(weight >= 0 && weight - weight == 0))
            throw InvalidArgument("sample_weight holds " + short_number(weight) + ": weights must be finite and not negative");
        double& most = largest[r.labels[i >> 6] >> (i & 63) & 1];
        most = weight > most ? weight : most;
        sum += weight;
    }
    const auto near_one = [](double most) {
        int exponent = 0;
        std::frexp(most, &exponent);
        return most > 0 ? std::ldexp(1.0, std::min(-exponent, 1000)) : 1;
    };
    const bool finite = std::isfinite(sum);
    return {near_one(largest[1]), near_one(largest[0]), finite ? 1 : 0x1p-64, largest[0] + largest[1] > 0, finite};
}

int64_t sum_of(const std::vector<int64_t>& counts) {
    int64_t sum = 0;
    for (const int64_t c : counts) sum += c;
    return sum;
}

}  // namespace

}  // namespace pixelgauge

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

template <class K>
double weighted_average_precision(const pg_ranking& r, const double* weights) {
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

// Runs f with the key type of weighted buckets, for which 16-bit keys are widened.
template <class F>
auto with_key_type(pg_score_dtype dtype, F f) {
    return key_bytes(dtype) == 8 ? f(uint64_t{}) : f(uint32_t{});
}

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
        table_.build(positive_.data(), b.positives);
        // ranks are 0 to 2 P; beyond lie those that the cells cannot tell
        at_rank_.assign(static_cast<size_t>(2 * b.positives) + 2, 0);
        K unresolved[2 * kBlockKeys + 16];
        int64_t open = 0;
        const auto resolve = [&] {
            for (int64_t k = 0; k < open; ++k) ++at_rank_[table_.rank(unresolved[k])];
            open = 0;
        };
        buckets.visit(i, false, [&](const K* keys, const double*, int64_t m) {
            placement<K>().count_ranks(keys, m, &table_.gaps(), static_cast<uint32_t>(2 * b.positives + 1), at_rank_.data(), unresolved,
                                       &open);
            if (open >= kBlockKeys) resolve();
        });
        resolve();
        int64_t between = at_rank_[static_cast<size_t>(2 * b.positives)];
        table_.each_group(b.positives, [&](uint32_t from, uint32_t to) {
            f(int64_t{to - from}, between, int64_t{at_rank_[from + to]});
            between = at_rank_[2 * from];
        });
        f(int64_t{0}, between, int64_t{0});
    }

  private:
    GapTable<K> table_;
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

using namespace pixelgauge;

extern "C" pg_status pg_curve_new(const pg_ranking* ranking, const double* weights, pg_curve_drop drop, pg_curve_values values,
                                  pg_curve** curve) {
    return guarded([&] {
        require(curve != nullptr, "curve is NULL");
        *curve = nullptr;
        require_ranking(ranking);
        require_choice(drop, PG_CURVE_DROP_SAME_POSITIVES, "drop", "pg_curve_drop");
        require_choice(values, PG_CURVE_RATES, "values", "pg_curve_values");
        auto made = std::make_unique<pg_curve>(ranking->count);
        if (weights) {
            const WeightScales scales = require_weights(*ranking, weights);
            require(scales.positive, "sample_weight is all zero: no sample would count");
            require(scales.finite, "sample_weight adds up to more than float64 holds: divide the weights by a power of two");
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
    return guarded([&] {
        require(curve && count && thresholds && positives && negatives, "curve or a result is NULL");
        *count = static_cast<int64_t>(curve->count);
        *thresholds = curve->thresholds.as<double>();
        *positives = curve->positives.as<double>();
        *negatives = curve->negatives.as<double>();
    });
}

extern "C" pg_status pg_average_precision(const pg_ranking* ranking, const double* weights, double* result) {
    return guarded([&] {
        require_ranking(ranking);
        require(result != nullptr, "result is NULL");
        if (weights) {
            *result = with_key_type(ranking->dtype, [&](auto key) { return weighted_average_precision<decltype(key)>(*ranking, weights); });
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

extern "C" pg_status pg_weighted_auroc(const pg_ranking* ranking, const double* weights, double* result) {
    return guarded([&] {
        require_ranking(ranking);
        require(weights && result, "weights or result is NULL");
        *result = with_key_type(ranking->dtype, [&](auto key) { return weighted_auroc<decltype(key)>(*ranking, weights); });
    });
}

extern "C" pg_status pg_delong(const pg_ranking* ranking, pg_delong_sums* result) {
    return guarded([&] {
        require_ranking(ranking);
        require(result != nullptr, "result is NULL");
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
