// Ranking without a full sort: keys go once to buckets of about equal size, positives and negatives of a bucket apart,
// and each bucket is finished in cache. Counts are exact integers, so no result depends on threads or buckets.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/table.h"
#include "ranking/scores.h"
#include "runtime/threads.h"

namespace pixelgauge {

template <class K>
struct Bucket {
    int64_t positives, negatives;
    int64_t positives_above, negatives_above;
    K low, high;  // no key of the bucket lies outside; where they are equal, its keys were counted and not kept
};

// A sample of the keys decides the map to buckets, and where the buckets are cut into slices of about equal numbers of keys.
template <class K>
class BucketPlan {
  public:
    explicit BucketPlan(const std::vector<ScoreSource<K>>& sources) {
        bool sliced = true;
        for (const ScoreSource<K>& s : sources) {
            total_ += s.count;
            sliced &= s.labels != nullptr && s.weights == nullptr;
        }
        build_map(sources, sliced ? std::clamp<int64_t>(total_ / kKeysPerSlice, 1, kMostSlices) : 1);
    }

    int64_t count() const { return static_cast<int64_t>(starts_.size()); }
    K low(int64_t b) const { return b == 0 ? K{0} : starts_[static_cast<size_t>(b)]; }
    K high(int64_t b) const { return b + 1 == count() ? static_cast<K>(~K{0}) : static_cast<K>(starts_[static_cast<size_t>(b + 1)] - 1); }

    // Buckets of the slice, counted from its first.
    BucketMap<K> map(int64_t slice) const { return {low_, range_, cells_.data(), cell_shift_, static_cast<uint32_t>(first_of(slice))}; }

    int64_t slices() const { return static_cast<int64_t>(cuts_.size()) - 1; }
    int64_t first_of(int64_t slice) const { return cuts_[static_cast<size_t>(slice)]; }
    int64_t most_in_slice() const {
        int64_t most = 0;
        for (int64_t slice = 0; slice < slices(); ++slice) most = std::max(most, first_of(slice + 1) - first_of(slice));
        return most;
    }

    // A bucket of more keys met a bad sample, or ties: it is to be split again.
    int64_t largest() const { return std::max<int64_t>(1 << 18, 4 * total_ / (kMostBuckets * slices())); }

  private:
    // Measured on 1e7 float32 scores, one thread, ns a score: 128 buckets 6.5, 256 buckets 5.1, 512 buckets 5.6, 1024 buckets
    // 7.5, 2048 buckets 8.8: the blocks that are being filled must stay in L2 beside the scores that stream through. 1e8
    // scores, two threads: 256 buckets 5.8 to 7.5, 512 buckets 8.0 to 9.9, 1024 buckets 9.8 to 13.
    static constexpr int64_t kKeysPerBucket = 32768, kMostBuckets = 320, kSamplesPerBucket = 16;
    static constexpr int64_t kKeysPerSlice = int64_t{3} << 23, kMostSlices = 4;

    // Cuts the buckets into slices by how many of the sample each holds.
    void cut(const std::vector<K>& sample, int64_t slices) {
        std::vector<int64_t> held(starts_.size());
        for (const K key : sample)
            ++held[static_cast<size_t>(std::upper_bound(starts_.begin() + 1, starts_.end(), key) - starts_.begin() - 1)];
        const int64_t n = static_cast<int64_t>(sample.size());
        cuts_.assign(1, 0);
        int64_t below = 0;
        for (int64_t b = 0; b + 1 < count() && static_cast<int64_t>(cuts_.size()) < slices; ++b) {
            below += held[static_cast<size_t>(b)];
            if (below * slices >= n * static_cast<int64_t>(cuts_.size())) cuts_.push_back(b + 1);
        }
        cuts_.push_back(count());
    }

    // Keys from evenly spaced places, but for a pseudo-random part (Knuth's multiplicative hash), which periodic data cannot follow.
    std::vector<K> sample_of(const std::vector<ScoreSource<K>>& sources, int64_t samples) const {
        std::vector<K> sample;
        sample.reserve(static_cast<size_t>(samples) + sources.size());
        for (const ScoreSource<K>& s : sources) {
            // some 2e4 samples of at most 2^39 places: no product overflows
            const int64_t of_source = std::max<int64_t>(s.count > 0, samples * s.count / total_);
            for (int64_t k = 0; k < of_source; ++k) {
                const int64_t from = s.count * k / of_source, to = s.count * (k + 1) / of_source;
                const uint64_t hash = (static_cast<uint64_t>(k) * 0x9e3779b97f4a7c15u) >> 32;
                const int64_t i = from + static_cast<int64_t>(hash % static_cast<uint64_t>(std::max<int64_t>(1, to - from)));
                K key;
                if (s.blocks)
                    key = s.blocks[i / kBlockKeys][i % kBlockKeys % s.fills[i / kBlockKeys]];
                else {
                    alignas(8) char score[8];
                    std::memcpy(score, s.data + i * s.stride, static_cast<size_t>(s.item));
                    s.convert(score, 1, &key);
                }
                sample.push_back(key);
            }
        }
        return sample;
    }

