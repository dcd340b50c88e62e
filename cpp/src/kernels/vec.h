// Vec<T>: one register of lanes of T at the width of the instruction set being compiled, and the few operations
// the kernels are written in. Included by the ISA units inside their own namespace; everything here is forced
// inline, so that no symbol compiled for a higher instruction set can be shared with common code.
//
// x86 and aarch64 use GCC/Clang vector extensions; fused multiply-add, square root and widening are written out
// because the units are built with -ffp-contract=off.

#if !defined(__GNUC__) && !defined(__clang__)
#error "pixelgauge needs the vector extensions of GCC or Clang: on Windows build it with clang-cl"
#endif

#define PG_INLINE inline __attribute__((always_inline))
#define PG_RESTRICT __restrict__
#define PG_LAMBDA_INLINE __attribute__((always_inline))
#define PG_PREFETCH(p, level) __builtin_prefetch(p, 0, level)
// Loops over accumulators are unrolled before the compiler decides what lives in registers.
#if defined(__clang__)
#define PG_UNROLL _Pragma("unroll")
#else
#define PG_UNROLL _Pragma("GCC unroll 8")
#endif

// Calls f with Const<Begin> to Const<End - 1>: for what must be in registers before the compiler decides on loops.
template <int V>
struct Const {
    static constexpr int value = V;
};
template <int Begin, int End>
struct Unroll {
    template <class F>
    static PG_INLINE void run(F f) {
        f(Const<Begin>{});
        Unroll<Begin + 1, End>::run(f);
    }
};
template <int End>
struct Unroll<End, End> {
    template <class F>
    static PG_INLINE void run(F) {}
};

#if defined(__AVX512F__)
constexpr int kVecBytes = 64;
#elif defined(__AVX2__)
constexpr int kVecBytes = 32;
#else
constexpr int kVecBytes = 16;
#endif

// Architectural vector registers: decides how many accumulators a kernel keeps.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kVecRegisters = 32;
#else
constexpr int kVecRegisters = 16;
#endif

// Whether fma rounds once.
#if defined(__FMA__) || defined(__aarch64__)
constexpr bool kVecFused = true;
#else
constexpr bool kVecFused = false;
#endif

template <class T>
struct Vec;

template <int Bytes>
struct Unsigned;
template <>
struct Unsigned<1> {
    using type = uint8_t;
};
template <>
struct Unsigned<2> {
    using type = uint16_t;
};
template <>
struct Unsigned<4> {
    using type = uint32_t;
};
template <>
struct Unsigned<8> {
    using type = uint64_t;
};

template <class T, int Bytes>
struct Native {
    typedef T type __attribute__((vector_size(Bytes)));
    typedef T unaligned __attribute__((vector_size(Bytes), aligned(1), may_alias));
};

template <class T>
struct Vec {
    static constexpr int lanes = kVecBytes / static_cast<int>(sizeof(T));
    using native = typename Native<T, kVecBytes>::type;
    native v;

    static PG_INLINE Vec load(const T* p) { return {*reinterpret_cast<const typename Native<T, kVecBytes>::unaligned*>(p)}; }
    PG_INLINE void store(T* p) const { *reinterpret_cast<typename Native<T, kVecBytes>::unaligned*>(p) = v; }
    static PG_INLINE Vec set1(T x) { return {x - native{}}; }
    PG_INLINE T lane(int i) const { return v[i]; }
    friend PG_INLINE Vec operator+(Vec a, Vec b) { return {a.v + b.v}; }
    friend PG_INLINE Vec operator-(Vec a, Vec b) { return {a.v - b.v}; }
    friend PG_INLINE Vec operator*(Vec a, Vec b) { return {a.v * b.v}; }
    friend PG_INLINE Vec operator/(Vec a, Vec b) { return {a.v / b.v}; }
};

