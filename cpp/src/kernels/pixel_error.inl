// Sum of squared differences of one row. Integers are exact in integer arithmetic; floats are widened to float64.

template <class In>
double squared_error(const void* x, const void* y, int64_t n) {
    const In* px = static_cast<const In*>(x);
    const In* py = static_cast<const In*>(y);
    constexpr int L = Vec<double>::lanes;
    Vec<double> sums[4] = {Vec<double>::set1(0), Vec<double>::set1(0), Vec<double>::set1(0), Vec<double>::set1(0)};
    int64_t i = 0;
    for (; i + 4 * L <= n; i += 4 * L) {
        for (int k = 0; k < 4; ++k) {
            const Vec<double> d = LoadAs<double, In>::load(px + i + k * L) - LoadAs<double, In>::load(py + i + k * L);
            sums[k] = fma(d, d, sums[k]);
        }
    }
    const Vec<double> sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    double total = 0;
    for (int k = 0; k < L; ++k) total += sum.lane(k);
    for (; i < n; ++i) {
        const double d = static_cast<double>(px[i]) - static_cast<double>(py[i]);
        total += d * d;
    }
    return total;
}

// uint8: squared differences added in int32 lanes, 255^2 at a time, so 32,768 steps stay below 2^31.
template <>
inline double squared_error<uint8_t>(const void* x, const void* y, int64_t n) {
    const uint8_t* px = static_cast<const uint8_t*>(x);
    const uint8_t* py = static_cast<const uint8_t*>(y);
    double total = 0;
    int64_t i = 0;
#if defined(__AVX512F__) || defined(__AVX2__)
#if defined(__AVX512F__)
    constexpr int Step = 32;
#else
    constexpr int Step = 16;
#endif
    typedef int32_t Sums __attribute__((vector_size(kVecBytes)));
    while (i + 2 * Step <= n) {
        Sums a{}, b{};
        // _mm*_madd_epi16 adds two squares a lane: half as many steps
        for (int steps = 0; steps < 16384 && i + 2 * Step <= n; ++steps, i += 2 * Step) {
#if defined(__AVX512F__)
            const auto difference = [&](int64_t at) PG_LAMBDA_INLINE {
                return _mm512_sub_epi16(_mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(px + at))),
                                        _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(py + at))));
            };
            const __m512i d = difference(i), e = difference(i + Step);
            a += (Sums)_mm512_madd_epi16(d, d);
            b += (Sums)_mm512_madd_epi16(e, e);
#else
            const auto difference = [&](int64_t at) PG_LAMBDA_INLINE {
                return _mm256_sub_epi16(_mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(px + at))),
                                        _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(py + at))));
            };
            const __m256i d = difference(i), e = difference(i + Step);
            a += (Sums)_mm256_madd_epi16(d, d);
            b += (Sums)_mm256_madd_epi16(e, e);
#endif
        }
        for (int k = 0; k < kVecBytes / 4; ++k) total += static_cast<double>(a[k]) + static_cast<double>(b[k]);
    }
#else
    constexpr int Step = Vec<float>::lanes;
    while (i + Step <= n) {
        Ints<float> sum = Ints<float>::set1(0);
        for (int steps = 0; steps < 32768 && i + Step <= n; ++steps, i += Step) {
            const Ints<float> d = Ints<float>::load(px + i) - Ints<float>::load(py + i);
            sum.v += d.v * d.v;
        }
        for (int k = 0; k < Step; ++k) total += static_cast<double>(sum.v[k]);
    }
#endif
    for (; i < n; ++i) {
        const int d = static_cast<int>(px[i]) - static_cast<int>(py[i]);
        total += static_cast<double>(d * d);
    }
    return total;
}