    void build_map(const std::vector<ScoreSource<K>>& sources, int64_t slices) {
        const int64_t wanted = std::clamp<int64_t>(total_ / kKeysPerBucket, 1, kMostBuckets * slices);
        const std::vector<K> sample = sample_of(sources, std::min(total_, wanted * kSamplesPerBucket));
        // one key more on either side, so that a bucket can hold the least or the greatest key alone
        const K least = *std::min_element(sample.begin(), sample.end()), most = *std::max_element(sample.begin(), sample.end());
        low_ = static_cast<K>(least - (least > 0));
        range_ = static_cast<K>(most - low_ + (most < static_cast<K>(~K{0})));
        int bits = 0;
        while (bits < static_cast<int>(8 * sizeof(K)) && (range_ >> bits) != 0) ++bits;
        // 4096 cells stay in L1 beside the slots (65,536 cells: up to 1.4 times as long); the crowded ones are cut into pieces.
        cell_shift_ = std::max(0, bits - 12);
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
                // none beyond the range: the piece that holds its end is the last, and takes all keys above
                const K left = static_cast<K>(range_ - (from - low_));
                for (int64_t piece = 0; piece < int64_t{1} << pieces_bits && static_cast<K>(piece) << shift <= left; ++piece)
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
        cut(sample, slices);
    }

    int64_t total_ = 0;
    K low_ = 0, range_ = 0;
    int cell_shift_ = 0;
    std::vector<uint32_t> cells_;
    std::vector<K> starts_;
    std::vector<int64_t> cuts_;  // first bucket of each slice, and the end
};

// A slice of the buckets: one pass moves every key of it to the blocks of its bucket and class.
template <class K>
class Buckets {
  public:
    // The arena is made by the first slice and used again by the next. Slices are made from the highest down: above are the
    // positives and negatives of those before.
    Buckets(const std::vector<ScoreSource<K>>& sources, const BucketPlan<K>& plan, int64_t slice, int64_t positives_above,
            int64_t negatives_above, LargeBuffer& arena)
        : plan_(plan), first_bucket_(plan.first_of(slice)), count_(plan.first_of(slice + 1) - first_bucket_) {
        for (const ScoreSource<K>& s : sources) weighted_ |= s.weights != nullptr;
        Scattered scattered(sources, plan, static_cast<uint32_t>(2 * count_));
        // All of it is needed where one slice holds every key: what no key reaches is never given memory.
        const size_t places = static_cast<size_t>(scattered.blocks) * kBlockKeys;
        if (!arena.as<K>()) arena = LargeBuffer(places * sizeof(K));
        keys_ = arena.as<K>();
        if (weighted_) weights_ = LargeBuffer(places * sizeof(double));
        scatter(scattered, slice);
        gather(scattered);
        total(positives_above, negatives_above);
    }

    int64_t count() const { return count_; }
    int64_t largest() const { return plan_.largest(); }
    int64_t positives() const { return positives_; }
    int64_t negatives() const { return negatives_; }

    Bucket<K> operator[](int64_t b) const {
        const size_t at = static_cast<size_t>(2 * b);
        return {classes_[at + 1], classes_[at], above_[at + 1], above_[at], plan_.low(first_bucket_ + b), plan_.high(first_bucket_ + b)};
    }

    // Calls f(keys, weights, m) for the keys of a class of a bucket, in the order of the samples, m <= kBlockKeys.
    template <class F>
    void visit(int64_t b, bool positive, F f) const {
        const size_t slot = static_cast<size_t>(2 * b) + positive, end = first_[slot + 1];
        for (size_t k = first_[slot]; k < end; ++k) {
            // blocks of a slot lie as far apart as they were filled: too far for the machine to foresee
            if (k + 4 < end)
                for (size_t line = 0; line < kBlockKeys * sizeof(K); line += 64)
                    prefetch(reinterpret_cast<const char*>(blocks_[k + 4]) + line);
            const double* w = weights_.template as<double>();
            f(blocks_[k], w ? w + (blocks_[k] - keys_) : nullptr, static_cast<int64_t>(fills_[k]));
        }
    }