#if defined(__AVX512F__)
PG_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
    return {(Vec<float>::native)_mm512_fmadd_ps((__m512)a.v, (__m512)b.v, (__m512)c.v)};
}
PG_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
    return {(Vec<double>::native)_mm512_fmadd_pd((__m512d)a.v, (__m512d)b.v, (__m512d)c.v)};
}
PG_INLINE Vec<float> fnma(Vec<float> a, Vec<float> b, Vec<float> c) {
    return {(Vec<float>::native)_mm512_fnmadd_ps((__m512)a.v, (__m512)b.v, (__m512)c.v)};
}
// Masked by nothing: GCC 12 warns of an uninitialised register within the plain intrinsics.
PG_INLINE Vec<float> sqrt(Vec<float> a) { return {(Vec<float>::native)_mm512_maskz_sqrt_ps(0xFFFF, (__m512)a.v)}; }
PG_INLINE Vec<double> sqrt(Vec<double> a) { return {(Vec<double>::native)_mm512_maskz_sqrt_pd(0xFF, (__m512d)a.v)}; }
PG_INLINE Vec<float> max(Vec<float> a, Vec<float> b) { return {(Vec<float>::native)_mm512_max_ps((__m512)a.v, (__m512)b.v)}; }
PG_INLINE Vec<double> max(Vec<double> a, Vec<double> b) { return {(Vec<double>::native)_mm512_max_pd((__m512d)a.v, (__m512d)b.v)}; }
PG_INLINE Vec<float> min(Vec<float> a, Vec<float> b) { return {(Vec<float>::native)_mm512_min_ps((__m512)a.v, (__m512)b.v)}; }
PG_INLINE Vec<double> min(Vec<double> a, Vec<double> b) { return {(Vec<double>::native)_mm512_min_pd((__m512d)a.v, (__m512d)b.v)}; }
#elif defined(__AVX2__)
PG_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
    return {(Vec<float>::native)_mm256_fmadd_ps((__m256)a.v, (__m256)b.v, (__m256)c.v)};
}
PG_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
    return {(Vec<double>::native)_mm256_fmadd_pd((__m256d)a.v, (__m256d)b.v, (__m256d)c.v)};
}
PG_INLINE Vec<float> fnma(Vec<float> a, Vec<float> b, Vec<float> c) {
    return {(Vec<float>::native)_mm256_fnmadd_ps((__m256)a.v, (__m256)b.v, (__m256)c.v)};
}
PG_INLINE Vec<float> sqrt(Vec<float> a) { return {(Vec<float>::native)_mm256_sqrt_ps((__m256)a.v)}; }
PG_INLINE Vec<double> sqrt(Vec<double> a) { return {(Vec<double>::native)_mm256_sqrt_pd((__m256d)a.v)}; }
PG_INLINE Vec<float> max(Vec<float> a, Vec<float> b) { return {(Vec<float>::native)_mm256_max_ps((__m256)a.v, (__m256)b.v)}; }
PG_INLINE Vec<double> max(Vec<double> a, Vec<double> b) { return {(Vec<double>::native)_mm256_max_pd((__m256d)a.v, (__m256d)b.v)}; }
PG_INLINE Vec<float> min(Vec<float> a, Vec<float> b) { return {(Vec<float>::native)_mm256_min_ps((__m256)a.v, (__m256)b.v)}; }
PG_INLINE Vec<double> min(Vec<double> a, Vec<double> b) { return {(Vec<double>::native)_mm256_min_pd((__m256d)a.v, (__m256d)b.v)}; }
#elif defined(__aarch64__)
PG_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
    return {(Vec<float>::native)vfmaq_f32((float32x4_t)c.v, (float32x4_t)a.v, (float32x4_t)b.v)};
}
PG_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
    return {(Vec<double>::native)vfmaq_f64((float64x2_t)c.v, (float64x2_t)a.v, (float64x2_t)b.v)};
}
PG_INLINE Vec<float> fnma(Vec<float> a, Vec<float> b, Vec<float> c) {
    return {(Vec<float>::native)vfmsq_f32((float32x4_t)c.v, (float32x4_t)a.v, (float32x4_t)b.v)};
}
PG_INLINE Vec<float> sqrt(Vec<float> a) { return {(Vec<float>::native)vsqrtq_f32((float32x4_t)a.v)}; }
PG_INLINE Vec<double> sqrt(Vec<double> a) { return {(Vec<double>::native)vsqrtq_f64((float64x2_t)a.v)}; }
PG_INLINE Vec<float> max(Vec<float> a, Vec<float> b) { return {(Vec<float>::native)vmaxq_f32((float32x4_t)a.v, (float32x4_t)b.v)}; }
PG_INLINE Vec<double> max(Vec<double> a, Vec<double> b) { return {(Vec<double>::native)vmaxq_f64((float64x2_t)a.v, (float64x2_t)b.v)}; }
PG_INLINE Vec<float> min(Vec<float> a, Vec<float> b) { return {(Vec<float>::native)vminq_f32((float32x4_t)a.v, (float32x4_t)b.v)}; }
PG_INLINE Vec<double> min(Vec<double> a, Vec<double> b) { return {(Vec<double>::native)vminq_f64((float64x2_t)a.v, (float64x2_t)b.v)}; }
#elif defined(__SSE2__)
// The x86-64 baseline has no FMA: two roundings, and the tests' tolerance between ISAs covers it.
PG_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return a * b + c; }
PG_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) { return a * b + c; }
PG_INLINE Vec<float> sqrt(Vec<float> a) { return {(Vec<float>::native)_mm_sqrt_ps((__m128)a.v)}; }
PG_INLINE Vec<double> sqrt(Vec<double> a) { return {(Vec<double>::native)_mm_sqrt_pd((__m128d)a.v)}; }
PG_INLINE Vec<float> max(Vec<float> a, Vec<float> b) { return {(Vec<float>::native)_mm_max_ps((__m128)a.v, (__m128)b.v)}; }
PG_INLINE Vec<double> max(Vec<double> a, Vec<double> b) { return {(Vec<double>::native)_mm_max_pd((__m128d)a.v, (__m128d)b.v)}; }
PG_INLINE Vec<float> min(Vec<float> a, Vec<float> b) { return {(Vec<float>::native)_mm_min_ps((__m128)a.v, (__m128)b.v)}; }
PG_INLINE Vec<double> min(Vec<double> a, Vec<double> b) { return {(Vec<double>::native)_mm_min_pd((__m128d)a.v, (__m128d)b.v)}; }
#else
PG_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return a * b + c; }
PG_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) { return a * b + c; }
template <class T>
PG_INLINE Vec<T> sqrt(Vec<T> a) {
    for (int i = 0; i < Vec<T>::lanes; ++i) a.v[i] = sizeof(T) == 4 ? __builtin_sqrtf(a.v[i]) : __builtin_sqrt(a.v[i]);
    return a;
}
template <class T>
PG_INLINE Vec<T> max(Vec<T> a, Vec<T> b) {
    return {a.v > b.v ? a.v : b.v};
}
template <class T>
PG_INLINE Vec<T> min(Vec<T> a, Vec<T> b) {
    return {a.v < b.v ? a.v : b.v};
}
#endif

