// Ranking without a full sort: keys go once to buckets of about equal size, positives and negatives of a bucket apart,
// and each bucket is finished in cache. Counts are exact integers, so no result depends on threads or buckets.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

#include "kernels/table.h"
#include "pixelgauge/pixelgauge.h"
#include "threads.h"

namespace pixelgauge {

__extension__ using Wide = unsigned __int128;

// Storage for many keys, on huge pages where the system grants them: thousands of write streams exceed the TLB otherwise.
class LargeBuffer {
  public:
    LargeBuffer() = default;
    explicit LargeBuffer(size_t bytes);
    template <class T>
    T* as() const {
        return static_cast<T*>(data_.get());
    }

  private:
    struct Free {
        void operator()(void* p) const;
    };
    std::unique_ptr<void, Free> data_;
};

// Scores in any layout, or keys of an earlier split, with their labels.
template <class K>
struct ScoreSource {
    const char* data;
    int64_t count, stride;
    int64_t item;
    bool (*keys)(const void*, int64_t, K*);  // null: data are keys
    const uint64_t* labels;                  // bits; null: all are of the class that is constant_label
    bool constant_label = false;
    const double* weights = nullptr;
};

int key_bytes(pg_score_dtype dtype);
int64_t item_bytes(pg_score_dtype dtype);
void require_ranking(const pg_ranking* ranking);
[[noreturn]] void throw_nan_scores();
// counts[2 key + label] of scores of one or two bytes; of one byte, the key is the byte, biased where it is signed
void narrow_counts(const pg_ranking& r, std::vector<uint64_t>& counts);

template <class K>
const PlacementKernels<K>& placement() {
    if constexpr (sizeof(K) == 4)
        return kernels().ranking.place32;
    else
        return kernels().ranking.place64;
}

template <class K>
ScoreSource<K> score_source(const pg_ranking& r, const double* weights = nullptr) {
    const RankingKernels& k = kernels().ranking;
    ScoreSource<K> source{static_cast<const char*>(r.scores), r.count, r.stride, item_bytes(r.dtype), nullptr, r.labels};
    if constexpr (sizeof(K) == 2) source.keys = k.keys16[r.dtype];
    if constexpr (sizeof(K) == 4) source.keys = k.keys32[r.dtype];
    if constexpr (sizeof(K) == 8) source.keys = k.keys64[r.dtype];
    source.weights = weights;
    return source;
}

constexpr int64_t kBlock = 1024;  // keys at a time: 8 KB at most, so blocks stay in L1

// Calls f(keys, labels, m, i) for blocks of a source from begin, a multiple of 64, to end.
template <class K, class F>
void for_each_block(const ScoreSource<K>& source, int64_t begin, int64_t end, F f) {
    alignas(64) K keys[kBlock];
    alignas(64) char gathered[kBlock * 8];
    uint64_t constant[kBlock / 64];
    if (!source.labels) std::fill(constant, constant + kBlock / 64, source.constant_label ? ~uint64_t{0} : 0);
    for (int64_t i = begin; i < end; i += kBlock) {
        const int64_t m = std::min(kBlock, end - i);
        const char* p = source.data + i * source.stride;
        if (source.stride != source.item) {
            for (int64_t j = 0; j < m; ++j)
                std::memcpy(gathered + j * source.item, p + j * source.stride, static_cast<size_t>(source.item));
            p = gathered;
        }
        const K* block = reinterpret_cast<const K*>(p);
        if (source.keys) {
            if (!source.keys(p, m, keys)) throw_nan_scores();
            block = keys;
        }
        f(block, source.labels ? source.labels + i / 64 : constant, m, i);
    }
}

template <class K>
struct Bucket {
    const K* positive;
    const K* negative;
    const double* positive_weights;
    const double* negative_weights;
    int64_t positives, negatives;
    int64_t positives_below, negatives_below;
    K low, high;  // no key of the bucket lies outside
};

enum class Pure { Skip, Keep };  // whether keys of buckets that hold one class only are wanted

// The split: a sample decides the map, one pass counts, one pass moves.
template <class K>
class Buckets {
  public:
    Buckets(const std::vector<ScoreSource<K>>& sources, Pure pure) {
        int64_t total = 0;
        bool weighted = false;
        for (const ScoreSource<K>& s : sources) {
            total += s.count;
            weighted |= s.weights != nullptr;
        }
        build_map(sources, total);
        const int64_t buckets = count();
        struct Chunk {
            const ScoreSource<K>* source;
            int64_t begin, end;
        };
        std::vector<Chunk> chunks;
        for (const ScoreSource<K>& s : sources) {
            const int64_t blocks = (s.count + kBlock - 1) / kBlock;
            int64_t parts = std::min<int64_t>(num_threads(), std::max<int64_t>(1, blocks / 16));
            parts = std::max(parts, (s.count >> 31) + 1);  // counts of a chunk are 32 bits
            for (int64_t k = 0; k < parts; ++k) {
                const int64_t begin = blocks * k / parts * kBlock, end = std::min(s.count, blocks * (k + 1) / parts * kBlock);
                if (begin < end) chunks.push_back({&s, begin, end});
            }
        }
        const BucketMap<K> map = this->map();
        const PlacementKernels<K>& kernel = placement<K>();
        const size_t slots = static_cast<size_t>(2 * buckets), parts = chunks.size();
        std::vector<uint32_t> counts(parts * slots);
        parallel_for(static_cast<int64_t>(parts), [&](int64_t c) {
            const Chunk& chunk = chunks[static_cast<size_t>(c)];
            uint32_t* mine = counts.data() + static_cast<size_t>(c) * slots;
            for_each_block(*chunk.source, chunk.begin, chunk.end, [&](const K* keys, const uint64_t* labels, int64_t m, int64_t) {
                kernel.histogram(keys, labels, m, &map, mine);
            });
        });

        classes_.assign(slots, 0);
        begin_.assign(slots, kSkipped);
        std::vector<uint64_t> next(parts * slots, UINT64_MAX);
        uint64_t moved = 0;
        for (int64_t b = 0; b < buckets; ++b) {
            const size_t at = static_cast<size_t>(2 * b);
            for (size_t c = 0; c < parts; ++c)
                for (size_t label = 0; label < 2; ++label) classes_[at + label] += counts[c * slots + at + label];
            const bool one_class = classes_[at] == 0 || classes_[at + 1] == 0;
            // keys of a one-key bucket are known, and their weights are wanted even so
            if (!weighted && (low(b) == high(b) || (one_class && pure == Pure::Skip))) continue;
            for (size_t label = 2; label-- > 0;) {  // positives first
                begin_[at + label] = moved;
                for (size_t c = 0; c < parts; ++c) {
                    next[c * slots + at + label] = moved;
                    moved += counts[c * slots + at + label];
                }
            }
        }
        counts = {};
        // One place a chunk for the keys that are not wanted, a cache line apart from the next one's.
        constexpr uint64_t line = 64 / sizeof(K);
        for (size_t c = 0; c < parts; ++c)
            for (size_t s = c * slots; s < (c + 1) * slots; ++s)
                if (next[s] == UINT64_MAX) next[s] = (uint64_t{1} << 63) | ((moved / line + 1 + c) * line);
        const size_t places = static_cast<size_t>(moved) + (parts + 2) * line;
        keys_ = LargeBuffer(places * sizeof(K));
        if (weighted) weights_ = LargeBuffer(places * sizeof(double));
        parallel_for(static_cast<int64_t>(parts), [&](int64_t c) {
            const Chunk& chunk = chunks[static_cast<size_t>(c)];
            uint64_t* mine = next.data() + static_cast<size_t>(c) * slots;
            K* out = keys_.template as<K>();
            if (weighted) {
                for_each_block(*chunk.source, chunk.begin, chunk.end, [&](const K* keys, const uint64_t* labels, int64_t m, int64_t i) {
                    kernel.scatter_weighted(keys, chunk.source->weights + i, labels, m, &map, mine, out, weights_.template as<double>());
                });
                return;
            }
            const std::vector<uint64_t> begin(mine, mine + slots);
            const LargeBuffer lines(slots * 64);
            for_each_block(*chunk.source, chunk.begin, chunk.end, [&](const K* keys, const uint64_t* labels, int64_t m, int64_t) {
                kernel.scatter(keys, labels, m, &map, mine, begin.data(), lines.template as<K>(), out);
            });
            kernel.scatter_fence();
            for (size_t slot = 0; slot < slots; ++slot) {
                if (mine[slot] >> 63) continue;
                for (uint64_t k = std::max(begin[slot], mine[slot] / line * line); k < mine[slot]; ++k)
                    out[k] = lines.template as<K>()[slot * line + k % line];
            }
        });
        below_.assign(slots + 2, 0);
        for (size_t s = 0; s < slots; ++s) below_[s + 2] = below_[s] + classes_[s];
    }

