// Buckets as groups of equal scores, with counts of both classes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/table.h"
#include "pixelgauge/pixelgauge.h"
#include "ranking/buckets.h"
#include "ranking/ranked_class.h"
#include "ranking/scores.h"

namespace pixelgauge {

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
        class_[positive].build(keys.data(), n, true);
        return class_[positive].table().sorted;
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
    RankedClass<K> class_[2];
};

// Groups of scores of one or two bytes, whose keys are few: rising.
inline Groups<uint32_t> narrow_groups(const pg_ranking& r) {
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

inline int64_t sum_of(const std::vector<int64_t>& counts) {
    int64_t sum = 0;
    for (const int64_t c : counts) sum += c;
    return sum;
}

}  // namespace pixelgauge
