// pixelgauge in C++17: a thin wrapper over the C ABI. Whatever fails throws pixelgauge::Error.
#pragma once

#include <cmath>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "pixelgauge.h"

namespace pixelgauge {

// The parts of a failure, as in pg_error.
struct ErrorParts {
    pg_status status;
    pg_error_kind kind;
    std::string argument, value, problem, remedy;
    std::int64_t image = -1, row = -1, column = -1, required = -1;

    ErrorParts(pg_status s, pg_error_kind k, std::string of, std::string shown, std::string wrong, std::string advice = "")
        : status(s), kind(k), argument(std::move(of)), value(std::move(shown)), problem(std::move(wrong)), remedy(std::move(advice)) {}
    explicit ErrorParts(const pg_error& e)
        : status(e.status),
          kind(e.kind),
          argument(e.argument),
          value(e.value),
          problem(e.problem),
          remedy(e.remedy),
          image(e.image),
          row(e.row),
          column(e.column),
          required(e.required) {}

    std::string message() const {
        return (value.empty() ? "" : argument + "=" + value + " ") + problem + (remedy.empty() ? "" : ": " + remedy);
    }
};

// what() is the message; the parts are the error's own and outlive later failures.
class Error : public std::runtime_error {
  public:
    explicit Error(ErrorParts parts) : std::runtime_error(parts.message()), parts_(std::make_shared<ErrorParts>(std::move(parts))) {}
    pg_status status() const noexcept { return parts_->status; }
    pg_error_kind kind() const noexcept { return parts_->kind; }
    const ErrorParts& parts() const noexcept { return *parts_; }

  private:
    std::shared_ptr<const ErrorParts> parts_;  // copies of an exception are not to throw
};

inline void check(pg_status status) {
    if (status == PG_OK) return;
    pg_error info;
    pg_error_info(&info);
    throw Error(ErrorParts(info));
}

namespace detail {

inline Error refused(pg_error_kind kind, std::string argument, std::string value, std::string problem, std::string remedy = "") {
    return Error(ErrorParts(PG_INVALID_ARGUMENT, kind, std::move(argument), std::move(value), std::move(problem), std::move(remedy)));
}

}  // namespace detail

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
        const std::int64_t item = sizeof(T), column = stride(channels, item), row = stride(width, column);
        return Image{{pixels, dtype_of<T>(), count, height, width, channels, stride(height, row), row, column, item}};
    }

    // The dtype's full range; floats have none.
    double default_range() const {
        if (dtype == PG_UINT8) return 255;
        if (dtype == PG_UINT16) return 65535;
        throw detail::refused(PG_ERROR_MISSING, "data_range", "", "data_range is needed for float images",
                              "pass the largest value less the smallest");
    }

  private:
    // Sizes that no image has are left for the call to refuse, but not multiplied here.
    static std::int64_t stride(std::int64_t n, std::int64_t each) {
        if (n <= 0 || each <= 0) return 0;
        if (n > std::numeric_limits<std::int64_t>::max() / each)
            throw detail::refused(PG_ERROR_TOO_LARGE, "height", "",
                                  "height, width and channels of the image multiply to more than any memory holds");
        return n * each;
    }
};

namespace detail {

// The values of a batch, which `call` writes to a pointer.
template <class Call>
std::vector<double> values_of_batch(const Image& x, Call call) {
    constexpr std::int64_t most = std::int64_t{1} << 40;
    if (x.count < 0 || x.count > most) throw detail::refused(PG_ERROR_VALUE, "x.count", std::to_string(x.count), "must be 0 to 2^40");
    std::vector<double> values;
    try {
        values.resize(static_cast<std::size_t>(x.count));
    } catch (const std::exception&) {
        throw Error(ErrorParts(PG_OUT_OF_MEMORY, PG_ERROR_MEMORY, "x.count", "",
                               "out of memory for a value of each of x.count=" + std::to_string(x.count) + " images"));
    }
    check(call(values.data()));
    return values;
}

inline void require_one(const Image& x, const Image& y, const char* batch) {
    for (const Image* image : {&x, &y})
        if (image->count != 1)
            throw detail::refused(PG_ERROR_VALUE, image == &x ? "x.count" : "y.count", std::to_string(image->count), "must be 1",
                                  std::string("use ") + batch + " for a batch");
}

}  // namespace detail

// Each function scores one pair, and its _batch twin every pair of a batch.

inline std::vector<double> mse_batch(const Image& x, const Image& y) {
    return detail::values_of_batch(x, [&](double* values) { return pg_mse(&x, &y, values); });
}

inline double mse(const Image& x, const Image& y) {
    detail::require_one(x, y, "mse_batch");
    return mse_batch(x, y)[0];
}

inline std::vector<double> mae_batch(const Image& x, const Image& y) {
    return detail::values_of_batch(x, [&](double* values) { return pg_mae(&x, &y, values); });
}

inline double mae(const Image& x, const Image& y) {
    detail::require_one(x, y, "mae_batch");
    return mae_batch(x, y)[0];
}

