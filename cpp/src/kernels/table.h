// What the drivers ask of an instruction set: plain structs and one table of function pointers per ISA.
// Included by common code and by the ISA units, so it holds declarations and data layouts only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ranking_kernels.h"

namespace pixelgauge {

// How a row of interleaved elements is staged: its columns lie over the lanes in segments of `registers` columns, a plane a
// channel, and after the first plane the tail, the columns after the strip, in natural order. Pixels of three channels may have four
// elements.
template <class T>
struct SsimRow {
    int64_t planes;
    int64_t slots;          // elements of a pixel: as many, or a fourth
    int64_t registers;      // of a plane, without the tail
    int64_t tail;           // elements of channels
    const int64_t* places;  // where element i of every segment goes, and 8 more: anywhere in the tail
    T shift;                // an integer for integers
    T* range;               // registers that are lowered to the smallest values and raised to the largest ones, or null; NaN leaves them
};

// Indices of the same windows, those of equal c2 one after another: what they are made of is then there already.
template <class T>
struct SsimIndices {
    static constexpr int kMost = 8;
    struct One {
        T c1, c2;
        bool luminance;
        double* sums;
    };
    int count;
    One of[kMost];
};

// Rows that are read next: asked for a few lines at a time while others are filtered, since of many at once each would be waited for.
struct RowsAhead {
    const char* const* rows;
    int64_t count, bytes;  // of each
};

// One block of output rows of windowed SSIM over a strip.
template <class T>
struct SsimBlock {
    const T* const* s_rows;  // taps_count + rows_per_block - 1 staged rows: x + y - 2 shift. For `slide`: the row before, and those
    const T* const* d_rows;  // x - y
    const T* taps;           // symmetric, with sum 1
    int64_t taps_count;
    int64_t planes;          // channels
    int64_t plane_stride;    // elements of a staged row from plane to plane
    int64_t registers;       // of output, a plane
    int64_t tail;            // elements
    const T* row_weights;    // rows_per_block: 1 for output rows that count, 0 for those past the tile
    int64_t rows;            // that count; read by `slide`
    bool first;              // the block is the tile's first; read by `slide`
    T* scratch;              // rows of scratch_stride: 4 rows_per_block; 5 for `moments`, 5 a plane for `slide`
    int64_t scratch_stride;  // at least ssim_scratch_registers
    T c1, c2;                // 2 C1; 2 C2 over what variances are to be multiplied by
    T origin;                // 2 shift
    double* sums;            // [planes][registers][lanes]: half of what the index lacks of 1 is added, summed over rows
    RowsAhead ahead;
    T* const* map;                  // rows_per_block rows like sums to write the index to, or null
    const SsimIndices<T>* indices;  // read by `many11` instead of c1, c2 and sums
};

// The registers of a plane, those moved down by a lane, the tail's, and what the last group of windows may read past them.
static constexpr int64_t ssim_scratch_registers(int64_t lanes, int64_t taps, int64_t registers, int64_t tail) {
    return registers + taps - 1 + (tail + lanes - 1) / lanes + 2;
}

template <class T>
struct SsimKernels {
    using Stage = void (*)(const void* x, const void* y, const SsimRow<T>*, T* s, T* d);
    using Block = void (*)(const SsimBlock<T>*);
    int rows_per_block;
    int lanes;
    Stage stage[4];                                       // by pg_dtype; reads up to 64 elements past the segments and the tail
    Block block11[2];                                     // 11 taps: [without luminance, with]
    Block block7[2];                                      // 7 taps
    Block block_any[2];                                   // any number of taps
    Block many11;                                         // 11 taps, the indices of the block's list
    Block slide[2];                                       // uniform windows of 8-bit images, up to 15 taps; null for float64
    void (*moments)(const SsimBlock<T>*, T* const* out);  // means of 2 x and 2 y, variances, covariance, of one output row
};

// Rows whose smallest and largest value is wanted: of all elements, or of those of every four that have a bit.
struct RangeRows {
    const char* x;
    int64_t rows, elements, stride;  // bytes from row to row
    uint32_t used;
};

// Rows of pixels whose differences are added up: `slots` elements from pixel to pixel, 1 to 4, those that are used a bit each.
struct PixelErrorRows {
    const char *x, *y;
    int64_t rows, pixels;
    int64_t x_stride, y_stride;  // bytes
    int slots;
    uint32_t used;
};
// Adds to the chains of sums, error_columns of `slots` each. Of integers the sum is exact, and in two parts: in the first its remainder by
// 2^32, in the second its multiples of 2^32.
using PixelError = void (*)(const PixelErrorRows*, double* sums);

// Pixels laid side by side by groups: of 16 bytes read every `step` bytes, `written` are kept, byte b from byte order[b]. The last group
// writes 16 bytes too, those after its own as zeros.
struct PixelBytes {
    static constexpr uint8_t kZero = 0x80;
    int64_t groups, step;
    int written, item;  // bytes of a group and of an element
    uint8_t order[16];
};

// Two rows of pixels of one channel, `step` bytes apart, of which 2 x 2 each are summed.
struct HalvesRow {
    const char *a, *b;
    int64_t step, outputs;
    int64_t readable;  // bytes from a and from b on
    void* out;
};

// Four rows of a resized image: sums of `taps` pixels along x, scaled, clamped and written as planes.
struct ResizeRows {
    static constexpr int kRows = 4;
    static constexpr int kSlack = 48;  // elements that may be read beyond the end of a row or plane
    const float* rows[kRows];          // interleaved RGB
    int count;                         // rows that are written
    const int32_t* first;              // by output pixel: first input pixel, in rising order
    const float* weights;              // taps an output pixel
    int32_t taps;
    int64_t outputs;
    float scale, offset, low, high;
    const float* tap_weights;  // the same by tap, `outputs` each; null if a register's pixels lie further apart than resize_reach
    float* quads;              // scratch: kRows * 4 * outputs; with tap_weights, 3 planes of plane_stride
    int64_t inputs, plane_stride;
    float* out;
    int64_t out_row_stride, out_plane_stride;  // elements
};

// c += a b for one register tile of packed panels: k groups of `rows` values of a, a_step apart, and of `columns` of b, k a
// multiple of `step`. Every step it also asks for the line at next_a and at next_b, which then move by their steps in bytes.
template <class T>
struct GemmTile {
    int64_t k;
    const T* a;
    int64_t a_step;
    const T* b;
    T* c;
    int64_t c_stride;
    const char *next_a, *next_b;
    int64_t next_a_step, next_b_step;
};

template <class In, class T, bool InIsWider = (sizeof(In) > sizeof(T))>
struct WiderOf {
    using type = T;
};
template <class In, class T>
struct WiderOf<In, T, true> {
    using type = In;
};

// Rows of a matrix that become panels: for each k, as many values side by side as a panel has rows, zeros past the last row
// and past the last k up to a multiple of the step. The shift, if any, is subtracted in the wider of the two types.
template <class In, class T>
struct PanelRows {
    using Shift = typename WiderOf<In, T>::type;
    const In* data;
    int64_t row_stride, k_stride;
    int64_t rows, k;
    const Shift* shift;
    bool shift_by_k;  // one value a k instead of one a row
};

// Matrix products by register tiles; see matrix/gemm.cpp for the panels.
template <class T>
struct GemmKernels {
    template <class In>
    using Pack = void (*)(const PanelRows<In, T>*, int64_t panels, int64_t width, const uint8_t* filled, T* out);
    int rows, columns, step;  // of a tile
    void (*tile)(const GemmTile<T>*);
    Pack<float> pack_f32;  // leaves out panels that are not filled
    Pack<double> pack_f64;
    int solve_width;  // right-hand sides of a panel
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

// The Gaussian kernel less 1 of one sample and n others, summed: exp(-(norm + norms[j] - twice dots[j])) - 1.
struct GaussianRow {
    int64_t n;
    const double *dots, *norms;
    double norm, twice;
};

// What the exponential series has past its squares, sum of weights[j] (exp(t) - 1 - t - t^2 / 2) with t = twice dots[j] up to 1/16.
struct GaussianRest {
    int64_t n;
    const float *dots, *weights;
    float twice;
};

// Winograd convolution, in pixels of channels; see network/winograd.cpp.
static constexpr int kWinogradGroup = 16;  // channels or filters that lie together
static constexpr int kWinogradForms = 6;

// The products of one point: m = v u.
struct WinogradProduct {
    int64_t tiles, channels;
    const float* v;  // a group of channels of each tile after another
    int64_t group_stride;
    const float* u[2];  // channels rows of kWinogradGroup filters, a group each
    int groups;         // 1 or 2
    float* m;           // tiles rows of groups * kWinogradGroup
    int64_t m_stride;
};

// One tile of outputs from its products.
struct WinogradOutput {
    const float* m;
    int64_t point_stride;
    int64_t filters;  // a multiple of kWinogradGroup
    const float* bias;
    float least;        // 0 for a rectified output, else -infinity
    int rows, columns;  // of the tile that lie in the image
    float* y;
    int64_t row_stride, column_stride;
};

struct WinogradKernels {
    struct Form {
        int tile_height, kernel_height, tile_width, kernel_width;
        // A tile's pixels, their channels a multiple of kWinogradGroup, to its rows for each point.
        void (*input)(const float* x, int64_t row_stride, int64_t channels, float* v, int64_t point_stride, int64_t group_stride);
        void (*output)(const WinogradOutput*);
    };
    Form forms[kWinogradForms];
    void (*product)(const WinogradProduct*);
    void (*planes_to_pixels)(const float* x, int64_t plane, int planes, int64_t pixels, const float* end, float* out, int64_t stride);
    void (*pixels_to_planes)(const float* y, int64_t stride, int64_t pixels, float* out, int64_t plane, int planes);
};

// A block of lpips_positions positions of a pair's features; see network/lpips_layer.cpp.
struct LpipsLayer {
    const float *x, *y;  // planes, one a channel
    int64_t plane, channels;
    const float* weights;
    float inside, outside;
    float* map;
};

struct Kernels {
    const char* name;
    SsimKernels<float> ssim_f32;
    SsimKernels<double> ssim_f64;
    PixelError squared_error[4], absolute_error[4];  // by pg_dtype
    int error_columns;                               // whose chains of float64 sums are apart
    void (*pack_pixels)(const void* from, const PixelBytes*, void* to);
    void (*halves[4])(const HalvesRow*);  // by pg_dtype: sums in uint16 of uint8, else means, in float32 or for float64 in float64
    void (*value_range[4])(const RangeRows*, double* low, double* high);  // NaN and infinities show in the bounds
    void (*resize_columns[4])(const void* const* rows, const float* weights, int32_t taps, int64_t n, float* out);  // by pg_dtype
    void (*resize_rows)(const ResizeRows*);
    int resize_lanes, resize_reach;  // a register's pixels, and how far apart their inputs may be for one permutation
    GemmKernels<float> gemm_f32;
    GemmKernels<double> gemm_f64;
    void (*add_doubled)(int64_t n, const double* x, double* high, double* low);  // high + low += x, exactly but for 2^-106
    void (*add_rows_f32)(int64_t rows, const float* x, int64_t row_stride, int64_t n, const double* shift, double* sums);
    void (*add_rows_f64)(int64_t rows, const double* x, int64_t row_stride, int64_t n, const double* shift, double* sums);
    int64_t (*near_f32)(const NearRow<float>*, int32_t* found);
    int64_t (*near_f64)(const NearRow<double>*, int32_t* found);
    double (*squared_distance_f32)(const float* x, const float* y, int64_t n);  // in float64
    double (*squared_distance_f64)(const double* x, const double* y, int64_t n);
    double (*squared_distance_mixed)(const float* x, const double* y, int64_t n);
    double (*gaussian_row)(const GaussianRow*);
    double (*gaussian_rest)(const GaussianRest*);
    RankingKernels ranking;
    WinogradKernels winograd;
    void (*lpips_layer)(const LpipsLayer*);
    int lpips_positions;
};

extern const Kernels kBaseline;
extern const Kernels kAvx2;
extern const Kernels kAvx512;

// The table in use; throws if PIXELGAUGE_ISA names one that cannot run.
const Kernels& kernels();

}  // namespace pixelgauge
