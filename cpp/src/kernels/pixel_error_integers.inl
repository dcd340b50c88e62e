// Sums of squared and of absolute differences of rows of integers, exact whatever the size. Sums of integers have no order: rows are read
// as they lie, a register of both images at a time, and a mask of the elements that count.

// How registers of one dtype are added: to sums of their own, of kMostRegisters at most, which are then made wide. What each register lacks
// in them is added when they are.
template <class In>
struct IntegerErrors;
constexpr int64_t kMostRegisters = 8192;

// What registers of 16 bits are added by: differences, or 0 where they are negative, and sums of two signed products.
struct Shorts {
    using Register = Native<uint16_t, kVecBytes>::type;
    using Pairs = Native<uint32_t, kVecBytes>::type;
#if defined(__AVX512F__)
    static PG_INLINE Register above(Register a, Register b) { return (Register)_mm512_subs_epu16((__m512i)a, (__m512i)b); }
    static PG_INLINE Pairs products(Register a, Register b) { return (Pairs)_mm512_madd_epi16((__m512i)a, (__m512i)b); }
#elif defined(__AVX2__)
    static PG_INLINE Register above(Register a, Register b) { return (Register)_mm256_subs_epu16((__m256i)a, (__m256i)b); }
    static PG_INLINE Pairs products(Register a, Register b) { return (Pairs)_mm256_madd_epi16((__m256i)a, (__m256i)b); }
#elif defined(__SSE2__)
    static PG_INLINE Register above(Register a, Register b) { return (Register)_mm_subs_epu16((__m128i)a, (__m128i)b); }
    static PG_INLINE Pairs products(Register a, Register b) { return (Pairs)_mm_madd_epi16((__m128i)a, (__m128i)b); }
#else
    using Signed = Native<int32_t, kVecBytes>::type;
    static PG_INLINE Register above(Register a, Register b) { return (Register)(a > b) & (a - b); }
    static PG_INLINE Pairs products(Register a, Register b) {
        const Signed low_a = (Signed)((Pairs)a << 16) >> 16, low_b = (Signed)((Pairs)b << 16) >> 16;
        return (Pairs)low_a * (Pairs)low_b + (Pairs)((Signed)a >> 16) * (Pairs)((Signed)b >> 16);
    }
#endif
};

