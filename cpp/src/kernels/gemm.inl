// One register tile of a matrix product from packed panels: 8 rows x 3 registers with 32 registers, 4 x 3 with 16, so that
// every accumulator stays in a register (24 of 32, 12 of 16) beside the columns in flight and one broadcast, and the columns
// of a panel are a multiple of the rows: a symmetric product reads its rows from the panels of its columns.

constexpr int kGemmRows = kVecRegisters == 32 ? 8 : 4;
constexpr int kGemmVecs = 3;

#if defined(__GNUC__) || defined(__clang__)
#define PG_PREFETCH(p) __builtin_prefetch(p)
#else
#define PG_PREFETCH(p) static_cast<void>(p)
#endif

// c += a b. a: k groups of kGemmRows, a_step apart; b: k groups of kGemmVecs registers. Sums run over k in order.
template <class T>
void gemm_tile(int64_t k, const T* PG_RESTRICT a, int64_t a_step, const T* PG_RESTRICT b, T* PG_RESTRICT c, int64_t c_stride) {
    constexpr int L = Vec<T>::lanes;
    Vec<T> sums[kGemmRows][kGemmVecs];
    for (int r = 0; r < kGemmRows; ++r)
        for (int v = 0; v < kGemmVecs; ++v) sums[r][v] = Vec<T>::set1(0);
    for (int64_t p = 0; p < k; ++p) {
        PG_PREFETCH(a + 8 * a_step);  // the rows stream in from L2
        Vec<T> columns[kGemmVecs];
        for (int v = 0; v < kGemmVecs; ++v) columns[v] = Vec<T>::load(b + v * L);
        for (int r = 0; r < kGemmRows; ++r) {
            const Vec<T> row = Vec<T>::set1(a[r]);
            for (int v = 0; v < kGemmVecs; ++v) sums[r][v] = fma(row, columns[v], sums[r][v]);
        }
        a += a_step;
        b += kGemmVecs * L;
    }
    for (int r = 0; r < kGemmRows; ++r)
        for (int v = 0; v < kGemmVecs; ++v) (Vec<T>::load(c + r * c_stride + v * L) + sums[r][v]).store(c + r * c_stride + v * L);
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
    return {kGemmRows, kGemmVecs * Vec<T>::lanes, gemm_tile<T>, kSolveVecs * Vec<T>::lanes, solve_panel<T>};
}
