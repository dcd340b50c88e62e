// Single-scale SSIM: reduction, windows, components, as the options say.
#include <cmath>
#include <cstdlib>

#include "image/downsample.h"
#include "image/rows.h"
#include "image/ssim_scores.h"
#include "image/ssim_windows.h"
#include "runtime/status.h"

namespace pixelgauge {

namespace {

int64_t downsample_factor(const pg_ssim_options& o, int64_t height, int64_t width) {
    const double least = static_cast<double>(height < width ? height : width) / 256;
    // MATLAB rounds halves away from zero, piq (Python) to even.
    const double rounded = o.downsample == PG_DOWNSAMPLE_NONE     ? 1
                           : o.downsample == PG_DOWNSAMPLE_MATLAB ? std::floor(least + 0.5)
                                                                  : std::nearbyint(least);
    return rounded < 1 ? 1 : static_cast<int64_t>(rounded);
}

Axis downsample_axis(const pg_ssim_options& o, int64_t n, int64_t factor) {
    if (o.downsample == PG_DOWNSAMPLE_POOL) return {factor, 0, n / factor};
    // imfilter centres an even block on its left middle: it begins (factor - 1) / 2 before the sample.
    return {factor, -((factor - 1) / 2), (n + factor - 1) / factor};
}

// The pair that the windows slide over, and the options they slide with.
struct Prepared {
    Reduced reduced_x, reduced_y;
    pg_images x, y;
    pg_ssim_options options;

    Prepared(const pg_images& original_x, const pg_images& original_y, const pg_ssim_options& o)
        : x(original_x), y(original_y), options(o) {
        const int64_t factor = downsample_factor(o, x.height, x.width);
        if (factor == 1) return;
        const Axis rows = downsample_axis(o, x.height, factor), columns = downsample_axis(o, x.width, factor);
        reduced_x.reduce(original_x, rows, columns, Outside::Repeat);
        reduced_y.reduce(original_y, rows, columns, Outside::Repeat);
        x = reduced_x.images();
        y = reduced_y.images();
        options.data_range *= reduced_x.scale();
    }
};

}  // namespace

void require_ssim_fits(const pg_ssim_options* o, const pg_images& x) {
    require_ssim_options(o, x.height, x.width);
    const int64_t factor = downsample_factor(*o, x.height, x.width);
    if (factor == 1) return;
    const Axis rows = downsample_axis(*o, x.height, factor), columns = downsample_axis(*o, x.width, factor);
    pg_ssim_options reduced = *o;
    reduced.data_range *= reduced_scale(x.dtype, rows, columns);
    require_ssim_options(&reduced, rows.outputs, columns.outputs, true);
}

bool is_plain_index(const pg_ssim_options& o, const pg_images& x) {
    const double* e = o.exponents;
    return downsample_factor(o, x.height, x.width) == 1 && e[0] == 1 && e[1] == 1 && e[2] == 1;
}

void scores_of(const std::vector<double>& dissimilarities, int64_t count, int64_t channels, double* scores) {
    for (int64_t i = 0; i < count; ++i) {
        double sum = 0;
        for (int64_t c = 0; c < channels; ++c) sum += dissimilarities[static_cast<size_t>(i * channels + c)];
        scores[i] = 1 - 2 * sum / static_cast<double>(channels);
    }
}

void ssim_scores(const pg_images& x, const pg_images& y, const pg_ssim_options& options, int64_t first, double* scores,
                 const pg_ssim_outputs* outputs) {
    const Prepared p(x, y, options);
    const size_t count = static_cast<size_t>(x.count), channels = static_cast<size_t>(x.channels);
    const double* e = p.options.exponents;
    const bool parts = outputs && (outputs->luminance || outputs->contrast || outputs->structure);
    const bool general = parts || e[0] != 1 || e[1] != 1 || e[2] != 1, whole = general || (outputs && outputs->map);
    const std::vector<PairPrecision> precision = whole ? pair_precision(p.x, p.y, p.options, first) : usual_precision(p.x, p.options);
    if (general) {
        std::vector<Components> means(count);
        window_components(p.x, p.y, p.options, precision, means.data());
        if (outputs && outputs->map) window_power_map(p.x, p.y, p.options, precision, outputs->map);
        for (size_t i = 0; i < count; ++i) {
            scores[i] = means[i].score;
            if (outputs && outputs->luminance) outputs->luminance[i] = means[i].luminance;
            if (outputs && outputs->contrast) outputs->contrast[i] = means[i].contrast;
            if (outputs && outputs->structure) outputs->structure[i] = means[i].structure;
        }
        return;
    }
    std::vector<double> dissimilarities(count * channels);
    window_dissimilarities(p.x, p.y, {{p.options, true, dissimilarities.data()}}, precision, first);
    scores_of(dissimilarities, x.count, x.channels, scores);
    if (outputs && outputs->map) window_map(p.x, p.y, p.options, precision, outputs->map);
}

}  // namespace pixelgauge

using namespace pixelgauge;

extern "C" void pg_ssim_defaults(pg_ssim_options* options, double data_range) {
    if (options)
        *options = {data_range,         0.01,     0.03, 1.5, 11, PG_WINDOW_GAUSSIAN, PG_BORDER_VALID, PG_COVARIANCE_POPULATION,
                    PG_DOWNSAMPLE_NONE, {1, 1, 1}};
}

extern "C" pg_status pg_ssim_map_size(const pg_images* x, const pg_ssim_options* options, int64_t* height, int64_t* width) {
    return guarded([&] {
        require_images(x, "x");
        require_ssim_options(options, x->height, x->width);
        require_given({{"height", height}, {"width", width}});
        const int64_t factor = downsample_factor(*options, x->height, x->width);
        const int64_t h = factor == 1 ? x->height : downsample_axis(*options, x->height, factor).outputs;
        const int64_t w = factor == 1 ? x->width : downsample_axis(*options, x->width, factor).outputs;
        require_ssim_options(options, h, w, factor > 1);
        window_map_size(*options, h, w, height, width);
    });
}

extern "C" pg_status pg_ssim(const pg_images* x, const pg_images* y, const pg_ssim_options* options, double* scores,
                             const pg_ssim_outputs* outputs) {
    return guarded([&] {
        require_pair(x, y);
        require_ssim_options(options, x->height, x->width);
        if (x->count > 0) require_given({{"scores", scores}});
        require_ssim_fits(options, *x);
        if (x->count > 0) ssim_scores(*x, *y, *options, 0, scores, outputs);
    });
}
