// Ranking: scores to keys, labels to bits, keys to buckets and ranks. A gather costs as much as the loads it replaces
// on the machines measured, so tables are read one key at a time; what surrounds the table is left to the vectoriser.

// IEEE bits to keys: negative numbers reversed, positive ones above them, -0 as +0. Infinity is that of the format.
template <class K, K Infinity>
bool float_keys(const void* scores, int64_t n, K* PG_RESTRICT keys) {
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
bool integer_keys(const void* scores, int64_t n, K* PG_RESTRICT keys) {
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

inline void histogram8(const uint8_t* scores, uint8_t bias, const uint64_t* labels, int64_t n, uint32_t* counts) {
    for (int64_t i = 0; i < n; i += 64) {
        uint64_t word = labels[i >> 6];
        const int64_t end = i + 64 < n ? i + 64 : n;
        int64_t j = i;
        for (; j + 4 <= end; j += 4, word >>= 4) {
            for (int k = 0; k < 4; ++k) {
                const uint32_t key = static_cast<uint8_t>(scores[j + k] ^ bias);
                ++counts[512 * static_cast<uint32_t>(k) + 2 * key + static_cast<uint32_t>((word >> k) & 1)];
            }
        }
        for (; j < end; ++j, word >>= 1)
            ++counts[2 * static_cast<uint32_t>(static_cast<uint8_t>(scores[j] ^ bias)) + static_cast<uint32_t>(word & 1)];
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
        const uint32_t bucket = (entry >> 6) + static_cast<uint32_t>((distance[j] & within) >> (entry & 63));
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
    const __m512i shift_mask = _mm512_set1_epi32(63), one = _mm512_set1_epi32(1);
    const __m128i cell_shift = _mm_cvtsi32_si128(map.cell_shift);
    for (int64_t j = 0; j < m; j += 16, word >>= 16) {
        const __mmask16 valid = m - j >= 16 ? static_cast<__mmask16>(0xffff) : static_cast<__mmask16>((1u << (m - j)) - 1);
        const __m512i key = _mm512_maskz_loadu_epi32(valid, keys + j);
        const __m512i distance = _mm512_min_epu32(_mm512_sub_epi32(_mm512_max_epu32(key, low), low), range);
        const __m512i entry = _mm512_i32gather_epi32(_mm512_srl_epi32(distance, cell_shift), map.cells, 4);
        const __m512i piece = _mm512_srlv_epi32(_mm512_and_si512(distance, within), _mm512_and_si512(entry, shift_mask));
        const __m512i bucket = _mm512_add_epi32(_mm512_srli_epi32(entry, 6), piece);
        const __m512i twice = _mm512_add_epi32(bucket, bucket);
        _mm512_mask_storeu_epi32(slots + j, valid, _mm512_mask_add_epi32(twice, static_cast<__mmask16>(word), twice, one));
    }
}
#endif

template <class K>
void rank_histogram(const K* keys, const uint64_t* labels, int64_t n, const BucketMap<K>* map, uint32_t* counts) {
    uint32_t slots[64];
    for (int64_t i = 0; i < n; i += 64) {
        const int64_t m = n - i < 64 ? n - i : 64;
        map_slots(keys + i, labels[i >> 6], m, *map, slots);
        for (int64_t j = 0; j < m; ++j) ++counts[slots[j]];
    }
}

// Places with the top bit set do not advance: keys that are not wanted go there, without a branch to mispredict.
constexpr uint64_t kPlace = ~(uint64_t{1} << 63);

// A whole line past the caches: written once, it need not be read first, which halves the time of scattering
// (1e7 keys to 1200 places: 4 ns a key, 7 without). Both ends are aligned to a line.
PG_INLINE void stream_line(void* to, const void* from) {
#if defined(__AVX512F__)
    _mm512_stream_si512(static_cast<__m512i*>(to), _mm512_load_si512(from));
#elif defined(__AVX2__)
    for (int k = 0; k < 2; ++k)
        _mm256_stream_si256(static_cast<__m256i*>(to) + k, _mm256_load_si256(static_cast<const __m256i*>(from) + k));
#elif defined(__SSE2__)
    for (int k = 0; k < 4; ++k) _mm_stream_si128(static_cast<__m128i*>(to) + k, _mm_load_si128(static_cast<const __m128i*>(from) + k));
#else
    for (int k = 0; k < 8; ++k) static_cast<uint64_t*>(to)[k] = static_cast<const uint64_t*>(from)[k];
#endif
}

// Streamed lines are ordered before what follows, for other threads to see.
inline void stream_fence() {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

// Keys gather in one line a slot and leave a line at a time.
template <class K>
void rank_scatter(const K* keys, const uint64_t* labels, int64_t n, const BucketMap<K>* map, uint64_t* next, const uint64_t* begin,
                  K* lines, K* out) {
    constexpr uint64_t line = 64 / sizeof(K);
    uint32_t slots[64];
    for (int64_t i = 0; i < n; i += 64) {
        const int64_t m = n - i < 64 ? n - i : 64;
        map_slots(keys + i, labels[i >> 6], m, *map, slots);
        for (int64_t j = 0; j < m; ++j) {
            const uint64_t slot = slots[j];
            const uint64_t place = next[slot];
            next[slot] = place + ((place >> 63) ^ 1);
            K* PG_RESTRICT mine = lines + slot * line;
            mine[place & (line - 1)] = keys[i + j];
            if ((place & (line - 1)) == line - 1) {
                const uint64_t first = place - (line - 1);
                if (first >= begin[slot]) {
                    stream_line(out + first, mine);
                } else {
                    for (uint64_t k = begin[slot]; k <= place; ++k) out[k] = mine[k & (line - 1)];
                }
            }
        }
    }
}

template <class K>
void rank_scatter_weighted(const K* keys, const double* weights, const uint64_t* labels, int64_t n, const BucketMap<K>* map, uint64_t* next,
                           K* out, double* out_weights) {
    uint32_t slots[64];
    for (int64_t i = 0; i < n; i += 64) {
        const int64_t m = n - i < 64 ? n - i : 64;
        map_slots(keys + i, labels[i >> 6], m, *map, slots);
        for (int64_t j = 0; j < m; ++j) {
            uint64_t& place = next[slots[j]];
            out_weights[place & kPlace] = weights[i + j];
            out[place & kPlace] = keys[i + j];
            place += (place >> 63) ^ 1;
        }
    }
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

template <class K>
uint64_t exact_ranks(const K* keys, int64_t n, K low, const uint32_t* twice_rank) {
    uint64_t a = 0, b = 0, c = 0, d = 0;
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        a += twice_rank[static_cast<K>(keys[i] - low)];
        b += twice_rank[static_cast<K>(keys[i + 1] - low)];
        c += twice_rank[static_cast<K>(keys[i + 2] - low)];
        d += twice_rank[static_cast<K>(keys[i + 3] - low)];
    }
    for (; i < n; ++i) a += twice_rank[static_cast<K>(keys[i] - low)];
    return a + b + c + d;
}

template <class K>
uint64_t cell_ranks(const K* keys, int64_t n, K low, int shift, const uint32_t* twice_rank, K* unresolved, int64_t* unresolved_count) {
    uint64_t sum = 0;
    int64_t count = 0;
    for (int64_t i = 0; i < n; ++i) {
        const uint32_t rank = twice_rank[static_cast<K>(keys[i] - low) >> shift];
        const uint32_t open = rank >> 31;
        unresolved[count] = keys[i];
        count += open;
        sum += rank & (open - 1);
    }
    *unresolved_count = count;
    return sum;
}

template <class K>
constexpr PlacementKernels<K> placement_kernels() {
    return {rank_histogram<K>, rank_scatter<K>, stream_fence, rank_scatter_weighted<K>, key_bounds<K>, exact_ranks<K>, cell_ranks<K>};
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
            {label_bits<uint8_t>, label_bits<uint16_t>, label_bits<uint32_t>, label_bits<uint64_t>},
            placement_kernels<uint32_t>(),
            placement_kernels<uint64_t>()};
}
