// Smallest and largest value of one row, as float64. A NaN or an infinity anywhere makes both bounds NaN.

template <class In>
void value_range(const void* x, int64_t n, double* low, double* high) {
    const In* p = static_cast<const In*>(x);
    In lo = p[0], hi = p[0];
    for (int64_t i = 0; i < n; ++i) {
        lo = p[i] < lo ? p[i] : lo;
        hi = p[i] > hi ? p[i] : hi;
    }
    *low = static_cast<double>(lo);
    *high = static_cast<double>(hi);
}

template <class T>
void float_range(const T* p, int64_t n, double* low, double* high) {
    constexpr int L = Vec<T>::lanes;
    double lo = static_cast<double>(p[0]), hi = lo, poison = 0;
    int64_t i = 0;
    if (n >= L) {
        const Vec<T> zero = Vec<T>::set1(0);
        Vec<T> a = Vec<T>::load(p), b = a, bad = zero;
        for (; i + L <= n; i += L) {
            const Vec<T> v = Vec<T>::load(p + i);
            a = min(v, a);
            b = max(v, b);
            bad = bad + v * zero;
        }
        for (int k = 0; k < L; ++k) {
            const double x = static_cast<double>(a.lane(k)), y = static_cast<double>(b.lane(k));
            lo = x < lo ? x : lo;
            hi = y > hi ? y : hi;
            poison += static_cast<double>(bad.lane(k));
        }
    }
    for (; i < n; ++i) {
        const double v = static_cast<double>(p[i]);
        lo = v < lo ? v : lo;
        hi = v > hi ? v : hi;
        poison += v * 0;
    }
    *low = lo + poison;
    *high = hi + poison;
}
template <>
inline void value_range<float>(const void* x, int64_t n, double* low, double* high) {
    float_range(static_cast<const float*>(x), n, low, high);
}
template <>
inline void value_range<double>(const void* x, int64_t n, double* low, double* high) {
    float_range(static_cast<const double*>(x), n, low, high);
}
