/* pixelgauge: image metrics. C ABI.
 *
 * Choices and flags cross it as int32_t with named values. Choices that are none, negative sizes, sizes beyond any memory and
 * numbers that leave a result's type are PG_INVALID_ARGUMENT before a result is written, unless a function says otherwise.
 *
 * Every function returns a pg_status and throws nothing; on failure the message of the calling thread is at
 * pg_last_error(), and its parts at pg_error_info(). Nothing of the caller's is kept or freed. Results do not depend on the
 * number of threads.
 */
#ifndef PIXELGAUGE_H
#define PIXELGAUGE_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(PIXELGAUGE_SHARED)
#define PG_API __declspec(dllexport)
#elif defined(__GNUC__)
#define PG_API __attribute__((visibility("default")))
#else
#define PG_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- failures ---- */

/* What every function that can fail returns. */
typedef int32_t pg_status;
enum {
    PG_OK = 0,               /* done */
    PG_INVALID_ARGUMENT = 1, /* the message names the argument, the value seen and what to do */
    PG_OUT_OF_MEMORY = 2,    /* this machine has not the memory for it */
    PG_UNSUPPORTED = 3,      /* this CPU or build cannot do what was asked */
    PG_INTERNAL = 4          /* a fault of the library */
};

/* The message of the calling thread's last failure; never NULL. */
PG_API const char* pg_last_error(void);

/* What went wrong, for programs with remedies of their own. */
typedef int32_t pg_error_kind;
enum {
    PG_ERROR_NONE = 0,        /* nothing has failed on this thread */
    PG_ERROR_VALUE = 1,       /* an argument is out of its range, not one of its choices, or not of its form */
    PG_ERROR_MISSING = 2,     /* a pointer is NULL, or there are no elements where some are needed */
    PG_ERROR_TOO_SMALL = 3,   /* images, or sets of samples, smaller than the options need: `required` says how large */
    PG_ERROR_TOO_LARGE = 4,   /* sizes or strides beyond any memory, or beyond what a function counts */
    PG_ERROR_NOT_FINITE = 5,  /* NaN, infinities or values as good as those, in `image`, `row` and `column` where known */
    PG_ERROR_OVERFLOW = 6,    /* finite numbers whose results leave their type */
    PG_ERROR_MISMATCH = 7,    /* two arguments that do not fit each other: the later one is named */
    PG_ERROR_UNSUPPORTED = 8, /* as PG_UNSUPPORTED */
    PG_ERROR_MEMORY = 9,      /* as PG_OUT_OF_MEMORY */
    PG_ERROR_INTERNAL = 10    /* as PG_INTERNAL */
};

/* A failure in parts. pg_last_error() reads "argument=value problem: remedy", or "problem: remedy" where value is empty: then the
 * problem is a whole sentence. No string is NULL; those that do not apply are empty. */
typedef struct pg_error {
    pg_status status;
    pg_error_kind kind;
    const char* argument; /* its name, such as "y", "x.data" or "window_size", or that of an environment variable */
    const char* value;    /* as shown, of at most 191 bytes */
    const char* problem;
    const char* remedy;         /* what to do, for whoever calls */
    int64_t image, row, column; /* of a batch, an image or a matrix; row also the sample of a list; -1 where unknown */
    int64_t required;           /* the least side of an image, or number of samples, that would do; -1 where unknown */
} pg_error;

/* The parts of the calling thread's last failure; a call that succeeds leaves them. The strings stay the library's and last until
 * the thread's next failure. */
PG_API void pg_error_info(pg_error* info);
/* The version, such as "0.1.0"; the string stays the library's. */
PG_API const char* pg_version(void);

/* ---- instruction set and threads ---- */

/* The instruction set in use: "baseline", "avx2" or "avx512". The first call of any function chooses the best one the
 * CPU has, or the one that PIXELGAUGE_ISA names. */
