// One register tile of a matrix product from packed panels: 8 rows x 3 registers with 32 registers, 4 x 3 with 16, so that
// every accumulator stays in a register (24 of 32, 12 of 16) beside the columns in flight and one broadcast, and the columns
// of a panel are a multiple of the rows: a symmetric product reads its rows from the panels of its columns.

constexpr int kGemmRows = kVecRegisters == 32 ? 8 : 4;
constexpr int kGemmVecs = 3;
constexpr int kGemmStep = 4;

// Sums run over k in order. What is asked for ahead fills slots of loads that the multiply-adds leave free.
template <class T>
void gemm_tile(const GemmTile<T>* tile) {
    constexpr int L = Vec<T>::lanes;
    const int64_t a_step = tile->a_step, c_stride = tile->c_stride;
    const T *PG_RESTRICT a = tile->a, *PG_RESTRICT b = tile->b;
    const char *next_a = tile->next_a, *next_b = tile->next_b;
    T* const PG_RESTRICT c = tile->c;
    Vec<T> sums[kGemmRows][kGemmVecs];
    PG_UNROLL
    for (int r = 0; r < kGemmRows; ++r) {
        PG_UNROLL
        for (int v = 0; v < kGemmVecs; ++v) {
            PG_PREFETCH(c + r * c_stride + v * L, 3);
            sums[r][v] = Vec<T>::set1(0);
        }
    }
    for (int64_t p = 0; p < tile->k; p += kGemmStep) {
        PG_PREFETCH(next_a, 2);
        PG_PREFETCH(next_b, 2);
        next_a += tile->next_a_step;
        next_b += tile->next_b_step;
        PG_UNROLL
        for (int u = 0; u < kGemmStep; ++u) {
            PG_PREFETCH(a + 8 * a_step, 3);  // the rows stream in from L2
            Vec<T> columns[kGemmVecs];
            PG_UNROLL
            for (int v = 0; v < kGemmVecs; ++v) columns[v] = Vec<T>::load(b + v * L);
            PG_UNROLL
            for (int r = 0; r < kGemmRows; ++r) {
                const Vec<T> row = Vec<T>::set1(a[r]);
                PG_UNROLL
                for (int v = 0; v < kGemmVecs; ++v) sums[r][v] = fma(row, columns[v], sums[r][v]);
            }
            a += a_step;
            b += kGemmVecs * L;
        }
    }
    PG_UNROLL
    for (int r = 0; r < kGemmRows; ++r) {
        PG_UNROLL
        for (int v = 0; v < kGemmVecs; ++v) (Vec<T>::load(c + r * c_stride + v * L) + sums[r][v]).store(c + r * c_stride + v * L);
    }
}

// Panels hold a whole number of steps: zeros follow the last of k.
PG_INLINE int64_t padded_depth(int64_t k) { return (k + kGemmStep - 1) / kGemmStep * kGemmStep; }

template <class In, class T>
PG_INLINE T packed_value(const PanelRows<In, T>& x, int64_t row, int64_t k) {
    if (row >= x.rows || k >= x.k) return 0;
    using Shift = typename PanelRows<In, T>::Shift;
    const Shift value = static_cast<Shift>(x.data[row * x.row_stride + k * x.k_stride]);
    if (x.shift) return static_cast<T>(value - x.shift[x.shift_by_k ? k : row]);
    return static_cast<T>(value);
}

// A register of neighbouring values less their shifts, if any.
template <class In, class T>
PG_INLINE Vec<T> packed_register(const In* from, const typename PanelRows<In, T>::Shift* shift) {
    if constexpr (sizeof(In) <= sizeof(T)) {
        const Vec<T> values = LoadAs<T, In>::load(from);
        return shift ? values - Vec<T>::load(shift) : values;
    } else {
        T values[Vec<T>::lanes];
        for (int i = 0; i < Vec<T>::lanes; ++i) values[i] = static_cast<T>(shift ? from[i] - shift[i] : from[i]);
        return Vec<T>::load(values);
    }
}