    int64_t count() const { return static_cast<int64_t>(starts_.size()); }

    // Pointers are null where keys were not moved: one class, or one key (low == high).
    Bucket<K> operator[](int64_t b) const {
        const size_t at = static_cast<size_t>(2 * b);
        Bucket<K> bucket{};
        bucket.negatives = classes_[at];
        bucket.positives = classes_[at + 1];
        bucket.negatives_below = below_[at];
        bucket.positives_below = below_[at + 1];
        if (begin_[at] != kSkipped) {
            bucket.negative = keys_.template as<K>() + begin_[at];
            bucket.positive = keys_.template as<K>() + begin_[at + 1];
            if (weights_.template as<double>()) {
                bucket.negative_weights = weights_.template as<double>() + begin_[at];
                bucket.positive_weights = weights_.template as<double>() + begin_[at + 1];
            }
        }
        bucket.low = low(b);
        bucket.high = high(b);
        return bucket;
    }

    int64_t negatives() const { return below_[below_.size() - 2]; }
    int64_t positives() const { return below_[below_.size() - 1]; }

  private:
    static constexpr uint64_t kSkipped = UINT64_MAX;
    // Measured, ns a float32 score at 1e5, 1e6 and 1e7: 4096 keys a bucket 13, 9, 17; 8192 keys 12, 10, 12; 16384 keys
    // 55, 14, 12 (a bucket next to zero then spans too many octaves for its cells).
    static constexpr int64_t kKeysPerBucket = 8192, kMostBuckets = 4096, kSamplesPerBucket = 16;

