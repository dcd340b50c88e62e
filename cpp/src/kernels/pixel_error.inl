// Sums of squared and of absolute differences of rows. 8-bit differences are exact in integer arithmetic; others are widened to
// float64 and added to chains, one for each of error_columns() columns in turn and each slot of a pixel. Chains run from row to row, and
// which of them a difference goes to, and when, does not depend on how the channels lie: so no digit does. A slot that holds no channel
// has chains of its own, which nobody looks at.
//
// Counted for a register of float64 differences: two loads that widen, a difference and a multiply-add, whatever the slots.

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

// Of integers before they are widened, which is exact and half the widening.
template <class In>
PG_INLINE Vec<double> difference(const In* x, const In* y) {
    return (Ints<double>::template load<In>(x) - Ints<double>::template load<In>(y)).convert();
}
template <>
PG_INLINE Vec<double> difference(const float* x, const float* y) {
    return LoadAs<double, float>::load(x) - LoadAs<double, float>::load(y);
}
template <>
PG_INLINE Vec<double> difference(const double* x, const double* y) {
    return Vec<double>::load(x) - Vec<double>::load(y);
}

// Rows without anything between them are one, where each begins at the first chain.
PG_INLINE PixelErrorRows joined(PixelErrorRows rows, int64_t item, int64_t columns) {
    const int64_t bytes = rows.pixels * rows.slots * item;
    if (rows.x_stride == bytes && rows.y_stride == bytes && rows.pixels % columns == 0) {
        rows.pixels *= rows.rows;
        rows.rows = 1;
    }
    return rows;
}

// Whether the slots after the last channel of a row may lie beyond the image: of the row that lies furthest. Others have rows behind.
PG_INLINE bool ends_image(const PixelErrorRows& rows, int64_t item, int64_t r) {
    const int64_t pixel = rows.slots * item;
    const auto furthest = [&](int64_t stride) PG_LAMBDA_INLINE { return stride >= pixel ? r == rows.rows - 1 : stride > -pixel || r == 0; };
    return rows.used != (1u << rows.slots) - 1 && (furthest(rows.x_stride) || furthest(rows.y_stride));
}

// The beginning of the row after this one where it lies before it, which the processor does not expect.
PG_INLINE void expect_next(const char* row, int64_t stride, int64_t bytes) {
    constexpr int64_t kBeginning = 1024;
    if (stride >= 0) return;
    for (int64_t b = 0; b < bytes && b < kBeginning; b += 64) __builtin_prefetch(row + stride + b);
}

// One row, the chains of at most Part registers at a time, so that they stay in registers.
template <class In, bool Absolute, int Slots>
PG_INLINE void error_chains(const PixelErrorRows& rows, const In* x, const In* y, bool ends, double* sums) {
    constexpr int L = Vec<double>::lanes, Registers = Slots * kErrorColumns / L;
    constexpr int Part = kVecRegisters >= 32 || Registers <= 8 ? Registers : Registers / 2;
    const int64_t blocks = (rows.pixels - ends) / kErrorColumns, block = kErrorColumns * Slots;
    for (int first = 0; first < Registers; first += Part) {
        Vec<double> chains[Part];
        Unroll<0, Part>::run([&](auto k) PG_LAMBDA_INLINE { chains[k.value] = Vec<double>::load(sums + (first + k.value) * L); });
        const In *px = x + first * L, *py = y + first * L;
        for (int64_t i = 0; i < blocks; ++i, px += block, py += block)
            Unroll<0, Part>::run([&](auto kc) PG_LAMBDA_INLINE {
                constexpr int k = decltype(kc)::value;
                chains[k] = with_error<Absolute>(chains[k], difference<In>(px + k * L, py + k * L));
            });
        Unroll<0, Part>::run([&](auto k) PG_LAMBDA_INLINE { chains[k.value].store(sums + (first + k.value) * L); });
    }
    x += blocks * block;
    y += blocks * block;
    const int64_t rest = (rows.pixels - blocks * kErrorColumns) * Slots;
    int64_t e = 0;
    for (; e + L + ends * Slots <= rest; e += L)
        with_error<Absolute>(Vec<double>::load(sums + e), difference<In>(x + e, y + e)).store(sums + e);
    for (; e < rest; ++e)
        if (rows.used >> (e % Slots) & 1) sums[e] = with_error<Absolute>(sums[e], static_cast<double>(x[e]) - static_cast<double>(y[e]));
}

