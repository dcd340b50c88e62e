// The taps of an SSIM window along one axis: exact, and as the kernels read them.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "pixelgauge/pixelgauge.h"

namespace pixelgauge {

// What the tap two from the centre of a window, and it with the next, weigh at least in float32: kernels/ssim.inl takes moments
// about such a pair, and loses digits as they are light.
constexpr double kLightestTap = 1.0 / 16, kLightestPair = 0.2;

// A window's taps along one axis; their sum is 1.
inline std::vector<double> exact_taps(const pg_ssim_options& options) {
    const int n = options.window_size, radius = n / 2;
    std::vector<double> taps(static_cast<size_t>(n));
    double sum = 0;
    for (int i = 0; i < n; ++i) {
        const double t = static_cast<double>(i - radius) / options.sigma;
        taps[static_cast<size_t>(i)] = options.window == PG_WINDOW_UNIFORM ? 1 : std::exp(-t * t / 2);
        sum += taps[static_cast<size_t>(i)];
    }
    for (double& tap : taps) tap /= sum;
    return taps;
}

inline bool middle_is_heavy(const pg_ssim_options& options) {
    if (options.window_size < 5) return false;
    const std::vector<double> taps = exact_taps(options);
    const size_t centre = taps.size() / 2;
    return taps[centre - 2] >= kLightestTap && taps[centre - 2] + taps[centre - 1] >= kLightestPair;
}

// The taps as T, whose rounding is compensated in the middle one: the sum is 1.
template <class T>
std::vector<T> window_taps(const pg_ssim_options& options) {
    const std::vector<double> exact = exact_taps(options);
    const size_t n = exact.size();
    std::vector<T> taps(n);
    double rest = 1;
    for (size_t i = 0; i < n; ++i) {
        taps[i] = static_cast<T>(exact[i]);
        if (i != n / 2) rest -= static_cast<double>(taps[i]);
    }
    taps[n / 2] = static_cast<T>(rest);
    return taps;
}

}  // namespace pixelgauge
