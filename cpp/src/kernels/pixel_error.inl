// Sums of squared and of absolute differences of rows of floats; of integers see pixel_error_integers.inl. Differences are widened to
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

template <class In>
PG_INLINE Vec<double> difference(const In* x, const In* y) {
    return LoadAs<double, In>::load(x) - LoadAs<double, In>::load(y);
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
