// Multi-scale SSIM: contrast-structure at every scale but the last, the full index there, combined per channel.
#include "image/ms_ssim.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "image/downsample.h"
#include "image/rows.h"
#include "image/ssim_windows.h"
#include "runtime/status.h"
#include "runtime/threads.h"

namespace pixelgauge {

namespace {

constexpr int64_t kSideBySide = int64_t{1} << 20;  // pixels

Axis halving(pg_pyramid pyramid, int64_t n) {
    // pytorch-msssim pads an odd size with a zero on both sides; Wang's block begins at the sample.
    return {2, pyramid == PG_PYRAMID_POOL ? -(n % 2) : 0, (n + 1) / 2};
}

// From the halves of what the terms lack of 1; the sum keeps them to its end, so that terms of 1 give 1.
double combine(const double* dissimilarities, const pg_ms_ssim_options& o) {
    double total = 0;
    for (int s = 0; s < o.scales; ++s) total += o.weights[s];
    double lacking = 0, product = 1;
    for (int s = 0; s < o.scales; ++s) {
        const double half = o.clamp_negative && dissimilarities[s] > 0.5 ? 0.5 : dissimilarities[s];
        lacking += o.weights[s] / total * (2 * half);
        product *= std::pow(1 - 2 * half, o.weights[s]);
    }
    return o.combine == PG_COMBINE_SUM ? 1 - lacking : product;
}

// Luminance, which counts at the coarsest scale, comes near 0 (1e-4 for black against white), and powers below 1 magnify what was
// rounded there: float64, for the few pixels that are left.
bool magnifies(const pg_ms_ssim_options& o) { return o.combine == PG_COMBINE_PRODUCT && o.weights[o.scales - 1] < 1; }

pg_images channel_of(const pg_images& images, int64_t channel) {
    pg_images plane = images;
    plane.channels = 1;
    plane.data = static_cast<const char*>(images.data) + channel * images.channel_stride;
    return plane;
}

struct Level {
    pg_images x, y;
    double data_range;
};

Level channel_of(const Level& level, int64_t channel) {
    return {channel_of(level.x, channel), channel_of(level.y, channel), level.data_range};
}

// Memory of a level of both images.
struct Halves {
    Reduced x, y;
    Level of(const Level& level, pg_pyramid pyramid) {
        const Axis rows = halving(pyramid, level.x.height), columns = halving(pyramid, level.x.width);
        const Outside outside = pyramid == PG_PYRAMID_POOL ? Outside::Zero : Outside::Repeat;
        x.reduce(level.x, rows, columns, outside);
        y.reduce(level.y, rows, columns, outside);
        return {x.images(), y.images(), level.data_range * x.scale()};
    }
};

// The terms of one channel, the first of them given, from its first level on or from its second.
void coarser_dissimilarities(Level level, bool is_second, const pg_ms_ssim_options& ms, int64_t image, Halves (&halves)[2], double* terms) {
    for (int s = 1; s < ms.scales; ++s) {
        if (s > 1 || !is_second) level = halves[s % 2].of(level, ms.pyramid);
        const bool coarsest = s == ms.scales - 1;
        pg_ssim_options options = ms.ssim;
        options.data_range = level.data_range;
        std::vector<PairPrecision> precision = usual_precision(level.x, options);
        for (PairPrecision& p : precision) p.float64 |= coarsest && magnifies(ms);
        window_dissimilarities(level.x, level.y, {{options, coarsest, &terms[s]}}, precision, image);
    }
}

// A few channels that lie together are halved in one pass where another would read the image from beyond a core's own cache. Of a
// smaller image the new memory that this takes costs more.
bool halves_in_one_pass(const pg_images& images) {
    constexpr int64_t kMostAgain = int64_t{4} << 20;
    return images.channels <= 4 && channels_together(images) && images.height * images.width * std::abs(images.column_stride) > kMostAgain;
}

// The terms of one image by channel, the first of each given.
void coarser_dissimilarities(const pg_images& x, const pg_images& y, const pg_ms_ssim_options& ms, int64_t image, double* terms) {
    // Side by side, since few tiles make up the coarser scales; of a larger image one at a time, in a third of the memory. A thread's
    // channels follow one another in the same memory: to have new pages cleared takes as long as to halve an image.
    const bool side_by_side = x.height * x.width <= kSideBySide;
    const bool in_one_pass = side_by_side && halves_in_one_pass(x) && halves_in_one_pass(y);
    Halves of_all;
    Level first{x, y, ms.ssim.data_range};
    if (in_one_pass) first = of_all.of(first, ms.pyramid);
    std::atomic<int64_t> next{0};
    parallel_for(side_by_side ? std::min<int64_t>(x.channels, num_threads()) : 1, [&](int64_t) {
        Halves halves[2];
        for (int64_t c; (c = next++) < x.channels;)
            coarser_dissimilarities(channel_of(first, c), in_one_pass, ms, image, halves, terms + c * ms.scales);
    });
}

void require_options(const pg_ms_ssim_options& o) {
    require(o.scales >= 1 && o.scales <= 16, [&] { return Fault(PG_ERROR_VALUE, "scales", std::to_string(o.scales), "must be 1 to 16"); });
    require_given({{"weights", o.weights}});
    double total = 0;
    for (int s = 0; s < o.scales; ++s) {
        require(o.weights[s] >= 0 && std::isfinite(o.weights[s]), [&] {
            return Fault(PG_ERROR_VALUE, "weights", "", "weights holds " + short_number(o.weights[s]),
                         "each must be finite and not negative");
        });
        total += o.weights[s];
    }
    require(total > 0, [] { return Fault(PG_ERROR_VALUE, "weights", "", "weights are all zero"); });
    require(total <= 1000, [&] {
        return Fault(PG_ERROR_VALUE, "weights", "", "weights add up to " + short_number(total),
                     "of a power above 1000 nothing is left but 0 and 1");
    });
    require_choice(o.pyramid, PG_PYRAMID_POOL, "pyramid", "pg_pyramid");
    require_choice(o.combine, PG_COMBINE_SUM, "combine", "pg_combine");
    require(o.clamp_negative == 0 || o.clamp_negative == 1,
            [&] { return Fault(PG_ERROR_VALUE, "clamp_negative", std::to_string(o.clamp_negative), "must be 0 or 1"); });
    require(
        o.ssim.border == PG_BORDER_VALID && o.ssim.downsample == PG_DOWNSAMPLE_NONE && o.ssim.exponents[0] == 1 &&
            o.ssim.exponents[1] == 1 && o.ssim.exponents[2] == 1,
        [] { return Fault(PG_ERROR_VALUE, "ssim", "", "ssim: MS-SSIM takes border PG_BORDER_VALID, no downsampling and exponents of 1"); });
    // What fits at the coarsest scale, which is looked at once the options are known to be right, fits here.
    require_ssim_options(&o.ssim, INT64_MAX, INT64_MAX);
}

void require_coarsest_fits(const pg_images& x, const pg_ms_ssim_options& o) {
    int64_t height = x.height, width = x.width;
    for (int s = 1; s < o.scales; ++s) {
        height = (height + 1) / 2;
        width = (width + 1) / 2;
    }
    const int64_t least = height < width ? height : width, needed = (int64_t{o.ssim.window_size} - 1) << (o.scales - 1);
    require(least >= o.ssim.window_size, [&] {
        return Fault(PG_ERROR_TOO_SMALL, "x", "",
                     "images of " + std::to_string(x.height) + " x " + std::to_string(x.width) + " are too small for " +
                         std::to_string(o.scales) + " scales of a window of " + std::to_string(o.ssim.window_size),
                     "at least " + std::to_string(needed + 1) + " x " + std::to_string(needed + 1) +
                         " is needed; use larger images or fewer weights")
            .needing(needed + 1);
    });
}

}  // namespace

void require_ms_ssim_options(const pg_ms_ssim_options* options, const pg_images& x) {
    require_given({{"options", options}});
    require_options(*options);
    require_coarsest_fits(x, *options);
}

WindowIndex finest_index(const pg_ms_ssim_options& o, double* dissimilarities) { return {o.ssim, o.scales == 1, dissimilarities}; }

bool finest_in_float64(const pg_ms_ssim_options& o) { return o.scales == 1 && magnifies(o); }

double ms_ssim_from_finest(const pg_images& x, const pg_images& y, const pg_ms_ssim_options& o, const double* finest, int64_t image) {
    const size_t scales = static_cast<size_t>(o.scales), channels = static_cast<size_t>(x.channels);
    std::vector<double> terms(channels * scales);
    for (size_t c = 0; c < channels; ++c) terms[c * scales] = finest[c];
    if (scales > 1) coarser_dissimilarities(x, y, o, image, terms.data());
    double sum = 0;
    for (size_t c = 0; c < channels; ++c) sum += combine(&terms[c * scales], o);
    return sum / static_cast<double>(x.channels);
}

}  // namespace pixelgauge

using namespace pixelgauge;

extern "C" pg_status pg_ms_ssim(const pg_images* x, const pg_images* y, const pg_ms_ssim_options* options, double* scores) {
    return guarded([&] {
        require_pair(x, y);
        require_given({{"options", options}});
        if (x->count > 0) require_given({{"scores", scores}});
        require_ms_ssim_options(options, *x);
        // Images side by side: each has dozens of steps, and so many threads would wait for one another after every one.
        parallel_for(x->count, [&](int64_t i) {
            const pg_images one_x = image_of(*x, i), one_y = image_of(*y, i);
            std::vector<double> finest(static_cast<size_t>(x->channels));
            std::vector<PairPrecision> precision = usual_precision(one_x, options->ssim);
            precision[0].float64 |= finest_in_float64(*options);
            window_dissimilarities(one_x, one_y, {finest_index(*options, finest.data())}, precision, i);
            scores[i] = ms_ssim_from_finest(one_x, one_y, *options, finest.data(), i);
        });
    });
}
