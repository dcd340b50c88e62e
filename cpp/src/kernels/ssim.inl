// Windowed SSIM over one strip of rows: convert two rows to (x+y, x-y), filter the four moments E[s], E[d], E[s^2],
// E[d^2] down the columns and then along the rows, and turn them into the index. No full-size intermediate exists.
//
// Counted per output register of an 11-tap window: 44 vertical and 44 horizontal multiply-adds, 4 to 5 squares,
// 6 for the conversion, about 20 for the index: 119 operations on the two arithmetic ports. The horizontal taps are
// unaligned loads (44, most crossing a cache line), which the load ports carry while the arithmetic ports work. Two other
// designs measured no better: taps put together from aligned registers by shifts (+10 %), and columns transposed 16 x 16
// so that all taps are aligned (-3 % on AVX-512 with 11 taps, +8 % with 7, +8 % on AVX2).

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

// One row of both images as s = x + y - 2 shift and d = x - y. n is a multiple of the lanes.
template <class T, class In>
struct StagePair {
    static PG_INLINE void run(const In* x, const In* y, Vec<T> shift, Vec<T>& s, Vec<T>& d) {
        const Vec<T> a = LoadAs<T, In>::load(x) - shift, b = LoadAs<T, In>::load(y) - shift;
        s = a + b;
        d = a - b;
    }
};
template <class T>
PG_INLINE void stage_integers(Ints<T> a, Ints<T> b, Vec<T> shift, Vec<T>& s, Vec<T>& d) {
    s = (a + b).convert() - (shift + shift);
    d = (a - b).convert();
}
template <class T>
struct StagePair<T, uint8_t> {
    static PG_INLINE void run(const uint8_t* x, const uint8_t* y, Vec<T> shift, Vec<T>& s, Vec<T>& d) {
        stage_integers<T>(Ints<T>::template load<uint8_t>(x), Ints<T>::template load<uint8_t>(y), shift, s, d);
    }
};
template <class T>
struct StagePair<T, uint16_t> {
    static PG_INLINE void run(const uint16_t* x, const uint16_t* y, Vec<T> shift, Vec<T>& s, Vec<T>& d) {
        stage_integers<T>(Ints<T>::template load<uint16_t>(x), Ints<T>::template load<uint16_t>(y), shift, s, d);
    }
};

template <class T, class In>
void ssim_stage(const void* x, const void* y, int64_t n, double shift, T* s, T* d) {
    const In* px = static_cast<const In*>(x);
    const In* py = static_cast<const In*>(y);
    const Vec<T> c = Vec<T>::set1(static_cast<T>(shift));
    for (int64_t i = 0; i < n; i += Vec<T>::lanes) {
        Vec<T> vs, vd;
        StagePair<T, In>::run(px + i, py + i, c, vs, vd);
        vs.store(s + i);
        vd.store(d + i);
    }
}

// Output rows filtered together: 2 x Rows accumulators stay in registers beside the distinct taps.
constexpr int kSsimRows = kVecRegisters == 32 ? 8 : 4;

// Elements of a row of scratch where the number of taps is known: an odd number of cache lines, so that rows do not fall
// on the same cache sets, and few enough that 4 x Rows of them fit the first-level cache.
constexpr int64_t kSsimScratchStride = 208;

template <class T, int N>
struct Taps {  // symmetric: N taps, (N + 1) / 2 distinct
    Vec<T> w[(N + 1) / 2];
    explicit PG_INLINE Taps(const T* taps) {
        for (int k = 0; k < (N + 1) / 2; ++k) w[k] = Vec<T>::set1(taps[k]);
    }
    PG_INLINE Vec<T> operator[](int k) const { return w[k < N - 1 - k ? k : N - 1 - k]; }
};

// The index of one register of pixels from the means of s, d, s^2 and d^2 (s, d as staged).
template <class T>
struct SsimIndex {
    Vec<T> c1, c2, norm, origin;
    explicit PG_INLINE SsimIndex(const SsimBlock<T>& b)
        : c1(Vec<T>::set1(b.c1)), c2(Vec<T>::set1(b.c2)), norm(Vec<T>::set1(b.norm)), origin(Vec<T>::set1(b.origin)) {}