namespace detail {

// Peak signal-to-noise ratios in place of mean squared errors.
inline void to_decibels(std::vector<double>& values, double data_range) {
    for (double& value : values) {
        const double ratio = data_range * data_range / value;
        if (value == 0)
            value = std::numeric_limits<double>::infinity();
        else  // apart where the square or the ratio leaves float64
            value = std::isnormal(data_range * data_range) && std::isnormal(ratio) ? 10 * std::log10(ratio)
                                                                                   : 20 * std::log10(data_range) - 10 * std::log10(value);
    }
}

inline void require_length(double data_range) {
    if (!(data_range > 0 && data_range <= std::numeric_limits<double>::max()))
        throw refused(PG_ERROR_VALUE, "data_range", std::to_string(data_range), "must be positive and finite");
}

}  // namespace detail

inline std::vector<double> psnr_batch(const Image& x, const Image& y, double data_range) {
    detail::require_length(data_range);
    std::vector<double> values = mse_batch(x, y);
    detail::to_decibels(values, data_range);
    return values;
}
inline std::vector<double> psnr_batch(const Image& x, const Image& y) { return psnr_batch(x, y, x.default_range()); }

inline double psnr(const Image& x, const Image& y, double data_range) {
    detail::require_one(x, y, "psnr_batch");
    return psnr_batch(x, y, data_range)[0];
}
inline double psnr(const Image& x, const Image& y) { return psnr(x, y, x.default_range()); }

// Wang 2004's options; change fields for the other presets (see docs/reference/presets.md).
inline pg_ssim_options ssim_options(double data_range) {
    pg_ssim_options options;
    pg_ssim_defaults(&options, data_range);
    return options;
}

inline std::vector<double> ssim_batch(const Image& x, const Image& y, const pg_ssim_options& options) {
    return detail::values_of_batch(x, [&](double* scores) { return pg_ssim(&x, &y, &options, scores, nullptr); });
}
inline std::vector<double> ssim_batch(const Image& x, const Image& y) { return ssim_batch(x, y, ssim_options(x.default_range())); }

inline double ssim(const Image& x, const Image& y, const pg_ssim_options& options) {
    detail::require_one(x, y, "ssim_batch");
    return ssim_batch(x, y, options)[0];
}
inline double ssim(const Image& x, const Image& y) { return ssim(x, y, ssim_options(x.default_range())); }

// Wang 2003's: five scales, the pyramid of the authors' program, the product of the scales.
inline pg_ms_ssim_options ms_ssim_options(double data_range) {
    static constexpr double weights[] = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};
    return {ssim_options(data_range), weights, 5, PG_PYRAMID_WANG, PG_COMBINE_PRODUCT, 0};
}

inline std::vector<double> ms_ssim_batch(const Image& x, const Image& y, const pg_ms_ssim_options& options) {
    return detail::values_of_batch(x, [&](double* scores) { return pg_ms_ssim(&x, &y, &options, scores); });
}
inline std::vector<double> ms_ssim_batch(const Image& x, const Image& y, double data_range) {
    return ms_ssim_batch(x, y, ms_ssim_options(data_range));
}
inline std::vector<double> ms_ssim_batch(const Image& x, const Image& y) { return ms_ssim_batch(x, y, x.default_range()); }

inline double ms_ssim(const Image& x, const Image& y, const pg_ms_ssim_options& options) {
    detail::require_one(x, y, "ms_ssim_batch");
    return ms_ssim_batch(x, y, options)[0];
}
inline double ms_ssim(const Image& x, const Image& y, double data_range) { return ms_ssim(x, y, ms_ssim_options(data_range)); }
inline double ms_ssim(const Image& x, const Image& y) { return ms_ssim(x, y, x.default_range()); }

// A metric that is asked for together with others, and where its values go: Metric::ssim(options), say.
struct Metric {
    enum class Kind { mse, mae, psnr, ssim, ms_ssim };
    Kind kind;
    double data_range;                // of psnr
    pg_ssim_options ssim_options;     // of ssim
    pg_ms_ssim_options ms_options;    // of ms_ssim
    std::vector<double> values = {};  // of every pair, once scored

    static Metric mse() { return {Kind::mse, 0, {}, {}}; }
    static Metric mae() { return {Kind::mae, 0, {}, {}}; }
    static Metric psnr(double data_range) { return {Kind::psnr, data_range, {}, {}}; }
    static Metric ssim(const pg_ssim_options& options) { return {Kind::ssim, 0, options, {}}; }
    static Metric ms_ssim(const pg_ms_ssim_options& options) { return {Kind::ms_ssim, 0, {}, options}; }
};

// Fills in the values of all metrics from one pass over the pixels: every bit what the functions above give.
inline void scores(const Image& x, const Image& y, std::vector<Metric>& metrics) {
    std::vector<pg_score_request> requests;
    for (Metric& metric : metrics) {
        if (metric.kind == Metric::Kind::psnr) detail::require_length(metric.data_range);
        metric.values = detail::values_of_batch(x, [](double*) -> pg_status { return PG_OK; });
        const pg_metric kind = metric.kind == Metric::Kind::mae       ? PG_METRIC_MAE
                               : metric.kind == Metric::Kind::ssim    ? PG_METRIC_SSIM
                               : metric.kind == Metric::Kind::ms_ssim ? PG_METRIC_MS_SSIM
                                                                      : PG_METRIC_MSE;
        requests.push_back({kind, &metric.ssim_options, &metric.ms_options, metric.values.data()});
    }
    check(pg_scores(&x, &y, requests.data(), static_cast<std::int32_t>(requests.size())));
    for (Metric& metric : metrics)
        if (metric.kind == Metric::Kind::psnr) detail::to_decibels(metric.values, metric.data_range);
}

}  // namespace pixelgauge