// A register with its lanes one down and *next in the last place; the transposition of L registers of L lanes in place; and that of L
// rows of L / 2 elements, `step` bytes apart, to the first L / 2 registers, where it takes less: true if so.
#if defined(__AVX512F__)
PG_INLINE Vec<float> moved(Vec<float> v, const float* next) {
    const __m512i last = _mm512_castsi128_si512(_mm_castps_si128(_mm_load_ss(next)));
    return {(Vec<float>::native)_mm512_alignr_epi32(last, (__m512i)v.v, 1)};
}
PG_INLINE Vec<double> moved(Vec<double> v, const double* next) {
    const __m512i last = _mm512_castsi128_si512(_mm_castpd_si128(_mm_load_sd(next)));
    return {(Vec<double>::native)_mm512_alignr_epi64(last, (__m512i)v.v, 1)};
}
PG_INLINE void transpose(Vec<float> (&r)[16]) {
    __m512 t[16];
    for (int i = 0; i < 16; i += 4) {  // quarters of 4 x 4
        const __m512 a = _mm512_unpacklo_ps((__m512)r[i].v, (__m512)r[i + 1].v), b = _mm512_unpackhi_ps((__m512)r[i].v, (__m512)r[i + 1].v);
        const __m512 c = _mm512_unpacklo_ps((__m512)r[i + 2].v, (__m512)r[i + 3].v),
                     d = _mm512_unpackhi_ps((__m512)r[i + 2].v, (__m512)r[i + 3].v);
        t[i] = (__m512)_mm512_unpacklo_pd((__m512d)a, (__m512d)c);
        t[i + 1] = (__m512)_mm512_unpackhi_pd((__m512d)a, (__m512d)c);
        t[i + 2] = (__m512)_mm512_unpacklo_pd((__m512d)b, (__m512d)d);
        t[i + 3] = (__m512)_mm512_unpackhi_pd((__m512d)b, (__m512d)d);
    }
    for (int k = 0; k < 4; ++k) {
        const __m512 a = _mm512_shuffle_f32x4(t[k], t[4 + k], 0x88), b = _mm512_shuffle_f32x4(t[8 + k], t[12 + k], 0x88);
        const __m512 c = _mm512_shuffle_f32x4(t[k], t[4 + k], 0xdd), d = _mm512_shuffle_f32x4(t[8 + k], t[12 + k], 0xdd);
        r[k].v = (Vec<float>::native)_mm512_shuffle_f32x4(a, b, 0x88);
        r[4 + k].v = (Vec<float>::native)_mm512_shuffle_f32x4(c, d, 0x88);
        r[8 + k].v = (Vec<float>::native)_mm512_shuffle_f32x4(a, b, 0xdd);
        r[12 + k].v = (Vec<float>::native)_mm512_shuffle_f32x4(c, d, 0xdd);
    }
}
PG_INLINE bool load_transposed_half(const char* rows, int64_t step, Vec<float> (&r)[16]) {
    const auto two = [&](int first) PG_LAMBDA_INLINE {  // and the one four on
        const __m256 a = _mm256_loadu_ps(reinterpret_cast<const float*>(rows + first * step));
        return _mm512_insertf32x8(_mm512_castps256_ps512(a), _mm256_loadu_ps(reinterpret_cast<const float*>(rows + (first + 4) * step)), 1);
    };
    __m512 t[8];
    for (int i = 0; i < 8; i += 4) {
        const __m512 r0 = two(2 * i), r1 = two(2 * i + 1), r2 = two(2 * i + 2), r3 = two(2 * i + 3);
        const __m512 a = _mm512_unpacklo_ps(r0, r1), b = _mm512_unpackhi_ps(r0, r1), c = _mm512_unpacklo_ps(r2, r3),
                     d = _mm512_unpackhi_ps(r2, r3);
        t[i] = (__m512)_mm512_unpacklo_pd((__m512d)a, (__m512d)c);
        t[i + 1] = (__m512)_mm512_unpackhi_pd((__m512d)a, (__m512d)c);
        t[i + 2] = (__m512)_mm512_unpacklo_pd((__m512d)b, (__m512d)d);
        t[i + 3] = (__m512)_mm512_unpackhi_pd((__m512d)b, (__m512d)d);
    }
    for (int k = 0; k < 4; ++k) {
        r[k].v = (Vec<float>::native)_mm512_shuffle_f32x4(t[k], t[4 + k], 0x88);
        r[4 + k].v = (Vec<float>::native)_mm512_shuffle_f32x4(t[k], t[4 + k], 0xdd);
    }
    return true;
}
PG_INLINE void transpose(Vec<double> (&r)[8]) {
    __m512d t[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm512_unpacklo_pd((__m512d)r[i].v, (__m512d)r[i + 1].v);
        t[i + 1] = _mm512_unpackhi_pd((__m512d)r[i].v, (__m512d)r[i + 1].v);
    }
    for (int k = 0; k < 2; ++k) {
        const __m512d a = _mm512_shuffle_f64x2(t[k], t[2 + k], 0x88), b = _mm512_shuffle_f64x2(t[4 + k], t[6 + k], 0x88);
        const __m512d c = _mm512_shuffle_f64x2(t[k], t[2 + k], 0xdd), d = _mm512_shuffle_f64x2(t[4 + k], t[6 + k], 0xdd);
        r[k].v = (Vec<double>::native)_mm512_shuffle_f64x2(a, b, 0x88);
        r[2 + k].v = (Vec<double>::native)_mm512_shuffle_f64x2(c, d, 0x88);
        r[4 + k].v = (Vec<double>::native)_mm512_shuffle_f64x2(a, b, 0xdd);
        r[6 + k].v = (Vec<double>::native)_mm512_shuffle_f64x2(c, d, 0xdd);
    }
}
#elif defined(__AVX2__)
PG_INLINE Vec<float> moved(Vec<float> v, const float* next) {
    const __m256 down = _mm256_permutevar8x32_ps((__m256)v.v, _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 0));
    return {(Vec<float>::native)_mm256_blend_ps(down, _mm256_broadcast_ss(next), 0x80)};
}
PG_INLINE Vec<double> moved(Vec<double> v, const double* next) {
    const __m256d down = _mm256_permute4x64_pd((__m256d)v.v, 0x39);
    return {(Vec<double>::native)_mm256_blend_pd(down, _mm256_broadcast_sd(next), 8)};
}
PG_INLINE void transpose(Vec<float> (&r)[8]) {
    __m256 t[8];
    for (int i = 0; i < 8; i += 4) {
        const __m256 a = _mm256_unpacklo_ps((__m256)r[i].v, (__m256)r[i + 1].v), b = _mm256_unpackhi_ps((__m256)r[i].v, (__m256)r[i + 1].v);
        const __m256 c = _mm256_unpacklo_ps((__m256)r[i + 2].v, (__m256)r[i + 3].v),
                     d = _mm256_unpackhi_ps((__m256)r[i + 2].v, (__m256)r[i + 3].v);
        t[i] = (__m256)_mm256_unpacklo_pd((__m256d)a, (__m256d)c);
        t[i + 1] = (__m256)_mm256_unpackhi_pd((__m256d)a, (__m256d)c);
        t[i + 2] = (__m256)_mm256_unpacklo_pd((__m256d)b, (__m256d)d);
        t[i + 3] = (__m256)_mm256_unpackhi_pd((__m256d)b, (__m256d)d);
    }
    for (int k = 0; k < 4; ++k) {
        r[k].v = (Vec<float>::native)_mm256_permute2f128_ps(t[k], t[4 + k], 0x20);
        r[4 + k].v = (Vec<float>::native)_mm256_permute2f128_ps(t[k], t[4 + k], 0x31);
    }
}
PG_INLINE bool load_transposed_half(const char* rows, int64_t step, Vec<float> (&r)[8]) {
    const auto two = [&](int first) PG_LAMBDA_INLINE {  // and the one four on
        const __m128 a = _mm_loadu_ps(reinterpret_cast<const float*>(rows + first * step));
        return _mm256_insertf128_ps(_mm256_castps128_ps256(a), _mm_loadu_ps(reinterpret_cast<const float*>(rows + (first + 4) * step)), 1);
    };
    const __m256 r0 = two(0), r1 = two(1), r2 = two(2), r3 = two(3);
    const __m256 a = _mm256_unpacklo_ps(r0, r1), b = _mm256_unpackhi_ps(r0, r1), c = _mm256_unpacklo_ps(r2, r3),
                 d = _mm256_unpackhi_ps(r2, r3);
    r[0].v = (Vec<float>::native)_mm256_unpacklo_pd((__m256d)a, (__m256d)c);
    r[1].v = (Vec<float>::native)_mm256_unpackhi_pd((__m256d)a, (__m256d)c);
    r[2].v = (Vec<float>::native)_mm256_unpacklo_pd((__m256d)b, (__m256d)d);
    r[3].v = (Vec<float>::native)_mm256_unpackhi_pd((__m256d)b, (__m256d)d);
    return true;
}
PG_INLINE void transpose(Vec<double> (&r)[4]) {
    __m256d t[4];
    for (int i = 0; i < 4; i += 2) {
        t[i] = _mm256_unpacklo_pd((__m256d)r[i].v, (__m256d)r[i + 1].v);
        t[i + 1] = _mm256_unpackhi_pd((__m256d)r[i].v, (__m256d)r[i + 1].v);
    }
    for (int k = 0; k < 2; ++k) {
        r[k].v = (Vec<double>::native)_mm256_permute2f128_pd(t[k], t[2 + k], 0x20);
        r[2 + k].v = (Vec<double>::native)_mm256_permute2f128_pd(t[k], t[2 + k], 0x31);
    }
}
#endif