    template <bool Luminance>
    PG_INLINE Vec<T> of(Vec<T> ms, Vec<T> md, Vec<T> ss, Vec<T> dd) const {
        const Vec<T> zero = Vec<T>::set1(0);
        const Vec<T> nn = md * md;
        const Vec<T> vs = fma(max(ss - ms * ms, zero), norm, c2), vd = max(dd - nn, zero) * norm;
        const Vec<T> structure_num = vs - vd, structure_den = vs + vd;
        if constexpr (!Luminance) return structure_num / structure_den;
        const Vec<T> m = ms + origin, mm = fma(m, m, c1);
        return ((mm - nn) * structure_num) / ((mm + nn) * structure_den);
    }
};

// The two first moments of Rows consecutive output rows, as the rows arrive.
template <class T, int N, int Rows>
struct Column {
    Vec<T> m1[Rows], m2[Rows];

    template <int J>
    PG_INLINE void add(Vec<T> v, const Taps<T, N>& w) {
        const Vec<T> vv = v * v;
        Unroll<0, Rows>::run([&](auto oc) PG_LAMBDA_INLINE {
            constexpr int o = decltype(oc)::value, k = J - o;
            if constexpr (k == 0) {
                m1[o] = v * w[k];
                m2[o] = vv * w[k];
            } else if constexpr (k > 0 && k < N) {
                m1[o] = fma(v, w[k], m1[o]);
                m2[o] = fma(vv, w[k], m2[o]);
            }
        });
    }
    PG_INLINE void store(T* first, T* second, int64_t stride) const {
        Unroll<0, Rows>::run([&](auto oc) PG_LAMBDA_INLINE {
            constexpr int o = decltype(oc)::value;
            m1[o].store(first + o * stride);
            m2[o].store(second + o * stride);
        });
    }
};

// N taps along a row, `step` elements apart.
template <class T, int N>
PG_INLINE Vec<T> horizontal(const T* p, int64_t step, const Taps<T, N>& w) {
    Vec<T> m = Vec<T>::load(p) * w[0];
    Unroll<1, N>::run([&](auto kc) PG_LAMBDA_INLINE {
        constexpr int k = decltype(kc)::value;
        m = fma(Vec<T>::load(p + k * step), w[k], m);
    });
    return m;
}

template <class T>
void move_back(T* rows, int64_t count, int64_t stride, int64_t from, int64_t n, int64_t lanes) {
    for (int64_t r = 0; r < count; ++r)
        for (int64_t i = 0; i < n; i += lanes) Vec<T>::load(rows + r * stride + from + i).store(rows + r * stride + i);
}

template <class T>
PG_INLINE void add_lanes(Vec<T> v, double* sums) {
    T lanes[Vec<T>::lanes];
    v.store(lanes);
    constexpr int L = Vec<double>::lanes;
    for (int i = 0; i < Vec<T>::lanes; i += L) (Vec<double>::load(sums + i) + LoadAs<double, T>::load(lanes + i)).store(sums + i);
}