    K low(int64_t b) const { return b == 0 ? K{0} : starts_[static_cast<size_t>(b)]; }
    K high(int64_t b) const { return b + 1 == count() ? static_cast<K>(~K{0}) : static_cast<K>(starts_[static_cast<size_t>(b + 1)] - 1); }
    BucketMap<K> map() const { return {low_, range_, cells_.data(), cell_shift_}; }

    void build_map(const std::vector<ScoreSource<K>>& sources, int64_t total) {
        const int64_t wanted = std::clamp<int64_t>(total / kKeysPerBucket, 1, kMostBuckets);
        const int64_t samples = std::min(total, wanted * kSamplesPerBucket);
        std::vector<K> sample;
        sample.reserve(static_cast<size_t>(samples) + sources.size());
        for (const ScoreSource<K>& s : sources) {
            const int64_t of_source = std::max<int64_t>(s.count > 0, static_cast<int64_t>(static_cast<Wide>(samples) * s.count / total));
            // Evenly spaced but for a pseudo-random part (Knuth's multiplicative hash), which periodic data cannot follow.
            for (int64_t k = 0; k < of_source; ++k) {
                const int64_t from = static_cast<int64_t>(static_cast<Wide>(s.count) * k / of_source);
                const int64_t to = static_cast<int64_t>(static_cast<Wide>(s.count) * (k + 1) / of_source);
                const uint64_t hash = (static_cast<uint64_t>(k) * 0x9e3779b97f4a7c15u) >> 32;
                const int64_t i = from + static_cast<int64_t>(hash % static_cast<uint64_t>(std::max<int64_t>(1, to - from)));
                K key;
                const char* p = s.data + i * s.stride;
                if (!s.keys)
                    std::memcpy(&key, p, sizeof key);
                else if (!s.keys(p, 1, &key))
                    throw_nan_scores();
                sample.push_back(key);
            }
        }
        low_ = *std::min_element(sample.begin(), sample.end());
        range_ = static_cast<K>(*std::max_element(sample.begin(), sample.end()) - low_);
        int bits = 0;
        while (bits < static_cast<int>(8 * sizeof(K)) && (range_ >> bits) != 0) ++bits;
        // 65,536 cells cut an octave of scores in [0, 1] into some 2000; those few that hold data stay in L1 or L2.
        const int cell_bits = total >= (1 << 20) ? 16 : 12;
        cell_shift_ = std::max(0, bits - cell_bits);
        std::vector<uint32_t> density(static_cast<size_t>(range_ >> cell_shift_) + 1);
        for (const K key : sample) ++density[static_cast<size_t>((key - low_) >> cell_shift_)];
        cells_.resize(density.size());
        starts_.clear();
        const int64_t n = static_cast<int64_t>(sample.size());
        bool open = false;
        int64_t in_open = 0;
        for (size_t c = 0; c < density.size(); ++c) {
            const int64_t d = density[c];
            const K from = static_cast<K>(low_ + (static_cast<K>(c) << cell_shift_));
            if (d * wanted >= n && wanted > 1) {
                int pieces_bits = 0;
                while (pieces_bits < cell_shift_ && pieces_bits < 13 && (n << pieces_bits) < d * wanted) ++pieces_bits;
                const int shift = cell_shift_ - pieces_bits;
                cells_[c] = static_cast<uint32_t>(starts_.size() << 6 | static_cast<size_t>(shift));
                for (int64_t piece = 0; piece < int64_t{1} << pieces_bits; ++piece)
                    starts_.push_back(static_cast<K>(from + (static_cast<K>(piece) << shift)));
                open = false;
                continue;
            }
            if (!open) {
                starts_.push_back(from);
                open = true;
                in_open = 0;
            }
            cells_[c] = static_cast<uint32_t>((starts_.size() - 1) << 6 | static_cast<size_t>(cell_shift_));
            in_open += d;
            if (in_open * wanted >= n && wanted > 1) open = false;
        }
    }

    K low_ = 0, range_ = 0;
    int cell_shift_ = 0;
    std::vector<uint32_t> cells_;
    std::vector<K> starts_;
    std::vector<int64_t> classes_, below_;  // [2 bucket + label]
    std::vector<uint64_t> begin_;
    LargeBuffer keys_, weights_;
};

// Buckets a task: few enough tasks that their scratch is reused, more than any machine's threads.
template <class F>
void for_bucket_groups(int64_t buckets, F f) {
    const int64_t groups = std::min<int64_t>(buckets, 256);
    parallel_for(groups, [&](int64_t g) { f(g, buckets * g / groups, buckets * (g + 1) / groups); });
}

}  // namespace pixelgauge
