// Separable resizing of interleaved RGB rows: down the columns at full register width, then along the row. Where the
// inputs of a register of output pixels lie close together, up to twice the output's density with AVX-512, the row is
// parted into planes and each tap is a permutation and an fma for a whole register. Elsewhere a pixel is one four-lane
// register, which needs no gather: lanes are R, G, B and the next pixel's R, which is dropped.

typedef float Quad __attribute__((vector_size(16)));
typedef float QuadAnywhere __attribute__((vector_size(16), aligned(1), may_alias));
PG_INLINE Quad load_quad(const float* p) { return *reinterpret_cast<const QuadAnywhere*>(p); }
PG_INLINE void store_quad(float* p, Quad q) { *reinterpret_cast<QuadAnywhere*>(p) = q; }
PG_INLINE Quad set_quad(float x) { return x - Quad{}; }
PG_INLINE float quad_lane(const Quad& q, int i) { return q[i]; }
#if defined(__FMA__)
PG_INLINE Quad fma_quad(Quad a, Quad b, Quad c) { return (Quad)_mm_fmadd_ps((__m128)a, (__m128)b, (__m128)c); }
#elif defined(__aarch64__)
PG_INLINE Quad fma_quad(Quad a, Quad b, Quad c) { return (Quad)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
#else
PG_INLINE Quad fma_quad(Quad a, Quad b, Quad c) { return a * b + c; }
#endif
PG_INLINE Quad clamp_quad(Quad a, Quad low, Quad high) {
    a = a < low ? low : a;
    return a > high ? high : a;
}
#if defined(__clang__)
#define PG_SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
typedef int32_t QuadLanes __attribute__((vector_size(16)));
#define PG_SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (QuadLanes){i, j, k, l})
#endif
// Four pixels to their red, green and blue: seven shuffles.
PG_INLINE void planes_of(const Quad* p, Quad* planes) {
    const Quad rg01 = PG_SHUFFLE(p[0], p[1], 0, 4, 1, 5), rg23 = PG_SHUFFLE(p[2], p[3], 0, 4, 1, 5);
    const Quad b01 = PG_SHUFFLE(p[0], p[1], 2, 6, 3, 7), b23 = PG_SHUFFLE(p[2], p[3], 2, 6, 3, 7);
    planes[0] = PG_SHUFFLE(rg01, rg23, 0, 1, 4, 5);
    planes[1] = PG_SHUFFLE(rg01, rg23, 2, 3, 6, 7);
    planes[2] = PG_SHUFFLE(b01, b23, 0, 1, 4, 5);
}
#undef PG_SHUFFLE

// out[i] = sum over t of weights[t] * rows[t][i]. The last, partial register goes through a padded copy.
template <class In>
void resize_columns(const void* const* rows, const float* weights, int32_t taps, int64_t n, float* out) {
    constexpr int L = Vec<float>::lanes, Unroll = 4;
    int64_t i = 0;
    for (; i + Unroll * L <= n; i += Unroll * L) {
        Vec<float> sums[Unroll];
        for (int k = 0; k < Unroll; ++k) sums[k] = Vec<float>::set1(0);
        for (int32_t t = 0; t < taps; ++t) {
            const Vec<float> w = Vec<float>::set1(weights[t]);
            const In* row = static_cast<const In*>(rows[t]) + i;
            for (int k = 0; k < Unroll; ++k) sums[k] = fma(LoadAs<float, In>::load(row + k * L), w, sums[k]);
        }
        for (int k = 0; k < Unroll; ++k) sums[k].store(out + i + k * L);
    }
    for (; i < n; i += L) {
        const int64_t left = n - i < L ? n - i : L;
        Vec<float> sum = Vec<float>::set1(0);
        for (int32_t t = 0; t < taps; ++t) {
            const In* row = static_cast<const In*>(rows[t]) + i;
            In padded[L] = {};
            if (left < L) {
                for (int64_t k = 0; k < left; ++k) padded[k] = row[k];
                row = padded;
            }
            sum = fma(LoadAs<float, In>::load(row), Vec<float>::set1(weights[t]), sum);
        }
        float values[L];
        sum.store(values);
        for (int64_t k = 0; k < left; ++k) out[i + k] = values[k];
    }
}

#if defined(__AVX512F__)
constexpr int kPickReach = 32;
typedef __m512i PickLanes;
PG_INLINE PickLanes pick_lanes(const int32_t* first) { return _mm512_sub_epi32(_mm512_loadu_si512(first), _mm512_set1_epi32(*first)); }
PG_INLINE Vec<float> pick(const float* p, PickLanes lanes) {
    return {(Vec<float>::native)_mm512_permutex2var_ps(_mm512_loadu_ps(p), lanes, _mm512_loadu_ps(p + 16))};
}
// Sixteen pixels to planes: of each channel, lanes below 32 from the first two registers, the others from the third.
PG_INLINE void part_pixels(const float* p, float* red, float* green, float* blue) {
    const __m512 a = _mm512_loadu_ps(p), b = _mm512_loadu_ps(p + 16), c = _mm512_loadu_ps(p + 32);
    const __m512i red_ab = _mm512_setr_epi32(0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 0, 0, 0, 0, 0);
    const __m512i red_c = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17, 20, 23, 26, 29);
    const __m512i green_ab = _mm512_setr_epi32(1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 0, 0, 0, 0, 0);
    const __m512i green_c = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 18, 21, 24, 27, 30);
    const __m512i blue_ab = _mm512_setr_epi32(2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 0, 0, 0, 0, 0, 0);
    const __m512i blue_c = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 19, 22, 25, 28, 31);
    _mm512_storeu_ps(red, _mm512_permutex2var_ps(_mm512_permutex2var_ps(a, red_ab, b), red_c, c));
    _mm512_storeu_ps(green, _mm512_permutex2var_ps(_mm512_permutex2var_ps(a, green_ab, b), green_c, c));
    _mm512_storeu_ps(blue, _mm512_permutex2var_ps(_mm512_permutex2var_ps(a, blue_ab, b), blue_c, c));
}
constexpr int kPartPixels = 16;
#elif defined(__AVX2__)
constexpr int kPickReach = 8;
typedef __m256i PickLanes;
PG_INLINE PickLanes pick_lanes(const int32_t* first) {
    return _mm256_sub_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(first)), _mm256_set1_epi32(*first));
}
PG_INLINE Vec<float> pick(const float* p, PickLanes lanes) {
    return {(Vec<float>::native)_mm256_permutevar8x32_ps(_mm256_loadu_ps(p), lanes)};
}
PG_INLINE void part_pixels(const float* p, float* red, float* green, float* blue) {
    const Quad pixels[4] = {load_quad(p), load_quad(p + 3), load_quad(p + 6), load_quad(p + 9)};
    Quad planes[3];
    planes_of(pixels, planes);
    store_quad(red, planes[0]);
    store_quad(green, planes[1]);
    store_quad(blue, planes[2]);
}
constexpr int kPartPixels = 4;
#else
constexpr int kPickReach = 0;
#endif