// For squares, the bytes of the images side by side are multiplied by 1 and -1, or by 0, and added in pairs, which are the differences;
// these are squared and added to 32 bits, four squares a lane, of which 8,192 stay below 2^31. Absolute differences are added to 64 bits,
// eight and eight. Counted for a register of squares: two of interleaving, two of differences, two of products, two of sums; of distances
// four.
struct ByteSums {
    static constexpr int step = kVecBytes;
    using Squares = Native<int32_t, kVecBytes>::type;
    using Distances = Native<int64_t, kVecBytes>::type;
    using Wide = Native<uint64_t, kVecBytes>::type;
    static constexpr uint64_t lacks(bool) { return 0; }
    static PG_INLINE Wide wide(Squares sum) { return ((Wide)sum & 0xFFFFFFFF) + ((Wide)sum >> 32); }  // never negative
    static PG_INLINE Wide wide(Distances sum) { return (Wide)sum; }
};
#if defined(__AVX512F__)
template <>
struct IntegerErrors<uint8_t> : ByteSums {
    using Register = __m512i;
    struct Counted {
        Register mask, low, high;
        explicit PG_INLINE Counted(Register m) : mask(m) {
            const Register plus = _mm512_and_si512(m, _mm512_set1_epi8(1));
            low = _mm512_unpacklo_epi8(plus, m);
            high = _mm512_unpackhi_epi8(plus, m);
        }
    };
    static PG_INLINE Register load(const uint8_t* p) { return _mm512_loadu_si512(p); }
    static PG_INLINE void add(Squares& sum, Register a, Register b, const Counted& c) {
        const Register low = _mm512_maddubs_epi16(_mm512_unpacklo_epi8(a, b), c.low);
        const Register high = _mm512_maddubs_epi16(_mm512_unpackhi_epi8(a, b), c.high);
        sum += (Squares)_mm512_madd_epi16(low, low) + (Squares)_mm512_madd_epi16(high, high);
    }
    static PG_INLINE void add(Distances& sum, Register a, Register b, const Counted& c) {
        sum += (Distances)_mm512_sad_epu8(_mm512_and_si512(a, c.mask), _mm512_and_si512(b, c.mask));
    }
};
#elif defined(__AVX2__)
template <>
struct IntegerErrors<uint8_t> : ByteSums {
    using Register = __m256i;
    struct Counted {
        Register mask, low, high;
        explicit PG_INLINE Counted(Register m) : mask(m) {
            const Register plus = _mm256_and_si256(m, _mm256_set1_epi8(1));
            low = _mm256_unpacklo_epi8(plus, m);
            high = _mm256_unpackhi_epi8(plus, m);
        }
    };
    static PG_INLINE Register load(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
    static PG_INLINE void add(Squares& sum, Register a, Register b, const Counted& c) {
        const Register low = _mm256_maddubs_epi16(_mm256_unpacklo_epi8(a, b), c.low);
        const Register high = _mm256_maddubs_epi16(_mm256_unpackhi_epi8(a, b), c.high);
        sum += (Squares)_mm256_madd_epi16(low, low) + (Squares)_mm256_madd_epi16(high, high);
    }
    static PG_INLINE void add(Distances& sum, Register a, Register b, const Counted& c) {
        sum += (Distances)_mm256_sad_epu8(_mm256_and_si256(a, c.mask), _mm256_and_si256(b, c.mask));
    }
};
#elif defined(__SSE2__)
template <>
struct IntegerErrors<uint8_t> : ByteSums {
    using Register = __m128i;
    struct Counted {
        Register mask;
        explicit PG_INLINE Counted(Register m) : mask(m) {}
    };
    static PG_INLINE Register load(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
    static PG_INLINE void add(Squares& sum, Register a, Register b, const Counted& c) {
        const Register d = _mm_and_si128(_mm_or_si128(_mm_subs_epu8(a, b), _mm_subs_epu8(b, a)), c.mask), zero = _mm_setzero_si128();
        const Register low = _mm_unpacklo_epi8(d, zero), high = _mm_unpackhi_epi8(d, zero);
        sum += (Squares)_mm_madd_epi16(low, low) + (Squares)_mm_madd_epi16(high, high);
    }
    static PG_INLINE void add(Distances& sum, Register a, Register b, const Counted& c) {
        sum += (Distances)_mm_sad_epu8(_mm_and_si128(a, c.mask), _mm_and_si128(b, c.mask));
    }
};
#else
template <>
struct IntegerErrors<uint8_t> : ByteSums {
    using Register = Native<uint8_t, kVecBytes>::type;
    using Counted = Register;
    static PG_INLINE Register load(const uint8_t* p) { return *reinterpret_cast<const Native<uint8_t, kVecBytes>::unaligned*>(p); }
    static PG_INLINE Shorts::Register distances(Register a, Register b, Counted c) {
        return (Shorts::Register)((((Register)(a > b) & (a - b)) | ((Register)(b > a) & (b - a))) & c);
    }
    static PG_INLINE void add(Squares& sum, Register a, Register b, Counted c) {
        const Shorts::Register d = distances(a, b, c), low = d & 0xFF, high = d >> 8;
        sum += (Squares)(Shorts::products(low, low) + Shorts::products(high, high));
    }
    static PG_INLINE void add(Distances& sum, Register a, Register b, Counted c) {
        const Shorts::Register d = distances(a, b, c), pairs = (d & 0xFF) + (d >> 8);
        sum += (Distances)wide((Squares)Shorts::products(pairs, Shorts::Register{} + 1));
    }
};
#endif

// Products of 16 bits are signed, so of an absolute difference d it is e = d - 2^15 that is squared: d^2 = e^2 + 2^16 e + 2^30. So sums of
// squares lack 2^30 for each element, and those of distances 2^15; also where none counts, as d is 0 there. A pair of e^2 is 2^31 at most:
// no two can be added in 32 bits. They are added two a lane of 64, and the upper ones once more: both sums make whole - 2^32 upper + upper.
// 8,192 pairs of e stay below 2^30. Counted for a register of squares: three of e, two of products, one shift, three of sums; of distances
// five. Squares by the bytes of d would be eleven, by the halves of unsigned products thirteen; both measured slower.
template <>
struct IntegerErrors<uint16_t> {
    static constexpr int step = kVecBytes / 2;
    using Register = Shorts::Register;
    using Wide = Native<uint64_t, kVecBytes>::type;
    using Signed = Native<int64_t, kVecBytes>::type;
    using Counted = Register;
    struct Distances {
        Shorts::Pairs e;
    };
    struct Squares {
        Wide whole, upper;
        Distances distances;
    };
    static constexpr uint64_t lacks(bool absolute) { return static_cast<uint64_t>(step) << (absolute ? 15 : 30); }
    static PG_INLINE Wide wide(const Distances& sum) { return (Wide)((Signed)sum.e >> 32) + (Wide)((Signed)((Wide)sum.e << 32) >> 32); }
    static PG_INLINE Wide wide(const Squares& sum) { return sum.whole - (sum.upper << 32) + sum.upper + (wide(sum.distances) << 16); }
    static PG_INLINE Register load(const uint16_t* p) { return *reinterpret_cast<const Native<uint16_t, kVecBytes>::unaligned*>(p); }
    static PG_INLINE Register shifted(Register a, Register b, Counted c) {
        constexpr uint16_t kShift = 1 << 15;
        return ((Shorts::above(a, b) | Shorts::above(b, a)) & c) ^ (Register{} + kShift);
    }
    static PG_INLINE void add_shifted(Distances& sum, Register e) { sum.e += Shorts::products(e, Register{} + 1); }
    static PG_INLINE void add(Distances& sum, Register a, Register b, Counted c) { add_shifted(sum, shifted(a, b, c)); }
    static PG_INLINE void add(Squares& sum, Register a, Register b, Counted c) {
        const Register e = shifted(a, b, c);
        const Wide pairs = (Wide)Shorts::products(e, e);
        sum.whole += pairs;
        sum.upper += pairs >> 32;
        add_shifted(sum.distances, e);
    }
};

// Which elements of a register count: by its place in a row, and of those the last ones.
template <class In, int Slots>
struct ElementMasks {
    using Errors = IntegerErrors<In>;
    static constexpr int Step = Errors::step;
    In by_slot[Step + Slots], last[2 * Step];
    explicit PG_INLINE ElementMasks(uint32_t used) {
        constexpr In kAll = static_cast<In>(~In{0});
        for (int e = 0; e < Step + Slots; ++e) by_slot[e] = used >> (e % Slots) & 1 ? kAll : 0;
        for (int e = 0; e < 2 * Step; ++e) last[e] = e < Step ? 0 : kAll;
    }
    PG_INLINE typename Errors::Register at(int64_t place) const {
        if constexpr (Slots == 1)
            return ~typename Errors::Register{};
        else
            return Errors::load(by_slot + place % Slots);
    }
    PG_INLINE typename Errors::Register at(int64_t place, int64_t count) const { return at(place) & Errors::load(last + count); }
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

// In a register from here on. GCC loads once more for each operation that can read memory, which took up to a quarter of the time of rows
// that are not aligned.
template <class Register>
PG_INLINE Register loaded(Register r) {
#if defined(__x86_64__)
    asm("" : "+v"(r));
#endif
    return r;
}

// The sums of several rows, two registers or one a slot. What is left of a row is read in a register that ends with it, where those that
// were read already do not count. Each time that the sums are made wide they are below 2^53, and go to the total as two parts.
template <class In, bool Absolute, int Slots>
PG_INLINE void integer_errors(const PixelErrorRows& given, double* total) {
    using Errors = IntegerErrors<In>;
    using Counted = typename Errors::Counted;
    using Sums = typename Choice<Absolute, typename Errors::Distances, typename Errors::Squares>::type;
    constexpr int Step = Errors::step, Registers = Slots == 1 ? 2 : Slots, Masks = Slots == 3 ? 3 : 1;
    constexpr int64_t Block = Registers * Step, Item = sizeof(In);
    const PixelErrorRows rows = joined(upright(given), Item, 1);
    const int64_t n = rows.pixels * rows.slots, unused = Slots == 1 ? 0 : __builtin_clz(rows.used) - (32 - Slots);
    const ElementMasks<In, Slots> masks(rows.used);
    const Counted counted[3] = {Counted(masks.at(0)), Counted(masks.at(Step)), Counted(masks.at(2 * Step))};
    Sums sums[Registers] = {};
    int64_t steps = 0, registers = 0;  // added to one of the sums at most, and to all
    uint64_t low = 0, high = 0;
    const auto flush = [&]() PG_LAMBDA_INLINE {
        typename Errors::Wide wide{};
        for (Sums& sum : sums) {
            wide += Errors::wide(sum);
            sum = Sums{};
        }
        uint64_t found = static_cast<uint64_t>(registers) * Errors::lacks(Absolute);
        for (size_t l = 0; l < sizeof wide / sizeof wide[0]; ++l) found += wide[l];
        low += found & 0xFFFFFFFF;
        high += found >> 32;
        steps = registers = 0;
    };
    const auto add = [&](const In* x, const In* y, int k, const Counted& of) PG_LAMBDA_INLINE {
        Errors::add(sums[k], loaded(Errors::load(x)), loaded(Errors::load(y)), of);
        ++registers;
    };
    for (int64_t r = 0; r < rows.rows; ++r) {
        const In* const x = reinterpret_cast<const In*>(rows.x + r * rows.x_stride);
        const In* const y = reinterpret_cast<const In*>(rows.y + r * rows.y_stride);
        const int64_t end = n - (Slots > 1 && ends_image(rows, Item, r) ? unused : 0);
        int64_t i = 0;
        while (i + Block <= end) {
            if (steps == kMostRegisters) flush();
            const int64_t left = (end - i) / Block, more = left < kMostRegisters - steps ? left : kMostRegisters - steps;
            for (int64_t s = 0; s < more; ++s, i += Block)
                for (int k = 0; k < Registers; ++k) add(x + i + k * Step, y + i + k * Step, k, counted[k % Masks]);
            steps += more;
        }
        if (i == end) continue;
        if (steps == kMostRegisters) flush();
        ++steps;
        int k = 0;
        for (; i + Step <= end; i += Step, ++k) add(x + i, y + i, k, counted[k % Masks]);
        if (i == end) continue;
        if (end >= Step) {
            add(x + end - Step, y + end - Step, k, Counted(masks.at(end - Step, end - i)));
            continue;
        }
        In rest_x[Step] = {}, rest_y[Step] = {};
        for (int64_t e = i; e < end; ++e) {
            rest_x[e - i] = x[e];
            rest_y[e - i] = y[e];
        }
        add(rest_x, rest_y, k, counted[k % Masks]);
    }
    flush();
    low += static_cast<uint64_t>(total[0]);
    total[0] = static_cast<double>(low & 0xFFFFFFFF);
    total[1] += static_cast<double>(high + (low >> 32));
}

template <class In, bool Absolute>
void integer_error(const PixelErrorRows* rows, double* total) {
    if (rows->used == (1u << rows->slots) - 1)
        integer_errors<In, Absolute, 1>(*rows, total);
    else if (rows->slots == 2)
        integer_errors<In, Absolute, 2>(*rows, total);
    else if (rows->slots == 3)
        integer_errors<In, Absolute, 3>(*rows, total);
    else
        integer_errors<In, Absolute, 4>(*rows, total);
}
