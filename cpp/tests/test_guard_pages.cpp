// No function reads or writes past its buffers: every input and output of every kernel ends, and in a second run begins, at a
// page that no one may touch, for all dtypes, layouts and instruction sets. Some sizes by default; `all` or
// PIXELGAUGE_ALL_SIZES=1 takes every size from 1 to 130.
#include <pixelgauge/pixelgauge.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include "check.h"
#include "guarded.h"

namespace {

bool every_size = false;
bool at_end = true;
int64_t calls = 0;
char doing[256] = "";  // for the report of a crash

void now(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(doing, sizeof doing, format, arguments);
    va_end(arguments);
    ++calls;
}

void crashed(int) {
    const char* const where = at_end ? " (buffers end at a guard page)\n" : " (buffers begin at a guard page)\n";
    (void)!write(2, "crash in ", 9);
    (void)!write(2, doing, std::strlen(doing));
    (void)!write(2, where, std::strlen(where));
    _exit(1);
}

// A call that must succeed.
void expect_ok(pg_status status) {
    if (status == PG_OK) return;
    std::fprintf(stderr, "%s: %s\n", doing, pg_last_error());
    ++failures;
}

const Guarded& memory(int which) {
    static Guarded buffers[] = {Guarded(1 << 22), Guarded(1 << 22), Guarded(1 << 22), Guarded(1 << 22), Guarded(1 << 22)};
    return buffers[which];
}

template <class T>
T* place(int which, int64_t count) {
    return reinterpret_cast<T*>(memory(which).take(static_cast<size_t>(count) * sizeof(T), at_end));
}

uint32_t state = 1;
uint32_t next_random() { return (state = state * 1664525u + 1013904223u) >> 8; }

template <class T>
T* filled(int which, int64_t count) {
    T* const values = place<T>(which, count);
    for (int64_t i = 0; i < count; ++i) values[i] = static_cast<T>(next_random() % 200);
    return values;
}

// Sizes around every register width, or all.
std::vector<int64_t> sizes(int64_t least = 1) {
    std::vector<int64_t> result;
    for (int64_t n = least; n <= 130; ++n) {
        const bool near_power = n > 12 && ((n & (n - 1)) == 0 || (n & (n + 1)) == 0);
        if (every_size || n < least + 3 || near_power || n == 17 || n == 33 || n == 130) result.push_back(n);
    }
    return result;
}

std::vector<int64_t> some(std::initializer_list<int64_t> few) { return every_size ? sizes() : std::vector<int64_t>(few); }

int64_t item_of(pg_dtype dtype) { return dtype == PG_UINT8 ? 1 : dtype == PG_UINT16 ? 2 : dtype == PG_FLOAT32 ? 4 : 8; }

enum Layout {
    kPacked,
    kPaddedRows,
    kOddRows,
    kUpsideDown,
    kTurned,
    kPlanes,
    kEverySecond,
    kBgra,
    kOneRow,
    kBgr,
    kMirrored,
    kMirroredPlanes,
    kOverlapping,
    kFarApart,
    kLayouts
};

pg_images images(int which, pg_dtype dtype, Layout layout, int64_t count, int64_t height, int64_t width, int64_t channels) {
    const int64_t item = item_of(dtype);
    pg_images x{nullptr, dtype, count, height, width, channels, 0, 0, channels * item, item};
    if (layout == kEverySecond) x.column_stride *= 2;
    if (layout == kBgra) {
        x.column_stride = (channels + 1) * item;
        x.channel_stride = -item;
    }
    if (layout == kBgr) x.channel_stride = -item;
    if (layout == kFarApart) x.column_stride = (channels + 3) * item;
    const bool planes = layout == kPlanes || layout == kMirroredPlanes;
    if (planes) x.column_stride = item;
    x.row_stride = width * std::abs(x.column_stride);
    if (layout == kPaddedRows) x.row_stride += 3 * item;
    if (layout == kOddRows) x.row_stride += 5;  // not a multiple of the element
    x.count_stride = height * x.row_stride;
    if (planes) {
        x.channel_stride = x.count_stride;
        x.count_stride *= channels;
    }
    if (layout == kOneRow) x.row_stride = 0;
    if (layout == kUpsideDown || layout == kTurned) x.row_stride = -x.row_stride;
    if (layout == kTurned || layout == kMirrored || layout == kMirroredPlanes) x.column_stride = -x.column_stride;
    if (layout == kOverlapping) {  // pixels of four elements, each row an element further
        x.column_stride = (channels < 4 ? 4 : channels) * item;
        x.row_stride = item;
        x.count_stride = height * width * x.column_stride;
    }
    int64_t low = 0, high = 0;
    const int64_t reaches[] = {(count - 1) * x.count_stride, (height - 1) * x.row_stride, (width - 1) * x.column_stride,
                               (channels - 1) * x.channel_stride};
    for (const int64_t reach : reaches) (reach < 0 ? low : high) += reach;
    char* const first = memory(which).take(static_cast<size_t>(high - low + item), at_end) - low;
    for (int64_t n = 0; n < count; ++n)
        for (int64_t r = 0; r < height; ++r)
            for (int64_t k = 0; k < width; ++k)
                for (int64_t c = 0; c < channels; ++c) {
                    char* const at = first + n * x.count_stride + r * x.row_stride + k * x.column_stride + c * x.channel_stride;
                    const uint32_t value = next_random() % 256;
                    if (dtype == PG_UINT8) *at = static_cast<char>(value);
                    const uint16_t as_u16 = static_cast<uint16_t>(value);
                    const float as_f32 = static_cast<float>(value);
                    const double as_f64 = value;
                    if (dtype != PG_UINT8)
                        std::memcpy(at,
                                    dtype == PG_UINT16    ? static_cast<const void*>(&as_u16)
                                    : dtype == PG_FLOAT32 ? static_cast<const void*>(&as_f32)
                                                          : &as_f64,
                                    static_cast<size_t>(item));
                }
    x.data = first;
    return x;
}

// f(height, width, channels): widths of every size at some heights, and the reverse.
template <class F>
void for_shapes(int64_t least, F f) {
    const std::vector<int64_t> others =
        every_size ? std::vector<int64_t>{least, least + 1, least + 7} : std::vector<int64_t>{least, least + 2};
    for (const int64_t channels : {1, 2, 3, 4})
        for (const int64_t n : sizes(least))
            for (const int64_t m : others) {
                f(m, n, channels);
                if (n != m && (every_size || channels % 2 == 1)) f(n, m, channels);
            }
}

template <class F>
void for_layouts(F f) {
    for (int dtype = PG_UINT8; dtype <= PG_FLOAT64; ++dtype)
        for (int layout = kPacked; layout < kLayouts; ++layout) f(static_cast<pg_dtype>(dtype), static_cast<Layout>(layout));
}

void pixels() {
    for_layouts([](pg_dtype dtype, Layout layout) {
        for_shapes(1, [&](int64_t height, int64_t width, int64_t channels) {
            const pg_images x = images(0, dtype, layout, 2, height, width, channels),
                            y = images(1, dtype, layout, 2, height, width, channels);
            double *low = place<double>(2, 1), *high = place<double>(3, 1), *scores = place<double>(4, 2);
            now("pg_value_range of %d x %d x %d, dtype %d, layout %d", int(height), int(width), int(channels), int(dtype), int(layout));
            expect_ok(pg_value_range(&x, low, high));
            now("pg_mse of %d x %d x %d, dtype %d, layout %d", int(height), int(width), int(channels), int(dtype), int(layout));
            expect_ok(pg_mse(&x, &y, scores));
            now("pg_mae of %d x %d x %d, dtype %d, layout %d", int(height), int(width), int(channels), int(dtype), int(layout));
            expect_ok(pg_mae(&x, &y, scores));
        });
    });
}

void structural_similarity() {
    static const double weights[] = {0.5, 0.5};
    for_layouts([](pg_dtype dtype, Layout layout) {
        if (!every_size && layout != kPacked && (dtype + layout) % 4 != 0) return;
        for (const int window : {3, 7, 11}) {
            if (!every_size && window == 3 && layout != kPacked) continue;
            for_shapes(window, [&](int64_t height, int64_t width, int64_t channels) {
                const pg_images x = images(0, dtype, layout, 1, height, width, channels),
                                y = images(1, dtype, layout, 1, height, width, channels);
                pg_ssim_options o;
                pg_ssim_defaults(&o, 255);
                o.window_size = window;
                o.window = (height + width) % 2 ? PG_WINDOW_UNIFORM : PG_WINDOW_GAUSSIAN;
                o.border = static_cast<pg_border>((height * 3 + width + channels) % 3);
                int64_t map_height = 0, map_width = 0;
                double* const score = place<double>(2, 1);
                expect_ok(pg_ssim_map_size(&x, &o, &map_height, &map_width));
                const int64_t n = map_height * map_width * channels * (dtype == PG_FLOAT64 ? 2 : 1);
                pg_ssim_outputs outputs{place<float>(3, n), nullptr, nullptr, nullptr};
                const auto call = [&](const char* what, const pg_ssim_outputs* results) {
                    now("pg_ssim of %d x %d x %d, dtype %d, layout %d, window %d, border %d, %s", int(height), int(width), int(channels),
                        int(dtype), int(layout), window, int(o.border), what);
                    expect_ok(pg_ssim(&x, &y, &o, score, results));
                };
                call("score", nullptr);
                call("map", &outputs);
                pg_ssim_options sample = o;
                sample.covariance = PG_COVARIANCE_SAMPLE;
                double* const values = place<double>(4, 3);
                const pg_score_request requests[] = {{PG_METRIC_SSIM, &o, nullptr, values},
                                                     {PG_METRIC_SSIM, &sample, nullptr, values + 1},
                                                     {PG_METRIC_MSE, nullptr, nullptr, values + 2}};
                now("pg_scores of %d x %d x %d, dtype %d, layout %d, window %d, border %d", int(height), int(width), int(channels),
                    int(dtype), int(layout), window, int(o.border));
                expect_ok(pg_scores(&x, &y, requests, 3));
                if (every_size || width % 3 == 0) {
                    double* const parts = place<double>(4, 3);
                    outputs.luminance = parts;
                    outputs.contrast = parts + 1;
                    outputs.structure = parts + 2;
                    call("components", &outputs);
                }
                if (window == 3) {
                    o.border = PG_BORDER_VALID;
                    const pg_ms_ssim_options ms{
                        o, weights, height < 5 || width < 5 ? 1 : 2, static_cast<pg_pyramid>(width % 2), PG_COMBINE_PRODUCT, 1};
                    now("pg_ms_ssim of %d x %d x %d, dtype %d, layout %d", int(height), int(width), int(channels), int(dtype), int(layout));
                    expect_ok(pg_ms_ssim(&x, &y, &ms, score));
                }
            });
        }
    });
    // reduced before it is windowed
    for (const pg_downsample rule : {PG_DOWNSAMPLE_MATLAB, PG_DOWNSAMPLE_POOL})
        for (const int64_t side : {400, 512, 523}) {
            const pg_images x = images(0, PG_UINT8, kPaddedRows, 1, 400, side, 3), y = images(1, PG_UINT8, kPacked, 1, 400, side, 3);
            pg_ssim_options o;
            pg_ssim_defaults(&o, 255);
            o.downsample = rule;
            now("pg_ssim of 400 x %d, downsample %d", int(side), int(rule));
            expect_ok(pg_ssim(&x, &y, &o, place<double>(2, 1), nullptr));
        }
}

void resizing() {
    for_layouts([](pg_dtype dtype, Layout layout) {
        for (const int64_t width : sizes())
            for (const int64_t out_width : some({1, 3, 17, 40}))
                for (int rule = PG_RESIZE_HALF_PIXEL; rule <= PG_RESIZE_BICUBIC; ++rule) {
                    if (every_size ? (width + out_width + rule) % 4 != layout % 4 : (width + out_width + rule) % 3 != layout % 3) continue;
                    const int64_t height = 1 + width % 9, out_height = 1 + out_width % 7;
                    const pg_images x = images(0, dtype, layout, 1, height, width, 3);
                    now("pg_resize of %d x %d to %d x %d, dtype %d, layout %d, rule %d", int(height), int(width), int(out_height),
                        int(out_width), int(dtype), int(layout), rule);
                    expect_ok(pg_resize(&x, rule, out_height, out_width, 2, -1, -HUGE_VAL, HUGE_VAL,
                                        place<float>(1, 3 * out_height * out_width)));
                }
    });
}

template <class T>
pg_matrix matrix(int which, int64_t rows, int64_t columns, int form) {
    const int64_t item = sizeof(T);
    pg_matrix m{nullptr, item == 4 ? PG_FLOAT32 : PG_FLOAT64, rows, columns, columns * item, item};
    if (form == 1) m.row_stride += 3 * item;
    if (form == 2) {
        m.row_stride = item;
        m.column_stride = rows * item;
    }
    if (form == 3) {
        m.row_stride = -m.row_stride;
        m.column_stride = -item;
    }
    int64_t low = 0, high = 0;
    for (const int64_t reach : {(rows - 1) * m.row_stride, (columns - 1) * m.column_stride}) (reach < 0 ? low : high) += reach;
    T* const values = filled<T>(which, (high - low) / item + 1);
    m.data = reinterpret_cast<char*>(values) - low;
    return m;
}

template <class T>
void products() {
    for (const int64_t m : sizes())
        for (const int64_t n : some({1, 2, 3, 8, 25, 49}))
            for (const int64_t k : {int64_t{1}, int64_t{3}, int64_t{8}, int64_t{17}, 1 + (m + n) % 130}) {
                const int form = static_cast<int>((m + n + k) % 4);
                const pg_matrix a = matrix<T>(0, m, k, form), b = matrix<T>(1, n, k, (form + 1) % 4);
                now("pg_matmul_transposed of %d x %d and %d x %d, %d bytes, form %d", int(m), int(k), int(n), int(k), int(sizeof(T)), form);
                expect_ok(pg_matmul_transposed(&a, &b, place<T>(2, m * n)));
                if (n != 1) continue;
                now("pg_matmul_transposed of %d x %d with itself, %d bytes, form %d", int(m), int(k), int(sizeof(T)), form);
                expect_ok(pg_matmul_transposed(&a, &a, place<T>(2, m * m)));
            }
    for (const int64_t columns : sizes())
        for (const int64_t rows : some({1, 2, 5, 64})) {
            const int form = static_cast<int>((rows + columns) % 4);
            const pg_matrix x = matrix<T>(0, rows, columns, form);
            double *shift = filled<double>(1, columns), *sum = place<double>(2, 2 * columns),
                   *scatter = place<double>(3, 2 * columns * columns);
            std::fill_n(sum, 2 * columns, 0.0);
            std::fill_n(scatter, 2 * columns * columns, 0.0);
            now("pg_scatter_add of %d x %d, %d bytes, form %d", int(rows), int(columns), int(sizeof(T)), form);
            expect_ok(pg_scatter_add(&x, shift, sum, scatter));
            if (rows < 3) continue;
            const pg_matrix real = matrix<T>(0, rows, columns, static_cast<int>(rows % 2)), fake = matrix<T>(1, 7, columns, 1);
            pg_neighbours* const found = place<pg_neighbours>(4, 1);
            now("pg_count_neighbours of %d and 7 rows of %d, %d bytes", int(rows), int(columns), int(sizeof(T)));
            expect_ok(pg_count_neighbours(&real, &fake, 2, 1, found));
            for (const double gamma : {1.0, 1e-9}) {
                now("pg_gaussian_kernel_means of %d and 7 rows of %d, %d bytes", int(rows), int(columns), int(sizeof(T)));
                expect_ok(pg_gaussian_kernel_means(&real, &fake, gamma, place<pg_kernel_means>(4, 1)));
            }
        }
}

void square_roots() {
    for (const int64_t n : sizes()) {
        if (every_size && n > 64 && n % 5 != 0) continue;
        for (const int64_t rank : {n, std::max<int64_t>(1, n / 2)}) {
            const pg_matrix l = matrix<double>(0, n, rank, 0);
            double *a = place<double>(1, n * n), *out = place<double>(2, n * n), *remainder = place<double>(4, 1);
            expect_ok(pg_matmul_transposed(&l, &l, a));
            int64_t* const found = place<int64_t>(3, 1);
            now("pg_pivoted_cholesky of %d, rank %d", int(n), int(rank));
            expect_ok(pg_pivoted_cholesky(a, n, out, found, remainder));
            now("pg_sqrtm_psd of %d, rank %d", int(n), int(rank));
            expect_ok(pg_sqrtm_psd(a, n, out));
            for (int form = 0; form < 4; ++form) {
                const pg_matrix m = matrix<double>(0, n, rank, form);
                now("pg_nuclear_norm of %d x %d, form %d", int(n), int(rank), form);
                expect_ok(pg_nuclear_norm(&m, place<pg_nuclear_norm_result>(2, 1)));
            }
        }
    }
}

// Bytes that are a score of any dtype, and no NaN.
void write_score(char* at, int dtype, uint32_t value) {
    switch (dtype) {
        case PG_SCORE_UINT8:
        case PG_SCORE_INT8:
            *at = static_cast<char>(value);
            return;
        case PG_SCORE_FLOAT32: {
            const float x = static_cast<float>(value) / 7;
            std::memcpy(at, &x, 4);
            return;
        }
        case PG_SCORE_FLOAT64: {
            const double x = static_cast<double>(value) / 7;
            std::memcpy(at, &x, 8);
            return;
        }
        default: {
            const uint64_t x = value % 0x7c00;  // below the infinity of float16
            std::memcpy(at, &x, dtype <= PG_SCORE_BFLOAT16 ? 2 : dtype <= PG_SCORE_FLOAT32 ? 4 : 8);
        }
    }
}

void ranking() {
    std::vector<int64_t> counts = sizes();
    for (const int64_t n : {1023, 1024, 1025, 5000}) counts.push_back(n);
    static const int64_t items[] = {1, 1, 2, 2, 2, 2, 4, 4, 4, 8, 8, 8};
    counts.push_back(140000);  // several buckets
    for (int dtype = PG_SCORE_UINT8; dtype <= PG_SCORE_FLOAT64; ++dtype)
        for (const int64_t n : counts)
            for (const int64_t times : {1, 2, -1, 0}) {
                if (!every_size && (n == 140000 ? times != 1 || items[dtype] < 4 : (n + dtype + times) % 4 != 0)) continue;
                const int64_t item = items[dtype], stride = times * item, reach = (n - 1) * stride;
                char* const scores = memory(0).take(static_cast<size_t>(std::abs(reach) + item), at_end) - std::min<int64_t>(reach, 0);
                uint64_t* const labels = place<uint64_t>(1, (n + 63) / 64);
                for (int64_t i = 0; i < (n + 63) / 64; ++i)
                    labels[i] = uint64_t{next_random()} << 40 | uint64_t{next_random()} << 20 | next_random();
                for (int64_t i = 0; i < n; ++i) write_score(scores + i * stride, dtype, next_random());
                double* const weights = filled<double>(2, n);
                weights[0] = 1;
                int64_t* const groups = place<int64_t>(3, n);
                for (int64_t i = 0; i < n; ++i) groups[i] = next_random() % 3;
                const pg_ranking r{scores, dtype, n, stride, labels};
                now("ranking of %d scores, dtype %d, stride %d", int(n), dtype, int(stride));
                expect_ok(pg_auroc(&r, place<pg_auroc_counts>(4, 1)));
                expect_ok(pg_auroc_by_group(&r, groups, 3, place<pg_auroc_counts>(4, 3)));
                expect_ok(pg_delong(&r, place<pg_delong_sums>(4, 1)));
                expect_ok(pg_average_precision(&r, nullptr, place<double>(4, 1)));
                expect_ok(pg_average_precision(&r, weights, place<double>(4, 1)));
                expect_ok(pg_weighted_auroc(&r, weights, place<double>(4, 1)));
                calls += 5;
                for (const double* w : {static_cast<const double*>(nullptr), static_cast<const double*>(weights)})
                    for (int drop = 0; drop < 3; ++drop) {
                        pg_curve* curve = nullptr;
                        now("curve of %d scores, dtype %d, stride %d, drop %d, %s", int(n), dtype, int(stride), drop,
                            w ? "weights" : "counts");
                        expect_ok(pg_curve_new(&r, w, drop, drop % 2, &curve));
                        pg_curve_free(curve);
                    }
            }
    for (const int64_t bytes : {1, 2, 4, 8})
        for (const int64_t n : counts)
            for (const int64_t stride : {bytes, 3 * bytes, -bytes}) {
                const int64_t reach = (n - 1) * stride;
                char* const labels = memory(0).take(static_cast<size_t>(std::abs(reach) + bytes), at_end) - std::min<int64_t>(reach, 0);
                for (int64_t i = 0; i < n; ++i) {
                    const uint64_t value = next_random() % 2;
                    std::memcpy(labels + i * stride, &value, static_cast<size_t>(bytes));
                }
                const uint64_t yes[2] = {1, 1}, no[2] = {0, 0};
                int32_t* const all_known = place<int32_t>(2, 1);
                now("pg_label_bits of %d labels of %d bytes, stride %d", int(n), int(bytes), int(stride));
                expect_ok(pg_label_bits(labels, bytes, n, stride, yes, no, place<uint64_t>(1, (n + 63) / 64), all_known));
                CHECK(*all_known == 1);
            }
}

void regions() {
    for (const int64_t width : sizes())
        for (const int64_t height : some({1, 2, 17})) {
            uint8_t* const masks = place<uint8_t>(0, 2 * height * width);
            for (int64_t i = 0; i < 2 * height * width; ++i) masks[i] = next_random() % 2;
            now("pg_connected_components of %d x %d", int(height), int(width));
            expect_ok(pg_connected_components(masks, 2, height, width, place<int32_t>(1, 2 * height * width), place<int64_t>(2, 2)));
        }
}

void networks() {
    static const int64_t forms[][4] = {{3, 3, 2, 2}, {3, 3, 3, 3}, {3, 3, 4, 4}, {5, 5, 2, 2}, {1, 7, 1, 2}, {7, 1, 2, 1}};
    for (const auto& form : forms)
        for (const int64_t channels : {1, 5, 16, 33})
            for (const int64_t filters : {1, 16, 18, 35})
                for (const int64_t width : some({1, 2, 7, 16, 17, 33, 65})) {
                    if (every_size && (width + channels + filters) % 3 != 0) continue;
                    const int64_t height = 1 + width % 11;
                    const pg_convolution c{channels, filters, form[0], form[1], form[2], form[3], form[0] / 2, form[1] / 2, 1};
                    const int64_t taps = form[0] * form[1], out_height = height + 2 * (form[0] / 2) - form[0] + 1,
                                  out_width = width + 2 * (form[1] / 2) - form[1] + 1;
                    int64_t* const length = place<int64_t>(4, 1);
                    expect_ok(pg_convolution_filters_length(&c, length));
                    const float* const plain = filled<float>(0, filters * channels * taps);
                    float* const transformed = place<float>(1, *length);
                    now("pg_convolution_filters of %d to %d, %d x %d", int(channels), int(filters), int(form[0]), int(form[1]));
                    expect_ok(pg_convolution_filters(&c, plain, transformed));
                    const float *const x = filled<float>(0, 2 * channels * height * width), *const bias = filled<float>(2, filters);
                    now("pg_convolve of %d x %d x %d to %d, %d x %d by %d x %d", int(channels), int(height), int(width), int(filters),
                        int(form[0]), int(form[1]), int(form[2]), int(form[3]));
                    expect_ok(pg_convolve(&c, x, 2, height, width, transformed, bias, place<float>(3, 2 * filters * out_height * out_width),
                                          1, nullptr, nullptr));
                }
    for (const int64_t positions : sizes())
        for (const int64_t channels : some({1, 2, 5, 33, 64})) {
            const float *const x = filled<float>(0, 2 * channels * positions), *const y = filled<float>(1, 2 * channels * positions);
            const float* const weights = filled<float>(2, channels);
            now("pg_lpips_layer of %d channels, %d positions", int(channels), int(positions));
            expect_ok(pg_lpips_layer(x, y, 2, channels, positions, weights, 0, 1e-10F, place<float>(3, 2 * positions), nullptr, nullptr));
        }
}

}  // namespace

