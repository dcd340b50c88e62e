// Ranking: scores to keys, labels to bits, keys to buckets and ranks. A gather costs as much as the loads it replaces
// on the machines measured, so tables are read one key at a time; what surrounds the table is left to the vectoriser.

// IEEE bits to keys: negative numbers reversed, positive ones above them, -0 as +0. Infinity is that of the format.
template <class K, K Infinity>
PG_INLINE bool float_keys(const void* scores, int64_t n, K* PG_RESTRICT keys) {
    constexpr K top = static_cast<K>(K{1} << (8 * sizeof(K) - 1));
    const K* PG_RESTRICT bits = static_cast<const K*>(scores);
    K most = 0;  // NaN has a magnitude above that of infinity
    for (int64_t i = 0; i < n; ++i) {
        // masks instead of conditions: GCC 12 makes branches of those and then does not vectorise
        const K u = static_cast<K>(bits[i] & static_cast<K>(K{0} - static_cast<K>(bits[i] != top)));
        const K magnitude = static_cast<K>(u & static_cast<K>(~top));
        most = magnitude > most ? magnitude : most;
        keys[i] = static_cast<K>(u ^ static_cast<K>(static_cast<K>(K{0} - static_cast<K>(u >> (8 * sizeof(K) - 1))) | top));
    }
    return most <= Infinity;
}

template <class K, class In, K Bias>
PG_INLINE bool integer_keys(const void* scores, int64_t n, K* PG_RESTRICT keys) {
    const In* PG_RESTRICT p = static_cast<const In*>(scores);
    for (int64_t i = 0; i < n; ++i) keys[i] = static_cast<K>(static_cast<K>(p[i]) ^ Bias);
    return true;
}

inline void histogram16(const uint16_t* keys, const uint64_t* labels, int64_t n, uint32_t* counts) {
    for (int64_t i = 0; i < n; i += 64) {
        uint64_t word = labels[i >> 6];
        const int64_t end = i + 64 < n ? i + 64 : n;
        for (int64_t j = i; j < end; ++j, word >>= 1) ++counts[2 * static_cast<uint32_t>(keys[j]) + static_cast<uint32_t>(word & 1)];
    }
}

// counts[512 k + 2 key + label], the table k changing from key to key: equal keys then do not wait for each other.
inline void histogram8(const uint8_t* scores, uint8_t bias, const uint64_t* labels, int64_t n, uint32_t* counts) {
    int64_t i = 0;
#if defined(__AVX2__)
    // the label joins its key by vector, and four at a time leave as one word
    alignas(64) uint16_t slots[64];
    for (; i + 64 <= n; i += 64) {
        const uint64_t word = labels[i >> 6];
#if defined(__AVX512F__)
        const __m512i flip = _mm512_set1_epi16(bias), one = _mm512_set1_epi16(1);
        for (int k = 0; k < 2; ++k) {
            const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(scores + i + 32 * k));
            const __m512i key = _mm512_xor_si512(_mm512_cvtepu8_epi16(bytes), flip), twice = _mm512_add_epi16(key, key);
            _mm512_store_si512(slots + 32 * k, _mm512_mask_add_epi16(twice, static_cast<__mmask32>(word >> (32 * k)), twice, one));
        }
#else
        const __m256i flip = _mm256_set1_epi16(bias);
        const __m256i bit = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, INT16_MIN);
        for (int k = 0; k < 4; ++k) {
            const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(scores + i + 16 * k));
            const __m256i key = _mm256_xor_si256(_mm256_cvtepu8_epi16(bytes), flip);
            const __m256i all = _mm256_set1_epi16(static_cast<int16_t>(word >> (16 * k)));
            const __m256i label = _mm256_cmpeq_epi16(_mm256_and_si256(all, bit), bit);  // -1 where set
            _mm256_store_si256(reinterpret_cast<__m256i*>(slots + 16 * k), _mm256_sub_epi16(_mm256_add_epi16(key, key), label));
        }
#endif
#pragma GCC unroll 16
        for (int k = 0; k < 64; k += 4) {
            uint64_t four;
            __builtin_memcpy(&four, slots + k, sizeof four);
            ++counts[four & 0xffff];
            ++counts[512 + ((four >> 16) & 0xffff)];
            ++counts[1024 + ((four >> 32) & 0xffff)];
            ++counts[1536 + (four >> 48)];
        }
    }