PG_API pg_status pg_isa(const char** name);
/* Forces one by name; PG_UNSUPPORTED if this CPU or build does not have it. Not for use beside running calls. */
PG_API pg_status pg_set_isa(const char* name);
/* 1 if this CPU and build can run it. */
PG_API int32_t pg_has_isa(const char* name);

/* Threads that one call may use. Default: PIXELGAUGE_NUM_THREADS, else the cores the process may run on. */
PG_API pg_status pg_set_num_threads(int32_t n);
/* The threads that one call uses now, at most. */
PG_API pg_status pg_get_num_threads(int32_t* n);

/* ---- images ---- */

/* Elements of images and matrices, in the machine's byte order. */
typedef int32_t pg_dtype;
enum { PG_UINT8 = 0, PG_UINT16 = 1, PG_FLOAT32 = 2, PG_FLOAT64 = 3 };

/* A batch of images where they lie: any strides (in bytes, negative too), read only. */
typedef struct pg_images {
    const void* data;
    pg_dtype dtype;
    int64_t count, height, width, channels;
    int64_t count_stride, row_stride, column_stride, channel_stride;
} pg_images;

/* Smallest and largest value over a whole batch; PG_INVALID_ARGUMENT if it holds NaN or infinities. */
PG_API pg_status pg_value_range(const pg_images* images, double* low, double* high);

/* ---- mean squared and mean absolute error ---- */

/* mse[count]: mean over all pixels and channels of each pair, summed in float64; of integers exactly, and rounded once. */
PG_API pg_status pg_mse(const pg_images* x, const pg_images* y, double* mse);
/* mae[count]: the same of absolute differences. */
PG_API pg_status pg_mae(const pg_images* x, const pg_images* y, double* mae);

/* ---- structural similarity ---- */

/* How a window weighs its pixels. */
typedef int32_t pg_window;
enum { PG_WINDOW_GAUSSIAN = 0, PG_WINDOW_UNIFORM = 1 };
/* Where windows lie. */
typedef int32_t pg_border;
enum {
    PG_BORDER_VALID = 0,   /* only windows inside the image */
    PG_BORDER_REFLECT = 1, /* every pixel; mirrored about the edge pixel (numpy's and PyTorch's "reflect") */
    PG_BORDER_CROP = 2     /* map of every pixel, edge pixel repeated; score of the windows inside the image */
};
/* Variances as they are, or times n / (n - 1), n the pixels of a window. */
typedef int32_t pg_covariance;
enum { PG_COVARIANCE_POPULATION = 0, PG_COVARIANCE_SAMPLE = 1 };
/* What is done before, where images are large. */
typedef int32_t pg_downsample;
enum {
    PG_DOWNSAMPLE_NONE = 0,   /* nothing */
    PG_DOWNSAMPLE_MATLAB = 1, /* mean filter and decimate by max(1, round(min(H, W) / 256)), symmetric padding */
    PG_DOWNSAMPLE_POOL = 2    /* average pool by the same factor, remainder dropped */
};

/* What SSIM is, field by field; begin with pg_ssim_defaults. */
typedef struct pg_ssim_options {
    double data_range;   /* L > 0 */
    double k1, k2;       /* > 0 */
    double sigma;        /* of the Gaussian window, pixels */
    int32_t window_size; /* odd, >= 3 */
    pg_window window;
    pg_border border;
    pg_covariance covariance;
    pg_downsample downsample;
    double exponents[3]; /* of luminance, contrast, structure: 0 to 1000 */
} pg_ssim_options;

/* Wang et al. 2004: Gaussian 11 taps, sigma 1.5, K = (0.01, 0.03), valid region. */
PG_API void pg_ssim_defaults(pg_ssim_options* options, double data_range);

/* Extra results; leave NULL what is not wanted. A map is (count, height, width, channels) of the size that
 * pg_ssim_map_size tells, float64 when the input is, else float32. */
typedef struct pg_ssim_outputs {
    void* map;
    double* luminance; /* count means each */
    double* contrast;
    double* structure;
} pg_ssim_outputs;

