// Multi-scale SSIM of a pair whose finest scale, an index of windows like any other, may have been made together with others.
#pragma once

#include "image/ssim_options.h"
#include "image/ssim_windows.h"
#include "pixelgauge/pixelgauge.h"

namespace pixelgauge {

void require_ms_ssim_options(const pg_ms_ssim_options* options, const pg_images& x);

// What window_dissimilarities gives of the finest scale, and whether it is made in float64 whatever the pixels.
WindowIndex finest_index(const pg_ms_ssim_options& options, double* dissimilarities);
bool finest_in_float64(const pg_ms_ssim_options& options);

// Of one pair, number `image` in messages, the mean over its channels; `finest` is one a channel.
double ms_ssim_from_finest(const pg_images& x, const pg_images& y, const pg_ms_ssim_options& options, const double* finest, int64_t image);

}  // namespace pixelgauge