// Filters one block of kSsimRows output rows, N taps known. Where the registers suffice, the vertical pass of a column
// is interleaved with the horizontal pass of an earlier one: the first is bound by arithmetic, the second by loads.
template <class T, int N, bool Luminance, bool Map, int Step>
PG_INLINE void filter_block(const SsimBlock<T>& b) {
    constexpr int L = Vec<T>::lanes, Rows = kSsimRows, Steps = N + Rows - 1, Half = Rows / 2, Spacing = Steps / Half;
    const Taps<T, N> w(b.taps + Rows);
    const SsimIndex<T> index(b);
    const int64_t step = Step ? Step : b.tap_step;
    constexpr int64_t stride = kSsimScratchStride, moment = stride * Rows;
    const int64_t lag = ssim_lag(L, N, step);
    T* const scratch = b.scratch;

    const auto filter = [&](int64_t f, T* to) PG_LAMBDA_INLINE {
        Column<T, N, Rows> column;
        Unroll<0, Steps>::run([&](auto jc) PG_LAMBDA_INLINE {
            constexpr int j = decltype(jc)::value;
            column.template add<j>(Vec<T>::load(b.s_rows[j] + f), w);
        });
        column.store(to, to + 2 * moment, stride);
        Unroll<0, Steps>::run([&](auto jc) PG_LAMBDA_INLINE {
            constexpr int j = decltype(jc)::value;
            column.template add<j>(Vec<T>::load(b.d_rows[j] + f), w);
        });
        column.store(to + moment, to + 3 * moment, stride);
    };

    for (int64_t f = 0; f < lag; f += L) filter(f, scratch + f);
    int64_t origin = 0;  // the element that scratch begins with
    for (int64_t e = 0; e < b.width; e += L) {
        if (e + lag - origin + L > stride) {
            move_back(scratch, 4 * Rows, stride, e - origin, lag, L);
            origin = e;
        }
        T* const to = scratch + (e + lag - origin);
        const T* const from = scratch + (e - origin);
        Vec<T> sum = Vec<T>::set1(0);
        const auto output = [&](auto oc) PG_LAMBDA_INLINE {
            constexpr int o = decltype(oc)::value;
            const T* p = from + o * stride;
            const Vec<T> q =
                index.template of<Luminance>(horizontal<T, N>(p, step, w), horizontal<T, N>(p + moment, step, w),
                                             horizontal<T, N>(p + 2 * moment, step, w), horizontal<T, N>(p + 3 * moment, step, w));
            sum = fma(q, Vec<T>::set1(b.row_weights[o]), sum);
            if constexpr (Map) q.store(b.map[o] + e);
        };
        if constexpr (kVecRegisters == 32) {
            const int64_t f = e + lag;
            Column<T, N, Rows> column;
            Unroll<0, Steps>::run([&](auto jc) PG_LAMBDA_INLINE {
                constexpr int j = decltype(jc)::value;
                column.template add<j>(Vec<T>::load(b.s_rows[j] + f), w);
                if constexpr (j % Spacing == Spacing - 1 && j / Spacing < Half) output(Const<j / Spacing>{});
            });
            column.store(to, to + 2 * moment, stride);
            Unroll<0, Steps>::run([&](auto jc) PG_LAMBDA_INLINE {
                constexpr int j = decltype(jc)::value;
                column.template add<j>(Vec<T>::load(b.d_rows[j] + f), w);
                if constexpr (j % Spacing == Spacing - 1 && j / Spacing < Half) output(Const<Half + j / Spacing>{});
            });
            column.store(to + moment, to + 3 * moment, stride);
        } else {
            filter(e + lag, to);
            Unroll<0, Rows>::run(output);
        }
        add_lanes(sum, b.sums + e);
    }
}

template <class T, int N, bool Luminance>
void ssim_block(const SsimBlock<T>* block) {
    // Known distances of taps, those of gray and RGB rows, save an address computation each.
    if (block->map) return filter_block<T, N, Luminance, true, 0>(*block);
    if constexpr (sizeof(T) == sizeof(float)) {
        if (block->tap_step == 1) return filter_block<T, N, Luminance, false, 1>(*block);
        if (block->tap_step == 3) return filter_block<T, N, Luminance, false, 3>(*block);
    }
    filter_block<T, N, Luminance, false, 0>(*block);
}