/* Height and width of the map of such images. */
PG_API pg_status pg_ssim_map_size(const pg_images* x, const pg_ssim_options* options, int64_t* height, int64_t* width);

/* scores[count]: per channel, then the mean over channels. outputs may be NULL. */
PG_API pg_status pg_ssim(const pg_images* x, const pg_images* y, const pg_ssim_options* options, double* scores,
                         const pg_ssim_outputs* outputs);

/* How MS-SSIM halves images. */
typedef int32_t pg_pyramid;
enum {
    PG_PYRAMID_WANG = 0, /* mean of the 2x2 block that starts at the sample, symmetric padding, every second sample */
    PG_PYRAMID_POOL = 1  /* average pool by 2 with odd sizes zero-padded on both sides, as pytorch-msssim */
};
/* Terms to the power of their weights, or times weights that are normalised to one. */
typedef int32_t pg_combine;
enum { PG_COMBINE_PRODUCT = 0, PG_COMBINE_SUM = 1 };

/* What MS-SSIM is, field by field. */
typedef struct pg_ms_ssim_options {
    pg_ssim_options ssim;  /* border PG_BORDER_VALID, no downsampling, exponents 1 */
    const double* weights; /* one a scale, finest first: not negative, at most 1000 in all */
    int32_t scales;        /* 1 to 16 */
    pg_pyramid pyramid;
    pg_combine combine;
    int32_t clamp_negative; /* 0, or 1: terms below zero count as zero (pytorch-msssim); else their product is NaN */
} pg_ms_ssim_options;

/* scores[count]: contrast and structure at every scale, luminance at the coarsest; per channel, then the mean over channels. */
PG_API pg_status pg_ms_ssim(const pg_images* x, const pg_images* y, const pg_ms_ssim_options* options, double* scores);

/* ---- several metrics in one pass ---- */

/* What a request asks for. */
typedef int32_t pg_metric;
enum { PG_METRIC_MSE = 0, PG_METRIC_MAE = 1, PG_METRIC_SSIM = 2, PG_METRIC_MS_SSIM = 3 };

/* A metric, its options, and where its values go. */
typedef struct pg_score_request {
    pg_metric metric;
    const pg_ssim_options* ssim;       /* of PG_METRIC_SSIM; else not looked at */
    const pg_ms_ssim_options* ms_ssim; /* of PG_METRIC_MS_SSIM */
    double* values;                    /* count of them */
} pg_score_request;

/* What pg_mse, pg_mae, pg_ssim and pg_ms_ssim give for each request, to the last bit, from one look at the errors and one
 * set of moments for all SSIM and finest scales of MS-SSIM that share window, border and precision. Every request is checked before
 * a pixel is read: one that is refused leaves all values as they are. */
PG_API pg_status pg_scores(const pg_images* x, const pg_images* y, const pg_score_request* requests, int32_t count);

/* ---- resizing for networks ---- */

/* How images are resized: the programs differ. */
typedef int32_t pg_resize_rule;
enum {
    PG_RESIZE_HALF_PIXEL = 0,  /* bilinear, half-pixel centres, no antialias: PyTorch's align_corners=False */
    PG_RESIZE_TENSORFLOW1 = 1, /* bilinear at src = dst * (in / out), no half-pixel offset */
    PG_RESIZE_ANTIALIAS = 2,   /* triangle filter stretched when shrinking: PyTorch's antialias=True, Pillow's BILINEAR */
    PG_RESIZE_BICUBIC = 3      /* Keys' cubic, a = -1/2, stretched when shrinking: Pillow's BICUBIC in float32 */
};

/* out (count, 3, height, width) float32: RGB images resized, then clamp(value * scale + offset, low, high). */
PG_API pg_status pg_resize(const pg_images* images, pg_resize_rule rule, int64_t height, int64_t width, double scale, double offset,
                           double low, double high, float* out);