#if defined(__AVX2__) || defined(__AVX512F__)
// One row along x, a register of output pixels at a time, the last overlapping the one before.
PG_INLINE void resize_row_picked(const ResizeRows* job, int r) {
    constexpr int L = Vec<float>::lanes;
    float* const red = job->quads;
    float* const green = red + job->plane_stride;
    float* const blue = green + job->plane_stride;
    for (int64_t i = 0; i < job->inputs; i += kPartPixels) part_pixels(job->rows[r] + 3 * i, red + i, green + i, blue + i);
    const Vec<float> scale = Vec<float>::set1(job->scale), offset = Vec<float>::set1(job->offset);
    const Vec<float> low = Vec<float>::set1(job->low), high = Vec<float>::set1(job->high);
    float* const out = job->out + r * job->out_row_stride;
    const int64_t n = job->outputs;
    for (int64_t x = 0; x < n; x += L) {
        const int64_t at = x + L <= n ? x : n - L;
        const PickLanes lanes = pick_lanes(job->first + at);
        const int64_t base = job->first[at];
        Vec<float> sums[3] = {Vec<float>::set1(0), Vec<float>::set1(0), Vec<float>::set1(0)};
        for (int32_t t = 0; t < job->taps; ++t) {
            const Vec<float> w = Vec<float>::load(job->tap_weights + t * n + at);
            sums[0] = fma(pick(red + base + t, lanes), w, sums[0]);
            sums[1] = fma(pick(green + base + t, lanes), w, sums[1]);
            sums[2] = fma(pick(blue + base + t, lanes), w, sums[2]);
        }
        for (int channel = 0; channel < 3; ++channel)
            min(high, max(low, fma(sums[channel], scale, offset))).store(out + channel * job->out_plane_stride + at);
    }
}
#endif

