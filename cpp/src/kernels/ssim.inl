// Windowed SSIM over one strip of rows: convert two rows to s = x + y and d = x - y, filter their means and variances down the
// columns and then along the rows, and turn them into the index. No full-size intermediate exists.
//
// Precision. E[v^2] - E[v]^2 would lose every digit of a flat window's variance, and windows of one level all round alike, so that
// no average helps. Moments are therefore taken about a value of the window itself, r: the mean of the two pixels in the middle of
// the values that four windows filtered together read, then likewise of the columns' means along the row:
//     var v = sum_j w_j (var_j v + (mean_j v - r)^2) - (sum_j w_j (mean_j v - r))^2.
// Flat windows have variance 0 exactly. Elsewhere the two terms are at most a few times their difference, which decides the digits
// that are lost: 1 / (4 w (1 - w)) times if one of the two pixels, of weight w, is unlike all others, 1 / (w + w') if both are. With 11
// taps of sigma 1.5 that is 3.1 at most, with 7 equal taps 3.5; image/ssim_windows.cpp sends windows of a lighter middle to float64.

// Rows are split over the lanes: of a strip of L * S columns, lane l holds columns l S to l S + S - 1. The taps of a
// row are then whole registers, one after another, as the taps of a column are. The N - 1 registers after the last are the
// first ones moved down by a lane, where the last lane takes the columns after the strip: the tail, which is staged and
// filtered in natural order, all channels together.
//
// Counted per output register of an 11-tap window, four windows of a column and of a row together; the two middle values, whose
// deviations are opposite, count as one: vertical 40 multiply-adds, 6.5 squares, 7.5 differences and references, 4 to end;
// horizontal 42 multiply-adds, 7 squares, 7.5 differences and references; 9 for the split and the conversion, 18 for the index and its
// sum: 142 operations on the two arithmetic ports. Data is loaded 7 times down the columns and 14 along the rows.

// Part `part` of `parts` of the rows ahead.
template <class T>
PG_INLINE void ask_for(const SsimBlock<T>& b, int64_t part, int64_t parts) {
    constexpr int64_t kLine = 64;
    const RowsAhead& ahead = b.ahead;
    if (ahead.count == 0) return;  // of short rows
    const int64_t first = ahead.bytes * part / parts / kLine * kLine, past = ahead.bytes * (part + 1) / parts / kLine * kLine;
    for (int64_t r = 0; r < ahead.count; ++r)
        for (int64_t at = first; at < past; at += kLine) PG_PREFETCH(ahead.rows[r] + at, 2);
}

// Windows filtered together, down a column and along a row: 2 x kSsimGroup accumulators stay in registers beside the distinct taps.
constexpr int kSsimGroup = 4;

// The first of the two middle ones of the taps + kSsimGroup - 1 values that a group reads: with the next, within two of the centre of
// each of its windows.
constexpr int64_t middle(int64_t taps) { return (taps - 1) / 2 + kSsimGroup / 2 - 1; }

template <class T, int N>
struct Taps {  // symmetric: N taps, (N + 1) / 2 distinct
    static constexpr int kHalf = kSsimGroup / 2;
    Vec<T> w[(N + 1) / 2];
    Vec<T> both[kHalf], step[kHalf];  // sum and difference of the taps of the two middle values, of the later windows of a group
    explicit PG_INLINE Taps(const T* taps) {
        for (int k = 0; k < (N + 1) / 2; ++k) w[k] = Vec<T>::set1(taps[k]);
        for (int i = 0; i < kHalf; ++i) {
            const int k = static_cast<int>(middle(N)) - kHalf - i;
            both[i] = Vec<T>::set1(taps[k] + taps[k + 1]);
            step[i] = Vec<T>::set1(taps[k + 1] - taps[k]);
        }
    }
    PG_INLINE Vec<T> operator[](int k) const { return w[k < N - 1 - k ? k : N - 1 - k]; }
};