template <class T, int L>
PG_INLINE bool load_transposed_half(const char*, int64_t, Vec<T> (&)[L]) {
    return false;
}

// Whether some lane of a is at most that of b.
#if defined(__AVX512F__)
PG_INLINE bool any_at_most(Vec<float> a, Vec<float> b) { return _mm512_cmp_ps_mask((__m512)a.v, (__m512)b.v, _CMP_LE_OQ) != 0; }
PG_INLINE bool any_at_most(Vec<double> a, Vec<double> b) { return _mm512_cmp_pd_mask((__m512d)a.v, (__m512d)b.v, _CMP_LE_OQ) != 0; }
#elif defined(__AVX2__)
PG_INLINE bool any_at_most(Vec<float> a, Vec<float> b) {
    return _mm256_movemask_ps(_mm256_cmp_ps((__m256)a.v, (__m256)b.v, _CMP_LE_OQ)) != 0;
}
PG_INLINE bool any_at_most(Vec<double> a, Vec<double> b) {
    return _mm256_movemask_pd(_mm256_cmp_pd((__m256d)a.v, (__m256d)b.v, _CMP_LE_OQ)) != 0;
}
#elif defined(__SSE2__)
PG_INLINE bool any_at_most(Vec<float> a, Vec<float> b) { return _mm_movemask_ps(_mm_cmple_ps((__m128)a.v, (__m128)b.v)) != 0; }
PG_INLINE bool any_at_most(Vec<double> a, Vec<double> b) { return _mm_movemask_pd(_mm_cmple_pd((__m128d)a.v, (__m128d)b.v)) != 0; }
#endif

