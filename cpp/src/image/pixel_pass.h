// One pass over the pixels of pairs: differences and ranges, whichever are asked for, of rows that are read once.
#pragma once

#include <cstdint>
#include <vector>

#include "pixelgauge/pixelgauge.h"

namespace pixelgauge {

// The smallest and largest value of both images of a pair.
struct PairRange {
    double low, high;
};

struct PixelPass {
    bool squares, distances, ranges;  // what is asked for
    std::vector<double> mse, mae;     // of each pair
    std::vector<PairRange> range;
};

// Reads the pairs of a batch whose first is number `first` in messages. NaN and infinity are refused where ranges are asked for by
// image and row, and where they make an error no number.
void pass_over_pixels(const pg_images& x, const pg_images& y, int64_t first, PixelPass& pass);

}  // namespace pixelgauge