/* ---- matrices: products, statistics of features, square roots (no BLAS, no LAPACK) ---- */

/* float32 or float64 where it lies: any strides in bytes that are multiples of the element, read only. */
typedef struct pg_matrix {
    const void* data;
    pg_dtype dtype;
    int64_t rows, columns;
    int64_t row_stride, column_stride;
} pg_matrix;

/* c = a b^T, dense rows x rows of the same dtype as a and b, whose elements and sums are to be finite. The same matrix twice
 * costs half and is exactly symmetric. */
PG_API pg_status pg_matmul_transposed(const pg_matrix* a, const pg_matrix* b, void* c);

/* Adds the rows of features, less shift[columns], to a sum[2 * columns] and a scatter[2 * columns * columns] of outer
 * products (lower triangle). Each is a leading part followed by its rounding error, so that the order in which blocks
 * are added is lost in the 106th bit. PG_INVALID_ARGUMENT, with nothing added, if a feature is NaN or infinite, or further
 * than 1e140 from the shift. */
PG_API pg_status pg_scatter_add(const pg_matrix* features, const double* shift, double* sum, double* scatter);

/* Precision, recall, density and coverage of samples (rows, contiguous) as counts, in squared distances in float64. A ball
 * reaches from a sample to its k-th nearest neighbour in its own set, itself not counted. precision_k = 0 leaves out
 * fake_inside and real_inside, density_k = 0 the other two. Memory grows with the number of samples, not with its square. */
typedef struct pg_neighbours {
    int64_t fake_inside;  /* fake samples in some closed ball of a real one, k = precision_k */
    int64_t real_inside;  /* real samples in some closed ball of a fake one, k = precision_k */
    int64_t pairs;        /* (real ball, fake sample in it), open balls, k = density_k */
    int64_t real_covered; /* open balls that hold a fake sample, k = density_k */
} pg_neighbours;
/* The counts of two sets of samples. */
PG_API pg_status pg_count_neighbours(const pg_matrix* real, const pg_matrix* fake, int64_t precision_k, int64_t density_k,
                                     pg_neighbours* result);

/* Means of the Gaussian kernel exp(-gamma |x - y|^2), less 1, over pairs of samples (rows, contiguous) in float64: over all pairs of
 * a set, a sample and itself among them, and over all of two. within_x + within_y - 2 across is the squared maximum mean discrepancy
 * (V-statistic). What is summed is the kernel less 1, which about 0 keeps every digit. Memory grows with the number of samples.
 * PG_ERROR_OVERFLOW if gamma times the squared distance of a sample from the mean of x exceeds 1e8: rounding would then move the
 * kernel by more than 1e-6. */
typedef struct pg_kernel_means {
    double within_x, within_y, across;
} pg_kernel_means;
/* The means of two sets of samples. */
PG_API pg_status pg_gaussian_kernel_means(const pg_matrix* x, const pg_matrix* y, double gamma, pg_kernel_means* result);

/* a (n x n, symmetric, dense) = l l^T up to a remainder, by Cholesky with diagonal pivots: l is n x n dense with its
 * columns from *rank on zero, rows in the order of a. Stops where the largest remaining pivot is below n eps times the
 * largest diagonal. *remainder: trace of a - l l^T; PG_INVALID_ARGUMENT if a is not positive semi-definite to that
 * precision, or its mirrored elements differ by more than 1e-11 of the largest. */
PG_API pg_status pg_pivoted_cholesky(const double* a, int64_t n, double* l, int64_t* rank, double* remainder);

/* The sum of the singular values of a float64 matrix between two bounds, each computed without assuming convergence:
 * Tr(U^T M) with ||U|| <= 1 from below, (||M L^-T||^2 + ||L||^2) / 2 for a Cholesky factor L of the polar factor's
 * U^T M from above. */
typedef struct pg_nuclear_norm_result {
    double lower, upper;
    int32_t halley_steps, newton_schulz_steps; /* of the polar iteration */
} pg_nuclear_norm_result;
/* The bounds of a matrix's nuclear norm. */
PG_API pg_status pg_nuclear_norm(const pg_matrix* m, pg_nuclear_norm_result* result);

