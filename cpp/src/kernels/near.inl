// Distances between samples: which of a row of approximate ones may lie within a limit, and one distance in float64.

template <class T>
int64_t near_row(const NearRow<T>* row, int32_t* found) {
    constexpr int L = Vec<T>::lanes;
    const NearRow<T>& r = *row;
    const Vec<T> norm = Vec<T>::set1(r.norm), keep = Vec<T>::set1(r.keep), less = Vec<T>::set1(r.less);
    const Vec<T> limit = Vec<T>::set1(r.limit), two = Vec<T>::set1(-2);
    int64_t count = 0, j = 0;
    for (; j + L <= r.n; j += L) {
        const Vec<T> sum = norm + Vec<T>::load(r.norms + j);
        const Vec<T> squared = fma(Vec<T>::load(r.dots + j), two, fma(sum, keep, less));
        const Vec<T> within = max(limit, Vec<T>::load(r.limits + j));
        if (!any_at_most(squared, within)) continue;
        for (int i = 0; i < L; ++i) {
            found[count] = static_cast<int32_t>(j) + i;
            count += squared.lane(i) <= within.lane(i);
        }
    }
    for (; j < r.n; ++j) {
        const T squared = (r.norm + r.norms[j]) * r.keep + r.less - 2 * r.dots[j];
        found[count] = static_cast<int32_t>(j);
        count += squared <= r.limit || squared <= r.limits[j];
    }
    return count;
}

// Four chains hide the latency of the multiply-add; (x - y)^2 is the same from either side to the last bit.
template <class X, class Y>
double squared_distance(const X* x, const Y* y, int64_t n) {
    constexpr int L = Vec<double>::lanes;
    Vec<double> sums[4];
    for (int v = 0; v < 4; ++v) sums[v] = Vec<double>::set1(0);
    int64_t i = 0;
    for (; i + 4 * L <= n; i += 4 * L) {
        for (int v = 0; v < 4; ++v) {
            const Vec<double> d = LoadAs<double, X>::load(x + i + v * L) - LoadAs<double, Y>::load(y + i + v * L);
            sums[v] = fma(d, d, sums[v]);
        }
    }
    const Vec<double> all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    double total = 0;
    for (int v = 0; v < L; ++v) total += all.lane(v);
    for (; i < n; ++i) {
        const double d = static_cast<double>(x[i]) - static_cast<double>(y[i]);
        total += d * d;
    }
    return total;
}
