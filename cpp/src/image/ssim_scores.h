// Single-scale SSIM of a batch, and which part of it is an index of windows of the pixels as they are.
#pragma once

#include <vector>

#include "image/ssim_options.h"
#include "pixelgauge/pixelgauge.h"

namespace pixelgauge {

// The options fit the images, reduced or not.
void require_ssim_fits(const pg_ssim_options* options, const pg_images& x);

// Whether the score is the mean index of windows of the pixels as they are: nothing is reduced, all exponents are 1.
bool is_plain_index(const pg_ssim_options& options, const pg_images& x);

// scores[count] and, unless NULL, what else `outputs` asks for, of options that fit; the first pair is number `first` in messages.
void ssim_scores(const pg_images& x, const pg_images& y, const pg_ssim_options& options, int64_t first, double* scores,
                 const pg_ssim_outputs* outputs);

// The scores of a batch from what window_dissimilarities gives.
void scores_of(const std::vector<double>& dissimilarities, int64_t count, int64_t channels, double* scores);

}  // namespace pixelgauge
