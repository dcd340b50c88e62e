// pixelgauge in C++17: a thin wrapper over the C ABI. A failed call throws pixelgauge::Error.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "pixelgauge.h"

namespace pixelgauge {

class Error : public std::runtime_error {
  public:
    explicit Error(pg_status status) : std::runtime_error(pg_last_error()), status_(status) {}
    pg_status status() const noexcept { return status_; }

  private:
    pg_status status_;
};

inline void check(pg_status status) {
    if (status != PG_OK) throw Error(status);
}

template <class T>
constexpr pg_dtype dtype_of() {
    static_assert(sizeof(T) == 0, "pixels are uint8_t, uint16_t, float or double");
    return PG_UINT8;
}
template <>
constexpr pg_dtype dtype_of<std::uint8_t>() {
    return PG_UINT8;
}
template <>
constexpr pg_dtype dtype_of<std::uint16_t>() {
    return PG_UINT16;
}
template <>
constexpr pg_dtype dtype_of<float>() {
    return PG_FLOAT32;
}
template <>
constexpr pg_dtype dtype_of<double>() {
    return PG_FLOAT64;
}

// One image, or a batch, where it lies: the pixels stay the caller's.
struct Image : pg_images {
    // Rows of pixels whose channels lie side by side, without gaps.
    template <class T>
    static Image interleaved(const T* pixels, std::int64_t height, std::int64_t width, std::int64_t channels, std::int64_t count = 1) {
        const std::int64_t item = sizeof(T);
        return Image{{pixels, dtype_of<T>(), count, height, width, channels, height * width * channels * item, width * channels * item,
                      channels * item, item}};
    }

    // The dtype's full range; floats have none.
    double default_range() const {
        if (dtype == PG_UINT8) return 255;
        if (dtype == PG_UINT16) return 65535;
        throw std::invalid_argument("data_range is needed for float images");
    }
};

inline std::vector<double> mse_batch(const Image& x, const Image& y) {
    std::vector<double> values(static_cast<std::size_t>(x.count));
    check(pg_mse(&x, &y, values.data()));
    return values;
}

inline double mse(const Image& x, const Image& y) { return mse_batch(x, y).at(0); }

inline double psnr(const Image& x, const Image& y, double data_range) {
    const double error = mse(x, y);
    return error == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(data_range * data_range / error);
}
inline double psnr(const Image& x, const Image& y) { return psnr(x, y, x.default_range()); }

// Wang 2004's options; change fields for the other presets (see docs/presets.md).
inline pg_ssim_options ssim_options(double data_range) {
    pg_ssim_options options;
    pg_ssim_defaults(&options, data_range);
    return options;
}

inline std::vector<double> ssim_batch(const Image& x, const Image& y, const pg_ssim_options& options) {
    std::vector<double> scores(static_cast<std::size_t>(x.count));
    check(pg_ssim(&x, &y, &options, scores.data(), nullptr));
    return scores;
}

inline double ssim(const Image& x, const Image& y, const pg_ssim_options& options) { return ssim_batch(x, y, options).at(0); }
inline double ssim(const Image& x, const Image& y) { return ssim(x, y, ssim_options(x.default_range())); }

inline double ms_ssim(const Image& x, const Image& y, double data_range) {
    static constexpr double weights[] = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};  // Wang 2003
    const pg_ms_ssim_options options{ssim_options(data_range), weights, 5, PG_PYRAMID_WANG, PG_COMBINE_PRODUCT, 0};
    double score = 0;
    check(pg_ms_ssim(&x, &y, &options, &score));
    return score;
}
inline double ms_ssim(const Image& x, const Image& y) { return ms_ssim(x, y, x.default_range()); }

}  // namespace pixelgauge