// Four rows of a band along x, into one quad a pixel unless a register's pixels lie close together.
inline void resize_rows(const ResizeRows* job) {
#if defined(__AVX2__) || defined(__AVX512F__)
    if (job->tap_weights) {
        for (int r = 0; r < job->count; ++r) resize_row_picked(job, r);
        return;
    }
#endif
    const float* const r0 = job->rows[0];
    const float* const r1 = job->rows[1];
    const float* const r2 = job->rows[2];
    const float* const r3 = job->rows[3];
    const int32_t taps = job->taps;
    float* quads[4] = {job->quads, job->quads + 4 * job->outputs, job->quads + 8 * job->outputs, job->quads + 12 * job->outputs};
    for (int64_t x = 0; x < job->outputs; ++x) {
        const int64_t first = 3 * static_cast<int64_t>(job->first[x]);
        const float* const weights = job->weights + x * taps;
        Quad a = set_quad(0), b = a, c = a, d = a;
        for (int32_t t = 0; t < taps; ++t) {
            const Quad w = set_quad(weights[t]);
            const int64_t at = first + 3 * t;
            a = fma_quad(load_quad(r0 + at), w, a);
            b = fma_quad(load_quad(r1 + at), w, b);
            c = fma_quad(load_quad(r2 + at), w, c);
            d = fma_quad(load_quad(r3 + at), w, d);
        }
        store_quad(quads[0] + 4 * x, a);
        store_quad(quads[1] + 4 * x, b);
        store_quad(quads[2] + 4 * x, c);
        store_quad(quads[3] + 4 * x, d);
    }
    // To planes: four pixels at a time, the last group overlapping the one before.
    const Quad scale = set_quad(job->scale), offset = set_quad(job->offset), low = set_quad(job->low), high = set_quad(job->high);
    for (int r = 0; r < job->count; ++r) {
        const float* const q = quads[r];
        float* const out = job->out + r * job->out_row_stride;
        const int64_t n = job->outputs;
        if (n < 4) {
            for (int64_t x = 0; x < n; ++x) {
                const Quad p = clamp_quad(fma_quad(load_quad(q + 4 * x), scale, offset), low, high);
                for (int channel = 0; channel < 3; ++channel) out[channel * job->out_plane_stride + x] = quad_lane(p, channel);
            }
            continue;
        }
        for (int64_t x = 0; x < n; x += 4) {
            const int64_t at = x + 4 <= n ? x : n - 4;
            const Quad pixels[4] = {load_quad(q + 4 * at), load_quad(q + 4 * at + 4), load_quad(q + 4 * at + 8),
                                    load_quad(q + 4 * at + 12)};
            Quad planes[3];
            planes_of(pixels, planes);
            for (int channel = 0; channel < 3; ++channel)
                store_quad(out + channel * job->out_plane_stride + at, clamp_quad(fma_quad(planes[channel], scale, offset), low, high));
        }
    }
}
