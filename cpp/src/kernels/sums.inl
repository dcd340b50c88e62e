// Sums kept as a leading part and its rounding error.

// high + low gains x by Knuth's two-sum, then takes the one form where high is the rounded total: comparable bit by bit,
// however it came about.
PG_INLINE void add_doubled_at(Vec<double> x, double* high, double* low) {
    const Vec<double> h = Vec<double>::load(high);
    const Vec<double> sum = h + x, part = sum - h;
    const Vec<double> error = Vec<double>::load(low) + ((h - (sum - part)) + (x - part));
    const Vec<double> total = sum + error;
    total.store(high);
    (error - (total - sum)).store(low);
}

inline void add_doubled(int64_t n, const double* PG_RESTRICT x, double* PG_RESTRICT high, double* PG_RESTRICT low) {
    constexpr int L = Vec<double>::lanes;
    int64_t i = 0;
    for (; i + L <= n; i += L) add_doubled_at(Vec<double>::load(x + i), high + i, low + i);
    if (i < n) {
        double parts[3][L] = {};
        for (int64_t j = i; j < n; ++j) {
            parts[0][j - i] = x[j];
            parts[1][j - i] = high[j];
            parts[2][j - i] = low[j];
        }
        add_doubled_at(Vec<double>::load(parts[0]), parts[1], parts[2]);
        for (int64_t j = i; j < n; ++j) {
            high[j] = parts[1][j - i];
            low[j] = parts[2][j - i];
        }
    }
}

// sums += x - shift for each of the rows, in order. Four rows at a time, because one would load and store the sums for every
// value that it reads.
template <class In>
void add_rows(int64_t rows, const In* x, int64_t row_stride, int64_t n, const double* PG_RESTRICT shift, double* PG_RESTRICT sums) {
    constexpr int L = Vec<double>::lanes;
    constexpr int64_t kTogether = 4;
    for (int64_t i = 0; i < rows; i += kTogether) {
        const In* const row = x + i * row_stride;
        const int64_t count = rows - i < kTogether ? rows - i : kTogether;
        int64_t j = 0;
        for (; count == kTogether && j + L <= n; j += L) {
            const Vec<double> less = Vec<double>::load(shift + j);
            Vec<double> sum = Vec<double>::load(sums + j);
            for (int64_t r = 0; r < kTogether; ++r) sum = sum + (LoadAs<double, In>::load(row + r * row_stride + j) - less);
            sum.store(sums + j);
        }
        for (; j < n; ++j)
            for (int64_t r = 0; r < count; ++r) sums[j] += static_cast<double>(row[r * row_stride + j]) - shift[j];
    }
}