// The same for any number of taps.
template <class T, bool Luminance>
void ssim_block_any(const SsimBlock<T>* block) {
    const SsimBlock<T>& b = *block;
    constexpr int L = Vec<T>::lanes, Rows = kSsimRows;
    const SsimIndex<T> index(b);
    const int64_t taps = b.taps_count, step = b.tap_step, stride = b.scratch_stride, moment = stride * Rows;
    const int64_t lag = ssim_lag(L, taps, step);
    T* const scratch = b.scratch;

    const auto filter_rows = [&](const T* const* rows, int64_t f, T* first, T* second) {
        Vec<T> m1[Rows], m2[Rows];
        for (int o = 0; o < Rows; ++o) m1[o] = m2[o] = Vec<T>::set1(0);
        for (int64_t j = 0; j < taps + Rows - 1; ++j) {
            const Vec<T> v = Vec<T>::load(rows[j] + f), vv = v * v;
            const T* w = b.taps + Rows + j;  // zeros on both sides
            Unroll<0, Rows>::run([&](auto oc) PG_LAMBDA_INLINE {
                constexpr int o = decltype(oc)::value;
                const Vec<T> tap = Vec<T>::set1(w[-o]);
                m1[o] = fma(v, tap, m1[o]);
                m2[o] = fma(vv, tap, m2[o]);
            });
        }
        for (int o = 0; o < Rows; ++o) {
            m1[o].store(first + o * stride);
            m2[o].store(second + o * stride);
        }
    };
    const auto filter = [&](int64_t f, T* to) {
        filter_rows(b.s_rows, f, to, to + 2 * moment);
        filter_rows(b.d_rows, f, to + moment, to + 3 * moment);
    };

    for (int64_t f = 0; f < lag; f += L) filter(f, scratch + f);
    int64_t origin = 0;
    for (int64_t e = 0; e < b.width; e += L) {
        if (e + lag - origin + L > stride) {
            move_back(scratch, 4 * Rows, stride, e - origin, lag, L);
            origin = e;
        }
        filter(e + lag, scratch + (e + lag - origin));
        Vec<T> sum = Vec<T>::set1(0);
        for (int o = 0; o < Rows; ++o) {
            const T* p = scratch + (e - origin) + o * stride;
            Vec<T> m[4] = {Vec<T>::set1(0), Vec<T>::set1(0), Vec<T>::set1(0), Vec<T>::set1(0)};
            for (int64_t k = 0; k < taps; ++k) {
                const Vec<T> tap = Vec<T>::set1(b.taps[Rows + k]);
                for (int i = 0; i < 4; ++i) m[i] = fma(Vec<T>::load(p + i * moment + k * step), tap, m[i]);
            }
            const Vec<T> q = index.template of<Luminance>(m[0], m[1], m[2], m[3]);
            sum = fma(q, Vec<T>::set1(b.row_weights[o]), sum);
            if (b.map) q.store(b.map[o] + e);
        }
        add_lanes(sum, b.sums + e);
    }
}

// The means of s, d, s^2, d^2 and s d over the windows of one output row: what the separate luminance, contrast and
// structure need. Scratch holds five rows as wide as the strip and its halo.
template <class T>
void ssim_moments(const SsimBlock<T>* block, T* const* out) {
    const SsimBlock<T>& b = *block;
    constexpr int L = Vec<T>::lanes;
    const T* const w = b.taps + kSsimRows;
    const int64_t filtered = b.width + (b.taps_count - 1) * b.tap_step, stride = b.scratch_stride;
    for (int64_t f = 0; f < filtered; f += L) {
        Vec<T> m[5] = {Vec<T>::set1(0), Vec<T>::set1(0), Vec<T>::set1(0), Vec<T>::set1(0), Vec<T>::set1(0)};
        for (int64_t j = 0; j < b.taps_count; ++j) {
            const Vec<T> s = Vec<T>::load(b.s_rows[j] + f), d = Vec<T>::load(b.d_rows[j] + f), tap = Vec<T>::set1(w[j]);
            m[0] = fma(s, tap, m[0]);
            m[1] = fma(d, tap, m[1]);
            m[2] = fma(s * s, tap, m[2]);
            m[3] = fma(d * d, tap, m[3]);
            m[4] = fma(s * d, tap, m[4]);
        }
        for (int i = 0; i < 5; ++i) m[i].store(b.scratch + i * stride + f);
    }
    for (int64_t e = 0; e < b.width; e += L) {
        for (int i = 0; i < 5; ++i) {
            Vec<T> m = Vec<T>::set1(0);
            for (int64_t k = 0; k < b.taps_count; ++k)
                m = fma(Vec<T>::load(b.scratch + i * stride + e + k * b.tap_step), Vec<T>::set1(w[k]), m);
            m.store(out[i] + e);
        }
    }
}
