// Sums of squared and of absolute differences of one row. 8-bit differences are exact in integer arithmetic; others are widened to
// float64 and added to chains, one for each of error_columns() columns in turn and each channel. Chains run from row to row, and which
// of them a difference goes to, and when, does not depend on how the channels lie: so no digit does.
//
// Counted for a register of float64 differences: two loads that widen, a difference and a multiply-add; slots that hold no channel cost
// an "and" besides.

// Columns whose differences have chains of their own: with two registers a channel the chains of gray images hide half the latency of
// an addition.
constexpr int kErrorColumns = 2 * Vec<double>::lanes;

// One rounding where the registers of the instruction set have one.
PG_INLINE double fused(double a, double b, double c) {
    if constexpr (kVecFused)
        return __builtin_fma(a, b, c);
    else
        return a * b + c;
}

template <bool Absolute>
PG_INLINE Vec<double> with_error(Vec<double> sum, Vec<double> d) {
    if constexpr (Absolute)
        return sum + max(d, Vec<double>::set1(0) - d);
    else
        return fma(d, d, sum);
}
template <bool Absolute>
PG_INLINE double with_error(double sum, double d) {
    if constexpr (Absolute)
        return sum + __builtin_fabs(d);
    else
        return fused(d, d, sum);
}

// Differences of slots that hold no channel become zero, NaN too.
struct UsedSlots {
    typedef int64_t native __attribute__((vector_size(kVecBytes)));
    static PG_INLINE native mask(const PixelErrorRow& row, int64_t first, int slots) {
        native bits{};
        for (int l = 0; l < Vec<double>::lanes; ++l) bits[l] = -static_cast<int64_t>(row.used >> ((first + l) % slots) & 1);
        return bits;
    }
    static PG_INLINE Vec<double> of(Vec<double> d, native mask) { return {(Vec<double>::native)((native)d.v & mask)}; }
};

template <class In, bool Absolute, int Slots, bool Masked>
PG_INLINE void error_chains(const PixelErrorRow& row, double* sums) {
    constexpr int L = Vec<double>::lanes, Registers = Slots * kErrorColumns / L;
    const In* x = static_cast<const In*>(row.x);
    const In* y = static_cast<const In*>(row.y);
    Vec<double> chains[Registers];
    UsedSlots::native masks[Masked ? Slots : 1];
    PG_UNROLL
    for (int k = 0; k < Registers; ++k) chains[k] = Vec<double>::load(sums + k * L);
    if constexpr (Masked) {
        PG_UNROLL
        for (int k = 0; k < Slots; ++k) masks[k] = UsedSlots::mask(row, k * L, Slots);
    }
    int64_t i = 0;
    // The slots after the last channel may lie beyond the image: the last pixel is read by its channels.
    for (; i + kErrorColumns + Masked <= row.pixels; i += kErrorColumns, x += Registers * L, y += Registers * L) {
        PG_UNROLL
        for (int k = 0; k < Registers; ++k) {
            Vec<double> d = LoadAs<double, In>::load(x + k * L) - LoadAs<double, In>::load(y + k * L);
            if constexpr (Masked) d = UsedSlots::of(d, masks[k % Slots]);
            chains[k] = with_error<Absolute>(chains[k], d);
        }
    }
    PG_UNROLL
    for (int k = 0; k < Registers; ++k) chains[k].store(sums + k * L);
    for (int64_t e = 0; e < (row.pixels - i) * Slots; ++e)
        if (!Masked || row.used >> (e % Slots) & 1)
            sums[e] = with_error<Absolute>(sums[e], static_cast<double>(x[e]) - static_cast<double>(y[e]));
}

template <class In, bool Absolute>
void pixel_error(const PixelErrorRow* row, double* sums) {
    const bool all = row->used == (1u << row->slots) - 1;
    switch (row->slots) {
        case 1:
            return error_chains<In, Absolute, 1, false>(*row, sums);
        case 2:
            return error_chains<In, Absolute, 2, true>(*row, sums);
        case 3:
            return all ? error_chains<In, Absolute, 3, false>(*row, sums) : error_chains<In, Absolute, 3, true>(*row, sums);
        default:
            return all ? error_chains<In, Absolute, 4, false>(*row, sums) : error_chains<In, Absolute, 4, true>(*row, sums);
    }
}

