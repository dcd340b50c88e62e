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