int main(int count, char** arguments) {
    every_size = (count > 1 && std::string(arguments[1]) == "all") || std::getenv("PIXELGAUGE_ALL_SIZES");
    std::signal(SIGSEGV, crashed);
    std::signal(SIGBUS, crashed);
    CHECK(pg_set_num_threads(1) == PG_OK);
    // `all avx512`: every size, of one instruction set, for whoever runs them side by side.
    const std::vector<std::string> named(arguments + std::min(count, 2), arguments + count);
    for (const std::string& name : named) {
        if (pg_has_isa(name.c_str())) continue;
        std::fprintf(stderr, "%s is not here: name instruction sets of this CPU\n", name.c_str());
        return 2;
    }
    for (const char* isa : {"baseline", "avx2", "avx512"}) {
        if (!pg_has_isa(isa) || (!named.empty() && std::find(named.begin(), named.end(), isa) == named.end())) continue;
        CHECK(pg_set_isa(isa) == PG_OK);
        const int64_t before = calls;
        for (const bool end : {true, false}) {
            at_end = end;
            pixels();
            structural_similarity();
            resizing();
            products<float>();
            products<double>();
            square_roots();
            ranking();
            regions();
            networks();
        }
        std::printf("%s: %lld calls\n", isa, static_cast<long long>(calls - before));
    }
    return failures != 0;
}
