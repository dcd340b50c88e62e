// Two rows of pixels converted to s = x + y and d = x - y and split over the lanes, as ssim.inl filters them.

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

// Register i of the result: element i after `from` of every lane's segment, read as elements of From; `wanted` of them at least.
template <class T, class From>
PG_INLINE void load_split(const char* from, int64_t segment_bytes, int64_t wanted, Vec<T> (&r)[Vec<T>::lanes]) {
    if constexpr (sizeof(From) == sizeof(T))
        if (2 * wanted <= Vec<T>::lanes && load_transposed_half(from, segment_bytes, r)) return;
    for (int l = 0; l < Vec<T>::lanes; ++l) r[l] = LoadAs<T, From>::load(reinterpret_cast<const From*>(from + l * segment_bytes));
    transpose(r);
}

// The smallest and largest values of what is staged, with an offset; nothing at all if they are not watched.
template <class T, bool Watched>
struct StagedRange {
    PG_INLINE StagedRange(const T*, T) {}
    PG_INLINE void add(Vec<T>, Vec<T>) {}
    PG_INLINE void store(T*, T) const {}
};
template <class T>
struct StagedRange<T, true> {
    static constexpr int L = Vec<T>::lanes;
    Vec<T> low, high;
    PG_INLINE StagedRange(const T* range, T offset)
        : low(Vec<T>::load(range) + Vec<T>::set1(offset)), high(Vec<T>::load(range + L) + Vec<T>::set1(offset)) {}
    PG_INLINE void add(Vec<T> x, Vec<T> y) {
        low = min(y, min(x, low));
        high = max(y, max(x, high));
    }
    PG_INLINE void store(T* range, T offset) const {
        (low - Vec<T>::set1(offset)).store(range);
        (high - Vec<T>::set1(offset)).store(range + L);
    }
};

constexpr int kSlots = 4;  // of a pixel whose last element is no channel

// A register of the tail's channels from the e-th one on.
template <bool Gaps, class T, class In>
PG_INLINE Vec<T> load_channels(const In* tail, int64_t e, const SsimRow<T>& row) {
    if (!Gaps) return LoadAs<T, In>::load(tail + e);
    constexpr int L = Vec<T>::lanes;
    In beside[L] = {};
    for (int64_t l = 0; l < L && e + l < row.tail; ++l) beside[l] = tail[e + l + (e + l) / (kSlots - 1)];
    return LoadAs<T, In>::load(beside);
}

template <class T, class In, bool Watched, bool Gaps>
PG_INLINE void stage_row(const void* x, const void* y, const SsimRow<T>& row, T* s, T* d) {
    constexpr int L = Vec<T>::lanes;
    const int64_t segment = row.registers * row.slots, bytes = segment * static_cast<int64_t>(sizeof(In));
    const char* const px = static_cast<const char*>(x);
    const char* const py = static_cast<const char*>(y);
    const Vec<T> shift = Vec<T>::set1(row.shift);
    if constexpr (sizeof(In) < sizeof(float)) {
        // Words are turned whole and taken apart after. The shift is an integer: no step rounds.
        using Word = Words<T, In>;
        const Vec<T> offset = Vec<T>::set1(2 * Word::magic + 2 * row.shift);
        StagedRange<T, Watched> range(row.range, Word::magic);
        for (int64_t q = 0; q < segment; q += L * Word::elements) {
            Vec<T> wx[L], wy[L];
            const int64_t words = (segment - q + Word::elements - 1) / Word::elements;
            load_split<T, T>(px + q * static_cast<int64_t>(sizeof(In)), bytes, words, wx);
            load_split<T, T>(py + q * static_cast<int64_t>(sizeof(In)), bytes, words, wy);
            for (int64_t i = 0; i < L && i < words; ++i) {
                Unroll<0, Word::elements>::run([&](auto kc) PG_LAMBDA_INLINE {
                    constexpr int k = decltype(kc)::value;
                    const Vec<T> a = Word::template element<k>(wx[i]), b = Word::template element<k>(wy[i]);
                    if (Gaps && (i * Word::elements + k) % kSlots == kSlots - 1) return;
                    const int64_t to = row.places[q + i * Word::elements + k];
                    range.add(a, b);
                    ((a - offset) + b).store(s + to);
                    (a - b).store(d + to);
                });
            }
        }
        range.store(row.range, Word::magic);
    } else {
        StagedRange<T, Watched> range(row.range, 0);
        for (int64_t q = 0; q < segment; q += L) {
            Vec<T> vx[L], vy[L];
            load_split<T, In>(px + q * static_cast<int64_t>(sizeof(In)), bytes, segment - q, vx);
            load_split<T, In>(py + q * static_cast<int64_t>(sizeof(In)), bytes, segment - q, vy);
            for (int64_t i = 0; i < L && q + i < segment; ++i) {
                if (Gaps && i % kSlots == kSlots - 1) continue;
                const int64_t to = row.places[q + i];
                const StagedPair<T> pair(vx[i], vy[i], shift);
                range.add(vx[i], vy[i]);
                pair.s.store(s + to);
                pair.d.store(d + to);
            }
        }
        range.store(row.range, 0);
    }
    const In* const tx = reinterpret_cast<const In*>(px + L * bytes);
    const In* const ty = reinterpret_cast<const In*>(py + L * bytes);
    const int64_t main = row.registers * L;
    StagedRange<T, Watched> range(row.range, 0);
    for (int64_t e = 0; e < row.tail; e += L) {
        const Vec<T> a = load_channels<Gaps, T>(tx, e, row), b = load_channels<Gaps, T>(ty, e, row);
        const StagedPair<T> pair(a, b, shift);
        range.add(a, b);
        pair.s.store(s + main + e);
        pair.d.store(d + main + e);
    }
    range.store(row.range, 0);
}

template <class T, class In>
void ssim_stage(const void* x, const void* y, const SsimRow<T>* row, T* s, T* d) {
    const auto stage = [&](auto watched) PG_LAMBDA_INLINE {
        constexpr bool kWatched = decltype(watched)::value;
        if (row->slots > row->planes) return stage_row<T, In, kWatched, true>(x, y, *row, s, d);
        stage_row<T, In, kWatched, false>(x, y, *row, s, d);
    };
    row->range ? stage(Const<1>{}) : stage(Const<0>{});
}
