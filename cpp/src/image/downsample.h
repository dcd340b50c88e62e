// Reduced images: means of blocks of pixels, for the pyramids of MS-SSIM and the downsampling that precedes SSIM in
// MATLAB's and piq's programs. uint8 blocks stay exact sums in uint16, half the memory; the data range is scaled instead.
#pragma once

#include <cstdint>
#include <memory>

#include "pixelgauge/pixelgauge.h"

namespace pixelgauge {

enum class Outside { Repeat, Zero };  // pixels beyond the edge: mirrored with the edge pixel repeated, or zero

// One axis of a reduction: output i is the sum of inputs i * factor + offset + [0, factor).
struct Axis {
    int64_t factor, offset, outputs;
};

// How much larger than means of blocks the values of reduced images are: 8-bit sums are kept whole while they fit 16 bits.
double reduced_scale(pg_dtype dtype, Axis rows, Axis columns);

// Whether reading a channel brings the others into the cache too.
bool channels_together(const pg_images& images);

class Reduced {
  public:
    // Every channel of every image, kept as planes, in the memory of what was reduced before where that is enough.
    void reduce(const pg_images& images, Axis rows, Axis columns, Outside outside);

    const pg_images& images() const { return images_; }
    // How much larger the values are than means of blocks would be.
    double scale() const { return scale_; }

  private:
    std::unique_ptr<char[]> pixels_;
    int64_t bytes_ = 0;
    pg_images images_{};
    double scale_ = 1;
};

}  // namespace pixelgauge
