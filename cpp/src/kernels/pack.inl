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
    const __m512i together = _mm512_setr_epi32(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 3, 3, 3);
    for (; i + 4 <= bytes->groups; i += 4, in += 64, out += 48)
        _mm512_mask_storeu_epi32(out, 0x0FFF,
                                 _mm512_maskz_permutexvar_epi32(0xFFFF, together, _mm512_shuffle_epi8(_mm512_loadu_si512(in), four)));
#else
    const __m256i two = _mm256_broadcastsi128_si256(one), together = _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 3);
    for (; i + 2 <= bytes->groups; i += 2, in += 32, out += 24) {
        const __m256i read = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in));
        const __m256i packed = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(read, two), together);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(packed));
        _mm_storel_epi64(reinterpret_cast<__m128i*>(out + 16), _mm256_extracti128_si256(packed, 1));
    }
#endif
#endif
    for (; i < bytes->groups; ++i, in += 16, out += 12)
        for (int b = 0; b < 12; ++b) out[b] = in[bytes->order[b]];
}
