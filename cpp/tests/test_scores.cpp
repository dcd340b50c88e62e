// Many metrics in one pass give the bits that each gives alone, and no bit of any depends on how pixels lie: over shapes, dtypes,
// layouts, options, threads and instruction sets.
#include <pixelgauge/pixelgauge.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "laid.h"

namespace {

std::mt19937 noise(7);

template <class T>
std::vector<T> drawn(size_t n, double top) {
    std::vector<T> values;
    for (size_t i = 0; i < n; ++i) values.push_back(static_cast<T>(top * static_cast<double>(noise() % 100001) / 100000));
    return values;
}

constexpr size_t kGeneralForm = 6;

// Options that share moments, that share them but for one constant, and that share nothing.
std::vector<pg_ssim_options> ssim_settings(double range) {
    pg_ssim_options wang;
    pg_ssim_defaults(&wang, range);
    std::vector<pg_ssim_options> all(11, wang);
    all[1].covariance = PG_COVARIANCE_SAMPLE;
    all[1].border = PG_BORDER_CROP;
    all[2].border = PG_BORDER_REFLECT;
    all[3].window = PG_WINDOW_UNIFORM;
    all[3].window_size = 7;
    all[4].downsample = PG_DOWNSAMPLE_MATLAB;
    all[5].k1 = 0.02;
    all[kGeneralForm].exponents[1] = 0.5;
    all[7].window = PG_WINDOW_UNIFORM;
    all[8].k2 = 1e-4;  // float64
    all[9].window_size = 9;
    all[10].window_size = 5;
    all[10].sigma = 1;
    return all;
}

const double kWeights[] = {0.3, 0.3, 0.4};

struct Settings {
    std::vector<pg_ssim_options> ssim;
    std::vector<pg_ms_ssim_options> ms_ssim;
    explicit Settings(double range) : ssim(ssim_settings(range)) {
        pg_ssim_options sample = ssim[0];
        sample.covariance = PG_COVARIANCE_SAMPLE;
        pg_ssim_options seven = ssim[3];
        ms_ssim = {{ssim[0], kWeights, 2, PG_PYRAMID_WANG, PG_COMBINE_PRODUCT, 0},
                   {ssim[0], kWeights, 3, PG_PYRAMID_POOL, PG_COMBINE_SUM, 1},
                   {sample, kWeights, 1, PG_PYRAMID_WANG, PG_COMBINE_PRODUCT, 0},
                   {ssim[0], kWeights, 1, PG_PYRAMID_WANG, PG_COMBINE_SUM, 0},
                   {seven, kWeights, 2, PG_PYRAMID_WANG, PG_COMBINE_SUM, 0}};
    }
};

// All metrics of a pair by the functions of their own: [metric][pair].
std::vector<double> alone(const pg_images& x, const pg_images& y, const Settings& settings) {
    const size_t n = static_cast<size_t>(x.count);
    std::vector<double> values((2 + settings.ssim.size() + settings.ms_ssim.size()) * n);
    double* to = values.data();
    CHECK(pg_mse(&x, &y, to) == PG_OK);
    CHECK(pg_mae(&x, &y, to += n) == PG_OK);
    for (const pg_ssim_options& o : settings.ssim) CHECK(pg_ssim(&x, &y, &o, to += n, nullptr) == PG_OK);
    for (const pg_ms_ssim_options& o : settings.ms_ssim) CHECK(pg_ms_ssim(&x, &y, &o, to += n) == PG_OK);
    return values;
}

std::vector<pg_score_request> requests_of(const Settings& settings) {
    std::vector<pg_score_request> requests{{PG_METRIC_MSE, nullptr, nullptr, nullptr}, {PG_METRIC_MAE, nullptr, nullptr, nullptr}};
    for (const pg_ssim_options& o : settings.ssim) requests.push_back({PG_METRIC_SSIM, &o, nullptr, nullptr});
    for (const pg_ms_ssim_options& o : settings.ms_ssim) requests.push_back({PG_METRIC_MS_SSIM, nullptr, &o, nullptr});
    return requests;
}

// Some of the metrics, at random and in a random order, against what each was alone.
void some_together(const pg_images& x, const pg_images& y, const Settings& settings, const std::vector<double>& expected, size_t most) {
    const size_t n = static_cast<size_t>(x.count);
    const std::vector<pg_score_request> all = requests_of(settings);
    std::vector<size_t> chosen;
    while (chosen.size() < most) chosen.push_back(noise() % all.size());
    std::vector<double> values(chosen.size() * n, -7);
    std::vector<pg_score_request> requests;
    for (size_t i = 0; i < chosen.size(); ++i) {
        requests.push_back(all[chosen[i]]);
        requests.back().values = &values[i * n];
    }
    CHECK(pg_scores(&x, &y, requests.data(), static_cast<int32_t>(requests.size())) == PG_OK);
    for (size_t i = 0; i < chosen.size(); ++i)
        if (std::memcmp(&values[i * n], &expected[chosen[i] * n], n * sizeof(double)) != 0) {
            std::fprintf(stderr, "metric %d of %d x %d x %d, dtype %d: %.17g, alone %.17g\n", int(chosen[i]), int(x.height), int(x.width),
                         int(x.channels), int(x.dtype), values[i * n], expected[chosen[i] * n]);
            ++failures;
        }
}

template <class T>
void compare(pg_dtype dtype, double top) {
    const Settings settings(top);
    for (const char* isa : kIsas) {
        if (!pg_has_isa(isa)) continue;
        CHECK(pg_set_isa(isa) == PG_OK);
        for (const int64_t channels : {1, 2, 3, 4, 5})
            for (const int64_t width : {44, 45, 63, 64, 65, 97, 530})
                for (const int64_t count : {1, 3}) {
                    if (width == 530 && (count == 3 || channels == 2)) continue;
                    const int64_t height = width == 530 ? 150 : 44 + width % 7;
                    const size_t n = static_cast<size_t>(count * height * width * channels);
                    const std::vector<T> p = drawn<T>(n, top), q = drawn<T>(n, top);
                    const Laid<T> x(p, dtype, kPacked, count, height, width, channels),
                        y(q, dtype, kPacked, count, height, width, channels);
                    CHECK(pg_set_num_threads(1) == PG_OK);
                    const std::vector<double> expected = alone(x.images, y.images, settings);
                    for (const size_t most : {size_t{1}, size_t{3}, size_t{6}, size_t{30}})
                        some_together(x.images, y.images, settings, expected, most);
                    CHECK(pg_set_num_threads(3) == PG_OK);
                    some_together(x.images, y.images, settings, expected, 5);
                    for (int layout = kPlanes; layout < kLayouts; ++layout) {
                        const Layout of_x = static_cast<Layout>(layout),
                                     of_y = noise() % 3 ? of_x : static_cast<Layout>(noise() % kLayouts);
                        const Laid<T> u(p, dtype, of_x, count, height, width, channels), v(q, dtype, of_y, count, height, width, channels);
                        // the factors of the general form are summed over channels that lie side by side, window by window
                        std::vector<double> in_layout = expected;
                        const size_t general = 2 + kGeneralForm;
                        CHECK(pg_ssim(&u.images, &v.images, &settings.ssim[kGeneralForm], &in_layout[general * static_cast<size_t>(count)],
                                      nullptr) == PG_OK);
                        some_together(u.images, v.images, settings, in_layout, width == 530 ? 2 : 7);
                        double low = 0, high = 0, expected_low = 0, expected_high = 0;
                        CHECK(pg_value_range(&u.images, &low, &high) == PG_OK);
                        CHECK(pg_value_range(&x.images, &expected_low, &expected_high) == PG_OK);
                        CHECK(low == expected_low && high == expected_high);
                    }
                }
    }
}

// Against sums in long double.
template <class T>
void errors_are_right(pg_dtype dtype, double top) {
    for (const char* isa : kIsas) {
        if (!pg_has_isa(isa)) continue;
        CHECK(pg_set_isa(isa) == PG_OK);
        for (int64_t width = 1; width < 150; width += width < 70 ? 1 : 13)
            for (const int64_t channels : {1, 3, 4, 6}) {
                const int64_t height = 1 + width % 70;
                const size_t n = static_cast<size_t>(height * width * channels);
                const std::vector<T> p = drawn<T>(n, top), q = drawn<T>(n, top);
                long double squares = 0, distances = 0;
                for (size_t i = 0; i < n; ++i) {
                    const long double d = static_cast<long double>(p[i]) - static_cast<long double>(q[i]);
                    squares += d * d;
                    distances += d < 0 ? -d : d;
                }
                for (int layout = kPacked; layout < kLayouts; ++layout) {
                    const Laid<T> x(p, dtype, static_cast<Layout>(layout), 1, height, width, channels),
                        y(q, dtype, static_cast<Layout>(layout), 1, height, width, channels);
                    double mse = -1, mae = -1;
                    CHECK(pg_mse(&x.images, &y.images, &mse) == PG_OK && pg_mae(&x.images, &y.images, &mae) == PG_OK);
                    // integers are exact; chains of 64 rows by 10 columns round each addition by 2^-53 at most
                    const double tolerance = dtype <= PG_UINT16 ? 0 : 1e-13;
                    const double exact_mse = static_cast<double>(squares) / static_cast<double>(n),
                                 exact_mae = static_cast<double>(distances) / static_cast<double>(n);
                    CHECK(std::fabs(mse - exact_mse) <= tolerance * exact_mse);
                    CHECK(std::fabs(mae - exact_mae) <= tolerance * exact_mae);
                }
            }
    }
}

template <class T>
struct IntegerPair {
    std::vector<T> x, y;
    uint64_t squares = 0, distances = 0;