// Values of a row lie together: squares of a register's lanes are turned. Panels half as wide as a register go in pairs.
template <class In, class T>
void pack_along_k(const PanelRows<In, T>& x, int64_t panels, int64_t width, const uint8_t* filled, T* out) {
    constexpr int L = Vec<T>::lanes;
    const int64_t together = width < L ? 2 : 1, padded = padded_depth(x.k);
    for (int64_t panel = 0; panel < panels; panel += together) {
        const bool pair = panel + together > panel + 1 && panel + 1 < panels;
        if (!filled[panel] && !(pair && filled[panel + 1])) continue;
        for (int64_t r0 = 0; r0 < width; r0 += L) {
            const int64_t row = panel * width + r0;
            T* const to = out + panel * width * padded + r0;
            int64_t p = 0;
            for (; p + L <= x.k; p += L) {
                Vec<T> values[L];
                for (int r = 0; r < L; ++r) {
                    values[r] = Vec<T>::set1(0);
                    if (row + r >= x.rows) continue;
                    values[r] =
                        packed_register<In, T>(x.data + (row + r) * x.row_stride + p, x.shift && x.shift_by_k ? x.shift + p : nullptr);
                    if (x.shift && !x.shift_by_k) values[r] = values[r] - Vec<T>::set1(static_cast<T>(x.shift[row + r]));
                }
                transpose(values);
                for (int i = 0; i < L; ++i) {
                    if (together == 1) {
                        values[i].store(to + (p + i) * width);
                    } else {
                        store_half(values[i], 0, to + (p + i) * width);
                        if (pair) store_half(values[i], 1, to + (padded + p + i) * width);
                    }
                }
            }
            for (; p < padded; ++p)
                for (int64_t r = 0; r < (together == 1 || pair ? L : L / 2); ++r)
                    to[(together == 1 ? p : r / width * padded + p) * width + (together == 1 ? r : r % width)] =
                        packed_value(x, row + r, p);
        }
    }
}

// Values of a column lie together. Along k outermost: a whole line of the source serves all panels, where panel by panel
// would touch a page and a set of the cache for every few values.
template <class In, class T>
void pack_along_rows(const PanelRows<In, T>& x, int64_t panels, int64_t width, const uint8_t* filled, T* out) {
    constexpr int L = Vec<T>::lanes;
    const int64_t padded = padded_depth(x.k);
    for (int64_t p = 0; p < padded; ++p) {
        const In* const column = x.data + p * x.k_stride;
        for (int64_t panel = 0; panel < panels; ++panel) {
            if (!filled[panel]) continue;
            T* const to = out + (panel * padded + p) * width;
            const int64_t row = panel * width;
            int64_t r = 0;
            if (p < x.k && row + width <= x.rows && !(x.shift && x.shift_by_k))
                for (; r + L <= width; r += L)
                    packed_register<In, T>(column + row + r, x.shift ? x.shift + row + r : nullptr).store(to + r);
            for (; r < width; ++r) to[r] = packed_value(x, row + r, p);
        }
    }
}

template <class In, class T>
void pack_panels(const PanelRows<In, T>* rows, int64_t panels, int64_t width, const uint8_t* filled, T* out) {
    const PanelRows<In, T>& x = *rows;
    if (x.row_stride == 1) return pack_along_rows(x, panels, width, filled, out);
    if (x.k_stride == 1 && (sizeof(In) <= sizeof(T) || !x.shift || x.shift_by_k)) return pack_along_k(x, panels, width, filled, out);
    for (int64_t panel = 0; panel < panels; ++panel)
        for (int64_t p = 0; filled[panel] && p < padded_depth(x.k); ++p)
            for (int64_t r = 0; r < width; ++r) out[(panel * padded_depth(x.k) + p) * width + r] = packed_value(x, panel * width + r, p);
}

// Forward substitution for kSolveVecs registers of right-hand sides at once: x is n rows of them, the coefficient of
// row j and unknown q < j is l[j * row_stride + q * column_stride]. Four chains hide the latency of the multiply-add.
constexpr int kSolveVecs = 4;

template <class T>
void solve_panel(int64_t n, const T* l, int64_t row_stride, int64_t column_stride, T* x) {
    constexpr int L = Vec<T>::lanes, W = kSolveVecs * L;
    for (int64_t j = 0; j < n; ++j) {
        Vec<T> sums[kSolveVecs];
        for (int v = 0; v < kSolveVecs; ++v) sums[v] = Vec<T>::load(x + j * W + v * L);
        for (int64_t q = 0; q < j; ++q) {
            const Vec<T> c = Vec<T>::set1(-l[j * row_stride + q * column_stride]);
            for (int v = 0; v < kSolveVecs; ++v) sums[v] = fma(c, Vec<T>::load(x + q * W + v * L), sums[v]);
        }
        const Vec<T> pivot = Vec<T>::set1(l[j * (row_stride + column_stride)]);
        for (int v = 0; v < kSolveVecs; ++v) (sums[v] / pivot).store(x + j * W + v * L);
    }
}

template <class T>
constexpr GemmKernels<T> gemm_kernels() {
    return {kGemmRows,
            kGemmVecs * Vec<T>::lanes,
            kGemmStep,
            gemm_tile<T>,
            pack_panels<float, T>,
            pack_panels<double, T>,
            kSolveVecs * Vec<T>::lanes,
            solve_panel<T>};
}