// Loads as many elements of From as Vec<To> has lanes and converts each: unsigned integers widen to int32 first,
// the only widening that every ISA here does in one instruction.
template <class To, class From>
struct LoadAs {
    static constexpr int lanes = Vec<To>::lanes;
    typedef From source __attribute__((vector_size(lanes * sizeof(From)), aligned(1), may_alias));
    static PG_INLINE Vec<To> load(const From* p) {
        return {__builtin_convertvector(*reinterpret_cast<const source*>(p), typename Vec<To>::native)};
    }
};
template <class T>
struct LoadAs<T, T> {
    static PG_INLINE Vec<T> load(const T* p) { return Vec<T>::load(p); }
};

// The integers of a Vec<To>'s worth of unsigned elements, for exact sums and differences before the conversion.
template <class To>
struct Ints {
    typedef int32_t native __attribute__((vector_size(Vec<To>::lanes * 4)));
    native v;
    template <class From>
    static PG_INLINE Ints load(const From* p) {
        typedef From source __attribute__((vector_size(Vec<To>::lanes * sizeof(From)), aligned(1), may_alias));
        return {__builtin_convertvector(*reinterpret_cast<const source*>(p), native)};
    }
    static PG_INLINE Ints set1(int32_t x) { return {x - native{}}; }
    PG_INLINE Vec<To> convert() const { return {__builtin_convertvector(v, typename Vec<To>::native)}; }
    friend PG_INLINE Ints operator+(Ints a, Ints b) { return {a.v + b.v}; }
    friend PG_INLINE Ints operator-(Ints a, Ints b) { return {a.v - b.v}; }
};
#if defined(__AVX512F__)
template <>
template <>
PG_INLINE Ints<float> Ints<float>::load(const uint8_t* p) {
    return {(native)_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
template <>
template <>
PG_INLINE Ints<float> Ints<float>::load(const uint16_t* p) {
    return {(native)_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
#elif defined(__AVX2__)
template <>
template <>
PG_INLINE Ints<float> Ints<float>::load(const uint8_t* p) {
    return {(native)_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)))};
}
template <>
template <>
PG_INLINE Ints<float> Ints<float>::load(const uint16_t* p) {
    return {(native)_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
#endif

#if defined(__AVX512F__)
template <>
PG_INLINE Vec<double> LoadAs<double, float>::load(const float* p) {
    return {(Vec<double>::native)_mm512_cvtps_pd(_mm256_loadu_ps(p))};
}
#elif defined(__AVX2__)
template <>
PG_INLINE Vec<double> LoadAs<double, float>::load(const float* p) {
    return {(Vec<double>::native)_mm256_cvtps_pd(_mm_loadu_ps(p))};
}
#endif

template <class To>
struct LoadAs<To, uint8_t> {
    static PG_INLINE Vec<To> load(const uint8_t* p) { return Ints<To>::template load<uint8_t>(p).convert(); }
};
template <class To>
struct LoadAs<To, uint16_t> {
    static PG_INLINE Vec<To> load(const uint16_t* p) { return Ints<To>::template load<uint16_t>(p).convert(); }
};

// Registers of T's width seen as words that each hold several unsigned integers: element k of every word as a float, exactly,
// by setting it as the low bits of 2^23 or 2^52.
template <class T, class From>
struct Words {
    static constexpr int elements = static_cast<int>(sizeof(T) / sizeof(From));
    typedef typename Unsigned<sizeof(T)>::type native __attribute__((vector_size(kVecBytes)));
    static constexpr T magic = sizeof(T) == 4 ? T(1 << 23) : T(int64_t{1} << 52);
    template <int K>
    static PG_INLINE Vec<T> element(Vec<T> words) {  // magic + element K
        constexpr int bits = 8 * sizeof(From);
        native w = (native)words.v;
        if constexpr (K > 0) w >>= K * bits;
        if constexpr (K < elements - 1) w &= (native{} + ((typename Unsigned<sizeof(T)>::type{1} << bits) - 1));
        return {(typename Vec<T>::native)(w | (native)Vec<T>::set1(magic).v)};
    }
};

// fnma(a, b, c) = c - a b.
template <class T>
PG_INLINE Vec<T> fnma(Vec<T> a, Vec<T> b, Vec<T> c) {
    return c - a * b;
}

#if !defined(__SSE2__)
template <class T>
PG_INLINE bool any_at_most(Vec<T> a, Vec<T> b) {
    bool any = false;
    for (int i = 0; i < Vec<T>::lanes; ++i) any |= a.v[i] <= b.v[i];
    return any;
}
#endif

// The lower (0) or upper (1) half of the lanes.
template <class T>
PG_INLINE void store_half(Vec<T> a, int half, T* p) {
    for (int i = 0; i < Vec<T>::lanes / 2; ++i) p[i] = a.v[half * (Vec<T>::lanes / 2) + i];
}
#if defined(__AVX512F__)
PG_INLINE void store_half(Vec<float> a, int half, float* p) {
    _mm256_storeu_ps(p, half ? _mm512_extractf32x8_ps((__m512)a.v, 1) : _mm512_castps512_ps256((__m512)a.v));
}
#elif defined(__AVX2__)
PG_INLINE void store_half(Vec<float> a, int half, float* p) {
    _mm_storeu_ps(p, half ? _mm256_extractf128_ps((__m256)a.v, 1) : _mm256_castps256_ps128((__m256)a.v));
}
#endif

#if !defined(__AVX2__)
template <class T>
PG_INLINE Vec<T> moved(Vec<T> v, const T* next) {
    T lanes[Vec<T>::lanes + 1];
    v.store(lanes);
    lanes[Vec<T>::lanes] = *next;
    return Vec<T>::load(lanes + 1);
}
template <class T, int L>
PG_INLINE void transpose(Vec<T> (&r)[L]) {
    T lanes[L][L], turned[L][L];
    for (int i = 0; i < L; ++i) r[i].store(lanes[i]);
    for (int i = 0; i < L; ++i)
        for (int k = 0; k < L; ++k) turned[k][i] = lanes[i][k];
    for (int i = 0; i < L; ++i) r[i] = Vec<T>::load(turned[i]);
}
#endif