#endif
    for (; i < n; i += 64) {
        uint64_t word = labels[i >> 6];
        const int64_t end = i + 64 < n ? i + 64 : n;
        for (int64_t j = i; j < end; ++j, word >>= 1) {
            const uint32_t key = static_cast<uint8_t>(scores[j] ^ bias);
            ++counts[512 * static_cast<uint32_t>(j & 3) + 2 * key + static_cast<uint32_t>(word & 1)];
        }
    }
}

// 64 labels to a word; what is neither yes nor no leaves a bit in other.
template <class L>
PG_INLINE uint64_t label_word(const L* PG_RESTRICT p, L yes, L yes2, L no, L no2, L* other) {
    L is[64], unknown = 0;
    for (int j = 0; j < 64; ++j) {
        const L v = p[j];
        const L y = static_cast<L>(v == yes ? 1 : v == yes2 ? 1 : 0);
        const L n = static_cast<L>(v == no ? 1 : v == no2 ? 1 : 0);
        is[j] = y;
        unknown = static_cast<L>(unknown | static_cast<L>((y | n) ^ 1));
    }
    *other = static_cast<L>(*other | unknown);
    uint8_t narrow[64];
    for (int j = 0; j < 64; ++j) narrow[j] = static_cast<uint8_t>(is[j]);
    uint64_t word = 0;
    for (int k = 0; k < 8; ++k) {
        // eight 0/1 bytes, lowest first, to eight bits by one multiplication
        uint64_t eight = 0;
        for (int b = 0; b < 8; ++b) eight |= static_cast<uint64_t>(narrow[8 * k + b]) << (8 * b);
        word |= ((eight * 0x0102040810204080u) >> 56) << (8 * k);
    }
    return word;
}

#if defined(__AVX512F__) || defined(__SSE2__)
// Bytes, as booleans are, have one spelling.
template <>
PG_INLINE uint64_t label_word<uint8_t>(const uint8_t* PG_RESTRICT p, uint8_t yes, uint8_t, uint8_t no, uint8_t, uint8_t* other) {
    uint64_t is = 0, is_not = 0;
#if defined(__AVX512F__)
    const __m512i v = _mm512_loadu_si512(p);
    is = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(static_cast<char>(yes)));
    is_not = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(static_cast<char>(no)));
#else
    for (int k = 0; k < 4; ++k) {
        const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p) + k);
        const int y = _mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(static_cast<char>(yes))));
        const int n = _mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(static_cast<char>(no))));
        is |= static_cast<uint64_t>(y) << (16 * k);
        is_not |= static_cast<uint64_t>(n) << (16 * k);
    }
#endif
    *other = static_cast<uint8_t>(*other | ((is | is_not) != ~uint64_t{0}));
    return is;
}
#endif

#if defined(__AVX512F__)
PG_INLINE uint64_t equal_lanes(__m512i v, uint64_t value, uint16_t) {
    return _mm512_cmpeq_epi16_mask(v, _mm512_set1_epi16(static_cast<int16_t>(value)));
}
PG_INLINE uint64_t equal_lanes(__m512i v, uint64_t value, uint32_t) {
    return _mm512_cmpeq_epi32_mask(v, _mm512_set1_epi32(static_cast<int32_t>(value)));
}
PG_INLINE uint64_t equal_lanes(__m512i v, uint64_t value, uint64_t) {
    return _mm512_cmpeq_epi64_mask(v, _mm512_set1_epi64(static_cast<int64_t>(value)));
}

// Comparisons leave a bit a lane: 2 to 8 vectors to a word.
template <class L>
PG_INLINE uint64_t label_lanes(const L* p, L yes, L yes2, L no, L no2, L* other) {
    constexpr int lanes = 64 / sizeof(L);
    uint64_t is = 0, is_not = 0;
#pragma GCC unroll 8
    for (int k = 0; k < static_cast<int>(sizeof(L)); ++k) {
        const __m512i v = _mm512_loadu_si512(p + lanes * k);
        is |= (equal_lanes(v, yes, L{}) | equal_lanes(v, yes2, L{})) << (lanes * k);
        is_not |= (equal_lanes(v, no, L{}) | equal_lanes(v, no2, L{})) << (lanes * k);
    }
    *other = static_cast<L>(*other | static_cast<L>((is | is_not) != ~uint64_t{0}));
    return is;
}

