// What needs every distinct score: curves, average precision, weighted areas, DeLong's variances. Each bucket is sorted
// in cache and read as groups of equal scores; a bucket's counts start from what lies above it, so buckets are
// independent, and their sums are added in the order of the scores.
#include <cmath>

#include "ranking.h"
#include "status.h"

namespace pixelgauge {

namespace {

// Samples of one score, or their weights.
template <class W>
struct Group {
    uint64_t key;
    W positive, negative;
};

template <class K>
void sort_keys(const K* keys, int64_t n, K low, K high, std::vector<uint32_t>& start, std::vector<K>& sorted) {
    sorted.resize(static_cast<size_t>(n));
    if (n < 64 || n >= (int64_t{1} << 31)) {
        std::copy(keys, keys + n, sorted.begin());
        std::sort(sorted.begin(), sorted.end());
        return;
    }
    // cells by value, about one key each, then the few in a cell
    int bits = 0, cell_bits = 6;
    const uint64_t width = high - low;
    while (bits < 64 && (width >> bits) != 0) ++bits;
    while (cell_bits < 14 && (int64_t{1} << cell_bits) < n) ++cell_bits;
    const int shift = std::max(0, bits - cell_bits);
    start.assign(static_cast<size_t>(width >> shift) + 2, 0);
    for (int64_t i = 0; i < n; ++i) ++start[static_cast<size_t>((keys[i] - low) >> shift) + 1];
    for (size_t c = 1; c < start.size(); ++c) start[c] += start[c - 1];
    for (int64_t i = 0; i < n; ++i) sorted[start[static_cast<size_t>((keys[i] - low) >> shift)]++] = keys[i];
    if (shift == 0) return;
    uint32_t from = 0;
    for (size_t c = 0; c + 1 < start.size(); ++c) {
        const uint32_t to = start[c];
        if (to - from > 16) {
            std::sort(sorted.begin() + from, sorted.begin() + to);
        } else {
            for (uint32_t i = from + 1; i < to; ++i) {
                const K key = sorted[i];
                uint32_t j = i;
                for (; j > from && sorted[j - 1] > key; --j) sorted[j] = sorted[j - 1];
                sorted[j] = key;
            }
        }
        from = to;
    }
}

// Whether every score is wanted, or those of positives only, with the negatives since the positive before.
enum class Wanted { All, Positives };

template <class K, class W>
class GroupReader {
  public:
    explicit GroupReader(Wanted wanted) : wanted_(wanted) {}

    // Groups of a bucket, highest score first.
    const std::vector<Group<W>>& read(const Bucket<K>& bucket) {
        groups_.clear();
        if (bucket.positives + bucket.negatives == 0 || (wanted_ == Wanted::Positives && bucket.positives == 0)) return groups_;
        if constexpr (std::is_same_v<W, double>) {
            read_weighted(bucket);
        } else if (bucket.low == bucket.high) {
            groups_.push_back({bucket.low, bucket.positives, bucket.negatives});
        } else {
            read_counts(bucket);
        }
        return groups_;
    }

  private:
    void read_counts(const Bucket<K>& b) {
        K low = static_cast<K>(~K{0}), high = 0;
        placement<K>().bounds(b.positive, b.positives, &low, &high);
        placement<K>().bounds(b.negative, b.negatives, &low, &high);
        const uint64_t width = high - low, keys = static_cast<uint64_t>(b.positives + b.negatives);
        if (width < (1u << 17) && width < 4 * keys && keys < (uint64_t{1} << 31)) {
            table_.assign(2 * static_cast<size_t>(width) + 2, 0);
            for (int64_t i = 0; i < b.positives; ++i) ++table_[2 * static_cast<size_t>(b.positive[i] - low) + 1];
            for (int64_t i = 0; i < b.negatives; ++i) ++table_[2 * static_cast<size_t>(b.negative[i] - low)];
            if (wanted_ == Wanted::Positives) {
                W negatives = 0;
                for (size_t at = static_cast<size_t>(width) + 1; at-- > 0;) {
                    negatives += table_[2 * at];
                    if (table_[2 * at + 1] == 0) continue;
                    groups_.push_back({low + at, table_[2 * at + 1], negatives});
                    negatives = 0;
                }
                return;
            }
            for (size_t at = static_cast<size_t>(width) + 1; at-- > 0;)
                if (table_[2 * at] | table_[2 * at + 1]) groups_.push_back({low + at, table_[2 * at + 1], table_[2 * at]});
            return;
        }
        sort_keys(b.positive, b.positives, low, high, table_, positive_);
        sort_keys(b.negative, b.negatives, low, high, table_, negative_);
        size_t p = positive_.size(), n = negative_.size();
        while (p + n > 0) {
            const K key = n == 0 || (p > 0 && positive_[p - 1] >= negative_[n - 1]) ? positive_[p - 1] : negative_[n - 1];
            Group<W> group{key, 0, 0};
            for (; p > 0 && positive_[p - 1] == key; --p) ++group.positive;
            for (; n > 0 && negative_[n - 1] == key; --n) ++group.negative;
            groups_.push_back(group);
        }
    }