template <class In, bool Absolute, int Slots>
void error_of_rows(const PixelErrorRows& given, double* sums) {
    constexpr int64_t item = sizeof(In);
    const PixelErrorRows rows = joined(given, item, kErrorColumns);
    const int64_t bytes = rows.pixels * Slots * item;
    for (int64_t r = 0; r < rows.rows; ++r) {
        const char *const x = rows.x + r * rows.x_stride, *const y = rows.y + r * rows.y_stride;
        if (r + 1 < rows.rows) {
            expect_next(x, rows.x_stride, bytes);
            expect_next(y, rows.y_stride, bytes);
        }
        error_chains<In, Absolute, Slots>(rows, reinterpret_cast<const In*>(x), reinterpret_cast<const In*>(y), ends_image(rows, item, r),
                                          sums);
    }
}

template <class In, bool Absolute>
void pixel_error(const PixelErrorRows* rows, double* sums) {
    switch (rows->slots) {
        case 1:
            return error_of_rows<In, Absolute, 1>(*rows, sums);
        case 2:
            return error_of_rows<In, Absolute, 2>(*rows, sums);
        case 3:
            return error_of_rows<In, Absolute, 3>(*rows, sums);
        default:
            return error_of_rows<In, Absolute, 4>(*rows, sums);
    }
}

