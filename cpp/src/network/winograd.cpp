// Winograd convolution, a block of tiles at a time: part of an image, or several small ones. Pixels are laid out with channels
// last and transformed; then two groups of filters at a time are multiplied, transformed back and written as planes, while the
// block's transformed input stays in L2 and the filters stream past it once.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "kernels/table.h"
#include "runtime/sizes.h"
#include "runtime/status.h"
#include "runtime/threads.h"

namespace pixelgauge {

namespace {

#include "kernels/winograd_forms.h"

using Form = WinogradKernels::Form;

constexpr int64_t kGroup = kWinogradGroup, kLine = 16;  // floats
constexpr int64_t kInputBytes = 2 << 20;                // of a block's transformed input: most of a core's L2
constexpr int64_t kMostTiles = 256;
constexpr int64_t kMostSide = int64_t{1} << 28;
constexpr double kLargestFloat = std::numeric_limits<float>::max();

int64_t groups_of(int64_t n) { return (n + kGroup - 1) / kGroup; }

struct Filter {
    int64_t points = 0, taps = 0;
    const double* matrix = nullptr;  // points rows of taps
};

template <int M, int R>
Filter filter_of() {
    using F = WinogradForm<M, R>;
    return {F::points, R, &F::filter[0][0]};
}

Filter filter_of(int64_t tile, int64_t taps) {
    if (tile == 1 && taps == 1) return filter_of<1, 1>();
    if (tile == 2 && taps == 3) return filter_of<2, 3>();
    if (tile == 3 && taps == 3) return filter_of<3, 3>();
    if (tile == 4 && taps == 3) return filter_of<4, 3>();
    if (tile == 2 && taps == 5) return filter_of<2, 5>();
    return filter_of<2, 7>();
}

const Form& form_of(const pg_convolution& c, const Kernels& table) {
    for (const Form& form : table.winograd.forms)
        if (form.tile_height == c.tile_height && form.kernel_height == c.kernel_height && form.tile_width == c.tile_width &&
            form.kernel_width == c.kernel_width)
            return form;
    throw InvalidArgument(Fault(PG_ERROR_VALUE, "convolution", "",
                                "convolution of " + std::to_string(c.kernel_height) + "x" + std::to_string(c.kernel_width) +
                                    " with tiles of " + std::to_string(c.tile_height) + "x" + std::to_string(c.tile_width),
                                "use 3x3 with 2x2, 3x3 or 4x4, 5x5 with 2x2, 1x7 with 1x2, 7x1 with 2x1"));
}

const Form& require_convolution(const pg_convolution* c, const Kernels& table) {
    require_given({{"convolution", c}});
    require(c->channels > 0 && c->filters > 0 && c->channels < 1 << 16 && c->filters < 1 << 16, [&] {
        return Fault(PG_ERROR_VALUE, "convolution", "",
                     "convolution has " + std::to_string(c->channels) + " channels and " + std::to_string(c->filters) + " filters",
                     "use 1 to 65535");
    });
    const Form& form = form_of(*c, table);
    require(c->padding_height >= 0 && c->padding_width >= 0 && c->padding_height < c->kernel_height && c->padding_width < c->kernel_width,
            [&] {
                return Fault(PG_ERROR_VALUE, "padding", std::to_string(c->padding_height) + ", " + std::to_string(c->padding_width),
                             "must be at least 0 and less than the kernel");
            });
    require(c->rectified == 0 || c->rectified == 1,
            [&] { return Fault(PG_ERROR_VALUE, "rectified", std::to_string(c->rectified), "must be 0 or 1"); });
    return form;
}

int64_t points_of(const Form& form) {
    return int64_t{form.tile_height + form.kernel_height - 1} * (form.tile_width + form.kernel_width - 1);
}

// Kept from call to call: fresh pages for every layer would cost more than its transforms.
struct Scratch {
    std::unique_ptr<float[]> memory;
    size_t length = 0;

    float* take(size_t floats) {
        if (floats > length) {
            memory.reset();
            memory.reset(new float[floats + kLine]);
            length = floats;
        }
        const auto at = reinterpret_cast<uintptr_t>(memory.get());
        return memory.get() + ((64 - at % 64) % 64) / sizeof(float);
    }
};

struct Convolution {
    const pg_convolution& shape;
    const Form& form;
    const WinogradKernels& kernels;
    const float* x;
    int64_t count, height, width, out_height, out_width;
    const float *transformed, *bias;
    float* out;
    int64_t points, channels;
    int64_t tiles_down, tiles_across, block_down, block_across, blocks_down, blocks_across, block_images, blocks;