    void read_weighted(const Bucket<K>& b) {
        weighted_.clear();
        for (int64_t i = 0; i < b.positives; ++i) weighted_.push_back({b.positive[i], b.positive_weights[i], 0});
        for (int64_t i = 0; i < b.negatives; ++i) weighted_.push_back({b.negative[i], 0, b.negative_weights[i]});
        std::stable_sort(weighted_.begin(), weighted_.end(), [](const Group<double>& x, const Group<double>& y) { return x.key > y.key; });
        for (const Group<double>& one : weighted_) {
            if (one.positive + one.negative == 0) continue;  // samples of no weight are no samples
            if (groups_.empty() || groups_.back().key != one.key) {
                groups_.push_back(Group<W>{one.key, static_cast<W>(one.positive), static_cast<W>(one.negative)});
            } else {
                groups_.back().positive += static_cast<W>(one.positive);
                groups_.back().negative += static_cast<W>(one.negative);
            }
        }
    }

    const Wanted wanted_;
    std::vector<Group<W>> groups_;
    std::vector<Group<double>> weighted_;
    std::vector<uint32_t> table_;
    std::vector<K> positive_, negative_;
};

// Buckets of any score dtype, highest first, as groups: visit(i, groups, positives above, negatives above).
template <class W>
class GroupedRanking {
  public:
    GroupedRanking(const pg_ranking& r, const double* weights) : dtype_(r.dtype) {
        if constexpr (std::is_same_v<W, double>) {
            // 16-bit scores too: their keys widened
            if (key_bytes(r.dtype) == 8)
                split64_ = std::make_unique<Buckets<uint64_t>>(std::vector{score_source<uint64_t>(r, weights)}, Pure::Keep);
            else if (key_bytes(r.dtype) == 4)
                split32_ = std::make_unique<Buckets<uint32_t>>(std::vector{score_source<uint32_t>(r, weights)}, Pure::Keep);
            else
                narrow_weights(r, weights);
            if (split64_) totals(*split64_);
            if (split32_) totals(*split32_);
        } else {
            if (key_bytes(r.dtype) == 8) {
                split64_ = std::make_unique<Buckets<uint64_t>>(std::vector{score_source<uint64_t>(r)}, Pure::Keep);
            } else if (key_bytes(r.dtype) == 4) {
                split32_ = std::make_unique<Buckets<uint32_t>>(std::vector{score_source<uint32_t>(r)}, Pure::Keep);
            } else {
                std::vector<uint64_t> counts;
                narrow_counts(r, counts);
                // one-byte scores are counted by their biased byte, which for int8 is the low byte of the key
                const uint64_t first = r.dtype == PG_SCORE_INT8 ? 0x8000 - 0x80 : 0;
                for (size_t at = counts.size() / 2; at-- > 0;)
                    if (counts[2 * at] | counts[2 * at + 1])
                        narrow_.push_back({first + at, static_cast<W>(counts[2 * at + 1]), static_cast<W>(counts[2 * at])});
            }
        }
        for (const Group<W>& g : narrow_) {
            positives_ += g.positive;
            negatives_ += g.negative;
        }
        if constexpr (!std::is_same_v<W, double>) {
            if (split64_) positives_ = split64_->positives(), negatives_ = split64_->negatives();
            if (split32_) positives_ = split32_->positives(), negatives_ = split32_->negatives();
        }
    }

    int64_t buckets() const { return split64_ ? split64_->count() : split32_ ? split32_->count() : 1; }
    W positives() const { return positives_; }
    W negatives() const { return negatives_; }

    template <class Visit>
    void visit(Visit f, Wanted wanted = Wanted::All) const {
        if (split64_)
            visit_split(*split64_, f, wanted);
        else if (split32_)
            visit_split(*split32_, f, wanted);
        else
            f(int64_t{0}, narrow_, W{0}, W{0});
    }

