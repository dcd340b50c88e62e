// What ranking asks of an instruction set: scores to order-preserving integer keys, and the loops that place keys.
// Included by common code and by the ISA units, so it holds declarations and data layouts only.
#pragma once

#include <cstdint>

namespace pixelgauge {

// A monotone map of keys to buckets of about equal size. The key space between low and low + range is cut into cells
// of 2^cell_shift keys; a cell's entry is its first bucket, times 64, plus log2 of how many keys share a bucket in it.
// Keys outside fall into the first or the last bucket.
template <class K>
struct BucketMap {
    K low, range;
    const uint32_t* cells;
    int cell_shift;
};

template <class K>
struct PlacementKernels {
    // counts[2 * bucket + label] += 1; labels are bits, lowest first
    void (*histogram)(const K* keys, const uint64_t* labels, int64_t n, const BucketMap<K>* map, uint32_t* counts);
    // out[next[2 * bucket + label]++] = key, through lines, 64 bytes a slot, of which the caller writes out what is left
    // between begin and next; a next whose top bit is set stays, and is a multiple of a line: that of keys not wanted
    void (*scatter)(const K* keys, const uint64_t* labels, int64_t n, const BucketMap<K>* map, uint64_t* next, const uint64_t* begin,
                    K* lines, K* out);
    void (*scatter_fence)();  // after the last scatter of a thread, before others read
    // the same with weights along, without lines
    void (*scatter_weighted)(const K* keys, const double* weights, const uint64_t* labels, int64_t n, const BucketMap<K>* map,
                             uint64_t* next, K* out, double* out_weights);
    void (*bounds)(const K* keys, int64_t n, K* low, K* high);
    // sum of twice_rank[key - low]
    uint64_t (*exact_ranks)(const K* keys, int64_t n, K low, const uint32_t* twice_rank);
    // sum of twice_rank[(key - low) >> shift] where its top bit is clear; the other keys are appended to unresolved
    uint64_t (*cell_ranks)(const K* keys, int64_t n, K low, int shift, const uint32_t* twice_rank, K* unresolved,
                           int64_t* unresolved_count);
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
    // bits of labels of 1, 2, 4 or 8 bytes [log2]: set where the label's bits are those of positive (either of two
    // spellings); false if one is neither positive nor negative
    bool (*label_bits[4])(const void* labels, int64_t n, const uint64_t positive[2], const uint64_t negative[2], uint64_t* bits);
    PlacementKernels<uint32_t> place32;
    PlacementKernels<uint64_t> place64;
};

}  // namespace pixelgauge
