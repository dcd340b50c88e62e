// Work over the rows of a matrix, in blocks by thread, and sums over them, in one order.
#pragma once

#include <algorithm>
#include <cstdint>

#include "matrix/gemm.h"
#include "runtime/threads.h"

namespace pixelgauge {

constexpr double kEps = 0x1p-53;

// Splits rows over threads in blocks, each to fn(first, last).
template <class F>
void for_row_blocks(int64_t rows, F fn) {
    constexpr int64_t kBlock = 64;
    parallel_for((rows + kBlock - 1) / kBlock, [&](int64_t t) { fn(t * kBlock, std::min((t + 1) * kBlock, rows)); });
}

// Sum over the rows of row(i), added in order.
template <class F>
double sum_rows(int64_t rows, F row) {
    const Buffer<double> parts(rows);
    for_row_blocks(rows, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) parts[i] = row(i);
    });
    double sum = 0;
    for (int64_t i = 0; i < rows; ++i) sum += parts[i];
    return sum;
}

inline double dot(const double* a, const double* b, int64_t n) {
    double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        s0 += a[i] * b[i];
        s1 += a[i + 1] * b[i + 1];
        s2 += a[i + 2] * b[i + 2];
        s3 += a[i + 3] * b[i + 3];
    }
    for (; i < n; ++i) s0 += a[i] * b[i];
    return (s0 + s1) + (s2 + s3);
}

inline double squared_norm(int64_t rows, int64_t n, const double* x) {
    return sum_rows(rows, [&](int64_t i) { return dot(x + i * n, x + i * n, n); });
}

}  // namespace pixelgauge
