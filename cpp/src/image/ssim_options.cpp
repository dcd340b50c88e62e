#include "image/ssim_options.h"

#include <cmath>
#include <string>

#include "image/rows.h"
#include "image/ssim_taps.h"
#include "runtime/status.h"

namespace pixelgauge {

namespace {

// How many times k2 L the values of float32 windows may be: a mean of M rounds by eps M / 2, and that against sqrt(C2) is what
// is left of rounding (kernels/ssim.inl). 8- and 16-bit images of the full range have 33.
constexpr double kFloat32Values = 40;
// How far below zero float32 values may be, in k1 L, beside others above it: a mean near zero of larger values has lost its digits,
// and luminance compares it with k1 L.
constexpr double kFloat32Below = 5;
// Float32 values are at most this, so that the index's products of four of them stay below 2^128.
constexpr double kFloat32Largest = 1e8;
// Largest error of float64 variances against C2 that is accepted: beyond it a window could be mistaken for another.
constexpr double kFloat64Tolerance = 1e-3;

// The index multiplies four lengths of the range: within these the products stay normal numbers, with room for spread.
constexpr double kFloat32Lengths[] = {1e-6, 1e8}, kFloat64Lengths[] = {1e-60, 1e60};

// Whether the constants that k1 and k2 make of a range are like those of a range between two lengths at the usual k.
bool lengths_within(const pg_ssim_options& o, const double* limits) {
    for (const double k : {1.0, o.k1 / 0.01, o.k2 / 0.03})
        if (!(k * o.data_range >= limits[0] && k * o.data_range <= limits[1])) return false;
    return true;
}

// What values may be, by the options.
struct Limits {
    bool in_float32;        // at all
    double least, largest;  // without a shift, in float32
    double c2;

    Limits(const pg_images& x, const pg_ssim_options& o)
        : in_float32(x.dtype != PG_FLOAT64 && lengths_within(o, kFloat32Lengths) && middle_is_heavy(o)),
          least(-kFloat32Below * o.k1 * o.data_range),
          largest(kFloat32Values * o.k2 * o.data_range),
          c2(o.k2 * o.data_range * o.k2 * o.data_range) {}

