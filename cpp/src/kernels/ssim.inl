// Windowed SSIM over one strip of rows: convert two rows to (x+y, x-y), filter the four moments E[s], E[d], E[s^2],
// E[d^2] down the columns and then along the rows, and turn them into the index. No full-size intermediate exists.
//
// Staged rows are split over the lanes: of a strip of L * S columns, lane l holds columns l S to l S + S - 1. The taps of a
// row are then whole registers, one after another, as the taps of a column are. The N - 1 registers after the last are the
// first ones moved down by a lane, where the last lane takes the columns after the strip: the tail, which is staged and
// filtered in natural order, all channels together. Strips too narrow to split stay in natural order, and taps load unaligned.
//
// Counted per output register of an 11-tap window: 44 vertical and 44 horizontal multiply-adds, 7 squares, 9 for the split and
// the conversion, 17 for the index and its sum: 121 operations on the two arithmetic ports.

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

// One register of both images as s = x + y - 2 shift and d = x - y.
template <class T>
struct StagedPair {
    Vec<T> s, d;
    PG_INLINE StagedPair(Vec<T> x, Vec<T> y, Vec<T> shift) {
        const Vec<T> a = x - shift, b = y - shift;
        s = a + b;
        d = a - b;
    }
};

// Register i of the result: element i after `from` of every lane's segment, read as elements of From.
template <class T, class From>
PG_INLINE void load_split(const char* from, int64_t segment_bytes, Vec<T> (&r)[Vec<T>::lanes]) {
    for (int l = 0; l < Vec<T>::lanes; ++l) r[l] = LoadAs<T, From>::load(reinterpret_cast<const From*>(from + l * segment_bytes));
    transpose(r);
}

template <class T, class In>
void ssim_stage(const void* x, const void* y, const SsimRow<T>* description, T* s, T* d) {
    const SsimRow<T>& row = *description;
    constexpr int L = Vec<T>::lanes;
    const int64_t segment = row.split ? row.registers * row.planes : 0, bytes = segment * static_cast<int64_t>(sizeof(In));
    const char* const px = static_cast<const char*>(x);
    const char* const py = static_cast<const char*>(y);
    const Vec<T> shift = Vec<T>::set1(row.shift);
#if PG_VECTOR_EXTENSIONS
    if constexpr (sizeof(In) < sizeof(float)) {
        // Words are turned whole and taken apart after. The shift is an integer: no step rounds.
        using Word = Words<T, In>;
        const Vec<T> offset = Vec<T>::set1(2 * Word::magic + 2 * row.shift);
        for (int64_t q = 0; q < segment; q += L * Word::elements) {
            Vec<T> wx[L], wy[L];
            load_split<T, T>(px + q * static_cast<int64_t>(sizeof(In)), bytes, wx);
            load_split<T, T>(py + q * static_cast<int64_t>(sizeof(In)), bytes, wy);
            const int64_t words = (segment - q + Word::elements - 1) / Word::elements;
            for (int64_t i = 0; i < L && i < words; ++i) {
                Unroll<0, Word::elements>::run([&](auto kc) PG_LAMBDA_INLINE {
                    constexpr int k = decltype(kc)::value;
                    const Vec<T> a = Word::template element<k>(wx[i]), b = Word::template element<k>(wy[i]);
                    const int64_t to = row.places[q + i * Word::elements + k];
                    ((a - offset) + b).store(s + to);
                    (a - b).store(d + to);
                });
            }
        }
    } else
#endif
    {
        for (int64_t q = 0; q < segment; q += L) {
            Vec<T> vx[L], vy[L];
            load_split<T, In>(px + q * static_cast<int64_t>(sizeof(In)), bytes, vx);
            load_split<T, In>(py + q * static_cast<int64_t>(sizeof(In)), bytes, vy);
            for (int64_t i = 0; i < L && q + i < segment; ++i) {
                const StagedPair<T> pair(vx[i], vy[i], shift);
                pair.s.store(s + row.places[q + i]);
                pair.d.store(d + row.places[q + i]);
            }
        }
    }
    const In* const tx = reinterpret_cast<const In*>(px + L * bytes);
    const In* const ty = reinterpret_cast<const In*>(py + L * bytes);
    const int64_t main = row.registers * L, natural = row.tail + (row.split ? 0 : main);
    T* const to_s = s + (row.split ? main : 0);
    T* const to_d = d + (row.split ? main : 0);
    for (int64_t e = 0; e < natural; e += L) {
        const StagedPair<T> pair(LoadAs<T, In>::load(tx + e), LoadAs<T, In>::load(ty + e), shift);
        pair.s.store(to_s + e);
        pair.d.store(to_d + e);
    }
}

