// Ranking: scores to keys that compare as they do, histograms of narrow scores, labels to bits.

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
// The bits of a mask. GCC 12 makes of a comparison a mask that is widened already, and where it runs out of registers stores 16 bits
// of that and loads 32 or 64: so it may widen it only behind this.
template <class Mask>
PG_INLINE uint64_t bits_of(Mask mask) {
    __asm__("" : "+k"(mask));
    return mask;
}

template <class Mask>
PG_INLINE int lanes_of(Mask mask) {
    return __builtin_popcountll(bits_of(mask));
}

PG_INLINE uint64_t equal_lanes(__m512i v, uint64_t value, uint16_t) {
    return bits_of(_mm512_cmpeq_epi16_mask(v, _mm512_set1_epi16(static_cast<int16_t>(value))));
}
PG_INLINE uint64_t equal_lanes(__m512i v, uint64_t value, uint32_t) {
    return bits_of(_mm512_cmpeq_epi32_mask(v, _mm512_set1_epi32(static_cast<int32_t>(value))));
}
PG_INLINE uint64_t equal_lanes(__m512i v, uint64_t value, uint64_t) {
    return bits_of(_mm512_cmpeq_epi64_mask(v, _mm512_set1_epi64(static_cast<int64_t>(value))));
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
