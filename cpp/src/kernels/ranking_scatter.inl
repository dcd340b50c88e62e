// Ranking: keys to the blocks of their buckets. A gather costs as much as the loads it replaces on the machines measured, so maps are
// read one key at a time; what surrounds the map is left to the vectoriser.

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
        n += lanes_of(in);
        within |= bits_of(in) << (16 * k);
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
        n += lanes_of(in);
        within |= bits_of(in) << (8 * k);
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
