// Sums of squared and of absolute differences of one row. 8-bit differences are exact in integer arithmetic; others are widened to
// float64 and added to chains, one for each of error_columns() columns in turn and each channel. Chains run from row to row, and which
// of them a difference goes to, and when, does not depend on how the channels lie: so no digit does.
//
// Counted for a register of float64 differences: two loads that widen, a difference and a multiply-add; slots that hold no channel cost
// an "and" besides.

// Columns whose differences have chains of their own: four registers a channel hide the latency of an addition in gray images too.
constexpr int kErrorColumns = 4 * Vec<double>::lanes;

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
    static PG_INLINE native mask(const PixelErrorRows& row, int64_t first, int slots) {
        native bits{};
        for (int l = 0; l < Vec<double>::lanes; ++l) bits[l] = -static_cast<int64_t>(row.used >> ((first + l) % slots) & 1);
        return bits;
    }
    static PG_INLINE Vec<double> of(Vec<double> d, native mask) { return {(Vec<double>::native)((native)d.v & mask)}; }
};

// One row, the chains of at most Part registers at a time, so that they stay in registers.
template <class In, bool Absolute, int Slots, bool Masked>
PG_INLINE void error_chains(const PixelErrorRows& rows, const In* x, const In* y, const UsedSlots::native* masks, double* sums) {
    constexpr int L = Vec<double>::lanes, Registers = Slots * kErrorColumns / L;
    constexpr int Part = kVecRegisters >= 32 || Registers <= 8 ? Registers : Registers / 2;
    // The slots after the last channel may lie beyond the image: the last pixel is read by its channels.
    const int64_t blocks = (rows.pixels - Masked) / kErrorColumns, block = kErrorColumns * Slots;
    for (int first = 0; first < Registers; first += Part) {
        Vec<double> chains[Part];
        Unroll<0, Part>::run([&](auto k) PG_LAMBDA_INLINE { chains[k.value] = Vec<double>::load(sums + (first + k.value) * L); });
        const In *px = x + first * L, *py = y + first * L;
        for (int64_t i = 0; i < blocks; ++i, px += block, py += block)
            Unroll<0, Part>::run([&](auto kc) PG_LAMBDA_INLINE {
                constexpr int k = decltype(kc)::value;
                Vec<double> d = LoadAs<double, In>::load(px + k * L) - LoadAs<double, In>::load(py + k * L);
                if constexpr (Masked) d = UsedSlots::of(d, masks[k % Slots]);  // Part is a multiple of the slots
                chains[k] = with_error<Absolute>(chains[k], d);
            });
        Unroll<0, Part>::run([&](auto k) PG_LAMBDA_INLINE { chains[k.value].store(sums + (first + k.value) * L); });
    }
    x += blocks * block;
    y += blocks * block;
    const int64_t rest = (rows.pixels - blocks * kErrorColumns) * Slots;
    int64_t e = 0;
    for (; e + L + Masked * Slots <= rest; e += L) {
        Vec<double> d = LoadAs<double, In>::load(x + e) - LoadAs<double, In>::load(y + e);
        if constexpr (Masked) d = UsedSlots::of(d, masks[e / L % Slots]);
        with_error<Absolute>(Vec<double>::load(sums + e), d).store(sums + e);
    }
    for (; e < rest; ++e)
        if (!Masked || rows.used >> (e % Slots) & 1)
            sums[e] = with_error<Absolute>(sums[e], static_cast<double>(x[e]) - static_cast<double>(y[e]));
}

template <class In, bool Absolute, int Slots, bool Masked>
void error_of_rows(const PixelErrorRows& rows, double* sums) {
    UsedSlots::native masks[Slots];
    for (int k = 0; k < Slots; ++k) masks[k] = UsedSlots::mask(rows, k * Vec<double>::lanes, Slots);
    for (int64_t r = 0; r < rows.rows; ++r)
        error_chains<In, Absolute, Slots, Masked>(rows, reinterpret_cast<const In*>(rows.x + r * rows.x_stride),
                                                  reinterpret_cast<const In*>(rows.y + r * rows.y_stride), masks, sums);
}

template <class In, bool Absolute>
void pixel_error(const PixelErrorRows* rows, double* sums) {
    const bool all = rows->used == (1u << rows->slots) - 1;
    switch (rows->slots) {
        case 1:
            return error_of_rows<In, Absolute, 1, false>(*rows, sums);
        case 2:
            return error_of_rows<In, Absolute, 2, true>(*rows, sums);
        case 3:
            return all ? error_of_rows<In, Absolute, 3, false>(*rows, sums) : error_of_rows<In, Absolute, 3, true>(*rows, sums);
        default:
            return all ? error_of_rows<In, Absolute, 4, false>(*rows, sums) : error_of_rows<In, Absolute, 4, true>(*rows, sums);
    }
}

