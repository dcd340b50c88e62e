// Smallest and largest value of some rows, as float64. A NaN or an infinity anywhere makes both bounds NaN.

template <class In>
void range_of_integers(const RangeRows* rows, double* low, double* high) {
    const In first = reinterpret_cast<const In*>(rows->x)[rows->used ? __builtin_ctz(rows->used) : 0];
    In lo = first, hi = first;
    for (int64_t r = 0; r < rows->rows; ++r) {
        const In* const p = reinterpret_cast<const In*>(rows->x + r * rows->stride);
        if (rows->used == 0) {
            for (int64_t i = 0; i < rows->elements; ++i) {
                lo = p[i] < lo ? p[i] : lo;
                hi = p[i] > hi ? p[i] : hi;
            }
            continue;
        }
        for (int k = 0; k < 4; ++k)
            for (int64_t i = k; rows->used >> k & 1 && i < rows->elements; i += 4) {
                lo = p[i] < lo ? p[i] : lo;
                hi = p[i] > hi ? p[i] : hi;
            }
    }
    *low = static_cast<double>(lo);
    *high = static_cast<double>(hi);
}

// Four registers at a time, which begin at the same of every four elements. An element that is not used counts as the first one that
// is; the last pixel is read by those alone, since what follows them may lie beyond the image.
template <class T, bool Masked>
PG_INLINE void range_of_floats(const RangeRows& rows, double* low, double* high) {
    constexpr int L = Vec<T>::lanes, R = 4;
    typedef typename Unsigned<sizeof(T)>::type Bits;
    typedef Bits Mask __attribute__((vector_size(kVecBytes)));
    const T first = reinterpret_cast<const T*>(rows.x)[Masked ? __builtin_ctz(rows.used) : 0];
    const Vec<T> zero = Vec<T>::set1(0);
    Mask masks[R];
    Vec<T> fill[R], least[R], most[R], bad[R];
    for (int k = 0; k < R; ++k) {
        least[k] = most[k] = Vec<T>::set1(first);
        bad[k] = fill[k] = zero;
        if constexpr (Masked)
            for (int l = 0; l < L; ++l) {
                const bool is_used = rows.used >> ((k * L + l) % 4) & 1;
                masks[k][l] = is_used ? ~Bits{0} : Bits{0};
                fill[k].v[l] = is_used ? T(0) : first;
            }
    }
    const auto add = [&](const T* p, int k) PG_LAMBDA_INLINE {
        Vec<T> v = Vec<T>::load(p);
        if constexpr (Masked) v.v = (typename Vec<T>::native)(((Mask)v.v & masks[k]) | (Mask)fill[k].v);
        least[k] = min(v, least[k]);
        most[k] = max(v, most[k]);
        bad[k] = bad[k] + v * zero;
    };
    double lo = static_cast<double>(first), hi = lo, poison = 0;
    for (int64_t r = 0; r < rows.rows; ++r) {
        const T* const p = reinterpret_cast<const T*>(rows.x + r * rows.stride);
        int64_t i = 0;
        for (; i + R * L + Masked <= rows.elements; i += R * L)
            Unroll<0, R>::run([&](auto k) PG_LAMBDA_INLINE { add(p + i + k.value * L, k.value); });
        for (int k = 0; k < R - 1 && i + L + Masked <= rows.elements; ++k, i += L) add(p + i, k);
        for (; i < rows.elements; ++i) {
            if (Masked && !(rows.used >> (i % 4) & 1)) continue;
            const double v = static_cast<double>(p[i]);
            lo = v < lo ? v : lo;
            hi = v > hi ? v : hi;
            poison += v * 0;
        }
    }
    for (int k = 1; k < R; ++k) {
        least[0] = min(least[k], least[0]);
        most[0] = max(most[k], most[0]);
        bad[0] = bad[0] + bad[k];
    }
    for (int l = 0; l < L; ++l) {
        const double x = static_cast<double>(least[0].lane(l)), y = static_cast<double>(most[0].lane(l));
        lo = x < lo ? x : lo;
        hi = y > hi ? y : hi;
        poison += static_cast<double>(bad[0].lane(l));
    }
    *low = lo + poison;
    *high = hi + poison;
}

template <class In>
void value_range(const RangeRows* rows, double* low, double* high) {
    range_of_integers<In>(rows, low, high);
}
template <>
inline void value_range<float>(const RangeRows* rows, double* low, double* high) {
    rows->used ? range_of_floats<float, true>(*rows, low, high) : range_of_floats<float, false>(*rows, low, high);
}
template <>
inline void value_range<double>(const RangeRows* rows, double* low, double* high) {
    rows->used ? range_of_floats<double, true>(*rows, low, high) : range_of_floats<double, false>(*rows, low, high);
}
