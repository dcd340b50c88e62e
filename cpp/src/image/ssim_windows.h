// What single- and multi-scale SSIM make of the moments of windows: the mean index, its map, its components.
#pragma once

#include <cstdint>
#include <vector>

#include "image/ssim_options.h"
#include "pixelgauge/pixelgauge.h"

namespace pixelgauge {

// Size of the map of windows.
void window_map_size(const pg_ssim_options& options, int64_t height, int64_t width, int64_t* map_height, int64_t* map_width);

// What the mean of the index, or of its contrast-structure part, over the windows of each pair and channel lacks of 1, halved (the
// DSSIM of the literature): [count][channels], never below 0, and 0 for equal images;
// and the index of every window: [count][map height][map width][channels], whose precision is known. Indices of one window and border,
// every digit what each has alone: they differ in their constants and in luminance only, so that the moments are made once, those of d
// along the row too, and those of s along the row once for every C2. Where a precision is assumed and its values turn out to be others,
// the pair's range is read and its windows are filtered again; messages count the pairs from `first`.
struct WindowIndex {
    pg_ssim_options options;
    bool luminance;
    double* dissimilarities;
};
bool same_moments(const pg_ssim_options& a, const pg_ssim_options& b);
void window_dissimilarities(const pg_images& x, const pg_images& y, const std::vector<WindowIndex>& indices,
                            const std::vector<PairPrecision>& precision, int64_t first);
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
