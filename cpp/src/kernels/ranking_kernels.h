// What ranking asks of an instruction set: scores to order-preserving integer keys, and the loops that place keys.
// Included by common code and by the ISA units, so it holds declarations and data layouts only.
#pragma once

#include <cstdint>

namespace pixelgauge {

// A monotone map of keys to buckets of about equal size. The key space between low and low + range is cut into cells
// of 2^cell_shift keys; a cell's entry is its first bucket, times 64, plus log2 of how many keys share a bucket in it.
// Keys outside fall into the first or the last bucket. Buckets are then counted from one of them on.
template <class K>
struct BucketMap {
    K low, range;
    const uint32_t* cells;
    int cell_shift;
    uint32_t first;
};

// Keys of one slot (bucket and class) lie in blocks of this many, handed out as they fill: no pass need count them first.
constexpr uint32_t kBlockKeys = 128;

// Keys from low to high, both within.
template <class K>
struct KeyRange {
    K low, high;
};

// Where a thread puts the keys that it reads.
template <class K>
struct BlockWriter {
    K* arena;
    double* arena_weights;        // beside the keys; null without weights
    uint32_t* cursor;             // of each slot: where its next key goes
    uint32_t* owner;              // of each block: its slot
    uint32_t next;                // first block that is free
    const uint8_t* counted_only;  // of each slot: its keys are all equal, so their block is used again
    uint64_t* recycled;           // of each slot: keys whose block was used again
    const KeyRange<K>* range;     // keys outside are passed over; null: none are, and with weights always
};

// The smaller class of a bucket, sorted, in cells of 2^shift keys from low on. Keys beyond are taken to the first or last.
template <class K>
struct RankTable {
    K low, width;
    int shift;
    const uint32_t* cells;  // twice the keys below the cell; the top bit is set where it holds more than one
    const K* sorted;        // null: cells of one key, and they hold ranks
};

template <class K>
using Scatter = bool (*)(const void* scores, const double* weights, const uint64_t* labels, int64_t n, const BucketMap<K>* map,
                         BlockWriter<K>* writer);

template <class K>
struct PlacementKernels {
    // puts keys into the blocks of their slots, 2 * bucket + label; labels are bits, lowest first; false if a score is NaN
    Scatter<K> scatter_keys;
    Scatter<K> scatter[3];  // of scores that are unsigned, signed, floating
    void (*bounds)(const K* keys, int64_t n, K* low, K* high);
    // the sum over n < 2^20 keys of 2 #{sorted < key} + #{sorted = key}, fewer than 2^25 being sorted; keys that the cells
    // cannot tell are appended to unresolved, which has room for 16 more than n
    uint64_t (*rank_sum)(const K* keys, int64_t n, const RankTable<K>* table, K* unresolved, int64_t* unresolved_count);
    // adds one to the count of each rank; keys that the cells cannot tell are appended to unresolved as above, and what is
    // counted at dump is of no use
    void (*count_ranks)(const K* keys, int64_t n, const RankTable<K>* table, uint32_t dump, uint32_t* counts, K* unresolved,
                        int64_t* unresolved_count);
};

struct CellTotals {
    int64_t occupied;  // cells that hold a key
    uint32_t most;     // keys in one cell
};

struct RankingKernels {
    // keys of n scores by pg_score_dtype (null: not a dtype of that key size); false if one is NaN
    bool (*keys16[12])(const void* scores, int64_t n, uint16_t* keys);
    bool (*keys32[12])(const void* scores, int64_t n, uint32_t* keys);
    bool (*keys64[12])(const void* scores, int64_t n, uint64_t* keys);
    // counts[2 * key + label] += 1
    void (*histogram16)(const uint16_t* keys, const uint64_t* labels, int64_t n, uint32_t* counts);
    // the same for one-byte scores, biased by bias, into four tables of 512 that are to be added
    void (*histogram8)(const uint8_t* scores, uint8_t bias, const uint64_t* labels, int64_t n, uint32_t* counts);
    // counts of cells to what lies below them (in their place), and to cells as RankTable has them
    CellTotals (*start_cells)(uint32_t* counts, int64_t n, uint32_t* cells);
    // appends places and values of the counts that are not zero, rising, and clears them; both have room for 16 more than n
    int64_t (*occupied)(uint32_t* counts, int64_t n, uint32_t* places, uint32_t* values);
    // Of n >= 1 rising groups (counts: positives times 2^16 + negatives), highest first and without the last: those where
    // counts changes to the next (rule 1), where it or the next holds a positive (2), or all (0), and the first if keep_first;
    // their places and how many of either class there are down to each. totals: of all n - 1. Room for 16 more than n.
    int64_t (*select_points)(const uint32_t* places, const uint32_t* counts, int64_t n, int rule, bool keep_first, uint32_t* out_places,
                             uint32_t* positives, uint32_t* negatives, uint32_t totals[2]);
    // (above + counts) / total
    void (*rates)(const uint32_t* counts, int64_t n, double above, double total, double* out);
    // bits of labels of 1, 2, 4 or 8 bytes [log2]: set where the label's bits are those of positive (either of two
    // spellings); false if one is neither positive nor negative
    bool (*label_bits[4])(const void* labels, int64_t n, const uint64_t positive[2], const uint64_t negative[2], uint64_t* bits);
    PlacementKernels<uint32_t> place32;
    PlacementKernels<uint64_t> place64;
};

}  // namespace pixelgauge