// Output rows filtered together: 2 x Rows accumulators stay in registers beside the distinct taps. Eight would square less often,
// but the scratch of eight leaves the first-level cache.
constexpr int kSsimRows = 4;

template <class T, int N>
struct Taps {  // symmetric: N taps, (N + 1) / 2 distinct
    Vec<T> w[(N + 1) / 2];
    explicit PG_INLINE Taps(const T* taps) {
        for (int k = 0; k < (N + 1) / 2; ++k) w[k] = Vec<T>::set1(taps[k]);
    }
    PG_INLINE Vec<T> operator[](int k) const { return w[k < N - 1 - k ? k : N - 1 - k]; }
};

// The index of one register of pixels, as half of what it lacks of 1: with a = m^2 + C1, n = E[d]^2, p = var s + C2 and
// q = var d it is (a - n)(p - q) / ((a + n)(p + q)) = 1 - 2 (n p + a q) / ((a + n)(p + q)), an operation less and exact near 1.
template <class T>
struct SsimIndex {
    Vec<T> c1, c2, origin;
    explicit PG_INLINE SsimIndex(const SsimBlock<T>& b) : c1(Vec<T>::set1(b.c1)), c2(Vec<T>::set1(b.c2)), origin(Vec<T>::set1(b.origin)) {}

    // From the mean of s as staged, n, p and q. Rounding may leave q below zero, which would take the index beyond 1.
    template <bool Luminance>
    PG_INLINE Vec<T> of_variances(Vec<T> ms, Vec<T> n, Vec<T> p, Vec<T> variance_d) const {
        const Vec<T> q = max(variance_d, Vec<T>::set1(0));
        if constexpr (!Luminance) return q / (p + q);
        const Vec<T> m = ms + origin, a = fma(m, m, c1);
        return fma(n, p, a * q) / ((a + n) * (p + q));
    }
    // From the means of s, d, s^2 + C2 and d^2.
    template <bool Luminance>
    PG_INLINE Vec<T> of(Vec<T> ms, Vec<T> md, Vec<T> ss, Vec<T> dd) const {
        const Vec<T> n = md * md;
        return of_variances<Luminance>(ms, n, fnma(ms, ms, ss), dd - n);
    }
    static PG_INLINE Vec<T> whole(Vec<T> half) { return Vec<T>::set1(1) - (half + half); }
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
    // The same moved by a lane, `next` and what follows it at the same distances in the last one.
    PG_INLINE void store_moved(T* first, T* second, int64_t stride, const T* next) const {
        const T* const next_second = next + (second - first);
        Unroll<0, Rows>::run([&](auto oc) PG_LAMBDA_INLINE {
            constexpr int o = decltype(oc)::value;
            moved(m1[o], next + o * stride).store(first + o * stride);
            moved(m2[o], next_second + o * stride).store(second + o * stride);
        });
    }
};