// The index of one register of pixels, as half of what it lacks of 1: with a = m^2 + C1, n = E[d]^2, p = var s + C2 and
// q = var d it is (a - n)(p - q) / ((a + n)(p + q)) = 1 - 2 (n p + a q) / ((a + n)(p + q)), an operation less and exact near 1.
template <class T>
struct SsimIndex {
    Vec<T> c1, c2, origin;
    explicit PG_INLINE SsimIndex(const SsimBlock<T>& b) : SsimIndex(b.c1, b.c2, b.origin) {}
    PG_INLINE SsimIndex(T one, T two, T middle) : c1(Vec<T>::set1(one)), c2(Vec<T>::set1(two)), origin(Vec<T>::set1(middle)) {}

    // From the means of x + y and of d, p and q. Rounding may leave q below zero, which would take the index beyond 1.
    template <bool Luminance>
    PG_INLINE Vec<T> of(Vec<T> m, Vec<T> md, Vec<T> p, Vec<T> variance_d) const {
        const Vec<T> q = max(variance_d, Vec<T>::set1(0));
        if constexpr (!Luminance) return q / (p + q);
        const Vec<T> a = fma(m, m, c1), n = md * md;
        return fma(n, p, a * q) / ((a + n) * (p + q));
    }
    static PG_INLINE Vec<T> whole(Vec<T> half) { return Vec<T>::set1(1) - (half + half); }
};

// The mean about a reference and the second moment about it of the windows of a group.
template <class T>
struct Moments {
    Vec<T> first[kSsimGroup], second[kSsimGroup];

    PG_INLINE Vec<T> variance(int o) const { return fnma(first[o], first[o], second[o]); }
};

// The mean of the two middle values, and the second's deviation from it; the first's is the opposite.
template <class T>
struct Reference {
    Vec<T> mean, second;
    PG_INLINE Reference(Vec<T> a, Vec<T> b) : mean((a + b) * Vec<T>::set1(T(0.5))), second((b - a) * Vec<T>::set1(T(0.5))) {}
};