// A register of bytes at a time: for squares, differences of 16 bits are squared and added to 32, four squares a lane, of which 8,192
// stay below 2^31; absolute differences are added to 64, eight and eight.
#if defined(__AVX512F__)
struct ByteErrors {
    static constexpr int step = 64;
    typedef int32_t Sums __attribute__((vector_size(64)));
    typedef int64_t Wide __attribute__((vector_size(64)));
    static PG_INLINE __m512i bytes(const uint8_t* p) { return _mm512_loadu_si512(p); }
    static PG_INLINE Sums squares(__m512i a, __m512i b) {
        const __m512i zero = _mm512_setzero_si512();
        const __m512i d = _mm512_or_si512(_mm512_subs_epu8(a, b), _mm512_subs_epu8(b, a));
        const __m512i low = _mm512_unpacklo_epi8(d, zero), high = _mm512_unpackhi_epi8(d, zero);
        return (Sums)_mm512_madd_epi16(low, low) + (Sums)_mm512_madd_epi16(high, high);
    }
    static PG_INLINE Wide distances(__m512i a, __m512i b) { return (Wide)_mm512_sad_epu8(a, b); }
    static PG_INLINE __m512i both(__m512i a, __m512i b) { return _mm512_and_si512(a, b); }
};
#define PG_BYTE_ERRORS
#elif defined(__AVX2__)
struct ByteErrors {
    static constexpr int step = 32;
    typedef int32_t Sums __attribute__((vector_size(32)));
    typedef int64_t Wide __attribute__((vector_size(32)));
    static PG_INLINE __m256i bytes(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
    static PG_INLINE Sums squares(__m256i a, __m256i b) {
        const __m256i zero = _mm256_setzero_si256();
        const __m256i d = _mm256_or_si256(_mm256_subs_epu8(a, b), _mm256_subs_epu8(b, a));
        const __m256i low = _mm256_unpacklo_epi8(d, zero), high = _mm256_unpackhi_epi8(d, zero);
        return (Sums)_mm256_madd_epi16(low, low) + (Sums)_mm256_madd_epi16(high, high);
    }
    static PG_INLINE Wide distances(__m256i a, __m256i b) { return (Wide)_mm256_sad_epu8(a, b); }
    static PG_INLINE __m256i both(__m256i a, __m256i b) { return _mm256_and_si256(a, b); }
};
#define PG_BYTE_ERRORS
#elif defined(__SSE2__)
struct ByteErrors {
    static constexpr int step = 16;
    typedef int32_t Sums __attribute__((vector_size(16)));
    typedef int64_t Wide __attribute__((vector_size(16)));
    static PG_INLINE __m128i bytes(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
    static PG_INLINE Sums squares(__m128i a, __m128i b) {
        const __m128i zero = _mm_setzero_si128();
        const __m128i d = _mm_or_si128(_mm_subs_epu8(a, b), _mm_subs_epu8(b, a));
        const __m128i low = _mm_unpacklo_epi8(d, zero), high = _mm_unpackhi_epi8(d, zero);
        return (Sums)_mm_madd_epi16(low, low) + (Sums)_mm_madd_epi16(high, high);
    }
    static PG_INLINE Wide distances(__m128i a, __m128i b) { return (Wide)_mm_sad_epu8(a, b); }
    static PG_INLINE __m128i both(__m128i a, __m128i b) { return _mm_and_si128(a, b); }
};
#define PG_BYTE_ERRORS
#else
struct ByteErrors {
    static constexpr int step = 16;
    typedef uint8_t Bytes __attribute__((vector_size(16)));
    typedef Bytes Unaligned __attribute__((aligned(1), may_alias));
    typedef int32_t Sums __attribute__((vector_size(64)));
    typedef int32_t Wide __attribute__((vector_size(64)));
    static PG_INLINE Bytes bytes(const uint8_t* p) { return *reinterpret_cast<const Unaligned*>(p); }
    static PG_INLINE Sums difference(Bytes a, Bytes b) { return __builtin_convertvector(a, Sums) - __builtin_convertvector(b, Sums); }
    static PG_INLINE Sums squares(Bytes a, Bytes b) {
        const Sums d = difference(a, b);
        return d * d;
    }
    static PG_INLINE Wide distances(Bytes a, Bytes b) {
        const Sums d = difference(a, b);
        return d < 0 ? -d : d;
    }
    static PG_INLINE Bytes both(Bytes a, Bytes b) { return a & b; }
};
#endif

// Every other register has sums of its own. With Slots, only those of them that are used count.
template <bool Absolute, int Slots>
PG_INLINE double byte_errors(const PixelErrorRow& row) {
    constexpr bool Masked = Slots > 1;
    constexpr int Step = ByteErrors::step, Registers = Masked ? Slots : 2;
    using Bytes = decltype(ByteErrors::bytes(nullptr));
    const uint8_t* const x = static_cast<const uint8_t*>(row.x);
    const uint8_t* const y = static_cast<const uint8_t*>(row.y);
    const int64_t n = row.pixels * row.slots;
    Bytes masks[Registers];
    if constexpr (Masked) {
        uint8_t used[Registers * Step];
        for (int e = 0; e < Registers * Step; ++e) used[e] = row.used >> (e % Slots) & 1 ? 0xFF : 0;
        for (int k = 0; k < Registers; ++k) masks[k] = ByteErrors::bytes(used + k * Step);
    }
    const auto pair = [&](int64_t i, int k, auto error) PG_LAMBDA_INLINE {
        const Bytes a = ByteErrors::bytes(x + i + k * Step), b = ByteErrors::bytes(y + i + k * Step);
        if constexpr (Masked)
            return error(ByteErrors::both(a, masks[k]), ByteErrors::both(b, masks[k]));
        else
            return error(a, b);
    };
    double total = 0;
    int64_t i = 0;
    constexpr int64_t Block = Registers * Step, Most = 8192;
    while (i + Block <= n - Masked) {  // the slots after the last channel may lie beyond the image
        const int64_t left = (n - Masked - i) / Block, steps = left < Most ? left : Most;
        if constexpr (Absolute) {
            typename ByteErrors::Wide sums[Registers] = {};
            for (int64_t s = 0; s < steps; ++s, i += Block)
                for (int k = 0; k < Registers; ++k)
                    sums[k] += pair(i, k, [](Bytes a, Bytes b) PG_LAMBDA_INLINE { return ByteErrors::distances(a, b); });
            for (const auto& sum : sums)
                for (size_t l = 0; l < sizeof sum / sizeof sum[0]; ++l) total += static_cast<double>(sum[l]);
        } else {
            typename ByteErrors::Sums sums[Registers] = {};
            for (int64_t s = 0; s < steps; ++s, i += Block)
                for (int k = 0; k < Registers; ++k)
                    sums[k] += pair(i, k, [](Bytes a, Bytes b) PG_LAMBDA_INLINE { return ByteErrors::squares(a, b); });
            for (const auto& sum : sums)
                for (size_t l = 0; l < sizeof sum / sizeof sum[0]; ++l) total += static_cast<double>(sum[l]);
        }
    }
    int64_t rest = 0;
    for (; i < n; ++i) {
        if (Masked && !(row.used >> (i % row.slots) & 1)) continue;
        const int d = static_cast<int>(x[i]) - static_cast<int>(y[i]);
        rest += Absolute ? (d < 0 ? -d : d) : d * d;
    }
    return total + static_cast<double>(rest);
}

template <bool Absolute>
void byte_error(const PixelErrorRow* row, double* sums) {
    if (row->used == (1u << row->slots) - 1)
        *sums += byte_errors<Absolute, 1>(*row);
    else if (row->slots == 3)
        *sums += byte_errors<Absolute, 3>(*row);
    else  // 2 or 4
        *sums +=
            byte_errors<Absolute, 4>(PixelErrorRow{row->x, row->y, row->pixels, row->slots, row->slots == 2 ? row->used * 5 : row->used});
}

template <>
inline void pixel_error<uint8_t, false>(const PixelErrorRow* row, double* sums) {
    byte_error<false>(row, sums);
}
template <>
inline void pixel_error<uint8_t, true>(const PixelErrorRow* row, double* sums) {
    byte_error<true>(row, sums);
}