template <>
PG_INLINE uint64_t label_word<uint16_t>(const uint16_t* PG_RESTRICT p, uint16_t yes, uint16_t yes2, uint16_t no, uint16_t no2,
                                        uint16_t* other) {
    return label_lanes(p, yes, yes2, no, no2, other);
}
template <>
PG_INLINE uint64_t label_word<uint32_t>(const uint32_t* PG_RESTRICT p, uint32_t yes, uint32_t yes2, uint32_t no, uint32_t no2,
                                        uint32_t* other) {
    return label_lanes(p, yes, yes2, no, no2, other);
}
template <>
PG_INLINE uint64_t label_word<uint64_t>(const uint64_t* PG_RESTRICT p, uint64_t yes, uint64_t yes2, uint64_t no, uint64_t no2,
                                        uint64_t* other) {
    return label_lanes(p, yes, yes2, no, no2, other);
}
#endif

template <class L>
bool label_bits(const void* labels, int64_t n, const uint64_t* positive, const uint64_t* negative, uint64_t* bits) {
    const L* p = static_cast<const L*>(labels);
    const L yes = static_cast<L>(positive[0]), yes2 = static_cast<L>(positive[1]);
    const L no = static_cast<L>(negative[0]), no2 = static_cast<L>(negative[1]);
    L other = 0;
    int64_t i = 0;
    for (; i + 64 <= n; i += 64) bits[i >> 6] = label_word(p + i, yes, yes2, no, no2, &other);
    if (i < n) {
        L rest[64];
        for (int j = 0; j < 64; ++j) rest[j] = i + j < n ? p[i + j] : no;
        bits[i >> 6] = label_word(rest, yes, yes2, no, no2, &other) & ((uint64_t{1} << (n - i)) - 1);
    }
    return other == 0;
}

// slots[j] = 2 * bucket + label of up to 64 keys.
template <class K>
PG_INLINE void map_slots(const K* PG_RESTRICT keys, uint64_t word, int64_t m, const BucketMap<K>& map, uint32_t* PG_RESTRICT slots) {
    const K within = static_cast<K>((K{1} << map.cell_shift) - 1);
    K distance[64];
    for (int64_t j = 0; j < m; ++j) {
        const K above = keys[j] > map.low ? static_cast<K>(keys[j] - map.low) : K{0};
        distance[j] = above < map.range ? above : map.range;
    }
    for (int64_t j = 0; j < m; ++j, word >>= 1) {
        const uint32_t entry = map.cells[distance[j] >> map.cell_shift];
        const uint32_t bucket = (entry >> 6) + static_cast<uint32_t>((distance[j] & within) >> (entry & 63)) - map.first;
        slots[j] = 2 * bucket + static_cast<uint32_t>(word & 1);
    }
}

#if defined(__AVX512F__)
// The look-up is one gather: 16 keys at a time from their bits to their slots.
template <>
PG_INLINE void map_slots<uint32_t>(const uint32_t* PG_RESTRICT keys, uint64_t word, int64_t m, const BucketMap<uint32_t>& map,
                                   uint32_t* PG_RESTRICT slots) {
    const __m512i low = _mm512_set1_epi32(static_cast<int>(map.low)), range = _mm512_set1_epi32(static_cast<int>(map.range));
    const __m512i within = _mm512_set1_epi32(static_cast<int>((uint32_t{1} << map.cell_shift) - 1));
    const __m512i shift_mask = _mm512_set1_epi32(63), one = _mm512_set1_epi32(1), first = _mm512_set1_epi32(static_cast<int>(map.first));
    const __m128i cell_shift = _mm_cvtsi32_si128(map.cell_shift);
    for (int64_t j = 0; j < m; j += 16, word >>= 16) {
        const __mmask16 valid = m - j >= 16 ? static_cast<__mmask16>(0xffff) : static_cast<__mmask16>((1u << (m - j)) - 1);
        const __m512i key = _mm512_maskz_loadu_epi32(valid, keys + j);
        const __m512i distance = _mm512_min_epu32(_mm512_sub_epi32(_mm512_max_epu32(key, low), low), range);
        const __m512i entry = _mm512_i32gather_epi32(_mm512_srl_epi32(distance, cell_shift), map.cells, 4);
        const __m512i piece = _mm512_srlv_epi32(_mm512_and_si512(distance, within), _mm512_and_si512(entry, shift_mask));
        const __m512i bucket = _mm512_sub_epi32(_mm512_add_epi32(_mm512_srli_epi32(entry, 6), piece), first);
        const __m512i twice = _mm512_add_epi32(bucket, bucket);
        _mm512_mask_storeu_epi32(slots + j, valid, _mm512_mask_add_epi32(twice, static_cast<__mmask16>(word), twice, one));
    }
}
#endif

