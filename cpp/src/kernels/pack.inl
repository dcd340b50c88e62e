// Pixels put side by side: groups of at most 16 bytes, each read at once and written in an order that is the same for all of them. A
// group is written as 16 bytes, over whose end the next one is written.

// Groups that lie `Step` bytes apart, if that is known.
template <int Step, int Written>
PG_INLINE void pack_groups(const uint8_t* in, const PixelBytes& bytes, int64_t groups, uint8_t* out) {
    const int64_t step = Step != 0 ? Step : bytes.step, written = Written != 0 ? Written : bytes.written;
#if defined(__AVX2__)
    const __m128i order = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes.order));
    const auto pack = [&](const uint8_t* from, uint8_t* to) PG_LAMBDA_INLINE {
        const __m128i read = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_shuffle_epi8(read, order));
    };
    for (; groups >= 4; groups -= 4, in += 4 * step, out += 4 * written)
        for (int k = 0; k < 4; ++k) pack(in + k * step, out + k * written);
    for (; groups > 0; --groups, in += step, out += written) pack(in, out);
#else
    const auto elements = [&](auto item) PG_LAMBDA_INLINE {
        constexpr int Item = decltype(item)::value;
        for (; groups > 0; --groups, in += step, out += written)
            for (int64_t b = 0; b < written; b += Item) __builtin_memcpy(out + b, in + bytes.order[b], Item);
    };
    bytes.item == 1 ? elements(Const<1>{}) : bytes.item == 2 ? elements(Const<2>{}) : elements(Const<4>{});
#endif
}

inline void pack_pixels(const void* from, const PixelBytes* bytes, void* to) {
    const uint8_t* in = static_cast<const uint8_t*>(from);
    uint8_t* out = static_cast<uint8_t*>(to);
    if (bytes->step != 16 || bytes->written != 12) return pack_groups<0, 0>(in, *bytes, bytes->groups, out);
    int64_t i = 0;
#if defined(__AVX512F__)
    // Three of every four channels: four registers joined to three.
    const __m512i four = _mm512_maskz_broadcast_i32x4(0xFFFF, _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes->order)));
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
#endif
    pack_groups<16, 12>(in, *bytes, bytes->groups - i, out);
}
