// The polar factor U of a matrix M in float64, of which square roots and nuclear norms are made. U is only ever used through bounds
// that hold for any U, so an iteration that stops early cannot give a wrong number, only a wide interval.
#pragma once

#include <cstdint>

#include "matrix/gemm.h"

namespace pixelgauge {

struct Steps {
    int halley = 0, newton_schulz = 0;
};

// x (rows x n, n <= rows, row-major) becomes its polar factor, orthogonal to `accuracy`, for singular values above
// `smallest` times the largest. `scaled`: none of them exceeds 1.
Steps polar_iteration(int64_t rows, int64_t n, Buffer<double>& x, double smallest, bool halley, bool scaled, double accuracy);

}  // namespace pixelgauge