    void split(int threads) {
        tiles_down = (out_height + form.tile_height - 1) / form.tile_height;
        tiles_across = (out_width + form.tile_width - 1) / form.tile_width;
        const int64_t fit = std::clamp<int64_t>(kInputBytes / (points * channels * 4), 12, kMostTiles);
        const int64_t share = std::max<int64_t>((count * tiles_down * tiles_across + threads - 1) / threads, 12);
        const int64_t most = std::min(fit, share);
        blocks_across = (tiles_across + most - 1) / most;
        block_across = (tiles_across + blocks_across - 1) / blocks_across;
        const int64_t down = std::max<int64_t>(most / block_across, 1);
        blocks_down = (tiles_down + down - 1) / down;
        block_down = (tiles_down + blocks_down - 1) / blocks_down;
        blocks_down = (tiles_down + block_down - 1) / block_down;
        blocks_across = (tiles_across + block_across - 1) / block_across;
        block_images = blocks_down * blocks_across > 1 ? 1 : std::clamp<int64_t>(most / (tiles_down * tiles_across), 1, count);
        blocks = (count + block_images - 1) / block_images * blocks_down * blocks_across;
    }

    struct Block {
        int64_t first_image, images;
        int64_t top, left, across;                 // in tiles
        int64_t each, tiles;                       // tiles of an image and of all
        int64_t rows, columns, y_rows, y_columns;  // pixels read and written
        int64_t v_point, m_point;                  // between points; a line more, lest the points share a cache set
    };
    static constexpr int64_t kStride = 2 * kGroup;  // of the products and results of a tile: two groups of filters

    Block block_at(int64_t index) const {
        Block b{};
        b.first_image = index / (blocks_down * blocks_across) * block_images;
        b.images = std::min(block_images, count - b.first_image);
        const int64_t within = index % (blocks_down * blocks_across);
        b.top = within / blocks_across * block_down;
        b.left = within % blocks_across * block_across;
        const int64_t down = std::min(block_down, tiles_down - b.top);
        b.across = std::min(block_across, tiles_across - b.left);
        b.each = down * b.across;
        b.tiles = b.images * b.each;
        b.rows = down * form.tile_height + form.kernel_height - 1;
        b.columns = b.across * form.tile_width + form.kernel_width - 1;
        b.y_rows = std::min(down * form.tile_height, out_height - b.top * form.tile_height);
        b.y_columns = std::min(b.across * form.tile_width, out_width - b.left * form.tile_width);
        b.v_point = b.tiles * channels + kLine;
        b.m_point = b.tiles * kStride + kLine;
        return b;
    }

    void convolve_block(int64_t index) const {
        const Block b = block_at(index);
        const int64_t pixels = b.rows * b.columns * channels, y_floats = (b.y_rows * b.y_columns + kLine) * kStride;
        thread_local Scratch scratch;
        float* const v = scratch.take(static_cast<size_t>(points * (b.v_point + b.m_point) + std::max(pixels, y_floats)));
        float *const m = v + points * b.v_point, *const x_block = m + points * b.m_point, *const y = x_block;
        transform(b, x_block, v);
        const int64_t groups = groups_of(shape.filters);
        for (int64_t g = 0; g < groups; g += 2) {
            const int64_t pair = std::min<int64_t>(2, groups - g);
            multiply(b, g, pair, v, m);
            write(b, g, pair, m, y);
        }
    }

    void transform(const Block& b, float* x_block, float* v) const {
        for (int64_t i = 0; i < b.images; ++i) {
            lay_out(b.first_image + i, b.top * form.tile_height - shape.padding_height, b.left * form.tile_width - shape.padding_width,
                    b.rows, b.columns, x_block);
            for (int64_t t = 0; t < b.each; ++t)
                form.input(x_block + (t / b.across * form.tile_height * b.columns + t % b.across * form.tile_width) * channels,
                           b.columns * channels, channels, v + (i * b.each + t) * kGroup, b.v_point, b.tiles * kGroup);
        }
    }