// The moments about r.mean of a group of windows of N taps over the values value(j). Variance(j) is the variance within value j: with
// Point there is none.
template <class T, int N, bool Point, class Value, class Variance>
PG_INLINE Moments<T> filtered(const Taps<T, N>& w, const Reference<T>& r, Vec<T> start, Value value, Variance variance) {
    constexpr int Middle = static_cast<int>(middle(N)), Half = kSsimGroup / 2;
    Moments<T> m;
    Unroll<0, N + kSsimGroup - 1>::run([&](auto jc) PG_LAMBDA_INLINE {
        constexpr int j = decltype(jc)::value;
        constexpr bool is_middle = j == Middle || j == Middle + 1;
        if constexpr (Point && j == Middle) return;
        const Vec<T> v = is_middle ? r.second : value(jc) - r.mean;
        const Vec<T> b = Point ? v * v : fma(v, v, variance(jc));
        Unroll<0, kSsimGroup>::run([&](auto oc) PG_LAMBDA_INLINE {
            constexpr int o = decltype(oc)::value, k = j - o, i = o < Half ? Half - 1 - o : o - Half;
            if constexpr (k == 0) {
                m.first[o] = v * w[k];
                m.second[o] = Point ? b * w[k] : fma(b, w[k], start);
            } else if constexpr (k > 0 && k < N) {
                if constexpr (!is_middle)
                    m.first[o] = fma(v, w[k], m.first[o]);
                else if constexpr (j != Middle)
                    m.first[o] = o < Half ? fnma(v, w.step[i], m.first[o]) : fma(v, w.step[i], m.first[o]);
                m.second[o] = fma(b, Point && is_middle ? w.both[i] : w[k], m.second[o]);
            }
        });
    });
    return m;
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

// Scratch of a block: kSsimGroup rows each of the means of s, the means of d, the variances of s and the variances of d.
template <class T>
struct ColumnMoments {
    T* at;
    int64_t stride, moment;
    explicit PG_INLINE ColumnMoments(const SsimBlock<T>& b) : at(b.scratch), stride(b.scratch_stride), moment(stride * kSsimGroup) {}

    PG_INLINE void store(Vec<T> reference, const Moments<T>& m, T* to) const {
        Unroll<0, kSsimGroup>::run([&](auto oc) PG_LAMBDA_INLINE {
            constexpr int o = decltype(oc)::value;
            (reference + m.first[o]).store(to + o * stride);
            m.variance(o).store(to + 2 * moment + o * stride);
        });
    }
    // The same moved by a lane, `next` and what follows it at the same distances in the last one.
    PG_INLINE void store_moved(Vec<T> reference, const Moments<T>& m, T* to, const T* next) const {
        Unroll<0, kSsimGroup>::run([&](auto oc) PG_LAMBDA_INLINE {
            constexpr int o = decltype(oc)::value;
            moved(reference + m.first[o], next + o * stride).store(to + o * stride);
            moved(m.variance(o), next + 2 * moment + o * stride).store(to + 2 * moment + o * stride);
        });
    }
    PG_INLINE void append(int64_t registers, int64_t taps, const T* tail, int64_t step) const {
        for (int64_t i = 0; i < 4 * kSsimGroup; ++i) append_moved(at + i * stride, registers, taps, tail + i * stride, step);
    }
};

// The index of the windows of one row that begin at `count` registers from e on, from the moments about the references of both images:
// added up in `sum` by register and, if wanted, written to the map.
template <class T, bool Luminance, bool Map>
PG_INLINE void index_row(const SsimBlock<T>& b, const SsimIndex<T>& index, Vec<T> mean_s, const Moments<T>& s, Vec<T> mean_d,
                         const Moments<T>& d, int64_t row, int64_t place, int64_t count, Vec<T> (&sum)[kSsimGroup]) {
    const Vec<T> weight = Vec<T>::set1(b.row_weights[row]), origin = mean_s + index.origin;
    Unroll<0, kSsimGroup>::run([&](auto oc) PG_LAMBDA_INLINE {
        constexpr int o = decltype(oc)::value;
        const Vec<T> q = index.template of<Luminance>(origin + s.first[o], mean_d + d.first[o], s.variance(o), d.variance(o));
        sum[o] = fma(q, weight, sum[o]);
        if constexpr (Map)
            if (o < count) index.whole(q).store(b.map[row] + place + o * Vec<T>::lanes);
    });
}

// One index of a block, which may go to a map.
template <class T, bool Luminance, bool Map>
struct OneIndex {
    const SsimBlock<T>& b;
    SsimIndex<T> index;
    explicit PG_INLINE OneIndex(const SsimBlock<T>& block) : b(block), index(block) {}

    // Of the windows of kSsimGroup registers from e on, which `windows` hands over row by row: the mean about which, the moments along
    // the row that begin with a constant, and the same of d, whose constant is 0.
    template <class Windows>
    PG_INLINE void add(int64_t place, int64_t count, Windows windows) const {
        const Vec<T> zero = Vec<T>::set1(0);
        Vec<T> sum[kSsimGroup] = {zero, zero, zero, zero};
        windows([&](int64_t row, Vec<T> mean_s, auto moments_s, Vec<T> mean_d, const Moments<T>& of_d) PG_LAMBDA_INLINE {
            index_row<T, Luminance, Map>(b, index, mean_s, moments_s(index.c2), mean_d, of_d, row, place, count, sum);
        });
        for (int64_t o = 0; o < kSsimGroup && o < count; ++o) add_lanes(sum[o], b.sums + place + o * Vec<T>::lanes);
    }
};

// Two indices of one C2, the first without luminance: MS-SSIM's finest scale and SSIM, whose moments and sum of variances are the same.
template <class T>
struct TwoIndices {
    const SsimBlock<T>& b;
    const SsimIndices<T>& list;
    SsimIndex<T> index;
    explicit PG_INLINE TwoIndices(const SsimBlock<T>& block)
        : b(block), list(*block.indices), index(list.of[1].c1, list.of[1].c2, block.origin) {}

    template <class Windows>
    PG_INLINE void add(int64_t place, int64_t count, Windows windows) const {
        const Vec<T> zero = Vec<T>::set1(0);
        Vec<T> plain[kSsimGroup] = {zero, zero, zero, zero}, full[kSsimGroup] = {zero, zero, zero, zero};
        windows([&](int64_t row, Vec<T> mean_s, auto moments_s, Vec<T> mean_d, const Moments<T>& of_d) PG_LAMBDA_INLINE {
            const Moments<T> of_s = moments_s(index.c2);
            const Vec<T> weight = Vec<T>::set1(b.row_weights[row]), origin = mean_s + index.origin;
            Unroll<0, kSsimGroup>::run([&](auto oc) PG_LAMBDA_INLINE {
                constexpr int o = decltype(oc)::value;
                const Vec<T> p = of_s.variance(o), variance_d = of_d.variance(o);
                plain[o] = fma(index.template of<false>(zero, zero, p, variance_d), weight, plain[o]);
                full[o] = fma(index.template of<true>(origin + of_s.first[o], mean_d + of_d.first[o], p, variance_d), weight, full[o]);
            });
        });
        for (int64_t o = 0; o < kSsimGroup && o < count; ++o) {
            add_lanes(plain[o], list.of[0].sums + place + o * Vec<T>::lanes);
            add_lanes(full[o], list.of[1].sums + place + o * Vec<T>::lanes);
        }
    }
};

// The indices of the block's list: the moments of d are theirs in common, and those of s where C2 is.
template <class T>
struct ManyIndices {
    const SsimBlock<T>& b;
    const SsimIndices<T>& list;
    explicit PG_INLINE ManyIndices(const SsimBlock<T>& block) : b(block), list(*block.indices) {}

    template <class Windows>
    PG_INLINE void add(int64_t place, int64_t count, Windows windows) const {
        Vec<T> sums[SsimIndices<T>::kMost][kSsimGroup];
        for (int i = 0; i < list.count; ++i)
            for (int o = 0; o < kSsimGroup; ++o) sums[i][o] = Vec<T>::set1(0);
        windows([&](int64_t row, Vec<T> mean_s, auto moments_s, Vec<T> mean_d, const Moments<T>& of_d) PG_LAMBDA_INLINE {
            Moments<T> of_s;
            for (int i = 0; i < list.count; ++i) {
                const typename SsimIndices<T>::One& one = list.of[i];
                if (i == 0 || one.c2 != list.of[i - 1].c2) of_s = moments_s(Vec<T>::set1(one.c2));
                const SsimIndex<T> index(one.c1, one.c2, b.origin);
                if (one.luminance)
                    index_row<T, true, false>(b, index, mean_s, of_s, mean_d, of_d, row, place, count, sums[i]);
                else
                    index_row<T, false, false>(b, index, mean_s, of_s, mean_d, of_d, row, place, count, sums[i]);
            }
        });
        for (int i = 0; i < list.count; ++i)
            for (int64_t o = 0; o < kSsimGroup && o < count; ++o) add_lanes(sums[i][o], list.of[i].sums + place + o * Vec<T>::lanes);
    }
};

// Filters one block of kSsimGroup output rows, N taps known. The vertical pass runs ahead of the horizontal one by the reach of
// the taps.
template <class T, int N, class Indices>
PG_INLINE void filter_block(const SsimBlock<T>& b) {
    constexpr int L = Vec<T>::lanes, G = kSsimGroup;
    const Taps<T, N> w(b.taps);
    const Indices indices(b);
    const ColumnMoments<T> columns(b);
    const int64_t registers = b.registers, moment = columns.moment;
    T* const scratch = b.scratch;
    T* const tail = scratch + (registers + N - 1) * L;
    const Vec<T> zero = Vec<T>::set1(0);

    const auto filter_image = [&](const T* const* rows, int64_t from, T* to, auto moves, const T* next) PG_LAMBDA_INLINE {
        const Reference<T> r(Vec<T>::load(rows[middle(N)] + from), Vec<T>::load(rows[middle(N) + 1] + from));
        const Moments<T> m = filtered<T, N, true>(
            w, r, zero, [&](auto jc) PG_LAMBDA_INLINE { return Vec<T>::load(rows[decltype(jc)::value] + from); },
            [&](auto) PG_LAMBDA_INLINE { return zero; });
        columns.store(r.mean, m, to);
        if constexpr (decltype(moves)::value) columns.store_moved(r.mean, m, to + registers * L, next);
    };
    const auto filter = [&](int64_t from, T* to, auto moves, const T* next) PG_LAMBDA_INLINE {
        filter_image(b.s_rows, from, to, moves, next);
        filter_image(b.d_rows, from, to + moment, moves, next + moment);
    };
    const auto reference_of = [&](const T* means) PG_LAMBDA_INLINE {
        return Reference<T>(Vec<T>::load(means + middle(N) * L), Vec<T>::load(means + (middle(N) + 1) * L));
    };
    const auto along = [&](const T* means, const Reference<T>& r, Vec<T> start) PG_LAMBDA_INLINE {
        return filtered<T, N, false>(
            w, r, start, [&](auto jc) PG_LAMBDA_INLINE { return Vec<T>::load(means + decltype(jc)::value * L); },
            [&](auto jc) PG_LAMBDA_INLINE { return Vec<T>::load(means + 2 * moment + decltype(jc)::value * L); });
    };

    for (int64_t t = 0; t < b.tail; t += L) filter(registers * L + t, tail + t, Const<0>{}, tail);
    const int64_t moving = registers < N - 1 ? 0 : N - 1, parts = (registers + G - 1) / G;
    for (int64_t c = 0; c < b.planes; ++c) {
        const int64_t plane = c * b.plane_stride;
        int64_t f = 0;
        for (; f < moving; ++f) filter(plane + f * L, scratch + f * L, Const<1>{}, tail + c + f * b.planes);
        for (int64_t e = 0; e < registers; e += G) {
            ask_for(b, c * parts + e / G, b.planes * parts);
            for (; f < e + N + G - 1 && f < registers; ++f) filter(plane + f * L, scratch + f * L, Const<0>{}, tail);
            if (e == 0 && moving == 0) columns.append(registers, N, tail + c, b.planes);
            const int64_t place = (c * registers + e) * L, count = registers - e;
            indices.add(place, count, [&](auto use) PG_LAMBDA_INLINE {
                for (int64_t o = 0; o < G; ++o) {
                    const T* const s = scratch + e * L + o * columns.stride;
                    const Reference<T> r_s = reference_of(s), r_d = reference_of(s + moment);
                    const auto of_s = [&](Vec<T> start) PG_LAMBDA_INLINE { return along(s, r_s, start); };
                    use(o, r_s.mean, of_s, r_d.mean, along(s + moment, r_d, zero));
                }
            });
        }
    }
}

template <class T, int N, bool Luminance>
void ssim_block(const SsimBlock<T>* block) {
    if (block->map) return filter_block<T, N, OneIndex<T, Luminance, true>>(*block);
    filter_block<T, N, OneIndex<T, Luminance, false>>(*block);
}
template <class T, int N>
void ssim_many(const SsimBlock<T>* block) {
    const SsimIndices<T>& list = *block->indices;
    if (list.count == 2 && list.of[0].c2 == list.of[1].c2 && !list.of[0].luminance && list.of[1].luminance)
        return filter_block<T, N, TwoIndices<T>>(*block);
    filter_block<T, N, ManyIndices<T>>(*block);
}

// `filtered` for any number of taps.
template <class T>
struct AnyTaps {
    static constexpr int L = Vec<T>::lanes, G = kSsimGroup;
    const T* w;
    int64_t count, first, second;
    explicit PG_INLINE AnyTaps(const SsimBlock<T>& b) : w(b.taps), count(b.taps_count) {
        first = count < 5 ? count - 1 : middle(count);
        second = count < 5 ? first : first + 1;  // of 3 taps none is in each window
    }

    template <class Value, class Spread>
    PG_INLINE Moments<T> filtered(int64_t values, Vec<T> start, Value value, Spread spread) const {
        Moments<T> m;
        for (int o = 0; o < G; ++o) {
            m.first[o] = Vec<T>::set1(0);
            m.second[o] = start;
        }
        for (int64_t j = 0; j < values; ++j) {
            const Vec<T> v = value(j), square = spread(j, v);
            for (int o = 0; o < G; ++o) {
                if (j < o || j - o >= count) continue;  // not times 0: past the image may lie NaN
                const Vec<T> tap = Vec<T>::set1(w[j - o]);
                m.first[o] = fma(v, tap, m.first[o]);
                m.second[o] = fma(square, tap, m.second[o]);
            }
        }
        return m;
    }
    PG_INLINE void down(const T* const* rows, int64_t from, const ColumnMoments<T>& columns, T* to) const {
        const Reference<T> r(Vec<T>::load(rows[first] + from), Vec<T>::load(rows[second] + from));
        const Moments<T> m = filtered(
            count + G - 1, Vec<T>::set1(0), [&](int64_t j) PG_LAMBDA_INLINE { return Vec<T>::load(rows[j] + from) - r.mean; },
            [&](int64_t, Vec<T> v) PG_LAMBDA_INLINE { return v * v; });
        columns.store(r.mean, m, to);
    }
    PG_INLINE Reference<T> reference_of(const T* means) const {
        return Reference<T>(Vec<T>::load(means + first * L), Vec<T>::load(means + second * L));
    }
    PG_INLINE Moments<T> along(const T* means, const T* variances, const Reference<T>& r, int64_t values, Vec<T> start) const {
        return filtered(
            values, start, [&](int64_t j) PG_LAMBDA_INLINE { return Vec<T>::load(means + j * L) - r.mean; },
            [&](int64_t j, Vec<T> v) PG_LAMBDA_INLINE { return fma(v, v, Vec<T>::load(variances + j * L)); });
    }
};

template <class T, bool Luminance>
void ssim_block_any(const SsimBlock<T>* block) {
    const SsimBlock<T>& b = *block;
    constexpr int L = Vec<T>::lanes, G = kSsimGroup;
    const AnyTaps<T> w(b);
    const SsimIndex<T> index(b);
    const ColumnMoments<T> columns(b);
    const int64_t registers = b.registers, moment = columns.moment, parts = (registers + G - 1) / G;
    const Vec<T> zero = Vec<T>::set1(0);
    T* const tail = b.scratch + (registers + w.count - 1) * L;
    const auto filter = [&](int64_t from, T* to) PG_LAMBDA_INLINE {
        w.down(b.s_rows, from, columns, to);
        w.down(b.d_rows, from, columns, to + moment);
    };
    for (int64_t t = 0; t < b.tail; t += L) filter(registers * L + t, tail + t);
    for (int64_t c = 0; c < b.planes; ++c) {
        for (int64_t f = 0; f < registers * L; f += L) filter(c * b.plane_stride + f, b.scratch + f);
        columns.append(registers, w.count, tail + c, b.planes);
        for (int64_t e = 0; e < registers; e += G) {
            ask_for(b, c * parts + e / G, b.planes * parts);
            const int64_t place = (c * registers + e) * L, count = registers - e, values = w.count - 1 + (count < G ? count : G);
            Vec<T> sum[G] = {zero, zero, zero, zero};
            for (int64_t o = 0; o < G; ++o) {
                const T* const s = b.scratch + e * L + o * columns.stride;
                const T* const d = s + moment;
                const Reference<T> r_s = w.reference_of(s), r_d = w.reference_of(d);
                const Moments<T> of_s = w.along(s, s + 2 * moment, r_s, values, index.c2),
                                 of_d = w.along(d, d + 2 * moment, r_d, values, zero);
                if (b.map)
                    index_row<T, Luminance, true>(b, index, r_s.mean, of_s, r_d.mean, of_d, o, place, count, sum);
                else
                    index_row<T, Luminance, false>(b, index, r_s.mean, of_s, r_d.mean, of_d, o, place, count, sum);
            }
            for (int64_t o = 0; o < G && o < count; ++o) add_lanes(sum[o], b.sums + place + o * L);
        }
    }
}

// The means of 2 x and 2 y, their variances and their covariance over the windows of one output row: what the separate luminance,
// contrast and structure need. Of x and y, not of s and d, so that the variance of a flat image is 0 beside any other: roots magnify
// what is left of it. About the centre of each window; scratch holds five rows.
template <class T>
void ssim_moments(const SsimBlock<T>* block, T* const* out) {
    const SsimBlock<T>& b = *block;
    constexpr int L = Vec<T>::lanes;
    const T* const w = b.taps;
    const int64_t taps = b.taps_count, centre = taps / 2, stride = b.scratch_stride, registers = b.registers;
    struct Sums {
        Vec<T> x, y, xx, yy, xy;
        PG_INLINE void add(Vec<T> dx, Vec<T> dy, Vec<T> vx, Vec<T> vy, Vec<T> cov, Vec<T> tap) {
            x = fma(dx, tap, x);
            y = fma(dy, tap, y);
            xx = fma(fma(dx, dx, vx), tap, xx);
            yy = fma(fma(dy, dy, vy), tap, yy);
            xy = fma(fma(dx, dy, cov), tap, xy);
        }
        PG_INLINE void store(Vec<T> at_x, Vec<T> at_y, T* const (&to)[5]) const {
            (at_x + x).store(to[0]);
            (at_y + y).store(to[1]);
            fnma(x, x, xx).store(to[2]);
            fnma(y, y, yy).store(to[3]);
            fnma(x, y, xy).store(to[4]);
        }
    };
    const Vec<T> zero = Vec<T>::set1(0);
    const auto filter = [&](int64_t from, T* to) {
        const auto x = [&](int64_t j) PG_LAMBDA_INLINE { return Vec<T>::load(b.s_rows[j] + from) + Vec<T>::load(b.d_rows[j] + from); };
        const auto y = [&](int64_t j) PG_LAMBDA_INLINE { return Vec<T>::load(b.s_rows[j] + from) - Vec<T>::load(b.d_rows[j] + from); };
        const Vec<T> at_x = x(centre), at_y = y(centre);
        Sums sums{zero, zero, zero, zero, zero};
        for (int64_t j = 0; j < taps; ++j) sums.add(x(j) - at_x, y(j) - at_y, zero, zero, zero, Vec<T>::set1(w[j]));
        sums.store(at_x, at_y, {to, to + stride, to + 2 * stride, to + 3 * stride, to + 4 * stride});
    };
    T* const tail = b.scratch + (registers + taps - 1) * L;
    for (int64_t t = 0; t < b.tail; t += L) filter(registers * L + t, tail + t);
    for (int64_t c = 0; c < b.planes; ++c) {
        ask_for(b, c, b.planes);
        for (int64_t f = 0; f < registers * L; f += L) filter(c * b.plane_stride + f, b.scratch + f);
        for (int i = 0; i < 5; ++i) append_moved(b.scratch + i * stride, registers, taps, tail + i * stride + c, b.planes);
        for (int64_t e = 0; e < registers * L; e += L) {
            const auto row = [&](int i, int64_t j) PG_LAMBDA_INLINE { return Vec<T>::load(b.scratch + i * stride + e + j * L); };
            const Vec<T> at_x = row(0, centre), at_y = row(1, centre);
            Sums sums{zero, zero, zero, zero, zero};
            for (int64_t j = 0; j < taps; ++j)
                sums.add(row(0, j) - at_x, row(1, j) - at_y, row(2, j), row(3, j), row(4, j), Vec<T>::set1(w[j]));
            const int64_t place = c * registers * L + e;
            sums.store(at_x, at_y, {out[0] + place, out[1] + place, out[2] + place, out[3] + place, out[4] + place});
        }
    }
}
