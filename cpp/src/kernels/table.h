// What the drivers ask of an instruction set: plain structs and one table of function pointers per ISA.
// Included by common code and by the ISA units, so it holds declarations and data layouts only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ranking_kernels.h"

namespace pixelgauge {

// One block of output rows of windowed SSIM over a strip of interleaved elements.
template <class T>
struct SsimBlock {
    const T* const* s_rows;  // taps_count + rows_per_block - 1 staged rows: x + y - 2 shift
    const T* const* d_rows;  // x - y
    const T* taps;           // rows_per_block zeros, the symmetric taps with sum 1, as many zeros
    int64_t taps_count;
    int64_t tap_step;        // channels interleaved in a row
    int64_t width;           // output elements
    const T* row_weights;    // rows_per_block: 1 for output rows that count, 0 for those past the tile
    T* scratch;              // 4 * rows_per_block rows of scratch_stride; five rows for `moments`
    int64_t scratch_stride;  // read by block_any and moments
    T c1, c2;                // 2 C1, 2 C2
    T norm;                  // n / (n - 1) for the sample covariance, else 1
    T origin;                // 2 shift
    double* sums;            // width, padded to a register: the index is added, summed over rows
    T* const* map;           // rows_per_block rows to write the index to (padded to a register), or null
};

// How far the vertical pass runs ahead of the horizontal one: the reach of the taps, and one register more, so that what a
// load needs has left the store buffer. The kernels follow it and the driver sizes their buffers by it.
static constexpr int64_t ssim_lag(int64_t lanes, int64_t taps, int64_t step) {
    return ((taps - 1) * step + 2 * lanes - 1) / lanes * lanes + lanes;
}

template <class T>
struct SsimKernels {
    using Stage = void (*)(const void* x, const void* y, int64_t n, double shift, T* s, T* d);
    using Block = void (*)(const SsimBlock<T>*);
    int rows_per_block;
    int lanes;
    int64_t scratch_stride;                               // of block11 and block7: at most four channels a row
    Stage stage[4];                                       // by pg_dtype; n is rounded up to a register, which must be readable
    Block block11[2];                                     // 11 taps: [without luminance, with]
    Block block7[2];                                      // 7 taps
    Block block_any[2];                                   // any number of taps
    void (*moments)(const SsimBlock<T>*, T* const* out);  // the means of s, d, s^2, d^2, s d of one output row
};

// Four rows of a resized image: sums of `taps` pixels along x, scaled, clamped and written as planes.
struct ResizeRows {
    static constexpr int kRows = 4;
    const float* rows[kRows];  // interleaved RGB, readable one element beyond the end
    int count;                 // rows that are written
    const int32_t* first;      // by output pixel: first input pixel
    const float* weights;      // taps an output pixel
    int32_t taps;
    int64_t outputs;
    float scale, offset, low, high;
    float* quads;  // scratch: kRows * 4 * outputs
    float* out;
    int64_t out_row_stride, out_plane_stride;  // elements
};

// Matrix products by register tiles; see gemm.cpp for the panels.
template <class T>
struct GemmKernels {
    int rows, columns;                                                                        // of a tile
    void (*tile)(int64_t k, const T* a, int64_t a_step, const T* b, T* c, int64_t c_stride);  // c += a b
    int solve_width;                                                                          // right-hand sides of a panel
    void (*solve)(int64_t n, const T* l, int64_t row_stride, int64_t column_stride, T* x);
};

// Squared distances of one sample to n others, |x|^2 + |y|^2 - 2 x.y, from below: the indices of those at most as far as the
// larger of two limits.
template <class T>
struct NearRow {
    int64_t n;
    const T* dots;
    T norm;
    const T* norms;
    T keep, less;  // what rounding can have added: the sum of the norms is multiplied by one, lowered by the other
    T limit;
    const T* limits;
};

struct Kernels {
    const char* name;
    SsimKernels<float> ssim_f32;
    SsimKernels<double> ssim_f64;
    double (*squared_error[4])(const void* x, const void* y, int64_t n);          // by pg_dtype
    void (*value_range[4])(const void* x, int64_t n, double* low, double* high);  // NaN and infinities show in the bounds
    void (*resize_columns[4])(const void* const* rows, const float* weights, int32_t taps, int64_t n, float* out);  // by pg_dtype
    void (*resize_rows)(const ResizeRows*);
    GemmKernels<float> gemm_f32;
    GemmKernels<double> gemm_f64;
    void (*add_doubled)(int64_t n, const double* x, double* high, double* low);  // high + low += x, exactly but for 2^-106
    int64_t (*near_f32)(const NearRow<float>*, int32_t* found);
    int64_t (*near_f64)(const NearRow<double>*, int32_t* found);
    double (*squared_distance_f32)(const float* x, const float* y, int64_t n);  // in float64
    double (*squared_distance_f64)(const double* x, const double* y, int64_t n);
    double (*squared_distance_mixed)(const float* x, const double* y, int64_t n);
    RankingKernels ranking;
};

extern const Kernels kBaseline;
extern const Kernels kAvx2;
extern const Kernels kAvx512;

// The table in use; throws if PIXELGAUGE_ISA names one that cannot run.
const Kernels& kernels();

}  // namespace pixelgauge
