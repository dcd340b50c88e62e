// Pixels of three channels among four, put side by side: 12 of every 16 bytes, in an order that is the same for all of them.

inline void pack_pixels(const void* from, const PixelBytes* bytes, void* to) {
    const uint8_t* in = static_cast<const uint8_t*>(from);
    uint8_t* out = static_cast<uint8_t*>(to);
    int64_t i = 0;
#if defined(__AVX2__)
    alignas(16) uint8_t order[16];
    for (int b = 0; b < 16; ++b) order[b] = b < 12 ? bytes->order[b] : 0x80;
    const __m128i one = _mm_load_si128(reinterpret_cast<const __m128i*>(order));
#if defined(__AVX512F__)
    const __m512i four = _mm512_maskz_broadcast_i32x4(0xFFFF, one);
    const __m512i first = _mm512_setr_epi32(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18, 20);
    const __m512i second = _mm512_setr_epi32(5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18, 20, 21, 22, 24, 25);
    const __m512i third = _mm512_setr_epi32(10, 12, 13, 14, 16, 17, 18, 20, 21, 22, 24, 25, 26, 28, 29, 30);
    for (; i + 16 <= bytes->groups; i += 16, in += 256, out += 192) {
        __m512i v[4];
        for (int k = 0; k < 4; ++k) v[k] = _mm512_shuffle_epi8(_mm512_loadu_si512(in + 64 * k), four);
        _mm512_storeu_si512(out, _mm512_permutex2var_epi32(v[0], first, v[1]));
        _mm512_storeu_si512(out + 64, _mm512_permutex2var_epi32(v[1], second, v[2]));
        _mm512_storeu_si512(out + 128, _mm512_permutex2var_epi32(v[2], third, v[3]));
    }
#else
    const __m256i two = _mm256_broadcastsi128_si256(one), together = _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 3);
    for (; i + 2 <= bytes->groups; i += 2, in += 32, out += 24) {
        const __m256i read = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in));
        const __m256i packed = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(read, two), together);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(packed));
        _mm_storel_epi64(reinterpret_cast<__m128i*>(out + 16), _mm256_extracti128_si256(packed, 1));
    }
#endif
    for (; i < bytes->groups; ++i, in += 16, out += 12) {
        const __m128i packed = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in)), one);
        _mm_storel_epi64(reinterpret_cast<__m128i*>(out), packed);
        const int32_t last = _mm_extract_epi32(packed, 2);
        __builtin_memcpy(out + 8, &last, 4);
    }
#else
    for (; i < bytes->groups; ++i, in += 16, out += 12)
        for (int b = 0; b < 12; ++b) out[b] = in[bytes->order[b]];
#endif
}
