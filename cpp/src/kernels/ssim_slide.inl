// Uniform windows over 8-bit images by running sums: a row enters and a row leaves, then a column enters and a column
// leaves. Every sum is an integer below 2^24, so float32 holds it exactly; windows up to 15 x 15 qualify. Counted per output
// register of any window: 8 vertical and 8 horizontal operations, 9 for the split and the conversion, about 24 for the index.
//
// Scratch keeps the vertical sums of every channel from one block of the tile to the next.
struct SlidingSums {
    float* s;  // the sums of s, d, s^2 and d^2: rows `stride` apart
    int64_t stride;

    // Adds the row that enters and takes away the one that leaves.
    PG_INLINE void move(const float* enters, const float* leaves, int64_t from, int64_t n, int row) const {
        float* const first = s + row * stride;
        float* const second = first + 2 * stride;
        for (int64_t e = 0; e < n; e += Vec<float>::lanes) {
            const Vec<float> a = Vec<float>::load(enters + from + e), b = Vec<float>::load(leaves + from + e), step = a - b;
            (Vec<float>::load(first + e) + step).store(first + e);
            fma(step, a + b, Vec<float>::load(second + e)).store(second + e);
        }
    }
    PG_INLINE void begin(const float* const* rows, int64_t taps, int64_t from, int64_t n, int row) const {
        float* const first = s + row * stride;
        float* const second = first + 2 * stride;
        for (int64_t e = 0; e < n; e += Vec<float>::lanes) {
            Vec<float> m1 = Vec<float>::set1(0), m2 = m1;
            for (int64_t j = 0; j < taps; ++j) {
                const Vec<float> v = Vec<float>::load(rows[j] + from + e);
                m1 = m1 + v;
                m2 = fma(v, v, m2);
            }
            m1.store(first + e);
            m2.store(second + e);
        }
    }
};

// n sum(v^2) - sum(v)^2 with one rounding of the difference: either term alone needs more than 24 bits, and an error of the mean
// would be the same in every window of a flat area, so that averaging would not remove it.
struct ExactSpread {
    Vec<float> n, minus_n, scale;  // pixels of the window, and one over them
    PG_INLINE Vec<float> of(Vec<float> sum, Vec<float> squares) const {
        if constexpr (kVecFused) {
            const Vec<float> square = sum * sum;
            return fnma(sum, sum, square) - fma(minus_n, squares, square);
        }
        // About the nearest integer to the mean every product is an integer below 2^24.
        const Vec<float> whole = Vec<float>::set1(3 << 22);  // adding it drops the fraction
        const Vec<float> mean = (sum * scale + whole) - whole, rest = sum - n * mean;
        return n * (squares - mean * (sum + rest)) - rest * rest;
    }
};

template <bool Luminance, bool Map>
PG_INLINE void slide_block(const SsimBlock<float>& b) {
    constexpr int L = Vec<float>::lanes;
    const int64_t taps = b.taps_count, stride = b.scratch_stride, registers = b.registers;
    const int64_t plane = registers * L, after = (registers + taps - 1) * L;
    const SsimIndex<float> index(b);
    const float pixels = static_cast<float>(taps * taps);
    const ExactSpread spread{Vec<float>::set1(pixels), Vec<float>::set1(-pixels), Vec<float>::set1(1 / pixels)};
    const Vec<float> origin = Vec<float>::set1(pixels * b.origin);  // the sum of x + y is an integer too
    const auto vertical = [&](const SlidingSums& sums, int64_t o, int64_t from, int64_t n) PG_LAMBDA_INLINE {
        for (int i = 0; i < 2; ++i) {
            const float* const* rows = (i ? b.d_rows : b.s_rows) + o;
            if (b.first && o == 0)
                sums.begin(rows + 1, taps, from, n, i);
            else
                sums.move(rows[taps], rows[0], from, n, i);
        }
    };
    for (int64_t c = 0; c < b.planes; ++c) {
        const SlidingSums sums{b.scratch + c * 5 * stride, stride}, tail{sums.s + after, stride};
        float* const total = sums.s + 4 * stride;  // the index, over the rows
        for (int64_t o = 0; o < b.rows; ++o) {
            ask_for(b, c * b.rows + o, b.planes * b.rows);
            vertical(sums, o, c * b.plane_stride, plane);
            vertical(tail, o, plane, b.tail);
            for (int i = 0; i < 4; ++i) append_moved(sums.s + i * stride, registers, taps, tail.s + i * stride + c, b.planes);
            Vec<float> m[4];
            for (int i = 0; i < 4; ++i) {
                m[i] = Vec<float>::load(sums.s + i * stride);
                for (int64_t k = 1; k < taps; ++k) m[i] = m[i] + Vec<float>::load(sums.s + i * stride + k * L);
            }
            const bool fresh = o == 0;
            for (int64_t e = 0; e < plane; e += L) {
                const Vec<float> q = index.template of<Luminance>((m[0] + origin) * spread.scale, m[1] * spread.scale,
                                                                  spread.of(m[0], m[2]) + index.c2, spread.of(m[1], m[3]));
                (fresh ? q : Vec<float>::load(total + e) + q).store(total + e);
                if constexpr (Map) index.whole(q).store(b.map[o] + c * plane + e);
                Unroll<0, 4>::run([&](auto ic) PG_LAMBDA_INLINE {
                    constexpr int i = decltype(ic)::value;
                    const float* p = sums.s + i * stride + e;
                    m[i] = m[i] + (Vec<float>::load(p + taps * L) - Vec<float>::load(p));
                });
            }
        }
        for (int64_t e = 0; e < plane; e += L) add_lanes(Vec<float>::load(total + e), b.sums + c * plane + e);
    }
}

template <bool Luminance>
void ssim_slide(const SsimBlock<float>* block) {
    if (block->map) return slide_block<Luminance, true>(*block);
    slide_block<Luminance, false>(*block);
}