// Keys as they are.
template <class K>
PG_INLINE bool same_keys(const void* scores, int64_t n, K* PG_RESTRICT keys) {
    for (int64_t i = 0; i < n; ++i) keys[i] = static_cast<const K*>(scores)[i];
    return true;
}

// Puts up to 64 keys into their blocks; one in kBlockKeys ends a block, which costs a mispredicted branch.
template <class K, bool (*Convert)(const void*, int64_t, K*), bool Weighted>
PG_INLINE bool scatter_word(const K* scores, const double* weights, uint64_t word, int64_t m, const BucketMap<K>& map,
                            BlockWriter<K>* writer) {
    constexpr uint32_t line = 64 / sizeof(K);
    alignas(64) K keys[64];
    alignas(64) uint32_t slots[64];
    const bool ordered = Convert(scores, m, keys);
    map_slots(keys, word, m, map, slots);
    K* PG_RESTRICT arena = writer->arena;
    uint32_t* PG_RESTRICT cursor = writer->cursor;
    for (int64_t j = 0; j < m; ++j) {
        const uint32_t slot = slots[j];
        uint32_t place = cursor[slot];
        arena[place] = keys[j];
        if (Weighted) writer->arena_weights[place] = weights[j];
        ++place;
        if (place % kBlockKeys == 0) {
            if (writer->counted_only[slot]) {
                writer->recycled[slot] += kBlockKeys;
                place -= kBlockKeys;
            } else {
                writer->owner[writer->next] = slot;
                place = writer->next++ * kBlockKeys;
                // lines of a block to come: writing to one that no cache holds takes longer than the keys for it
                for (uint32_t k = 0; k < kBlockKeys; k += line) __builtin_prefetch(arena + place + 4 * kBlockKeys + k, 1);
            }
        }
        cursor[slot] = place;
    }
    return ordered;
}

// Appends the keys of up to 64 that lie within the range, and their labels from bit 0 on; returns how many.
template <class K>
PG_INLINE int64_t keep_range(const K* PG_RESTRICT keys, uint64_t word, int64_t m, const KeyRange<K>& range, K* PG_RESTRICT kept,
                             uint64_t* labels) {
    const K width = static_cast<K>(range.high - range.low);
    uint64_t bits = 0;
    int64_t n = 0;
    for (int64_t j = 0; j < m; ++j, word >>= 1) {
        const uint64_t within = static_cast<K>(keys[j] - range.low) <= width;
        kept[n] = keys[j];
        bits |= (word & within) << (n & 63);
        n += static_cast<int64_t>(within);
    }
    *labels = bits;
    return n;
}

#if defined(__AVX512F__)
template <>
PG_INLINE int64_t keep_range<uint32_t>(const uint32_t* PG_RESTRICT keys, uint64_t word, int64_t m, const KeyRange<uint32_t>& range,
                                       uint32_t* PG_RESTRICT kept, uint64_t* labels) {
    const __m512i low = _mm512_set1_epi32(static_cast<int>(range.low));
    const __m512i width = _mm512_set1_epi32(static_cast<int>(range.high - range.low));
    const uint64_t valid = m == 64 ? ~uint64_t{0} : (uint64_t{1} << m) - 1;
    uint64_t within = 0;
    int64_t n = 0;
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
        const __m512i key = _mm512_loadu_si512(keys + 16 * k);
        const __mmask16 in = static_cast<__mmask16>(_mm512_cmple_epu32_mask(_mm512_sub_epi32(key, low), width) & (valid >> (16 * k)));
        _mm512_storeu_si512(kept + n, _mm512_maskz_compress_epi32(in, key));
        n += __builtin_popcount(in);
        within |= static_cast<uint64_t>(in) << (16 * k);
    }
    *labels = _pext_u64(word, within);
    return n;
}

template <>
PG_INLINE int64_t keep_range<uint64_t>(const uint64_t* PG_RESTRICT keys, uint64_t word, int64_t m, const KeyRange<uint64_t>& range,
                                       uint64_t* PG_RESTRICT kept, uint64_t* labels) {
    const __m512i low = _mm512_set1_epi64(static_cast<int64_t>(range.low));
    const __m512i width = _mm512_set1_epi64(static_cast<int64_t>(range.high - range.low));
    const uint64_t valid = m == 64 ? ~uint64_t{0} : (uint64_t{1} << m) - 1;
    uint64_t within = 0;
    int64_t n = 0;
#pragma GCC unroll 8
    for (int k = 0; k < 8; ++k) {
        const __m512i key = _mm512_loadu_si512(keys + 8 * k);
        const __mmask8 in = static_cast<__mmask8>(_mm512_cmple_epu64_mask(_mm512_sub_epi64(key, low), width) & (valid >> (8 * k)));
        _mm512_storeu_si512(kept + n, _mm512_maskz_compress_epi64(in, key));
        n += __builtin_popcount(in);
        within |= static_cast<uint64_t>(in) << (8 * k);
    }
    *labels = _pext_u64(word, within);
    return n;
}
#endif