    // Whether float64 tells windows of such values apart.
    bool told_apart(double low, double high) const { return 2.3e-16 / 2 * (high - low) * (high - low) / c2 <= kFloat64Tolerance; }
};

int64_t padded(const pg_ssim_options& options) { return options.window_size / 2; }

}  // namespace

void require_ssim_options(const pg_ssim_options* o, int64_t height, int64_t width, bool reduced) {
    require_given({{"options", o}});
    const auto require_positive = [](const char* name, double x) {
        require(x > 0 && std::isfinite(x), [&] { return Fault(PG_ERROR_VALUE, name, short_number(x), "must be positive and finite"); });
    };
    require_positive("data_range", o->data_range);
    require_positive("k1", o->k1);
    require_positive("k2", o->k2);
    require(lengths_within(*o, kFloat64Lengths), [&] {
        return Fault(PG_ERROR_OVERFLOW, "data_range", short_number(o->data_range),
                     "with k1=" + short_number(o->k1) + " and k2=" + short_number(o->k2) + " leaves float64's room",
                     "scale the images and their range to a length near 1");
    });
    require_choice(o->window, PG_WINDOW_UNIFORM, "window", "pg_window");
    if (o->window != PG_WINDOW_UNIFORM) require_positive("sigma", o->sigma);
    require(o->window_size >= 3 && o->window_size % 2 == 1,
            [&] { return Fault(PG_ERROR_VALUE, "window_size", std::to_string(o->window_size), "must be odd and at least 3"); });
    require_choice(o->border, PG_BORDER_CROP, "border", "pg_border");
    require_choice(o->downsample, PG_DOWNSAMPLE_POOL, "downsample", "pg_downsample");
    require_choice(o->covariance, PG_COVARIANCE_SAMPLE, "covariance", "pg_covariance");
    for (const double e : o->exponents) {
        const auto refused = [&](const char* remedy) {
            return [=] { return Fault(PG_ERROR_VALUE, "exponents", "", "exponents holds " + short_number(e), remedy); };
        };
        require(e >= 0 && std::isfinite(e), refused("each must be finite and not negative"));
        require(e <= 1000, refused("of a power above 1000 nothing is left but 0 and 1"));
    }
    const int64_t needed = o->border == PG_BORDER_REFLECT ? o->window_size / 2 + 1 : o->window_size;
    require(height >= needed && width >= needed, [&] {
        // Of images that are reduced first, no size may do: the larger they are, the further they are reduced.
        return Fault(PG_ERROR_TOO_SMALL, "x", "",
                     "images of " + std::to_string(height) + " x " + std::to_string(width) + " are too small for a window of " +
                         std::to_string(o->window_size),
                     "at least " + std::to_string(needed) + " x " + std::to_string(needed) +
                         " is needed; use larger images or a smaller window_size")
            .needing(reduced ? -1 : needed);
    });
}

Region score_region(const pg_ssim_options& o, int64_t height, int64_t width) {
    if (o.border == PG_BORDER_REFLECT) return {height, width, -padded(o), Border::Mirror};
    return {height - o.window_size + 1, width - o.window_size + 1, 0, Border::None};
}

Region map_region(const pg_ssim_options& o, int64_t height, int64_t width) {
    if (o.border == PG_BORDER_CROP) return {height, width, -padded(o), Border::Repeat};
    return score_region(o, height, width);
}

bool needs_range(const pg_images& x, const pg_ssim_options& o) {
    const double largest = kFloat32Values * o.k2 * o.data_range;
    const bool known = (x.dtype == PG_UINT8 && largest >= 255) || (x.dtype == PG_UINT16 && largest >= 65535);
    return !(known && lengths_within(o, kFloat32Lengths) && middle_is_heavy(o));
}

std::vector<PairRange> pair_ranges(const pg_images& x, const pg_images& y, int64_t first) {
    const std::vector<ImageRange> of_x = image_ranges(x), of_y = image_ranges(y);
    std::vector<PairRange> ranges;
    for (size_t i = 0; i < of_x.size(); ++i) {
        for (const ImageRange* range : {&of_x[i], &of_y[i]}) {
            const ImagesInMessages& said = range == &of_x[i] ? kOfX : kOfY;
            require(range->not_finite < 0, [&] { return not_finite(said, first + static_cast<int64_t>(i), range->not_finite); });
        }
        ranges.push_back({std::fmin(of_x[i].low, of_y[i].low), std::fmax(of_x[i].high, of_y[i].high)});
    }
    return ranges;
}

PairRange usual_values(const pg_images& x, const pg_ssim_options& o) {
    const Limits limits(x, o);
    const double most = limits.in_float32 ? std::fmin(limits.largest, kFloat32Largest) : limits.largest;
    const double least = limits.in_float32 ? std::fmax(limits.least, -kFloat32Largest) : limits.least;
    return limits.told_apart(least, most) ? PairRange{least, most} : PairRange{HUGE_VAL, -HUGE_VAL};
}

std::vector<PairPrecision> usual_precision(const pg_images& x, const pg_ssim_options& o) {
    const bool assumed = needs_range(x, o);
    return std::vector<PairPrecision>(static_cast<size_t>(x.count), {0, assumed && !Limits(x, o).in_float32, assumed});
}

std::vector<PairPrecision> pair_precision(const pg_images& x, const pg_ssim_options& o, const std::vector<PairRange>& ranges,
                                          int64_t first) {
    std::vector<PairPrecision> precision(static_cast<size_t>(x.count), PairPrecision{0, false, false});
    if (!needs_range(x, o)) return precision;
    const Limits limits(x, o);
    for (size_t i = 0; i < precision.size(); ++i) {
        const double lo = ranges[i].low, hi = ranges[i].high;
        const int64_t image = first + static_cast<int64_t>(i);
        require(limits.told_apart(lo, hi), [&] {
            return Fault(PG_ERROR_MISMATCH, "data_range", "",
                         "image " + std::to_string(image) + " of x and y has values from " + short_number(lo) + " to " + short_number(hi) +
                             ", too far apart for data_range=" + short_number(o.data_range) + " and k2=" + short_number(o.k2),
                         "correct the range, or replace fill values by ones inside it")
                .in_image(image);
        });
        // Values about zero need no shift, and then luminance is as exact as they are; one far from zero is subtracted, an integer
        // from integers, so that their sums stay exact.
        const bool near = hi <= limits.largest && lo >= limits.least, one_side = lo > 0 || hi < 0;
        const double middle = x.dtype <= PG_UINT16 ? std::floor((lo + hi) / 2) : (lo + hi) / 2;
        const bool fits = near || (one_side && hi - middle <= limits.largest);
        precision[i] = {near || !one_side ? 0 : middle, !(limits.in_float32 && fits && hi <= kFloat32Largest && -lo <= kFloat32Largest),
                        false};
    }
    return precision;
}

std::vector<PairPrecision> pair_precision(const pg_images& x, const pg_images& y, const pg_ssim_options& o, int64_t first) {
    const bool read = needs_range(x, o);
    return pair_precision(x, o, read ? pair_ranges(x, y, first) : std::vector<PairRange>{}, first);
}

}  // namespace pixelgauge
