// Rows of halves: the sums of 2 x 2 pixels of one channel, whose pixels lie `Step` elements apart. Integers are summed exactly, floats in
// double, a row's pair first and then the two below it one by one, so that no digit depends on the instruction set or the layout.

template <class In>
struct Halved {
    using Sum = uint32_t;
    using Out = float;
};
template <>
struct Halved<uint8_t> {
    using Sum = uint32_t;
    using Out = uint16_t;  // the sum itself
};
template <>
struct Halved<float> {
    using Sum = double;
    using Out = float;
};
template <>
struct Halved<double> {
    using Sum = double;
    using Out = double;
};

#if defined(__AVX2__)
// Where the bytes of a 16-byte group of pixels lie in each of the `Step` groups they are picked from.
template <int Item, int Step>
struct PickedBytes {
    uint8_t order[Step][16];
    constexpr PickedBytes() : order() {
        for (int k = 0; k < Step; ++k)
            for (int b = 0; b < 16; ++b) {
                const int at = b / Item * Step * Item + b % Item;
                order[k][b] = static_cast<uint8_t>(at / 16 == k ? at % 16 : PixelBytes::kZero);
            }
    }
};

// 32 bytes of pixels of Item bytes, in order.
template <int Item, int Step>
PG_INLINE __m256i picked(const char* p) {
    const auto load = [](const void* from) PG_LAMBDA_INLINE { return _mm_loadu_si128(static_cast<const __m128i*>(from)); };
    if constexpr (Step == 1) return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    static constexpr PickedBytes<Item, Step> bytes;
    __m256i pixels = _mm256_setzero_si256();
    for (int k = 0; k < Step; ++k) {
        const __m256i two = _mm256_inserti128_si256(_mm256_castsi128_si256(load(p + 16 * k)), load(p + 16 * (Step + k)), 1);
        pixels = _mm256_or_si256(pixels, _mm256_shuffle_epi8(two, _mm256_broadcastsi128_si256(load(bytes.order[k]))));
    }
    return pixels;
}

template <int Step>
PG_INLINE void halve_block(const uint8_t*, const char* a, const char* b, uint16_t* out) {
    const __m256i ones = _mm256_set1_epi8(1);
    const __m256i above = _mm256_maddubs_epi16(picked<1, Step>(a), ones), below = _mm256_maddubs_epi16(picked<1, Step>(b), ones);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_add_epi16(above, below));
}

template <int Step>
PG_INLINE void halve_block(const uint16_t*, const char* a, const char* b, float* out) {
    // pairs are added as signed words, each 2^15 less
    const __m256i less = _mm256_set1_epi16(-32768), ones = _mm256_set1_epi16(1);
    const __m256i above = _mm256_madd_epi16(_mm256_xor_si256(picked<2, Step>(a), less), ones);
    const __m256i below = _mm256_madd_epi16(_mm256_xor_si256(picked<2, Step>(b), less), ones);
    const __m256i sums = _mm256_add_epi32(_mm256_add_epi32(above, below), _mm256_set1_epi32(4 * 32768));
    _mm256_storeu_ps(out, _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_set1_ps(0.25F)));
}

// As many pixels as a register has lanes, those of even places before those of odd ones: which lane of which of the `Step` registers.
template <int Step>
struct PickedLanes {
    static constexpr int L = Vec<float>::lanes;
    int32_t lane[Step][L];  // AVX-512: from the second on of two registers
    constexpr PickedLanes() : lane() {
        for (int l = 0; l < L; ++l)
            for (int k = 0; k < Step; ++k) lane[k][l] = lane_of(k, l);
    }
    static constexpr int element(int l) { return (2 * (l % (L / 2)) + l / (L / 2)) * Step; }
#if defined(__AVX512F__)
    // of the pixels picked so far and register k
    static constexpr int lane_of(int k, int l) {
        const int from = element(l) / L, at = element(l) % L;
        return from == k && k > 0 ? L + at : k <= 1 && from == 0 ? at : l;
    }
#else
    static constexpr int lane_of(int, int l) { return element(l) % L; }
    // The lanes of register k that are wanted, where they are before (odd steps) or after they have been permuted.
    static constexpr int wanted(int k) {
        int mask = 0;
        for (int l = 0; l < L; ++l)
            if (element(l) / L == k) mask |= 1 << (Step % 2 ? element(l) % L : l);
        return mask;
    }
#endif
};