// Keys of a range only, 64 at a time, in their order.
template <class K, bool (*Convert)(const void*, int64_t, K*)>
PG_INLINE bool scatter_range(const K* scores, const uint64_t* labels, int64_t n, const BucketMap<K>& map, BlockWriter<K>* writer) {
    const KeyRange<K> range = *writer->range;
    alignas(64) K keys[64] = {}, waiting[64 + 64 + 16];
    uint64_t waiting_labels = 0;
    int64_t fill = 0;
    bool ordered = true;
    for (int64_t i = 0; i < n; i += 64) {
        const int64_t m = n - i < 64 ? n - i : 64;
        ordered &= Convert(scores + i, m, keys);
        uint64_t word;
        const int64_t kept = keep_range(keys, labels[i >> 6], m, range, waiting + fill, &word);
        waiting_labels |= word << fill;
        fill += kept;
        if (fill < 64) continue;
        scatter_word<K, same_keys<K>, false>(waiting, nullptr, waiting_labels, 64, map, writer);
        fill -= 64;
        __builtin_memcpy(waiting, waiting + 64, 64 * sizeof(K));
        // those of this word that did not fit; all 64 bits are gone where none is left
        waiting_labels = fill ? word >> (kept - fill) : 0;
    }
    scatter_word<K, same_keys<K>, false>(waiting, nullptr, waiting_labels, fill, map, writer);
    return ordered;
}

// Keys are made, mapped and placed 64 at a time: waiting for scores and waiting for blocks then overlap (passes over 1024
// take 1.2 times as long).
template <class K, bool (*Convert)(const void*, int64_t, K*)>
bool scatter(const void* scores, const double* weights, const uint64_t* labels, int64_t n, const BucketMap<K>* map,
             BlockWriter<K>* writer) {
    const K* p = static_cast<const K*>(scores);
    const BucketMap<K> local = *map;
    if (writer->range) return scatter_range<K, Convert>(p, labels, n, local, writer);
    bool ordered = true;
    int64_t i = 0;
    if (weights) {
        for (; i < n; i += 64)
            ordered &= scatter_word<K, Convert, true>(p + i, weights + i, labels[i >> 6], n - i < 64 ? n - i : 64, local, writer);
        return ordered;
    }
    for (; i + 64 <= n; i += 64) ordered &= scatter_word<K, Convert, false>(p + i, nullptr, labels[i >> 6], 64, local, writer);
    if (i < n) ordered &= scatter_word<K, Convert, false>(p + i, nullptr, labels[i >> 6], n - i, local, writer);
    return ordered;
}

template <class K>
void key_bounds(const K* keys, int64_t n, K* low, K* high) {
    K lo = *low, hi = *high;
    for (int64_t i = 0; i < n; ++i) {
        lo = keys[i] < lo ? keys[i] : lo;
        hi = keys[i] > hi ? keys[i] : hi;
    }
    *low = lo;
    *high = hi;
}

// 2 #{small < key} + #{small = key}: what lies below the cell, and one comparison with the first key at or above it,
// which decides where the cell holds one key, or none.
template <class K>
PG_INLINE uint32_t gap_rank(K key, const Gaps<K>& gaps) {
    const K above = key > gaps.low ? static_cast<K>(key - gaps.low) : K{0};
    const uint32_t cell = gaps.cells[(above < gaps.width ? above : gaps.width) >> gaps.shift];
    if (!gaps.sorted) return cell;
    const K next = gaps.sorted[(cell & 0x7fffffffu) >> 1];
    return cell + static_cast<uint32_t>(next < key) + static_cast<uint32_t>(next <= key);
}