// N taps along a row, `step` elements apart, begun from m or from nothing.
template <class T, int N, int First = 0>
PG_INLINE Vec<T> horizontal(const T* p, int64_t step, const Taps<T, N>& w, Vec<T> m) {
    Unroll<First, N>::run([&](auto kc) PG_LAMBDA_INLINE {
        constexpr int k = decltype(kc)::value;
        m = fma(Vec<T>::load(p + k * step), w[k], m);
    });
    return m;
}
template <class T, int N>
PG_INLINE Vec<T> horizontal(const T* p, int64_t step, const Taps<T, N>& w) {
    return horizontal<T, N, 1>(p, step, w, Vec<T>::load(p) * w[0]);
}

// The registers after the last: see the top of the file. `tail` holds one value every `step` elements.
template <class T>
PG_INLINE void append_moved(T* row, int64_t registers, int64_t taps, const T* tail, int64_t step) {
    constexpr int L = Vec<T>::lanes;
    T* const to = row + registers * L;
    for (int64_t t = 0; t < taps - 1; ++t) moved(Vec<T>::load(row + t * L), tail + t * step).store(to + t * L);
}

template <class T>
PG_INLINE void add_lanes(Vec<T> v, double* sums) {
    T lanes[Vec<T>::lanes];
    v.store(lanes);
    constexpr int L = Vec<double>::lanes;
    for (int i = 0; i < Vec<T>::lanes; i += L) (Vec<double>::load(sums + i) + LoadAs<double, T>::load(lanes + i)).store(sums + i);
}

// Filters one block of kSsimRows output rows, N taps known. The vertical pass runs ahead of the horizontal one by the reach of
// the taps. In natural order, where the registers suffice, the two are interleaved: the first is bound by arithmetic, the
// second by loads that cross lines.
template <class T, int N, bool Luminance, bool Map, bool Split>
PG_INLINE void filter_block(const SsimBlock<T>& b) {
    constexpr int L = Vec<T>::lanes, Rows = kSsimRows, Steps = N + Rows - 1, Half = Rows / 2, Spacing = Steps / Half;
    const Taps<T, N> w(b.taps + Rows);
    const SsimIndex<T> index(b);
    const int64_t stride = b.scratch_stride, moment = stride * Rows, registers = b.registers, step = Split ? L : b.tap_step;
    T* const scratch = b.scratch;

    T* const tail = scratch + (registers + N - 1) * L;
    const auto filter_moment = [&](const T* const* rows, int64_t from, T* to, auto moves, const T* next) PG_LAMBDA_INLINE {
        Column<T, N, Rows> column;
        Unroll<0, Steps>::run([&](auto jc) PG_LAMBDA_INLINE {
            constexpr int j = decltype(jc)::value;
            column.template add<j>(Vec<T>::load(rows[j] + from), w);
        });
        column.store(to, to + 2 * moment, stride);
        if constexpr (decltype(moves)::value) column.store_moved(to + registers * L, to + registers * L + 2 * moment, stride, next);
    };
    const auto filter = [&](int64_t from, T* to, auto moves, const T* next) PG_LAMBDA_INLINE {
        filter_moment(b.s_rows, from, to, moves, next);
        filter_moment(b.d_rows, from, to + moment, moves, next + moment);
    };

    for (int64_t t = 0; Split && t < b.tail; t += L) filter(registers * L + t, tail + t, Const<0>{}, tail);
    const int64_t filtered = Split ? registers : registers + (b.tail + L - 1) / L;
    const int64_t reach = Split ? N : (b.tail + 2 * L - 1) / L + 1;  // one more, so that it has left the store buffer
    const int64_t lag = reach < filtered ? reach : filtered, moving = Split ? N - 1 : 0;
    for (int64_t c = 0; c < b.planes; ++c) {
        const int64_t plane = c * b.plane_stride;
        for (int64_t f = 0; f < moving; ++f) filter(plane + f * L, scratch + f * L, Const<Split>{}, tail + c + f * b.planes);
        for (int64_t f = moving; f < lag; ++f) filter(plane + f * L, scratch + f * L, Const<0>{}, tail);
        for (int64_t e = 0; e < registers; ++e) {
            const T* const from = scratch + e * L;
            const int64_t place = (c * registers + e) * L;
            Vec<T> sum = Vec<T>::set1(0);
            const auto output = [&](auto oc) PG_LAMBDA_INLINE {
                constexpr int o = decltype(oc)::value;
                const T* p = from + o * stride;
                const Vec<T> q = index.template of<Luminance>(horizontal<T, N>(p, step, w), horizontal<T, N>(p + moment, step, w),
                                                              horizontal<T, N>(p + 2 * moment, step, w, index.c2),
                                                              horizontal<T, N>(p + 3 * moment, step, w));
                sum = fma(q, Vec<T>::set1(b.row_weights[o]), sum);
                if constexpr (Map) index.whole(q).store(b.map[o] + place);
            };
            const int64_t f = e + lag;
            if (f >= filtered) {
                Unroll<0, Rows>::run(output);
            } else if constexpr (!Split && kVecRegisters == 32) {
                const int64_t at = plane + f * L;
                T* const to = scratch + f * L;
                Column<T, N, Rows> column;
                Unroll<0, Steps>::run([&](auto jc) PG_LAMBDA_INLINE {
                    constexpr int j = decltype(jc)::value;
                    column.template add<j>(Vec<T>::load(b.s_rows[j] + at), w);
                    if constexpr (j % Spacing == Spacing - 1 && j / Spacing < Half) output(Const<j / Spacing>{});
                });
                column.store(to, to + 2 * moment, stride);
                Unroll<0, Steps>::run([&](auto jc) PG_LAMBDA_INLINE {
                    constexpr int j = decltype(jc)::value;
                    column.template add<j>(Vec<T>::load(b.d_rows[j] + at), w);
                    if constexpr (j % Spacing == Spacing - 1 && j / Spacing < Half) output(Const<Half + j / Spacing>{});
                });
                column.store(to + moment, to + 3 * moment, stride);
            } else {
                Unroll<0, Rows>::run(output);
                filter(plane + f * L, scratch + f * L, Const<0>{}, tail);
            }
            add_lanes(sum, b.sums + place);
        }
    }
}