    double score(uint64_t key) const {
        const auto of_bits = [](auto bits, auto top) { return static_cast<decltype(bits)>(bits & top ? bits ^ top : ~bits); };
        switch (dtype_) {
            case PG_SCORE_UINT8:
            case PG_SCORE_UINT16:
            case PG_SCORE_UINT32:
            case PG_SCORE_UINT64:
                return static_cast<double>(key);
            case PG_SCORE_INT8:
            case PG_SCORE_INT16:
                return static_cast<double>(static_cast<int64_t>(key) - 0x8000);
            case PG_SCORE_INT32:
                return static_cast<double>(static_cast<int64_t>(key) - (int64_t{1} << 31));
            case PG_SCORE_INT64:
                return static_cast<double>(static_cast<int64_t>(key ^ (uint64_t{1} << 63)));
            case PG_SCORE_FLOAT16: {
                const uint16_t b = of_bits(static_cast<uint16_t>(key), uint16_t{0x8000});
                const int exponent = (b >> 10) & 31, fraction = b & 1023;
                const double magnitude = exponent == 31  ? HUGE_VAL
                                         : exponent == 0 ? std::ldexp(fraction, -24)
                                                         : std::ldexp(1024 + fraction, exponent - 25);
                return b >> 15 ? -magnitude : magnitude;
            }
            case PG_SCORE_BFLOAT16:
            case PG_SCORE_FLOAT32: {
                const uint32_t b = dtype_ == PG_SCORE_FLOAT32
                                       ? of_bits(static_cast<uint32_t>(key), 0x80000000u)
                                       : static_cast<uint32_t>(of_bits(static_cast<uint16_t>(key), uint16_t{0x8000})) << 16;
                float value;
                std::memcpy(&value, &b, sizeof value);
                return static_cast<double>(value);
            }
            case PG_SCORE_FLOAT64:
                break;
        }
        const uint64_t b = of_bits(key, uint64_t{1} << 63);
        double value;
        std::memcpy(&value, &b, sizeof value);
        return value;
    }

  private:
    void narrow_weights(const pg_ranking& r, const double* weights) {
        std::vector<Group<double>> all(65536);
        for_each_block(score_source<uint16_t>(r), 0, r.count, [&](const uint16_t* keys, const uint64_t* labels, int64_t m, int64_t i) {
            for (int64_t j = 0; j < m; ++j) {
                Group<double>& g = all[keys[j]];
                (labels[j >> 6] >> (j & 63) & 1 ? g.positive : g.negative) += weights[i + j];
            }
        });
        for (size_t key = all.size(); key-- > 0;)
            if (all[key].positive + all[key].negative > 0)
                narrow_.push_back({key, static_cast<W>(all[key].positive), static_cast<W>(all[key].negative)});
    }

    // Weights above each bucket, added bucket by bucket so that threads do not matter.
    template <class K>
    void totals(const Buckets<K>& split) {
        const int64_t n = split.count();
        std::vector<W> positive(static_cast<size_t>(n)), negative(static_cast<size_t>(n));
        for_bucket_groups(n, [&](int64_t, int64_t first, int64_t last) {
            for (int64_t b = first; b < last; ++b) {
                const Bucket<K> bucket = split[b];
                for (int64_t i = 0; i < bucket.positives; ++i)
                    positive[static_cast<size_t>(b)] += static_cast<W>(bucket.positive_weights[i]);
                for (int64_t i = 0; i < bucket.negatives; ++i)
                    negative[static_cast<size_t>(b)] += static_cast<W>(bucket.negative_weights[i]);
            }
        });
        above_.resize(2 * static_cast<size_t>(n));
        for (size_t b = static_cast<size_t>(n); b-- > 0;) {
            above_[2 * b] = positives_;
            above_[2 * b + 1] = negatives_;
            positives_ += positive[b];
            negatives_ += negative[b];
        }
    }

    template <class K, class Visit>
    void visit_split(const Buckets<K>& split, Visit f, Wanted wanted) const {
        const int64_t n = split.count();
        for_bucket_groups(n, [&](int64_t, int64_t first, int64_t last) {
            GroupReader<K, W> reader(wanted);
            for (int64_t i = first; i < last; ++i) {
                const int64_t b = n - 1 - i;
                const Bucket<K> bucket = split[b];
                W positives, negatives;
                if constexpr (std::is_same_v<W, double>) {
                    positives = above_[2 * static_cast<size_t>(b)];
                    negatives = above_[2 * static_cast<size_t>(b) + 1];
                } else {
                    positives = split.positives() - bucket.positives_below - bucket.positives;
                    negatives = split.negatives() - bucket.negatives_below - bucket.negatives;
                }
                f(i, reader.read(bucket), positives, negatives);
            }
        });
    }

