// One pass over the pixels of pairs: squares and distances, whichever are asked for, of rows that are read once.
#pragma once

#include <cstdint>
#include <vector>

#include "pixelgauge/pixelgauge.h"

namespace pixelgauge {

struct PixelPass {
    bool squares, distances;       // what is asked for
    std::vector<double> mse, mae;  // of each pair
};

// Reads the pairs of a batch whose first is number `first` in messages. NaN and infinity are refused, and what makes an error no number.
void pass_over_pixels(const pg_images& x, const pg_images& y, int64_t first, PixelPass& pass);

}  // namespace pixelgauge
