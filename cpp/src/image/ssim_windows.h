// Windowed SSIM over a batch of pairs: the tiling, borders and precision that single- and multi-scale SSIM share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pixelgauge/pixelgauge.h"

namespace pixelgauge {

// A number for a message, with as many digits as it needs, at most six.
std::string short_number(double x);

void require_ssim_options(const pg_ssim_options* options, int64_t height, int64_t width);

// Size of the map of windows.
void window_map_size(const pg_ssim_options& options, int64_t height, int64_t width, int64_t* map_height, int64_t* map_width);

// How each pair of a batch is brought near zero, and whether float32 then holds its variances well enough.
struct PairPrecision {
    double shift;
    bool float64;
};
std::vector<PairPrecision> pair_precision(const pg_images& x, const pg_images& y, const pg_ssim_options& options);

// What the mean of the index, or of its contrast-structure part, over the windows of each pair and channel lacks of 1, halved (the
// DSSIM of the literature): [count][channels], never below 0, and 0 for equal images;
// and the index of every window: [count][map height][map width][channels].
void window_dissimilarities(const pg_images& x, const pg_images& y, const pg_ssim_options& options, bool luminance,
                            const std::vector<PairPrecision>& precision, double* dissimilarities);
void window_map(const pg_images& x, const pg_images& y, const pg_ssim_options& options, const std::vector<PairPrecision>& precision,
                void* map);

// The general form l^a c^b s^c: its mean over the windows of each pair and that of each factor, and its map.
struct Components {
    double score, luminance, contrast, structure;
};
void window_components(const pg_images& x, const pg_images& y, const pg_ssim_options& options, const std::vector<PairPrecision>& precision,
                       Components* means);
void window_power_map(const pg_images& x, const pg_images& y, const pg_ssim_options& options, const std::vector<PairPrecision>& precision,
                      void* map);

}  // namespace pixelgauge