    pg_score_dtype dtype_;
    std::unique_ptr<Buckets<uint32_t>> split32_;
    std::unique_ptr<Buckets<uint64_t>> split64_;
    std::vector<Group<W>> narrow_;
    std::vector<W> above_;
    W positives_ = 0, negatives_ = 0;
};

void require_weights(const pg_ranking& r, const double* weights) {
    for (int64_t i = 0; i < r.count; ++i)
        require(weights[i] >= 0 && weights[i] - weights[i] == 0,
                "sample_weight holds " + std::to_string(weights[i]) + ": weights must be finite and not negative");
}

}  // namespace

}  // namespace pixelgauge

struct pg_curve {
    std::vector<double> thresholds, positives, negatives;
};

namespace pixelgauge {
namespace {

template <class W>
void build_curve(const pg_ranking& r, const double* weights, pg_curve_drop drop, pg_curve& curve) {
    const GroupedRanking<W> ranking(r, weights);
    struct Part {
        std::vector<double> thresholds, positives, negatives;
        Group<W> first{}, last{};
        bool any = false;
    };
    std::vector<Part> parts(static_cast<size_t>(ranking.buckets()));
    // Whether a point stays, given the steps to it and to the next: scikit-learn's rules for its three curves.
    const auto stays = [drop](const Group<W>& step, const Group<W>& next) {
        if (drop == PG_CURVE_DROP_EQUAL_STEPS) return step.positive != next.positive || step.negative != next.negative;
        if (drop == PG_CURVE_DROP_SAME_POSITIVES) return step.positive != 0 || next.positive != 0;
        return true;
    };
    ranking.visit([&](int64_t i, const std::vector<Group<W>>& groups, W positives, W negatives) {
        Part& part = parts[static_cast<size_t>(i)];
        if (groups.empty()) return;
        part.any = true;
        part.first = groups.front();
        part.last = groups.back();
        // Counted from the bucket's top: what lies above is added when the parts are joined, so that the points of a run
        // without positives (or negatives) keep exactly one value across buckets, weighted or not.
        const bool top = positives == 0 && negatives == 0;
        W positive = 0, negative = 0;
        for (size_t g = 0; g < groups.size(); ++g) {
            positive += groups[g].positive;
            negative += groups[g].negative;
            // the very first point stays; the last of a bucket waits for the next bucket
            if (g + 1 < groups.size() && !(top && g == 0) && !stays(groups[g], groups[g + 1])) continue;
            part.thresholds.push_back(ranking.score(groups[g].key));
            part.positives.push_back(static_cast<double>(positive));
            part.negatives.push_back(static_cast<double>(negative));
        }
    });
    size_t total = 0;
    const Part* before = nullptr;
    std::vector<char> drop_last(parts.size());
    size_t last_part = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
        if (!parts[i].any) continue;
        const bool only_point_so_far = before && total == 1;
        if (before && !only_point_so_far && !stays(before->last, parts[i].first)) {
            drop_last[last_part] = 1;
            --total;
        }
        total += parts[i].thresholds.size();
        before = &parts[i];
        last_part = i;
    }
    curve.thresholds.reserve(total);
    curve.positives.reserve(total);
    curve.negatives.reserve(total);
    double positives = 0, negatives = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
        Part& part = parts[i];
        if (!part.any) continue;
        const size_t points = part.thresholds.size() - static_cast<size_t>(drop_last[i]);
        for (size_t k = 0; k < points; ++k) {
            curve.thresholds.push_back(part.thresholds[k]);
            curve.positives.push_back(positives + part.positives[k]);
            curve.negatives.push_back(negatives + part.negatives[k]);
        }
        positives += part.positives.back();
        negatives += part.negatives.back();
        part = {};
    }
}

template <class W>
double average_precision(const pg_ranking& r, const double* weights) {
    const GroupedRanking<W> ranking(r, weights);
    std::vector<double> sums(static_cast<size_t>(ranking.buckets()));
    ranking.visit(
        [&](int64_t i, const std::vector<Group<W>>& groups, W positives, W negatives) {
            double sum = 0;
            for (const Group<W>& g : groups) {
                positives += g.positive;
                negatives += g.negative;
                if (g.positive != 0)
                    sum += static_cast<double>(g.positive) * (static_cast<double>(positives) / static_cast<double>(positives + negatives));
            }
            sums[static_cast<size_t>(i)] = sum;
        },
        Wanted::Positives);
    double sum = 0;
    for (const double s : sums) sum += s;
    return sum / static_cast<double>(ranking.positives());
}