    void read(int64_t b, bool positive, std::vector<K>& keys) const {
        keys.resize(static_cast<size_t>(classes_[static_cast<size_t>(2 * b) + positive]));
        K* to = keys.data();
        visit(b, positive, [&](const K* from, const double*, int64_t m) {
            std::memcpy(to, from, static_cast<size_t>(m) * sizeof(K));
            to += m;
        });
    }

    // The same keys where they lie, to be split again.
    ScoreSource<K> source(int64_t b, bool positive) const {
        const size_t slot = static_cast<size_t>(2 * b) + positive;
        const int64_t places = static_cast<int64_t>(first_[slot + 1] - first_[slot]) * kBlockKeys;
        ScoreSource<K> source{nullptr, places, sizeof(K), sizeof(K), nullptr, nullptr, positive};
        source.blocks = blocks_.data() + first_[slot];
        source.fills = fills_.data() + first_[slot];
        return source;
    }

  private:
    // A run of a source's samples that one task scatters, to blocks of its own.
    struct Chunk {
        const ScoreSource<K>* source;
        int64_t begin, end;
        uint32_t blocks_before, blocks;
    };

    // What scattering leaves for gathering: the chunks, who owns each of their blocks, and how far each slot is filled.
    struct Scattered {
        uint32_t slots, blocks = 0;
        std::vector<Chunk> chunks;
        std::vector<uint32_t> owner, used, cursor;
        std::vector<uint64_t> recycled;

        Scattered(const std::vector<ScoreSource<K>>& sources, const BucketPlan<K>& plan, uint32_t slot_count) : slots(slot_count) {
            for (const ScoreSource<K>& s : sources) {
                const int64_t pieces = (s.count + kBlock - 1) / kBlock;
                int64_t parts = std::min<int64_t>(num_threads(), std::max<int64_t>(1, pieces / 16));
                parts = std::max(parts, (s.count >> 31) + 1);  // places in a chunk are 32 bits
                for (int64_t k = 0; k < parts; ++k) {
                    const int64_t begin = pieces * k / parts * kBlock, end = std::min(s.count, pieces * (k + 1) / parts * kBlock);
                    if (begin >= end) continue;
                    // at most one block a slot is not full; of any slice, since they share the arena
                    const uint32_t room = static_cast<uint32_t>((end - begin) / kBlockKeys + 2 * plan.most_in_slice());
                    chunks.push_back({&s, begin, end, blocks, room});
                    blocks += room;
                }
            }
            owner.resize(blocks);
            used.resize(chunks.size());
            cursor.resize(chunks.size() * slots);
            recycled.resize(chunks.size() * slots);
        }

        // Keys in a block of a chunk.
        uint32_t fill(size_t c, uint32_t block) const {
            const uint32_t end = cursor[c * slots + owner[chunks[c].blocks_before + block]];
            return block == end / kBlockKeys ? end % kBlockKeys : kBlockKeys;
        }
    };

    // Moves every key of the slice to a block of its slot, chunk by chunk.
    void scatter(Scattered& s, int64_t slice) {
        const BucketMap<K> map = plan_.map(slice);
        const KeyRange<K> range{plan_.low(first_bucket_), plan_.high(first_bucket_ + count_ - 1)};
        std::vector<uint8_t> counted_only(s.slots);
        for (uint32_t slot = 0; slot < s.slots; ++slot) {
            const int64_t b = first_bucket_ + slot / 2;
            counted_only[slot] = !weighted_ && plan_.low(b) == plan_.high(b);
        }
        parallel_for(static_cast<int64_t>(s.chunks.size()), [&](int64_t c) {
            const Chunk& chunk = s.chunks[static_cast<size_t>(c)];
            const size_t at = static_cast<size_t>(chunk.blocks_before);
            uint32_t *cursors = s.cursor.data() + static_cast<size_t>(c) * s.slots, *owners = s.owner.data() + at;
            for (uint32_t slot = 0; slot < s.slots; ++slot) {
                cursors[slot] = slot * kBlockKeys;
                owners[slot] = slot;
            }
            BlockWriter<K> writer{keys_ + at * kBlockKeys,
                                  weighted_ ? weights_.template as<double>() + at * kBlockKeys : nullptr,
                                  cursors,
                                  owners,
                                  s.slots,
                                  counted_only.data(),
                                  s.recycled.data() + static_cast<size_t>(c) * s.slots,
                                  plan_.slices() == 1 ? nullptr : &range};
            const ScoreSource<K>& source = *chunk.source;
            if (source.scatter && source.in_place() && source.labels) {
                const double* weights = weighted_ ? source.weights + chunk.begin : nullptr;
                if (!source.scatter(source.data + chunk.begin * source.stride, weights, source.labels + chunk.begin / 64,
                                    chunk.end - chunk.begin, &map, &writer))
                    throw_nan_scores();
            } else {
                for_each_block(source, chunk.begin, chunk.end, [&](const K* keys, const uint64_t* labels, int64_t m, int64_t i) {
                    placement<K>().scatter_keys(keys, weighted_ ? source.weights + i : nullptr, labels, m, &map, &writer);
                });
            }
            s.used[static_cast<size_t>(c)] = writer.next;
        });
    }

