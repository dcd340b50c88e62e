// The Gaussian kernel of one sample and others, from scalar products.

// exp(x) - 1 for -700 <= x <= 0, to a unit or two of the last bit of the larger of itself and, below -ln 2 / 2, of 1: about 0 nothing
// of it is lost. A power of two, set in the exponent, and Taylor's series of what is left, at most ln 2 / 2 in magnitude: the first
// term left out is 4e-18 of the sum.
PG_INLINE Vec<double> expm1_below(Vec<double> x) {
    using Bits = typename Words<double, uint32_t>::native;
    constexpr double kWhole = 0x1.8p52;  // what is added to it is rounded to whole numbers, which are then the low bits
    const Vec<double> sum = fma(x, Vec<double>::set1(0x1.71547652b82fep0), Vec<double>::set1(kWhole));
    const Vec<double> twos = sum - Vec<double>::set1(kWhole);
    const Vec<double> r = fma(twos, Vec<double>::set1(-0x1.abc9e3b39803fp-56), fma(twos, Vec<double>::set1(-0x1.62e42fefa39efp-1), x));
    const Vec<double> power = {(typename Vec<double>::native)(((Bits)sum.v << 52) + (Bits)Vec<double>::set1(1).v)};
    constexpr double kTaylor[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320,
                                  1.0 / 5040,       1.0 / 720,       1.0 / 120,      1.0 / 24,      1.0 / 6,      1.0 / 2};
    Vec<double> series = Vec<double>::set1(kTaylor[0]);
    for (int i = 1; i < 12; ++i) series = fma(series, r, Vec<double>::set1(kTaylor[i]));
    return fma(power, fma(series, r * r, r), power - Vec<double>::set1(1));
}

// Four registers at once hide the latency of the series.
double gaussian_row(const GaussianRow* row) {
    constexpr int L = Vec<double>::lanes, kVecs = 4;
    const GaussianRow& g = *row;
    const Vec<double> norm = Vec<double>::set1(-g.norm), twice = Vec<double>::set1(g.twice);
    const Vec<double> least = Vec<double>::set1(-700), most = Vec<double>::set1(0);
    const auto values = [&](const double* dots, const double* norms) PG_LAMBDA_INLINE {
        return expm1_below(max(least, min(most, fma(twice, Vec<double>::load(dots), norm - Vec<double>::load(norms)))));
    };
    Vec<double> sums[kVecs];
    for (int v = 0; v < kVecs; ++v) sums[v] = Vec<double>::set1(0);
    int64_t j = 0;
    for (; j + kVecs * L <= g.n; j += kVecs * L) {
        PG_UNROLL
        for (int v = 0; v < kVecs; ++v) sums[v] = sums[v] + values(g.dots + j + v * L, g.norms + j + v * L);
    }
    for (; j + L <= g.n; j += L) sums[0] = sums[0] + values(g.dots + j, g.norms + j);
    const Vec<double> all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    double total = 0;
    for (int i = 0; i < L; ++i) total += all.lane(i);
    if (j < g.n) {
        double dots[L] = {}, norms[L] = {};
        for (int64_t i = 0; i < g.n - j; ++i) {
            dots[i] = g.dots[j + i];
            norms[i] = g.norms[j + i];
        }
        const Vec<double> rest = values(dots, norms);
        for (int64_t i = 0; i < g.n - j; ++i) total += rest.lane(static_cast<int>(i));
    }
    return total;
}

// exp(t) - 1 - t - t^2 / 2 for |t| <= 1/16, to float32: the first term left out is 2e-8 of it.
PG_INLINE Vec<float> exp_past_squares(Vec<float> t) {
    const Vec<float> series =
        fma(t, fma(t, fma(t, Vec<float>::set1(1.0f / 720), Vec<float>::set1(1.0f / 120)), Vec<float>::set1(1.0f / 24)),
            Vec<float>::set1(1.0f / 6));
    return t * t * t * series;
}

double gaussian_rest(const GaussianRest* row) {
    constexpr int L = Vec<float>::lanes;
    const GaussianRest& g = *row;
    const Vec<float> twice = Vec<float>::set1(g.twice);
    Vec<float> sum = Vec<float>::set1(0);
    int64_t j = 0;
    for (; j + L <= g.n; j += L) sum = fma(exp_past_squares(twice * Vec<float>::load(g.dots + j)), Vec<float>::load(g.weights + j), sum);
    if (j < g.n) {
        float dots[L] = {}, weights[L] = {};
        for (int64_t i = 0; i < g.n - j; ++i) {
            dots[i] = g.dots[j + i];
            weights[i] = g.weights[j + i];
        }
        sum = fma(exp_past_squares(twice * Vec<float>::load(dots)), Vec<float>::load(weights), sum);
    }
    double total = 0;
    for (int i = 0; i < L; ++i) total += static_cast<double>(sum.lane(i));
    return total;
}
