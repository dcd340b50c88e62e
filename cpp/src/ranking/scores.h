// The scores and labels of a ranking as keys that compare as they do, a block at a time, and what all of ranking checks first.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "kernels/table.h"
#include "pixelgauge/pixelgauge.h"
#include "runtime/threads.h"

namespace pixelgauge {

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

// More scores at once are refused: places of blocks are 32 bits, and squares of counts fit 128 bits.
constexpr int64_t kMostScores = int64_t{1} << 38;

constexpr int64_t kBlock = 1024;  // keys at a time: 8 KB at most, so blocks stay in L1

[[noreturn]] void throw_nan_scores();

// Scores in any layout, or keys of an earlier split, with their labels.
template <class K>
struct ScoreSource {
    const char* data;
    int64_t count, stride;
    int64_t item;
    bool (*keys)(const void*, int64_t, K*);
    const uint64_t* labels;  // bits; null: all are of the class that is constant_label
    bool constant_label = false;
    const double* weights = nullptr;
    // Or keys of an earlier split in blocks; data is then null, and count is that of places in blocks.
    const K* const* blocks = nullptr;
    const uint8_t* fills = nullptr;  // how many of the kBlockKeys places of each block hold keys, at least one
    bool (*narrow_keys)(const void*, int64_t, uint16_t*) = nullptr;  // where keys are null: 16-bit keys, to be widened
    Scatter<K> scatter = nullptr;                                    // straight from scores that lie one after the other

    // Whether the kernels can read the scores where they lie: one after the other, and aligned.
    bool in_place() const { return stride == item && reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(item) == 0; }

    // Keys of n <= kBlock scores that lie one after the other.
    void convert(const void* scores, int64_t n, K* to) const {
        if (keys) {
            if (!keys(scores, n, to)) throw_nan_scores();
            return;
        }
        uint16_t narrow[kBlock];
        if (!narrow_keys(scores, n, narrow)) throw_nan_scores();
        std::copy(narrow, narrow + n, to);
    }
};

inline void prefetch(const void* p) { __builtin_prefetch(p); }

int key_bytes(pg_score_dtype dtype);
int64_t count_positives(const pg_ranking& r);
int64_t item_bytes(pg_score_dtype dtype);
void require_ranking(const pg_ranking* ranking);
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
    if constexpr (sizeof(K) == 4) {
        source.keys = k.keys32[r.dtype];
        source.narrow_keys = k.keys16[r.dtype];
    }
    if constexpr (sizeof(K) == 8) source.keys = k.keys64[r.dtype];
    if constexpr (sizeof(K) > 2)
        if (source.keys) source.scatter = placement<K>().scatter[(r.dtype - PG_SCORE_UINT8) % 3];
    source.weights = weights;
    return source;
}

// Reads keys as keys.
template <class K>
auto key_reader() {
    if constexpr (sizeof(K) == 4)
        return kernels().ranking.keys32[PG_SCORE_UINT32];
    else
        return kernels().ranking.keys64[PG_SCORE_UINT64];
}

// Calls f(keys, labels, m, i) for blocks of a source from begin, a multiple of 64, to end.
template <class K, class F>
void for_each_block(const ScoreSource<K>& source, int64_t begin, int64_t end, F f) {
    alignas(64) K keys[kBlock];
    alignas(64) char gathered[kBlock * 8];
    uint64_t constant[kBlock / 64];
    if (!source.labels) std::fill(constant, constant + kBlock / 64, source.constant_label ? ~uint64_t{0} : 0);
    if (source.blocks) {
        for (int64_t i = begin; i < end; i += kBlock) {
            int64_t m = 0;
            for (int64_t b = i / kBlockKeys; b < std::min(end, i + kBlock) / kBlockKeys; m += source.fills[b++])
                std::memcpy(keys + m, source.blocks[b], source.fills[b] * sizeof(K));
            f(static_cast<const K*>(keys), constant, m, i);
        }
        return;
    }
    for (int64_t i = begin; i < end; i += kBlock) {
        const int64_t m = std::min(kBlock, end - i);
        const char* p = source.data + i * source.stride;
        if (!source.in_place()) {
            for (int64_t j = 0; j < m; ++j)
                std::memcpy(gathered + j * source.item, p + j * source.stride, static_cast<size_t>(source.item));
            p = gathered;
        }
        source.convert(p, m, keys);
        f(static_cast<const K*>(keys), source.labels ? source.labels + i / 64 : constant, m, i);
    }
}

}  // namespace pixelgauge