/* root (n x n) = a^(1/2) for a symmetric positive semi-definite, by the polar factor of the pivoted Cholesky factor. */
PG_API pg_status pg_sqrtm_psd(const double* a, int64_t n, double* root);

/* ---- ranking ---- */

/* Elements of scores, in the machine's byte order. */
typedef int32_t pg_score_dtype;
enum {
    PG_SCORE_UINT8 = 0,
    PG_SCORE_INT8 = 1,
    PG_SCORE_UINT16 = 2,
    PG_SCORE_INT16 = 3,
    PG_SCORE_FLOAT16 = 4,
    PG_SCORE_BFLOAT16 = 5,
    PG_SCORE_UINT32 = 6,
    PG_SCORE_INT32 = 7,
    PG_SCORE_FLOAT32 = 8,
    PG_SCORE_UINT64 = 9,
    PG_SCORE_INT64 = 10,
    PG_SCORE_FLOAT64 = 11
};

/* Scores where they lie (stride in bytes) and one bit a sample, lowest first: set for the positive class.
 * Infinities are ordinary scores, -0 equals 0, NaN is PG_INVALID_ARGUMENT. */
typedef struct pg_ranking {
    const void* scores;
    pg_score_dtype dtype;
    int64_t count, stride;
    const uint64_t* labels; /* (count + 63) / 64 words */
} pg_ranking;

/* Labels of 1, 2, 4 or 8 bytes to bits: set where a label has the bits of positive[0] or positive[1]; *all_known is 0 if
 * some label is neither positive nor negative. Two spellings, because 0.0 and -0.0 are one label. */
PG_API pg_status pg_label_bits(const void* labels, int64_t bytes, int64_t count, int64_t stride, const uint64_t positive[2],
                               const uint64_t negative[2], uint64_t* bits, int32_t* all_known);

/* AUROC = twice_u / (2 positives negatives), with twice_u = 2 #{negative < positive} + #{negative = positive} in 128 bits. */
typedef struct pg_auroc_counts {
    uint64_t twice_u_low, twice_u_high;
    int64_t positives, negatives;
} pg_auroc_counts;

/* The counts of a ranking. */
PG_API pg_status pg_auroc(const pg_ranking* ranking, pg_auroc_counts* result);

/* The same for each of group_count groups: groups holds one number a sample, from 0 to group_count - 1. */
PG_API pg_status pg_auroc_by_group(const pg_ranking* ranking, const int64_t* groups, int64_t group_count, pg_auroc_counts* results);

/* Weights are one float64 a sample, finite and not negative, of any size. NaN if a class has no weight. */
PG_API pg_status pg_weighted_auroc(const pg_ranking* ranking, const double* weights, double* result);

/* Mean over positives of the precision at their score, ties together; NaN without positives. weights may be NULL. */
PG_API pg_status pg_average_precision(const pg_ranking* ranking, const double* weights, double* result);

/* Which points a curve leaves out; those of the highest and the lowest score always stay. */
typedef int32_t pg_curve_drop;
enum {
    PG_CURVE_DROP_NONE = 0,          /* none */
    PG_CURVE_DROP_EQUAL_STEPS = 1,   /* points with the same step before and after: scikit-learn's roc_curve */
    PG_CURVE_DROP_SAME_POSITIVES = 2 /* points amid a run of negatives: its precision_recall_curve and det_curve */
};
/* What a curve holds at each point. */
typedef int32_t pg_curve_values;
enum {
    PG_CURVE_COUNTS = 0, /* of positives and negatives, or their weights */
    PG_CURVE_RATES = 1   /* of all positives, of all negatives; NaN throughout where there are none */
};
/* Points of the curves: the first is at infinity, where nothing is above; then one a distinct score, highest first, with the
 * positives and negatives (or their weights) at or above it. */