    // The groups of filters g to g + pair - 1, point by point.
    void multiply(const Block& b, int64_t g, int64_t pair, const float* v, float* m) const {
        const int64_t group_floats = points * shape.channels * kGroup;
        WinogradProduct product{b.tiles, shape.channels, nullptr, b.tiles * kGroup, {}, static_cast<int>(pair), nullptr, kStride};
        for (int64_t p = 0; p < points; ++p) {
            product.v = v + p * b.v_point;
            product.m = m + p * b.m_point;
            for (int64_t i = 0; i < pair; ++i) product.u[i] = transformed + (g + i) * group_floats + p * shape.channels * kGroup;
            kernels.product(&product);
        }
    }

    // The products transformed back, image by image by way of y, into the planes of the result.
    void write(const Block& b, int64_t g, int64_t pair, const float* m, float* y) const {
        float bias_pair[2 * kGroup] = {};
        std::copy_n(bias + g * kGroup, std::min(pair * kGroup, shape.filters - g * kGroup), bias_pair);
        WinogradOutput output{};
        output.point_stride = b.m_point;
        output.filters = pair * kGroup;
        output.bias = bias_pair;
        output.least = shape.rectified ? 0.0F : -std::numeric_limits<float>::infinity();
        output.row_stride = b.y_columns * kStride;
        output.column_stride = kStride;
        const int64_t plane = out_height * out_width;
        // Whole rows lie one after another in the planes too.
        const int64_t runs = b.y_columns == out_width ? 1 : b.y_rows, run = b.y_rows * b.y_columns / runs;
        for (int64_t n = 0; n < b.images; ++n) {
            for (int64_t t = 0; t < b.each; ++t) {
                const int64_t row = t / b.across * form.tile_height, column = t % b.across * form.tile_width;
                output.m = m + (n * b.each + t) * kStride;
                output.rows = static_cast<int>(std::min<int64_t>(form.tile_height, b.y_rows - row));
                output.columns = static_cast<int>(std::min<int64_t>(form.tile_width, b.y_columns - column));
                output.y = y + (row * b.y_columns + column) * kStride;
                form.output(&output);
            }
            for (int64_t i = 0; i < pair; ++i) {
                const int64_t filter = (g + i) * kGroup;
                float* const to = out + ((b.first_image + n) * shape.filters + filter) * plane + b.top * form.tile_height * out_width +
                                  b.left * form.tile_width;
                for (int64_t r = 0; r < runs; ++r)
                    kernels.pixels_to_planes(y + r * run * kStride + i * kGroup, kStride, run, to + r * out_width, plane,
                                             static_cast<int>(std::min(kGroup, shape.filters - filter)));
            }
        }
    }

    // The pixels of a block, zeros beyond the image.
    void lay_out(int64_t image, int64_t top, int64_t left, int64_t rows, int64_t columns, float* pixels) const {
        const int64_t plane = height * width, begin = std::clamp<int64_t>(-left, 0, columns),
                      end = std::clamp<int64_t>(width - left, begin, columns);
        const float* const all = x + count * shape.channels * plane;
        for (int64_t r = 0; r < rows; ++r) {
            float* const row = pixels + r * columns * channels;
            const int64_t y = top + r;
            if (y < 0 || y >= height) {
                std::fill_n(row, columns * channels, 0.0F);
                continue;
            }
            std::fill_n(row, begin * channels, 0.0F);
            std::fill_n(row + end * channels, (columns - end) * channels, 0.0F);
            for (int64_t c = 0; c < shape.channels; c += kGroup)
                kernels.planes_to_pixels(x + (image * shape.channels + c) * plane + y * width + left + begin, plane,
                                         static_cast<int>(std::min(kGroup, shape.channels - c)), end - begin, all,
                                         row + begin * channels + c, channels);
        }
    }
};

}  // namespace

}  // namespace pixelgauge

extern "C" pg_status pg_convolution_filters_length(const pg_convolution* convolution, int64_t* length) {
    using namespace pixelgauge;
    return guarded([&] {
        const Form& form = require_convolution(convolution, kernels());
        require_given({{"length", length}});
        *length = groups_of(convolution->filters) * kGroup * points_of(form) * convolution->channels;
    });
}