    // All at one end against all at the other, or anything against anything with many of both ends.
    IntegerPair(size_t n, int pattern) {
        constexpr T top = std::numeric_limits<T>::max();
        const auto any = [] { return noise() % 4 ? static_cast<T>(noise()) : noise() % 2 ? top : T{0}; };
        for (size_t i = 0; i < n; ++i) {
            x.push_back(pattern == 0 ? T{0} : pattern == 1 ? top : any());
            y.push_back(pattern == 0 ? top : pattern == 1 ? T{0} : any());
            const uint64_t d = x[i] < y[i] ? uint64_t{y[i]} - x[i] : uint64_t{x[i]} - y[i];
            squares += d * d;
            distances += d;
        }
    }

    void is_summed_exactly(pg_dtype dtype, Layout layout, int64_t height, int64_t width, int64_t channels) const {
        const Laid<T> u(x, dtype, layout, 1, height, width, channels), v(y, dtype, layout, 1, height, width, channels);
        const double n = static_cast<double>(x.size());
        for (const char* isa : kIsas) {
            if (!pg_has_isa(isa)) continue;
            double mse = -1, mae = -1;
            CHECK(pg_set_isa(isa) == PG_OK && pg_mse(&u.images, &v.images, &mse) == PG_OK && pg_mae(&u.images, &v.images, &mae) == PG_OK);
            if (mse == static_cast<double>(squares) / n && mae == static_cast<double>(distances) / n) continue;
            std::fprintf(stderr, "errors of %d x %d x %d, dtype %d, layout %d, %s: %.17g and %.17g\n", int(height), int(width),
                         int(channels), int(dtype), int(layout), isa, mse, mae);
            ++failures;
        }
    }
};

// Integers have one sum, which is rounded once: of every width, and where it is beyond 2^53 or the kernels empty their sums in a row.
template <class T>
void integers_are_exact(pg_dtype dtype) {
    const auto in_layouts = [&](int64_t height, int64_t width, int64_t channels, int pattern) {
        const IntegerPair<T> pair(static_cast<size_t>(height * width * channels), pattern);
        for (int layout = kPacked; layout < kLayouts; ++layout)
            pair.is_summed_exactly(dtype, static_cast<Layout>(layout), height, width, channels);
    };
    for (int pattern = 0; pattern < 3; ++pattern)
        for (int64_t width = 1; width <= 200; ++width)
            for (const int64_t channels : {1, 2, 3, 4, 6}) in_layouts(1 + width % 3, width, channels, pattern);
    in_layouts(1, 1500001, 3, 2);
    in_layouts(2, 2200001, 1, 0);
    in_layouts(1201, 1203, 3, 1);
}

void bad_requests() {
    const std::vector<float> p = drawn<float>(64 * 64, 1), q = drawn<float>(64 * 64, 1);
    Laid<float> x(p, PG_FLOAT32, kPacked, 1, 64, 64, 1), y(q, PG_FLOAT32, kPacked, 1, 64, 64, 1);
    const Settings settings(1);
    double value = -7, other = -7;
    const auto refused = [&](pg_score_request bad, pg_error_kind kind, const char* text) {
        const pg_score_request requests[] = {{PG_METRIC_MSE, nullptr, nullptr, &other}, bad};
        const pg_status status = pg_scores(&x.images, &y.images, requests, 2);
        pg_error error;
        pg_error_info(&error);
        return status == PG_INVALID_ARGUMENT && error.kind == kind && std::string(pg_last_error()).find(text) != std::string::npos &&
               value == -7 && other == -7;
    };
    CHECK(refused({7, nullptr, nullptr, &value}, PG_ERROR_VALUE, "metric=7"));
    CHECK(refused({PG_METRIC_SSIM, nullptr, nullptr, &value}, PG_ERROR_MISSING, "ssim"));
    CHECK(refused({PG_METRIC_MS_SSIM, nullptr, nullptr, &value}, PG_ERROR_MISSING, "ms_ssim"));
    CHECK(refused({PG_METRIC_MAE, nullptr, nullptr, nullptr}, PG_ERROR_MISSING, "values"));
    pg_ssim_options even = settings.ssim[0];
    even.window_size = 8;
    CHECK(refused({PG_METRIC_SSIM, &even, nullptr, &value}, PG_ERROR_VALUE, "window_size=8"));
    pg_ms_ssim_options deep = settings.ms_ssim[1];
    const double five[] = {1, 1, 1, 1, 1};
    deep.weights = five;
    deep.scales = 5;
    CHECK(refused({PG_METRIC_MS_SSIM, nullptr, &deep, &value}, PG_ERROR_TOO_SMALL, "too small for 5 scales"));
    CHECK(pg_scores(&x.images, &y.images, nullptr, 1) == PG_INVALID_ARGUMENT);
    const pg_score_request good{PG_METRIC_SSIM, &settings.ssim[0], nullptr, &value};
    CHECK(pg_scores(&x.images, &y.images, &good, 0) == PG_INVALID_ARGUMENT);
    const_cast<float*>(static_cast<const float*>(y.images.data))[64 + 3 + 3] = NAN;
    CHECK(pg_scores(&x.images, &y.images, &good, 1) == PG_INVALID_ARGUMENT);
    pg_error error;
    pg_error_info(&error);
    CHECK(error.kind == PG_ERROR_NOT_FINITE && std::string(error.argument) == "y" && error.image == 0 && error.row == 1);
}

}  // namespace

int main() {
    errors_are_right<uint8_t>(PG_UINT8, 255);
    errors_are_right<uint16_t>(PG_UINT16, 65535);
    errors_are_right<float>(PG_FLOAT32, 1);
    errors_are_right<double>(PG_FLOAT64, 1);
    integers_are_exact<uint8_t>(PG_UINT8);
    integers_are_exact<uint16_t>(PG_UINT16);
    compare<uint8_t>(PG_UINT8, 255);
    compare<uint16_t>(PG_UINT16, 65535);
    compare<float>(PG_FLOAT32, 1);
    compare<double>(PG_FLOAT64, 1);
    bad_requests();
    return failures != 0;
}
