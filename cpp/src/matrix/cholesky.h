// Cholesky factors of symmetric matrices, with pivots where the rank is not full, and triangular solves.
#pragma once

#include <cstdint>

namespace pixelgauge {

// x l^T = m for x, in place of m (rows x n).
void solve_transposed(int64_t rows, int64_t n, double* x, int64_t x_stride, const double* l, int64_t l_stride);
// x l = m for x, in place of m.
void solve(int64_t rows, int64_t n, double* x, int64_t x_stride, const double* l, int64_t l_stride);

// Lower Cholesky in place by halves, without exchanges; false where the matrix is not positive definite.
bool cholesky(int64_t n, double* a, int64_t stride);

// n, the order of a matrix that is an argument, is at least 1 and its square countable.
void require_order(int64_t n);

// Of a 2^(-2 half_exponent), which is not 0 only where squares and sums of a's elements leave float64's room.
struct Factor {
    int64_t rank;
    double remainder;
    int half_exponent;
};

// l (n x n, rows in a's order, columns from rank on zero) with 2^(-2 half_exponent) a = l l^T up to the remainder.
Factor pivoted_cholesky(const double* a, int64_t n, double* l);

}  // namespace pixelgauge
