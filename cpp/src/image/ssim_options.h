// What the options of SSIM must be, how float32 is known to hold a pair's variances, and the windows that a border gives.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "image/rows.h"
#include "pixelgauge/pixelgauge.h"

namespace pixelgauge {

// For images of a size, as they are passed or reduced.
void require_ssim_options(const pg_ssim_options* options, int64_t height, int64_t width, bool reduced = false);

// Output pixels of a pair, where window (0, 0) begins at (origin, origin) of the image.
struct Region {
    int64_t height, width, origin;
    Border border;
};
Region score_region(const pg_ssim_options& options, int64_t height, int64_t width);
Region map_region(const pg_ssim_options& options, int64_t height, int64_t width);

// The smallest and largest value of both images of a pair.
struct PairRange {
    double low, high;
};
// NaN and infinity are refused by image and row; messages count the pairs from `first`.
std::vector<PairRange> pair_ranges(const pg_images& x, const pg_images& y, int64_t first);

// How each pair of a batch is brought near zero, and whether float32 then holds its variances well enough.
struct PairPrecision {
    double shift;
    bool float64;
    bool assumed;  // of values that have not been looked at: windows are to see whether they lie within usual_values
};
// Values that have no shift, whatever else a pair holds, and are held by float32 where the options let it.
PairRange usual_values(const pg_images& x, const pg_ssim_options& options);
std::vector<PairPrecision> usual_precision(const pg_images& x, const pg_ssim_options& options);
// From the ranges of the pairs, which are not looked at where none are needed; messages count the pairs from `first`.
bool needs_range(const pg_images& x, const pg_ssim_options& options);
std::vector<PairPrecision> pair_precision(const pg_images& x, const pg_ssim_options& options, const std::vector<PairRange>& ranges,
                                          int64_t first);
// Ranges are read first where they are needed.
std::vector<PairPrecision> pair_precision(const pg_images& x, const pg_images& y, const pg_ssim_options& options, int64_t first = 0);

}  // namespace pixelgauge