// A register of bytes at a time: for squares, differences of 16 bits are squared and added to 32, four squares a lane, of which 8,192
// stay below 2^31; absolute differences are added to 64, eight and eight. Counted for a register of squares: two differences and their
// "or", two of widening, two of products, two of sums; one "and" where a slot holds no channel.
#if defined(__AVX512F__)
struct ByteErrors {
    static constexpr int step = 64;
    typedef int32_t Squares __attribute__((vector_size(64)));
    typedef int64_t Distances __attribute__((vector_size(64)));
    typedef uint64_t Wide __attribute__((vector_size(64)));
    static PG_INLINE Wide wide(Squares sum) { return ((Wide)sum & 0xFFFFFFFF) + ((Wide)sum >> 32); }  // never negative
    static PG_INLINE Wide wide(Distances sum) { return (Wide)sum; }
    static PG_INLINE __m512i load(const uint8_t* p) { return _mm512_loadu_si512(p); }
    static PG_INLINE __m512i distance(__m512i a, __m512i b) { return _mm512_or_si512(_mm512_subs_epu8(a, b), _mm512_subs_epu8(b, a)); }
    static PG_INLINE __m512i used(__m512i d, __m512i mask) { return _mm512_and_si512(d, mask); }
    static PG_INLINE void add(Squares& sum, __m512i d) {
        const __m512i low = _mm512_unpacklo_epi8(d, _mm512_setzero_si512()), high = _mm512_unpackhi_epi8(d, _mm512_setzero_si512());
        sum += (Squares)_mm512_madd_epi16(low, low) + (Squares)_mm512_madd_epi16(high, high);
    }
    static PG_INLINE void add(Distances& sum, __m512i d) { sum += (Distances)_mm512_sad_epu8(d, _mm512_setzero_si512()); }
};
#elif defined(__AVX2__)
struct ByteErrors {
    static constexpr int step = 32;
    typedef int32_t Squares __attribute__((vector_size(32)));
    typedef int64_t Distances __attribute__((vector_size(32)));
    typedef uint64_t Wide __attribute__((vector_size(32)));
    static PG_INLINE Wide wide(Squares sum) { return ((Wide)sum & 0xFFFFFFFF) + ((Wide)sum >> 32); }  // never negative
    static PG_INLINE Wide wide(Distances sum) { return (Wide)sum; }
    static PG_INLINE __m256i load(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
    static PG_INLINE __m256i distance(__m256i a, __m256i b) { return _mm256_or_si256(_mm256_subs_epu8(a, b), _mm256_subs_epu8(b, a)); }
    static PG_INLINE __m256i used(__m256i d, __m256i mask) { return _mm256_and_si256(d, mask); }
    static PG_INLINE void add(Squares& sum, __m256i d) {
        const __m256i low = _mm256_unpacklo_epi8(d, _mm256_setzero_si256()), high = _mm256_unpackhi_epi8(d, _mm256_setzero_si256());
        sum += (Squares)_mm256_madd_epi16(low, low) + (Squares)_mm256_madd_epi16(high, high);
    }
    static PG_INLINE void add(Distances& sum, __m256i d) { sum += (Distances)_mm256_sad_epu8(d, _mm256_setzero_si256()); }
};
#elif defined(__SSE2__)
struct ByteErrors {
    static constexpr int step = 16;
    typedef int32_t Squares __attribute__((vector_size(16)));
    typedef int64_t Distances __attribute__((vector_size(16)));
    typedef uint64_t Wide __attribute__((vector_size(16)));
    static PG_INLINE Wide wide(Squares sum) { return ((Wide)sum & 0xFFFFFFFF) + ((Wide)sum >> 32); }  // never negative
    static PG_INLINE Wide wide(Distances sum) { return (Wide)sum; }
    static PG_INLINE __m128i load(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
    static PG_INLINE __m128i distance(__m128i a, __m128i b) { return _mm_or_si128(_mm_subs_epu8(a, b), _mm_subs_epu8(b, a)); }
    static PG_INLINE __m128i used(__m128i d, __m128i mask) { return _mm_and_si128(d, mask); }
    static PG_INLINE void add(Squares& sum, __m128i d) {
        const __m128i low = _mm_unpacklo_epi8(d, _mm_setzero_si128()), high = _mm_unpackhi_epi8(d, _mm_setzero_si128());
        sum += (Squares)_mm_madd_epi16(low, low) + (Squares)_mm_madd_epi16(high, high);
    }
    static PG_INLINE void add(Distances& sum, __m128i d) { sum += (Distances)_mm_sad_epu8(d, _mm_setzero_si128()); }
};
#else
struct ByteErrors {
    static constexpr int step = 16;
    typedef uint8_t Bytes __attribute__((vector_size(16)));
    typedef uint8_t Unaligned __attribute__((vector_size(16), aligned(1), may_alias));
    typedef int32_t Squares __attribute__((vector_size(64)));
    typedef int64_t Distances __attribute__((vector_size(128)));
    typedef uint64_t Wide __attribute__((vector_size(128)));
    static PG_INLINE Wide wide(Squares sum) { return __builtin_convertvector(sum, Wide); }
    static PG_INLINE Wide wide(Distances sum) { return (Wide)sum; }
    static PG_INLINE Bytes load(const uint8_t* p) { return *reinterpret_cast<const Unaligned*>(p); }
    static PG_INLINE Bytes distance(Bytes a, Bytes b) { return a > b ? a - b : b - a; }
    static PG_INLINE Bytes used(Bytes d, Bytes mask) { return d & mask; }
    static PG_INLINE void add(Squares& sum, Bytes d) {
        const Squares wide = __builtin_convertvector(d, Squares);
        sum += wide * wide;
    }
    static PG_INLINE void add(Distances& sum, Bytes d) { sum += __builtin_convertvector(d, Distances); }
};
#endif

template <bool First, class A, class B>
struct Choice {
    using type = A;
};
template <class A, class B>
struct Choice<false, A, B> {
    using type = B;
};

// The sums of several rows: two registers, or one a slot, since then each has a mask of its own.
template <bool Absolute, int Slots>
PG_INLINE double byte_errors(const PixelErrorRows& rows) {
    constexpr bool Masked = Slots > 1;
    constexpr int Step = ByteErrors::step, Registers = Masked ? Slots : 2;
    constexpr int64_t Block = Registers * Step, Most = 8192;
    using Bytes = decltype(ByteErrors::load(nullptr));
    using Sums = typename Choice<Absolute, ByteErrors::Distances, ByteErrors::Squares>::type;
    const int64_t n = rows.pixels * rows.slots;
    Bytes masks[Registers];
    if constexpr (Masked) {
        uint8_t used[Registers * Step];
        for (int e = 0; e < Registers * Step; ++e) used[e] = rows.used >> (e % Slots) & 1 ? 0xFF : 0;
        for (int k = 0; k < Registers; ++k) masks[k] = ByteErrors::load(used + k * Step);
    }
    typename ByteErrors::Wide total{};
    Sums sums[Registers] = {};
    int64_t steps = 0;  // of the sums
    const auto flush = [&]() PG_LAMBDA_INLINE {
        for (Sums& sum : sums) {
            total += ByteErrors::wide(sum);
            sum = Sums{};
        }
        steps = 0;
    };
    const auto add = [&](const uint8_t* x, const uint8_t* y, int k) PG_LAMBDA_INLINE {
        Bytes d = ByteErrors::distance(ByteErrors::load(x), ByteErrors::load(y));
        if constexpr (Masked) d = ByteErrors::used(d, masks[k]);
        ByteErrors::add(sums[k], d);
    };
    for (int64_t r = 0; r < rows.rows; ++r) {
        const uint8_t* const x = reinterpret_cast<const uint8_t*>(rows.x + r * rows.x_stride);
        const uint8_t* const y = reinterpret_cast<const uint8_t*>(rows.y + r * rows.y_stride);
        int64_t i = 0;
        while (i + Block <= n - Masked) {  // the slots after the last channel may lie beyond the image
            if (steps == Most) flush();
            const int64_t left = (n - Masked - i) / Block, more = left < Most - steps ? left : Most - steps;
            for (int64_t s = 0; s < more; ++s, i += Block)
                for (int k = 0; k < Registers; ++k) add(x + i + k * Step, y + i + k * Step, k);
            steps += more;
        }
        if (i == n) continue;
        if (steps == Most) flush();
        ++steps;
        int k = 0;
        for (; i + Step <= n - Masked; i += Step, ++k) add(x + i, y + i, k);
        uint8_t rest_x[Step] = {}, rest_y[Step] = {};
        for (int64_t e = i; e < n; ++e) {
            if (Masked && !(rows.used >> (e % Slots) & 1)) continue;
            rest_x[e - i] = x[e];
            rest_y[e - i] = y[e];
        }
        add(rest_x, rest_y, k);
    }
    flush();
    uint64_t sum = 0;
    for (size_t l = 0; l < sizeof total / sizeof total[0]; ++l) sum += total[l];
    return static_cast<double>(sum);
}

template <bool Absolute>
void byte_error(const PixelErrorRows* rows, double* sums) {
    if (rows->used == (1u << rows->slots) - 1)
        *sums += byte_errors<Absolute, 1>(*rows);
    else if (rows->slots == 2)
        *sums += byte_errors<Absolute, 2>(*rows);
    else if (rows->slots == 3)
        *sums += byte_errors<Absolute, 3>(*rows);
    else
        *sums += byte_errors<Absolute, 4>(*rows);
}

template <>
inline void pixel_error<uint8_t, false>(const PixelErrorRows* rows, double* sums) {
    byte_error<false>(rows, sums);
}
template <>
inline void pixel_error<uint8_t, true>(const PixelErrorRows* rows, double* sums) {
    byte_error<true>(rows, sums);
}
