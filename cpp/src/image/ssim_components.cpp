// The general form l^a c^b s^c of SSIM and its three factors, from the moments of every window.
#include <cmath>
#include <cstddef>
#include <vector>

#include "image/ssim_moments.h"
#include "image/ssim_taps.h"
#include "image/ssim_windows.h"
#include "kernels/table.h"
#include "runtime/threads.h"

namespace pixelgauge {

namespace {

// base^exponent of a factor that is at most 1, which it stays.
double power(double base, double exponent) { return exponent == 1 ? base : exponent == 0 ? 1 : std::pow(base, exponent); }

// By value, so that they stay in registers while maps are written.
struct Constants {
    double c1, c2, c3, origin;
};

// A window's factors from its means of 2 x and 2 y about the origin, variances and covariance of 2 x and 2 y. Each is made as what it
// lacks of 1, which for equal images is 0 however the rest rounds; covariances never exceed deviations.
Components factors(const Constants& k, double mean_x, double mean_y, double variance_x, double variance_y, double covariance) {
    const double vx = std::fmax(variance_x, 0) / 4, vy = std::fmax(variance_y, 0) / 4;
    const double deviations = std::sqrt(vx * vy), spread = std::sqrt(vx) - std::sqrt(vy);
    const double d = (mean_x - mean_y) / 2, mx = (mean_x + k.origin) / 2, my = (mean_y + k.origin) / 2;
    return {0, 1 - d * d / (mx * mx + my * my + k.c1), 1 - spread * spread / (vx + vy + k.c2),
            1 - std::fmax(deviations - covariance / 4, 0) / (deviations + k.c3)};
}

void add(Components& sum, const Components& more) {
    sum.score += more.score;
    sum.luminance += more.luminance;
    sum.contrast += more.contrast;
    sum.structure += more.structure;
}

Components run_tile(const pg_images& x, const pg_images& y, const pg_ssim_options& o, const Region& region, const std::vector<double>& taps,
                    double shift, const Tile& tile, const MapWriter& map) {
    const SsimKernels<double>& k = ssim_kernels<double>();
    const int64_t outputs = StripLayout(tile, k.lanes, o.window_size).outputs();
    MomentStrip<double> strip(x, y, o, region, tile, taps, shift, 1, 0, 5, 5 * outputs);
    double* out[5];
    for (int i = 0; i < 5; ++i) out[i] = strip.extra() + i * outputs;
    const SsimBlock<double>& block = strip.block;
    const Constants constants{block.c1 / 2, block.c2 / 2, block.c2 / 2 / 2, block.origin};
    Components sum{};
    strip.each_block([&](int64_t row, int64_t) {
        k.moments(&strip.block, out);
        strip.layout.for_each([&](int64_t e) {
            Components window = factors(constants, out[0][e], out[1][e], out[2][e], out[3][e], out[4][e]);
            window.score =
                power(window.luminance, o.exponents[0]) * power(window.contrast, o.exponents[1]) * power(window.structure, o.exponents[2]);
            add(sum, window);
            out[0][e] = window.score;
        });
        if (map) map.write(out[0], strip.layout, tile, row);
    });
    return sum;
}

// Always float64: the square roots of small variances would show float32's rounding.
void run_components(const pg_images& x, const pg_images& y, const pg_ssim_options& o, const Region& region,
                    const std::vector<PairPrecision>& precision, Components* means, void* map) {
    const std::vector<double> taps = window_taps<double>(o);
    std::vector<int64_t> images(static_cast<size_t>(x.count));
    for (size_t i = 0; i < images.size(); ++i) images[i] = static_cast<int64_t>(i);
    const std::vector<Tile> tiles = tiles_of(x, region, images);
    std::vector<Components> sums(tiles.size());
    const MapWriter writer(map, x, region);
    parallel_for(static_cast<int64_t>(tiles.size()), [&](int64_t t) {
        const Tile& tile = tiles[static_cast<size_t>(t)];
        sums[static_cast<size_t>(t)] = run_tile(x, y, o, region, taps, precision[static_cast<size_t>(tile.image)].shift, tile, writer);
    });
    if (!means) return;
    const double n = static_cast<double>(region.height) * static_cast<double>(region.width) * static_cast<double>(x.channels);
    for (int64_t i = 0; i < x.count; ++i) means[i] = Components{};
    for (size_t t = 0; t < tiles.size(); ++t) add(means[tiles[t].image], sums[t]);
    for (int64_t i = 0; i < x.count; ++i)
        means[i] = {means[i].score / n, means[i].luminance / n, means[i].contrast / n, means[i].structure / n};
}

}  // namespace

void window_components(const pg_images& x, const pg_images& y, const pg_ssim_options& o, const std::vector<PairPrecision>& precision,
                       Components* means) {
    run_components(x, y, o, score_region(o, x.height, x.width), precision, means, nullptr);
}

void window_power_map(const pg_images& x, const pg_images& y, const pg_ssim_options& o, const std::vector<PairPrecision>& precision,
                      void* map) {
    run_components(x, y, o, map_region(o, x.height, x.width), precision, nullptr, map);
}

}  // namespace pixelgauge