double weighted_auroc(const pg_ranking& r, const double* weights) {
    const GroupedRanking<double> ranking(r, weights);
    std::vector<double> sums(static_cast<size_t>(ranking.buckets()));
    ranking.visit([&](int64_t i, const std::vector<Group<double>>& groups, double positives, double) {
        double sum = 0;
        for (const Group<double>& g : groups) {
            sum += g.negative * (positives + 0.5 * g.positive);
            positives += g.positive;
        }
        sums[static_cast<size_t>(i)] = sum;
    });
    double sum = 0;
    for (const double s : sums) sum += s;
    return sum / ranking.positives() / ranking.negatives();
}

}  // namespace
}  // namespace pixelgauge

using namespace pixelgauge;

extern "C" pg_status pg_curve_new(const pg_ranking* ranking, const double* weights, pg_curve_drop drop, pg_curve** curve) {
    return guarded([&] {
        require_ranking(ranking);
        require(curve != nullptr, "curve is NULL");
        auto made = std::make_unique<pg_curve>();
        if (weights) {
            require_weights(*ranking, weights);
            build_curve<double>(*ranking, weights, drop, *made);
        } else {
            build_curve<int64_t>(*ranking, nullptr, drop, *made);
        }
        *curve = made.release();
    });
}

extern "C" void pg_curve_free(pg_curve* curve) { delete curve; }

extern "C" pg_status pg_curve_points(const pg_curve* curve, int64_t* count, const double** thresholds, const double** positives,
                                     const double** negatives) {
    return guarded([&] {
        require(curve && count && thresholds && positives && negatives, "curve or a result is NULL");
        *count = static_cast<int64_t>(curve->thresholds.size());
        *thresholds = curve->thresholds.data();
        *positives = curve->positives.data();
        *negatives = curve->negatives.data();
    });
}

extern "C" pg_status pg_average_precision(const pg_ranking* ranking, const double* weights, double* result) {
    return guarded([&] {
        require_ranking(ranking);
        require(result != nullptr, "result is NULL");
        if (weights) require_weights(*ranking, weights);
        *result = weights ? average_precision<double>(*ranking, weights) : average_precision<int64_t>(*ranking, nullptr);
    });
}

extern "C" pg_status pg_weighted_auroc(const pg_ranking* ranking, const double* weights, double* result) {
    return guarded([&] {
        require_ranking(ranking);
        require(weights && result, "weights or result is NULL");
        require_weights(*ranking, weights);
        *result = weighted_auroc(*ranking, weights);
    });
}

extern "C" pg_status pg_delong(const pg_ranking* ranking, pg_delong_sums* result) {
    return guarded([&] {
        require_ranking(ranking);
        require(result != nullptr, "result is NULL");
        const GroupedRanking<int64_t> grouped(*ranking, nullptr);
        const int64_t negatives = grouped.negatives();
        // Sums of twice the placements: at most (2N)^2 P, which 128 bits hold beyond 1e12 samples.
        std::vector<Wide> sums(3 * static_cast<size_t>(grouped.buckets()));
        grouped.visit([&](int64_t i, const std::vector<Group<int64_t>>& groups, int64_t positives_above, int64_t negatives_above) {
            Wide u = 0, positive_squares = 0, negative_squares = 0;
            for (const Group<int64_t>& g : groups) {
                const Wide of_positive = 2 * static_cast<Wide>(negatives - negatives_above - g.negative) + g.negative;
                const Wide of_negative = 2 * static_cast<Wide>(positives_above) + g.positive;
                u += of_positive * g.positive;
                positive_squares += of_positive * of_positive * g.positive;
                negative_squares += of_negative * of_negative * g.negative;
                positives_above += g.positive;
                negatives_above += g.negative;
            }
            Wide* mine = sums.data() + 3 * i;
            mine[0] = u;
            mine[1] = positive_squares;
            mine[2] = negative_squares;
        });
        Wide total[3] = {};
        for (size_t k = 0; k < sums.size(); ++k) total[k % 3] += sums[k];
        result->positives = grouped.positives();
        result->negatives = negatives;
        uint64_t* out[3] = {result->twice_u, result->positive_squares, result->negative_squares};
        for (int k = 0; k < 3; ++k) {
            out[k][0] = static_cast<uint64_t>(total[k]);
            out[k][1] = static_cast<uint64_t>(total[k] >> 64);
        }
    });
}