    // Lists the blocks of each slot, in the order of the samples.
    void gather(const Scattered& s) {
        const size_t parts = s.chunks.size();
        first_.assign(s.slots + 1, 0);
        for (size_t c = 0; c < parts; ++c)
            for (uint32_t b = 0; b < s.used[c]; ++b) first_[s.owner[s.chunks[c].blocks_before + b] + 1] += s.fill(c, b) != 0;
        for (uint32_t slot = 0; slot < s.slots; ++slot) first_[slot + 1] += first_[slot];
        blocks_.resize(first_[s.slots]);
        fills_.resize(first_[s.slots]);
        classes_.assign(s.slots, 0);
        std::vector<size_t> next(first_.begin(), first_.end() - 1);
        for (size_t c = 0; c < parts; ++c) {
            for (uint32_t b = 0; b < s.used[c]; ++b) {
                const uint32_t block = s.chunks[c].blocks_before + b, slot = s.owner[block], fill = s.fill(c, b);
                if (fill == 0) continue;
                blocks_[next[slot]] = keys_ + static_cast<size_t>(block) * kBlockKeys;
                fills_[next[slot]++] = static_cast<uint8_t>(fill);
                classes_[slot] += fill;
            }
            for (uint32_t slot = 0; slot < s.slots; ++slot) classes_[slot] += static_cast<int64_t>(s.recycled[c * s.slots + slot]);
        }
    }

    // Adds up what lies above each slot, from the highest down.
    void total(int64_t positives_above, int64_t negatives_above) {
        above_.assign(classes_.size(), 0);
        int64_t above[2] = {negatives_above, positives_above};
        for (size_t s = classes_.size(); s-- > 0;) {
            above_[s] = above[s % 2];
            above[s % 2] += classes_[s];
        }
        positives_ = above[1] - positives_above;
        negatives_ = above[0] - negatives_above;
    }

    const BucketPlan<K>& plan_;
    const int64_t first_bucket_, count_;
    bool weighted_ = false;
    int64_t positives_ = 0, negatives_ = 0;
    std::vector<int64_t> classes_, above_;  // of each slot
    std::vector<size_t> first_;             // of each slot, into blocks_ and fills_
    std::vector<const K*> blocks_;
    std::vector<uint8_t> fills_;
    K* keys_ = nullptr;
    LargeBuffer weights_;
};

// Calls f(buckets) for slices of the scores, highest first: many scores are read once a slice, and their keys then need a
// slice's memory only, which the system hands out at 0.1 to 1 ns a byte.
template <class K, class F>
void for_each_slice(const std::vector<ScoreSource<K>>& sources, F f) {
    const BucketPlan<K> plan(sources);
    LargeBuffer arena;
    int64_t positives_above = 0, negatives_above = 0;
    for (int64_t slice = plan.slices(); slice-- > 0;) {
        const Buckets<K> buckets(sources, plan, slice, positives_above, negatives_above, arena);
        f(buckets);
        positives_above += buckets.positives();
        negatives_above += buckets.negatives();
    }
}

// Buckets a task: few enough tasks that their scratch is reused, more than any machine's threads.
template <class F>
void for_bucket_groups(int64_t buckets, F f) {
    const int64_t groups = std::min<int64_t>(buckets, 256);
    parallel_for(groups, [&](int64_t g) { f(g, buckets * g / groups, buckets * (g + 1) / groups); });
}

}  // namespace pixelgauge