template <class K>
uint64_t rank_sum(const K* keys, int64_t n, const Gaps<K>* gaps, K* unresolved, int64_t* unresolved_count) {
    const Gaps<K> g = *gaps;
    uint64_t sum = 0;
    int64_t count = *unresolved_count;
    for (int64_t i = 0; i < n; ++i) {
        const uint32_t rank = gap_rank(keys[i], g), open = rank >> 31;
        unresolved[count] = keys[i];
        count += open;
        sum += rank & (open - 1);
    }
    *unresolved_count = count;
    return sum;
}

template <class K>
void count_ranks(const K* keys, int64_t n, const Gaps<K>* gaps, uint32_t dump, uint32_t* PG_RESTRICT counts, K* unresolved,
                 int64_t* unresolved_count) {
    const Gaps<K> g = *gaps;
    int64_t count = *unresolved_count;
    for (int64_t i = 0; i < n; ++i) {
        const uint32_t rank = gap_rank(keys[i], g), open = rank >> 31;
        unresolved[count] = keys[i];
        count += open;
        ++counts[open ? dump : rank];
    }
    *unresolved_count = count;
}

#if defined(__AVX512F__)
struct GapVectors {
    __m512i low, width;
    __m128i shift;
    const uint32_t *cells, *sorted;

    // ranks of 16 keys; those of lanes that are not valid are of no use
    PG_INLINE __m512i ranks(__m512i key, __mmask16 valid) const {
        const __m512i zero = _mm512_setzero_si512(), one = _mm512_set1_epi32(1);
        const __m512i above = _mm512_min_epu32(_mm512_sub_epi32(_mm512_max_epu32(key, low), low), width);
        const __m512i cell = _mm512_mask_i32gather_epi32(zero, valid, _mm512_srl_epi32(above, shift), cells, 4);
        if (!sorted) return cell;
        const __m512i at = _mm512_srli_epi32(_mm512_add_epi32(cell, cell), 2);  // without the top bit
        const __m512i next = _mm512_mask_i32gather_epi32(zero, valid, at, sorted, 4);
        const __m512i less = _mm512_mask_add_epi32(cell, _mm512_cmplt_epu32_mask(next, key), cell, one);
        return _mm512_mask_add_epi32(less, _mm512_cmple_epu32_mask(next, key), less, one);
    }
};

PG_INLINE GapVectors gap_vectors(const Gaps<uint32_t>& g) {
    return {_mm512_set1_epi32(static_cast<int>(g.low)), _mm512_set1_epi32(static_cast<int>(g.width)), _mm_cvtsi32_si128(g.shift), g.cells,
            g.sorted};
}

PG_INLINE __mmask16 lanes_left(int64_t left) {
    return left >= 16 ? static_cast<__mmask16>(0xffff) : static_cast<__mmask16>((1u << left) - 1);
}

template <>
uint64_t rank_sum<uint32_t>(const uint32_t* keys, int64_t n, const Gaps<uint32_t>* gaps, uint32_t* unresolved, int64_t* unresolved_count) {
    const GapVectors g = gap_vectors(*gaps);
    uint64_t sum = 0;
    int64_t count = *unresolved_count;
    while (n > 0) {
        // 64 ranks below 2^26 fit a lane
        const int64_t piece = n < 1024 ? n : 1024;
        __m512i sums = _mm512_setzero_si512();
        for (int64_t i = 0; i < piece; i += 16) {
            const __mmask16 valid = lanes_left(piece - i);
            const __m512i key = _mm512_maskz_loadu_epi32(valid, keys + i);
            const __m512i rank = g.ranks(key, valid);
            const __mmask16 open = _mm512_movepi32_mask(rank) & valid;
            sums = _mm512_mask_add_epi32(sums, static_cast<__mmask16>(valid & ~open), sums, rank);
            _mm512_storeu_si512(unresolved + count, _mm512_maskz_compress_epi32(open, key));
            count += __builtin_popcount(open);
        }
        alignas(64) uint32_t lanes[16];
        _mm512_store_si512(lanes, sums);
        for (const uint32_t lane : lanes) sum += lane;
        keys += piece;
        n -= piece;
    }
    *unresolved_count = count;
    return sum;
}