extern "C" pg_status pg_convolution_filters(const pg_convolution* convolution, const float* filters, float* transformed) {
    using namespace pixelgauge;
    return guarded([&] {
        const Form& form = require_convolution(convolution, kernels());
        require_given({{"filters", filters}, {"transformed", transformed}});
        const Filter down = filter_of(form.tile_height, form.kernel_height), across = filter_of(form.tile_width, form.kernel_width);
        const int64_t channels = convolution->channels, points = down.points * across.points;
        parallel_for(groups_of(convolution->filters), [&](int64_t group) {
            float* const to = transformed + group * points * channels * kGroup;
            std::fill_n(to, points * channels * kGroup, 0.0F);
            double half[8 * 8];
            bool finite = true;
            for (int64_t f = 0; f < std::min(kGroup, convolution->filters - group * kGroup); ++f)
                for (int64_t c = 0; c < channels; ++c) {
                    const float* const taps = filters + ((group * kGroup + f) * channels + c) * down.taps * across.taps;
                    for (int64_t i = 0; i < down.points; ++i)
                        for (int64_t k = 0; k < across.taps; ++k) {
                            double sum = 0;
                            for (int64_t j = 0; j < down.taps; ++j)
                                sum += down.matrix[i * down.taps + j] * static_cast<double>(taps[j * across.taps + k]);
                            half[i * across.taps + k] = sum;
                            finite &= std::fabs(sum) <= kLargestFloat;
                        }
                    for (int64_t i = 0; i < down.points; ++i)
                        for (int64_t j = 0; j < across.points; ++j) {
                            double sum = 0;
                            for (int64_t k = 0; k < across.taps; ++k) sum += across.matrix[j * across.taps + k] * half[i * across.taps + k];
                            finite &= std::fabs(sum) <= kLargestFloat;
                            to[((i * across.points + j) * channels + c) * kGroup + f] = finite ? static_cast<float>(sum) : 0;
                        }
                }
            require(finite, [&] {
                return Fault(PG_ERROR_NOT_FINITE, "filters", "",
                             "filters hold NaN, infinity or values whose sums leave float32 (filters " + std::to_string(group * kGroup) +
                                 " to " + std::to_string(std::min((group + 1) * kGroup, convolution->filters) - 1) + ")");
            });
        });
    });
}

extern "C" pg_status pg_convolve(const pg_convolution* convolution, const float* x, int64_t count, int64_t height, int64_t width,
                                 const float* transformed, const float* bias, float* out, int threads, pg_parallel parallel,
                                 void* parallel_context) {
    using namespace pixelgauge;
    return guarded([&] {
        const Kernels& table = kernels();
        const Form& form = require_convolution(convolution, table);
        require(count >= 0, [&] { return Fault(PG_ERROR_VALUE, "count", std::to_string(count), "must not be negative"); });
        for (const auto& [name, side] : {std::pair("height", height), std::pair("width", width)})
            require(side > 0 && side <= kMostSide,
                    [&, of = name, n = side] { return Fault(PG_ERROR_VALUE, of, std::to_string(n), "must be 1 to 2^28"); });
        const int64_t out_height = height + 2 * convolution->padding_height - form.kernel_height + 1,
                      out_width = width + 2 * convolution->padding_width - form.kernel_width + 1;
        require(out_height > 0 && out_width > 0, [&] {
            const bool low = out_height <= 0;
            const int64_t side = low ? height : width, least = side + 1 - (low ? out_height : out_width);
            return Fault(PG_ERROR_TOO_SMALL, low ? "height" : "width", "",
                         "height=" + std::to_string(height) + ", width=" + std::to_string(width) + ": the kernel does not fit")
                .needing(least);
        });
        checked_product("x", {count, convolution->channels, height, width, sizeof(float)});
        checked_product("out", {count, convolution->filters, out_height, out_width, sizeof(float)});
        require(threads > 0, [&] { return Fault(PG_ERROR_VALUE, "threads", std::to_string(threads), "must be at least 1"); });
        if (count == 0) return;
        require_given({{"x", x}, {"transformed", transformed}, {"bias", bias}, {"out", out}});
        Convolution job{*convolution,
                        form,
                        table.winograd,
                        x,
                        count,
                        height,
                        width,
                        out_height,
                        out_width,
                        transformed,
                        bias,
                        out,
                        points_of(form),
                        groups_of(convolution->channels) * kGroup,
                        0,
                        0,
                        0,
                        0,
                        0,
                        0,
                        0,
                        0};
        job.split(threads);
        parallel_on(parallel, parallel_context, job.blocks, [&](int64_t index) { job.convolve_block(index); });
    });
}