typedef struct pg_curve pg_curve;
/* Makes a curve, which is the caller's to free. weights may be NULL. */
PG_API pg_status pg_curve_new(const pg_ranking* ranking, const double* weights, pg_curve_drop drop, pg_curve_values values,
                              pg_curve** curve);
/* Its points, in arrays that stay the curve's. */
PG_API pg_status pg_curve_points(const pg_curve* curve, int64_t* count, const double** thresholds, const double** positives,
                                 const double** negatives);
/* Frees it, and its arrays; NULL is nothing to free. */
PG_API void pg_curve_free(pg_curve* curve);

/* DeLong's sums in 128 bits, low word first: twice U, and the sums of the squares of twice the placements: of each
 * positive among the negatives, of each negative among the positives above it. */
typedef struct pg_delong_sums {
    uint64_t twice_u[2], positive_squares[2], negative_squares[2];
    int64_t positives, negatives;
} pg_delong_sums;
/* The sums of a ranking. */
PG_API pg_status pg_delong(const pg_ranking* ranking, pg_delong_sums* result);

/* Connected regions (8 neighbours) of contiguous masks, nonzero inside: labels 1.. per image in the order of their first
 * pixels, 0 outside; regions[count] says how many. */
PG_API pg_status pg_connected_components(const uint8_t* masks, int64_t count, int64_t height, int64_t width, int32_t* labels,
                                         int64_t* regions);

/* ---- networks, on the threads of the program that runs them ---- */

/* Calls task(task_context, 0) ... task(task_context, n - 1), each once, in any order and on any threads. */
typedef void (*pg_parallel)(void* context, int64_t n, void (*task)(void* task_context, int64_t index), void* task_context);

/* A convolution of stride 1 with bias, computed by Winograd's minimal filtering: tile_height x tile_width outputs at a time
 * from (tile + kernel - 1) products an axis. Kernel and tile are 3x3 by 2x2, 3x3 or 4x4; 5x5 by 2x2; 1x7 by 1x2; 7x1 by 2x1. */
typedef struct pg_convolution {
    int64_t channels, filters;
    int64_t kernel_height, kernel_width, tile_height, tile_width;
    int64_t padding_height, padding_width; /* zeros on each side, less than the kernel */
    int32_t rectified;                     /* 0, or 1: negative outputs become 0 */
} pg_convolution;

/* Floats that the transformed filters take. */
PG_API pg_status pg_convolution_filters_length(const pg_convolution* convolution, int64_t* length);
/* The transform, in float64, of filters (filters, channels, kernel_height, kernel_width). */
PG_API pg_status pg_convolution_filters(const pg_convolution* convolution, const float* filters, float* transformed);

/* x (count, channels, height, width) to out (count, filters, height + 2 padding_height - kernel_height + 1, the same of
 * width), on the threads of `parallel`, or the library's if it is NULL. No bit of an image's result depends on the others,
 * or on the threads. NaN and infinities are passed on, within their image. */
PG_API pg_status pg_convolve(const pg_convolution* convolution, const float* x, int64_t count, int64_t height, int64_t width,
                             const float* transformed, const float* bias, float* out, int32_t threads, pg_parallel parallel,
                             void* parallel_context);

/* A layer of LPIPS: features x and y, (pairs, channels, positions) each, divided at each position by
 * sqrt(inside + sum of squares over channels) + outside; to map (pairs, positions), the squared differences, weighted by
 * channel and summed. Equal finite features give exactly 0. No bit depends on other positions, pairs or the threads.
 * PG_INVALID_ARGUMENT where NaN, infinities or squares that overflow make a position NaN: the others are right all the same. */
PG_API pg_status pg_lpips_layer(const float* x, const float* y, int64_t pairs, int64_t channels, int64_t positions, const float* weights,
                                float inside, float outside, float* map, pg_parallel parallel, void* parallel_context);

#ifdef __cplusplus
}
#endif
#endif