template <>
void count_ranks<uint32_t>(const uint32_t* keys, int64_t n, const Gaps<uint32_t>* gaps, uint32_t dump, uint32_t* PG_RESTRICT counts,
                           uint32_t* unresolved, int64_t* unresolved_count) {
    const GapVectors g = gap_vectors(*gaps);
    const __m512i beside = _mm512_set1_epi32(static_cast<int>(dump));
    alignas(64) uint32_t ranks[16];
    int64_t count = *unresolved_count;
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 valid = lanes_left(n - i);
        const __m512i key = _mm512_maskz_loadu_epi32(valid, keys + i);
        const __m512i rank = g.ranks(key, valid);
        const __mmask16 open = _mm512_movepi32_mask(rank) & valid;
        _mm512_storeu_si512(unresolved + count, _mm512_maskz_compress_epi32(open, key));
        count += __builtin_popcount(open);
        _mm512_store_si512(ranks, _mm512_mask_mov_epi32(beside, static_cast<__mmask16>(valid & ~open), rank));
#pragma GCC unroll 16
        for (int k = 0; k < 16; ++k) ++counts[ranks[k]];
    }
    *unresolved_count = count;
}
#endif

inline CellTotals start_cells(uint32_t* PG_RESTRICT counts, int64_t n, uint32_t* PG_RESTRICT cells) {
    CellTotals totals{0, 0};
    uint32_t below = 0;
    int64_t i = 0;
#if defined(__AVX512F__)
    const __m512i zero = _mm512_setzero_si512(), one = _mm512_set1_epi32(1), top = _mm512_set1_epi32(INT32_MIN);
    const __m512i last = _mm512_set1_epi32(15);
    __m512i most = zero, base = zero;
    for (; i + 16 <= n; i += 16) {
        const __m512i here = _mm512_loadu_si512(counts + i);
        __m512i sum = _mm512_add_epi32(here, _mm512_alignr_epi32(here, zero, 15));
        sum = _mm512_add_epi32(sum, _mm512_alignr_epi32(sum, zero, 14));
        sum = _mm512_add_epi32(sum, _mm512_alignr_epi32(sum, zero, 12));
        sum = _mm512_add_epi32(sum, _mm512_alignr_epi32(sum, zero, 8));
        sum = _mm512_add_epi32(sum, base);
        const __m512i start = _mm512_sub_epi32(sum, here), twice = _mm512_add_epi32(start, start);
        _mm512_storeu_si512(counts + i, start);
        _mm512_storeu_si512(cells + i, _mm512_mask_or_epi32(twice, _mm512_cmpgt_epu32_mask(here, one), twice, top));
        base = _mm512_permutexvar_epi32(last, sum);
        most = _mm512_max_epu32(most, here);
        totals.occupied += __builtin_popcount(_mm512_test_epi32_mask(here, here));
    }
    alignas(64) uint32_t lanes[16];
    _mm512_store_si512(lanes, most);
    for (const uint32_t lane : lanes) totals.most = totals.most > lane ? totals.most : lane;
    below = static_cast<uint32_t>(_mm512_cvtsi512_si32(base));
#endif
    for (; i < n; ++i) {
        const uint32_t here = counts[i];
        counts[i] = below;
        cells[i] = 2 * below | static_cast<uint32_t>(here > 1) << 31;
        below += here;
        totals.occupied += here != 0;
        totals.most = totals.most > here ? totals.most : here;
    }
    return totals;
}

inline int64_t select_points(const uint32_t* places, const uint32_t* counts, int64_t n, int rule, bool keep_first,
                             uint32_t* PG_RESTRICT out_places, uint32_t* PG_RESTRICT positives, uint32_t* PG_RESTRICT negatives,
                             uint32_t totals[2]) {
    uint32_t p = 0, q = 0;
    int64_t kept = 0, g = n - 1;
    const auto one = [&]() PG_LAMBDA_INLINE {
        const uint32_t here = counts[g], next = counts[g - 1];
        p += here >> 16;
        q += here & 0xffff;
        out_places[kept] = places[g];
        positives[kept] = p;
        negatives[kept] = q;
        kept += (rule == 1 ? here != next : rule == 2 ? ((here | next) >> 16) != 0 : true) | (keep_first & (g == n - 1));
        --g;
    };
    if (g >= 1) one();
#if defined(__AVX512F__)
    const __m512i zero = _mm512_setzero_si512(), last = _mm512_set1_epi32(15), low = _mm512_set1_epi32(0xffff);
    const __m512i backwards = _mm512_setr_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const auto running = [&](__m512i v, __m512i base) PG_LAMBDA_INLINE {
        v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 15));
        v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 14));
        v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 12));
        v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 8));
        return _mm512_add_epi32(v, base);
    };
    __m512i base_p = _mm512_set1_epi32(static_cast<int>(p)), base_q = _mm512_set1_epi32(static_cast<int>(q));
    for (; g >= 16; g -= 16) {
        const __m512i here = _mm512_permutexvar_epi32(backwards, _mm512_loadu_si512(counts + g - 15));
        const __m512i next = _mm512_permutexvar_epi32(backwards, _mm512_loadu_si512(counts + g - 16));
        const __m512i place = _mm512_permutexvar_epi32(backwards, _mm512_loadu_si512(places + g - 15));
        const __mmask16 stays = rule == 1   ? _mm512_cmpneq_epi32_mask(here, next)
                                : rule == 2 ? _mm512_cmpgt_epu32_mask(_mm512_or_si512(here, next), low)
                                            : static_cast<__mmask16>(0xffff);
        const __m512i down_p = running(_mm512_srli_epi32(here, 16), base_p), down_q = running(_mm512_and_si512(here, low), base_q);
        base_p = _mm512_permutexvar_epi32(last, down_p);
        base_q = _mm512_permutexvar_epi32(last, down_q);
        _mm512_storeu_si512(out_places + kept, _mm512_maskz_compress_epi32(stays, place));
        _mm512_storeu_si512(positives + kept, _mm512_maskz_compress_epi32(stays, down_p));
        _mm512_storeu_si512(negatives + kept, _mm512_maskz_compress_epi32(stays, down_q));
        kept += __builtin_popcount(stays);
    }
    p = static_cast<uint32_t>(_mm512_cvtsi512_si32(base_p));
    q = static_cast<uint32_t>(_mm512_cvtsi512_si32(base_q));