#if defined(__AVX512F__)
template <int Step>
PG_INLINE Vec<float> even_and_odd(const float* p) {
    static constexpr PickedLanes<Step> lanes;
    const auto lane = [&](int k) PG_LAMBDA_INLINE { return _mm512_loadu_si512(lanes.lane[k]); };
    __m512 pixels = _mm512_loadu_ps(p);
    if constexpr (Step == 1) pixels = _mm512_permutexvar_ps(lane(0), pixels);
    for (int k = 1; k < Step; ++k) pixels = _mm512_permutex2var_ps(pixels, lane(k), _mm512_loadu_ps(p + k * 16));
    return {(Vec<float>::native)pixels};
}
#else
template <int Step>
PG_INLINE Vec<float> even_and_odd(const float* p) {
    static constexpr PickedLanes<Step> lanes;
    const __m256i lane = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(lanes.lane[0]));
    // Of an odd step the pixels lie in lanes that are all different.
    constexpr bool Last = Step % 2 != 0;
    const auto load = [&](int k) PG_LAMBDA_INLINE {
        const __m256 v = _mm256_loadu_ps(p + k * 8);
        return Last ? v : _mm256_permutevar8x32_ps(v, lane);
    };
    __m256 pixels = load(0);
    Unroll<1, Step>::run([&](auto k) PG_LAMBDA_INLINE {
        constexpr int K = decltype(k)::value;
        constexpr int Wanted = PickedLanes<Step>::wanted(K);
        pixels = _mm256_blend_ps(pixels, load(K), Wanted);
    });
    return {(Vec<float>::native)(Last ? _mm256_permutevar8x32_ps(pixels, lane) : pixels)};
}
#endif

// One half of the lanes.
PG_INLINE Vec<double> widened(Vec<float> v, int half) {
#if defined(__AVX512F__)
    const __m256 lanes = half ? _mm512_extractf32x8_ps((__m512)v.v, 1) : _mm512_castps512_ps256((__m512)v.v);
    return {(Vec<double>::native)_mm512_cvtps_pd(lanes)};
#else
    const __m128 lanes = half ? _mm256_extractf128_ps((__m256)v.v, 1) : _mm256_castps256_ps128((__m256)v.v);
    return {(Vec<double>::native)_mm256_cvtps_pd(lanes)};
#endif
}

template <int Step>
PG_INLINE void halve_block(const float*, const char* a, const char* b, float* out) {
    const Vec<float> above = even_and_odd<Step>(reinterpret_cast<const float*>(a)),
                     below = even_and_odd<Step>(reinterpret_cast<const float*>(b));
    const Vec<double> sum = widened(above, 0) + widened(above, 1) + widened(below, 0) + widened(below, 1);
    const Vec<double> mean = sum * Vec<double>::set1(0.25);
#if defined(__AVX512F__)
    _mm256_storeu_ps(out, _mm512_cvtpd_ps((__m512d)mean.v));
#else
    _mm_storeu_ps(out, _mm256_cvtpd_ps((__m256d)mean.v));
#endif
}
#endif

template <class In>
PG_INLINE typename Halved<In>::Sum halves_at(const char* p) {
    In value;
    __builtin_memcpy(&value, p, sizeof value);
    return static_cast<typename Halved<In>::Sum>(value);
}

// Step: elements from pixel to pixel, or 0 for any number of bytes.
template <class In, int Step>
PG_INLINE void halve_pixels(const HalvesRow& row) {
    using Out = typename Halved<In>::Out;
    const int64_t step = Step != 0 ? Step * static_cast<int64_t>(sizeof(In)) : row.step;
    const char *a = row.a, *b = row.b;
    Out* const out = static_cast<Out*>(row.out);
    int64_t i = 0;
#if defined(__AVX2__)
    if constexpr (Step != 0 && sizeof(In) < sizeof(double)) {
        // outputs of a block, and the bytes it reads
        constexpr int64_t Block = sizeof(In) == sizeof(float) ? Vec<float>::lanes / 2 : 16 / sizeof(In),
                          Bytes = 2 * Block * Step * sizeof(In);
        for (; i + Block <= row.outputs && (i + Block) / Block * Bytes <= row.readable; i += Block, a += Bytes, b += Bytes)
            halve_block<Step>(static_cast<const In*>(nullptr), a, b, out + i);
    }
#endif
    for (; i < row.outputs; ++i, a += 2 * step, b += 2 * step) {
        const auto sum = halves_at<In>(a) + halves_at<In>(a + step) + halves_at<In>(b) + halves_at<In>(b + step);
        if constexpr (sizeof(In) == 1)
            out[i] = static_cast<Out>(sum);
        else
            out[i] = static_cast<Out>(static_cast<double>(sum) * 0.25);
    }
}

template <class In>
void halves(const HalvesRow* row) {
    constexpr int64_t Item = sizeof(In);
    const int64_t step = row->step % Item == 0 ? row->step / Item : 0;
#if defined(__AVX2__)
    constexpr bool Blocks = sizeof(In) < sizeof(double);
#else
    constexpr bool Blocks = false;
#endif
    if (step == 1) return halve_pixels<In, 1>(*row);
    if (step == 3) return halve_pixels<In, 3>(*row);
    // Of even steps that it knows GCC makes vectors of its own, which take up to 1.7 times as long as single values, but of bytes half.
    if constexpr (Blocks || Item == 1) {
        if (step == 2) return halve_pixels<In, 2>(*row);
        if (step == 4) return halve_pixels<In, 4>(*row);
    }
    halve_pixels<In, 0>(*row);
}
