// Ranking: the bounds of keys, keys of one class to their ranks among the other, and the points of curves. As with buckets, tables are
// read one key at a time.

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
PG_INLINE uint32_t table_rank(K key, const RankTable<K>& table) {
    const K above = key > table.low ? static_cast<K>(key - table.low) : K{0};
    const uint32_t cell = table.cells[(above < table.width ? above : table.width) >> table.shift];
    if (!table.sorted) return cell;
    const K next = table.sorted[(cell & 0x7fffffffu) >> 1];
    return cell + static_cast<uint32_t>(next < key) + static_cast<uint32_t>(next <= key);
}

template <class K>
uint64_t rank_sum(const K* keys, int64_t n, const RankTable<K>* table, K* unresolved, int64_t* unresolved_count) {
    const RankTable<K> g = *table;
    uint64_t sum = 0;
    int64_t count = *unresolved_count;
    for (int64_t i = 0; i < n; ++i) {
        const uint32_t rank = table_rank(keys[i], g), open = rank >> 31;
        unresolved[count] = keys[i];
        count += open;
        sum += rank & (open - 1);
    }
    *unresolved_count = count;
    return sum;
}

template <class K>
void count_ranks(const K* keys, int64_t n, const RankTable<K>* table, uint32_t dump, uint32_t* PG_RESTRICT counts, K* unresolved,
                 int64_t* unresolved_count) {
    const RankTable<K> g = *table;
    int64_t count = *unresolved_count;
    for (int64_t i = 0; i < n; ++i) {
        const uint32_t rank = table_rank(keys[i], g), open = rank >> 31;
        unresolved[count] = keys[i];
        count += open;
        ++counts[open ? dump : rank];
    }
    *unresolved_count = count;
}

#if defined(__AVX512F__)
struct RankTableVectors {
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

PG_INLINE RankTableVectors rank_table_vectors(const RankTable<uint32_t>& g) {
    return {_mm512_set1_epi32(static_cast<int>(g.low)), _mm512_set1_epi32(static_cast<int>(g.width)), _mm_cvtsi32_si128(g.shift), g.cells,
            g.sorted};
}

PG_INLINE __mmask16 lanes_left(int64_t left) {
    return left >= 16 ? static_cast<__mmask16>(0xffff) : static_cast<__mmask16>((1u << left) - 1);
}

// Of those that are valid. By comparison: of the sign bits' mask and another, Clang 19 makes no end.
PG_INLINE __mmask16 negative_lanes(__mmask16 valid, __m512i v) { return _mm512_mask_cmplt_epi32_mask(valid, v, _mm512_setzero_si512()); }

template <>
uint64_t rank_sum<uint32_t>(const uint32_t* keys, int64_t n, const RankTable<uint32_t>* table, uint32_t* unresolved,
                            int64_t* unresolved_count) {
    const RankTableVectors g = rank_table_vectors(*table);
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
            const __mmask16 open = negative_lanes(valid, rank);
            sums = _mm512_mask_add_epi32(sums, static_cast<__mmask16>(valid & ~open), sums, rank);
            _mm512_storeu_si512(unresolved + count, _mm512_maskz_compress_epi32(open, key));
            count += lanes_of(open);
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
void count_ranks<uint32_t>(const uint32_t* keys, int64_t n, const RankTable<uint32_t>* table, uint32_t dump, uint32_t* PG_RESTRICT counts,
                           uint32_t* unresolved, int64_t* unresolved_count) {
    const RankTableVectors g = rank_table_vectors(*table);
    const __m512i beside = _mm512_set1_epi32(static_cast<int>(dump));
    alignas(64) uint32_t ranks[16];
    int64_t count = *unresolved_count;
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 valid = lanes_left(n - i);
        const __m512i key = _mm512_maskz_loadu_epi32(valid, keys + i);
        const __m512i rank = g.ranks(key, valid);
        const __mmask16 open = negative_lanes(valid, rank);
        _mm512_storeu_si512(unresolved + count, _mm512_maskz_compress_epi32(open, key));
        count += lanes_of(open);
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
        totals.occupied += lanes_of(_mm512_test_epi32_mask(here, here));
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
        kept += lanes_of(stays);
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
        found += lanes_of(any);
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