#endif
    while (g >= 1) one();
    totals[0] = p;
    totals[1] = q;
    return kept;
}

inline void curve_rates(const uint32_t* counts, int64_t n, double above, double total, double* PG_RESTRICT out) {
    for (int64_t i = 0; i < n; ++i) out[i] = (above + static_cast<double>(counts[i])) / total;
}

inline int64_t occupied(uint32_t* PG_RESTRICT counts, int64_t n, uint32_t* PG_RESTRICT places, uint32_t* PG_RESTRICT values) {
    int64_t found = 0, i = 0;
#if defined(__AVX512F__)
    __m512i place = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (; i + 16 <= n; i += 16) {
        const __m512i value = _mm512_loadu_si512(counts + i);
        const __mmask16 any = _mm512_test_epi32_mask(value, value);
        _mm512_storeu_si512(counts + i, _mm512_setzero_si512());
        _mm512_storeu_si512(places + found, _mm512_maskz_compress_epi32(any, place));
        _mm512_storeu_si512(values + found, _mm512_maskz_compress_epi32(any, value));
        found += __builtin_popcount(any);
        place = _mm512_add_epi32(place, _mm512_set1_epi32(16));
    }
#endif
    for (; i < n; ++i) {
        places[found] = static_cast<uint32_t>(i);
        values[found] = counts[i];
        found += counts[i] != 0;
        counts[i] = 0;
    }
    return found;
}

template <class K, class Signed, K Top, K Infinity>
constexpr PlacementKernels<K> placement_kernels() {
    return {scatter<K, same_keys<K>>,
            {scatter<K, integer_keys<K, K, 0>>, scatter<K, integer_keys<K, Signed, Top>>, scatter<K, float_keys<K, Infinity>>},
            key_bounds<K>,
            rank_sum<K>,
            count_ranks<K>};
}

constexpr RankingKernels ranking_kernels() {
    return {{integer_keys<uint16_t, uint8_t, 0>, integer_keys<uint16_t, int8_t, 0x8000>, integer_keys<uint16_t, uint16_t, 0>,
             integer_keys<uint16_t, int16_t, 0x8000>, float_keys<uint16_t, 0x7c00>, float_keys<uint16_t, 0x7f80>},
            {nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, integer_keys<uint32_t, uint32_t, 0>,
             integer_keys<uint32_t, int32_t, 0x80000000u>, float_keys<uint32_t, 0x7f800000u>},
            {nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, integer_keys<uint64_t, uint64_t, 0>,
             integer_keys<uint64_t, int64_t, 0x8000000000000000u>, float_keys<uint64_t, 0x7ff0000000000000u>},
            histogram16,
            histogram8,
            start_cells,
            occupied,
            select_points,
            curve_rates,
            {label_bits<uint8_t>, label_bits<uint16_t>, label_bits<uint32_t>, label_bits<uint64_t>},
            placement_kernels<uint32_t, int32_t, 0x80000000u, 0x7f800000u>(),
            placement_kernels<uint64_t, int64_t, 0x8000000000000000u, 0x7ff0000000000000u>()};
}