// A register of bytes of both images at a time, and a mask of those that count. For squares, the bytes of the images side by side are
// multiplied by 1 and -1, or by 0, and added in pairs, which are the differences; these are squared and added to 32 bits, four squares a
// lane, of which 8,192 stay below 2^31. Absolute differences are added to 64 bits, eight and eight. Counted for a register of squares: two
// of interleaving, two of differences, two of products, two of sums; of distances four.
#if defined(__AVX512F__)
struct ByteErrors {
    static constexpr int step = 64;
    using Bytes = __m512i;
    typedef int32_t Squares __attribute__((vector_size(64)));
    typedef int64_t Distances __attribute__((vector_size(64)));
    typedef uint64_t Wide __attribute__((vector_size(64)));
    struct Counted {
        Bytes mask, low, high;
        explicit PG_INLINE Counted(Bytes m) : mask(m) {
            const Bytes plus = _mm512_and_si512(m, _mm512_set1_epi8(1));
            low = _mm512_unpacklo_epi8(plus, m);
            high = _mm512_unpackhi_epi8(plus, m);
        }
    };
    static PG_INLINE Wide wide(Squares sum) { return ((Wide)sum & 0xFFFFFFFF) + ((Wide)sum >> 32); }  // never negative
    static PG_INLINE Wide wide(Distances sum) { return (Wide)sum; }
    static PG_INLINE Bytes load(const uint8_t* p) { return _mm512_loadu_si512(p); }
    static PG_INLINE void add(Squares& sum, Bytes a, Bytes b, const Counted& c) {
        const Bytes low = _mm512_maddubs_epi16(_mm512_unpacklo_epi8(a, b), c.low);
        const Bytes high = _mm512_maddubs_epi16(_mm512_unpackhi_epi8(a, b), c.high);
        sum += (Squares)_mm512_madd_epi16(low, low) + (Squares)_mm512_madd_epi16(high, high);
    }
    static PG_INLINE void add(Distances& sum, Bytes a, Bytes b, const Counted& c) {
        sum += (Distances)_mm512_sad_epu8(_mm512_and_si512(a, c.mask), _mm512_and_si512(b, c.mask));
    }
};
#elif defined(__AVX2__)
struct ByteErrors {
    static constexpr int step = 32;
    using Bytes = __m256i;
    typedef int32_t Squares __attribute__((vector_size(32)));
    typedef int64_t Distances __attribute__((vector_size(32)));
    typedef uint64_t Wide __attribute__((vector_size(32)));
    struct Counted {
        Bytes mask, low, high;
        explicit PG_INLINE Counted(Bytes m) : mask(m) {
            const Bytes plus = _mm256_and_si256(m, _mm256_set1_epi8(1));
            low = _mm256_unpacklo_epi8(plus, m);
            high = _mm256_unpackhi_epi8(plus, m);
        }
    };
    static PG_INLINE Wide wide(Squares sum) { return ((Wide)sum & 0xFFFFFFFF) + ((Wide)sum >> 32); }  // never negative
    static PG_INLINE Wide wide(Distances sum) { return (Wide)sum; }
    static PG_INLINE Bytes load(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
    static PG_INLINE void add(Squares& sum, Bytes a, Bytes b, const Counted& c) {
        const Bytes low = _mm256_maddubs_epi16(_mm256_unpacklo_epi8(a, b), c.low);
        const Bytes high = _mm256_maddubs_epi16(_mm256_unpackhi_epi8(a, b), c.high);
        sum += (Squares)_mm256_madd_epi16(low, low) + (Squares)_mm256_madd_epi16(high, high);
    }
    static PG_INLINE void add(Distances& sum, Bytes a, Bytes b, const Counted& c) {
        sum += (Distances)_mm256_sad_epu8(_mm256_and_si256(a, c.mask), _mm256_and_si256(b, c.mask));
    }
};
#elif defined(__SSE2__)
struct ByteErrors {
    static constexpr int step = 16;
    using Bytes = __m128i;
    typedef int32_t Squares __attribute__((vector_size(16)));
    typedef int64_t Distances __attribute__((vector_size(16)));
    typedef uint64_t Wide __attribute__((vector_size(16)));
    struct Counted {
        Bytes mask;
        explicit PG_INLINE Counted(Bytes m) : mask(m) {}
    };
    static PG_INLINE Wide wide(Squares sum) { return ((Wide)sum & 0xFFFFFFFF) + ((Wide)sum >> 32); }  // never negative
    static PG_INLINE Wide wide(Distances sum) { return (Wide)sum; }
    static PG_INLINE Bytes load(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
    static PG_INLINE void add(Squares& sum, Bytes a, Bytes b, const Counted& c) {
        const Bytes d = _mm_and_si128(_mm_or_si128(_mm_subs_epu8(a, b), _mm_subs_epu8(b, a)), c.mask), zero = _mm_setzero_si128();
        const Bytes low = _mm_unpacklo_epi8(d, zero), high = _mm_unpackhi_epi8(d, zero);
        sum += (Squares)_mm_madd_epi16(low, low) + (Squares)_mm_madd_epi16(high, high);
    }
    static PG_INLINE void add(Distances& sum, Bytes a, Bytes b, const Counted& c) {
        sum += (Distances)_mm_sad_epu8(_mm_and_si128(a, c.mask), _mm_and_si128(b, c.mask));
    }
};
#else
struct ByteErrors {
    static constexpr int step = 16;
    typedef uint8_t Bytes __attribute__((vector_size(16)));
    typedef uint8_t Unaligned __attribute__((vector_size(16), aligned(1), may_alias));
    typedef int32_t Squares __attribute__((vector_size(64)));
    typedef int64_t Distances __attribute__((vector_size(128)));
    typedef uint64_t Wide __attribute__((vector_size(128)));
    struct Counted {
        Bytes mask;
        explicit PG_INLINE Counted(Bytes m) : mask(m) {}
    };
    static PG_INLINE Wide wide(Squares sum) { return __builtin_convertvector(sum, Wide); }
    static PG_INLINE Wide wide(Distances sum) { return (Wide)sum; }
    static PG_INLINE Bytes load(const uint8_t* p) { return *reinterpret_cast<const Unaligned*>(p); }
    static PG_INLINE Bytes distance(Bytes a, Bytes b, const Counted& c) { return (a > b ? a - b : b - a) & c.mask; }
    static PG_INLINE void add(Squares& sum, Bytes a, Bytes b, const Counted& c) {
        const Squares wide = __builtin_convertvector(distance(a, b, c), Squares);
        sum += wide * wide;
    }
    static PG_INLINE void add(Distances& sum, Bytes a, Bytes b, const Counted& c) {
        sum += __builtin_convertvector(distance(a, b, c), Distances);
    }
};
#endif

// Which bytes of a register count: by its place in a row, and of those the last ones.
template <int Slots>
struct ByteMasks {
    static constexpr int Step = ByteErrors::step;
    uint8_t by_slot[Step + Slots], last[2 * Step];
    explicit PG_INLINE ByteMasks(uint32_t used) {
        for (int e = 0; e < Step + Slots; ++e) by_slot[e] = used >> (e % Slots) & 1 ? 0xFF : 0;
        for (int e = 0; e < 2 * Step; ++e) last[e] = e < Step ? 0 : 0xFF;
    }
    PG_INLINE ByteErrors::Bytes at(int64_t place) const { return ByteErrors::load(by_slot + place % Slots); }
    PG_INLINE ByteErrors::Bytes at(int64_t place, int64_t count) const { return at(place) & ByteErrors::load(last + count); }
};

template <bool First, class A, class B>
struct Choice {
    using type = A;
};
template <class A, class B>
struct Choice<false, A, B> {
    using type = B;
};

// Rows from the lowest one on: sums of integers have no order.
PG_INLINE PixelErrorRows upright(PixelErrorRows rows) {
    if (rows.x_stride < 0 && rows.y_stride < 0) {
        rows.x += (rows.rows - 1) * rows.x_stride;
        rows.y += (rows.rows - 1) * rows.y_stride;
        rows.x_stride = -rows.x_stride;
        rows.y_stride = -rows.y_stride;
    }
    return rows;
}

// The sums of several rows, two registers or one a slot. What is left of a row is read in a register that ends with it, where those that
// were read already do not count.
template <bool Absolute, int Slots>
PG_INLINE double byte_errors(const PixelErrorRows& given) {
    constexpr int Step = ByteErrors::step, Registers = Slots == 1 ? 2 : Slots, Masks = Slots == 3 ? 3 : 1;
    constexpr int64_t Block = Registers * Step, Most = 8192;
    using Sums = typename Choice<Absolute, ByteErrors::Distances, ByteErrors::Squares>::type;
    const PixelErrorRows rows = joined(upright(given), 1, 1);
    const int64_t n = rows.pixels * rows.slots, unused = Slots == 1 ? 0 : __builtin_clz(rows.used) - (32 - Slots);
    const ByteMasks<Slots> masks(Slots == 1 ? 1 : rows.used);
    const ByteErrors::Counted counted[3] = {ByteErrors::Counted(masks.at(0)), ByteErrors::Counted(masks.at(Step)),
                                            ByteErrors::Counted(masks.at(2 * Step))};
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
    const auto add = [&](const uint8_t* x, const uint8_t* y, int k, const ByteErrors::Counted& of)
                         PG_LAMBDA_INLINE { ByteErrors::add(sums[k], ByteErrors::load(x), ByteErrors::load(y), of); };
    for (int64_t r = 0; r < rows.rows; ++r) {
        const uint8_t* const x = reinterpret_cast<const uint8_t*>(rows.x + r * rows.x_stride);
        const uint8_t* const y = reinterpret_cast<const uint8_t*>(rows.y + r * rows.y_stride);
        const int64_t end = n - (Slots > 1 && ends_image(rows, 1, r) ? unused : 0);
        int64_t i = 0;
        while (i + Block <= end) {
            if (steps == Most) flush();
            const int64_t left = (end - i) / Block, more = left < Most - steps ? left : Most - steps;
            for (int64_t s = 0; s < more; ++s, i += Block)
                for (int k = 0; k < Registers; ++k) add(x + i + k * Step, y + i + k * Step, k, counted[k % Masks]);
            steps += more;
        }
        if (i == end) continue;
        if (steps == Most) flush();
        ++steps;
        int k = 0;
        for (; i + Step <= end; i += Step, ++k) add(x + i, y + i, k, counted[k % Masks]);
        if (i == end) continue;
        if (end >= Step) {
            add(x + end - Step, y + end - Step, k, ByteErrors::Counted(masks.at(end - Step, end - i)));
            continue;
        }
        uint8_t rest_x[Step] = {}, rest_y[Step] = {};
        for (int64_t e = i; e < end; ++e) {
            rest_x[e - i] = x[e];
            rest_y[e - i] = y[e];
        }
        add(rest_x, rest_y, k, counted[k % Masks]);
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