template <class T, int N, bool Luminance>
void ssim_block(const SsimBlock<T>* block) {
    const bool split = block->tap_step == 0;
    if (block->map) return split ? filter_block<T, N, Luminance, true, true>(*block) : filter_block<T, N, Luminance, true, false>(*block);
    split ? filter_block<T, N, Luminance, false, true>(*block) : filter_block<T, N, Luminance, false, false>(*block);
}

// The same for any number of taps.
template <class T, bool Luminance>
void ssim_block_any(const SsimBlock<T>* block) {
    const SsimBlock<T>& b = *block;
    constexpr int L = Vec<T>::lanes, Rows = kSsimRows;
    const SsimIndex<T> index(b);
    const int64_t taps = b.taps_count, stride = b.scratch_stride, moment = stride * Rows, registers = b.registers;

    const auto filter = [&](const T* const* rows, int64_t from, T* first, T* second) {
        Vec<T> m1[Rows], m2[Rows];
        for (int o = 0; o < Rows; ++o) m1[o] = m2[o] = Vec<T>::set1(0);
        for (int64_t j = 0; j < taps + Rows - 1; ++j) {
            const Vec<T> v = Vec<T>::load(rows[j] + from), vv = v * v;
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
    const auto filter_pair = [&](int64_t from, T* to) {
        filter(b.s_rows, from, to, to + 2 * moment);
        filter(b.d_rows, from, to + moment, to + 3 * moment);
    };
    T* const tail = b.scratch + (registers + (b.tap_step ? 0 : taps - 1)) * L;
    const int64_t step = b.tap_step ? b.tap_step : L;
    for (int64_t t = 0; t < b.tail; t += L) filter_pair(registers * L + t, tail + t);
    for (int64_t c = 0; c < b.planes; ++c) {
        for (int64_t f = 0; f < registers * L; f += L) filter_pair(c * b.plane_stride + f, b.scratch + f);
        for (int64_t i = 0; !b.tap_step && i < 4 * Rows; ++i)
            append_moved(b.scratch + i * stride, registers, taps, tail + i * stride + c, b.planes);
        for (int64_t e = 0; e < registers * L; e += L) {
            const int64_t place = c * registers * L + e;
            Vec<T> sum = Vec<T>::set1(0);
            for (int o = 0; o < Rows; ++o) {
                const T* p = b.scratch + e + o * stride;
                Vec<T> m[4] = {Vec<T>::set1(0), Vec<T>::set1(0), index.c2, Vec<T>::set1(0)};
                for (int64_t k = 0; k < taps; ++k) {
                    const Vec<T> tap = Vec<T>::set1(b.taps[Rows + k]);
                    for (int i = 0; i < 4; ++i) m[i] = fma(Vec<T>::load(p + i * moment + k * step), tap, m[i]);
                }
                const Vec<T> q = index.template of<Luminance>(m[0], m[1], m[2], m[3]);
                sum = fma(q, Vec<T>::set1(b.row_weights[o]), sum);
                if (b.map) index.whole(q).store(b.map[o] + place);
            }
            add_lanes(sum, b.sums + place);
        }
    }
}

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
                const Vec<float> md = m[1] * spread.scale;
                const Vec<float> q = index.template of_variances<Luminance>(m[0] * spread.scale, md * md, spread.of(m[0], m[2]) + index.c2,
                                                                            spread.of(m[1], m[3]));
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

// The means of s, d, s^2, d^2 and s d over the windows of one output row: what the separate luminance, contrast and
// structure need. Scratch holds five rows.
template <class T>
void ssim_moments(const SsimBlock<T>* block, T* const* out) {
    const SsimBlock<T>& b = *block;
    constexpr int L = Vec<T>::lanes;
    const T* const w = b.taps + kSsimRows;
    const int64_t taps = b.taps_count, stride = b.scratch_stride, registers = b.registers;
    const auto filter = [&](int64_t from, T* to) {
        Vec<T> m[5] = {Vec<T>::set1(0), Vec<T>::set1(0), Vec<T>::set1(0), Vec<T>::set1(0), Vec<T>::set1(0)};
        for (int64_t j = 0; j < taps; ++j) {
            const Vec<T> s = Vec<T>::load(b.s_rows[j] + from), d = Vec<T>::load(b.d_rows[j] + from), tap = Vec<T>::set1(w[j]);
            m[0] = fma(s, tap, m[0]);
            m[1] = fma(d, tap, m[1]);
            m[2] = fma(s * s, tap, m[2]);
            m[3] = fma(d * d, tap, m[3]);
            m[4] = fma(s * d, tap, m[4]);
        }
        for (int i = 0; i < 5; ++i) m[i].store(to + i * stride);
    };
    T* const tail = b.scratch + (registers + (b.tap_step ? 0 : taps - 1)) * L;
    const int64_t step = b.tap_step ? b.tap_step : L;
    for (int64_t t = 0; t < b.tail; t += L) filter(registers * L + t, tail + t);
    for (int64_t c = 0; c < b.planes; ++c) {
        for (int64_t f = 0; f < registers * L; f += L) filter(c * b.plane_stride + f, b.scratch + f);
        for (int i = 0; !b.tap_step && i < 5; ++i) append_moved(b.scratch + i * stride, registers, taps, tail + i * stride + c, b.planes);
        for (int64_t e = 0; e < registers * L; e += L) {
            for (int i = 0; i < 5; ++i) {
                Vec<T> m = Vec<T>::set1(0);
                for (int64_t k = 0; k < taps; ++k) m = fma(Vec<T>::load(b.scratch + i * stride + e + k * step), Vec<T>::set1(w[k]), m);
                m.store(out[i] + c * registers * L + e);
            }
        }
    }
}
