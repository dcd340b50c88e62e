// SSIM begins before it knows the range of a pair and sees it on the way; with a map it is read first. Both give the same bits and
// refuse the same values, wherever the one value lies that makes the difference.
#include <pixelgauge/pixelgauge.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "check.h"

namespace {

const char* const kIsas[] = {"baseline", "avx2", "avx512"};
std::mt19937 noise(11);

double uniform() { return static_cast<double>(noise() % 100001) / 100000; }

// Images [count][height][width][3] of some range, as pixels of three or four elements in rows with a gap; what lies between is junk.
template <class T>
struct Batch {
    std::vector<T> values;
    pg_images images{};

    Batch(pg_dtype dtype, int64_t count, int64_t height, int64_t width, bool rgbx, double low, double high, T junk) {
        const int64_t slots = rgbx ? 4 : 3, row = width * slots + 5, item = sizeof(T);
        values.assign(static_cast<size_t>(count * height * row), junk);
        images = {values.data(), dtype, count, height, width, 3, height * row * item, row * item, slots * item, item};
        for (int64_t n = 0; n < count; ++n)
            for (int64_t r = 0; r < height; ++r)
                for (int64_t c = 0; c < width; ++c)
                    for (int64_t k = 0; k < 3; ++k) at(n, r, c, k) = static_cast<T>(low + (high - low) * uniform());
    }

    T& at(int64_t image, int64_t row, int64_t column, int64_t channel) {
        const int64_t bytes =
            image * images.count_stride + row * images.row_stride + column * images.column_stride + channel * images.channel_stride;
        return values[static_cast<size_t>(bytes) / sizeof(T)];
    }
};

struct Result {
    pg_status status;
    std::vector<double> scores;
    pg_error error{};
    std::string message;
};

Result scored(const pg_images& x, const pg_images& y, const pg_ssim_options& o, bool range_first) {
    Result found;
    int64_t height = 0, width = 0;
    CHECK(pg_ssim_map_size(&x, &o, &height, &width) == PG_OK);
    std::vector<double> map(static_cast<size_t>(x.count * height * width * x.channels));
    pg_ssim_outputs outputs{};
    outputs.map = map.data();
    found.scores.assign(static_cast<size_t>(x.count), -7);
    found.status = pg_ssim(&x, &y, &o, found.scores.data(), range_first ? &outputs : nullptr);
    for (const double score : found.scores) CHECK(found.status != PG_OK || std::isfinite(score));
    if (found.status != PG_OK) {
        pg_error_info(&found.error);
        found.message = pg_last_error();
    }
    return found;
}

void same_either_way(const pg_images& x, const pg_images& y, const pg_ssim_options& o) {
    const Result before = scored(x, y, o, true), meanwhile = scored(x, y, o, false);
    CHECK(before.status == meanwhile.status && before.message == meanwhile.message);
    CHECK(before.error.kind == meanwhile.error.kind && before.error.image == meanwhile.error.image &&
          before.error.row == meanwhile.error.row);
    CHECK(before.status != PG_OK || std::memcmp(before.scores.data(), meanwhile.scores.data(), before.scores.size() * sizeof(double)) == 0);
    // and in one pass with others, whose limits differ
    pg_ssim_options other = o;
    other.k2 *= 0.4;
    other.covariance = PG_COVARIANCE_SAMPLE;
    std::vector<double> first(static_cast<size_t>(x.count)), second(first);
    const pg_score_request requests[] = {{PG_METRIC_SSIM, &o, nullptr, first.data()}, {PG_METRIC_SSIM, &other, nullptr, second.data()}};
    const pg_status status = pg_scores(&x, &y, requests, 2);
    const Result of_other = scored(x, y, other, true);
    CHECK((status == PG_OK) == (before.status == PG_OK && of_other.status == PG_OK));
    if (status != PG_OK) return;
    CHECK(std::memcmp(first.data(), before.scores.data(), first.size() * sizeof(double)) == 0);
    CHECK(std::memcmp(second.data(), of_other.scores.data(), second.size() * sizeof(double)) == 0);
}

std::vector<pg_ssim_options> options_of(double range) {
    pg_ssim_options wang;
    pg_ssim_defaults(&wang, range);
    std::vector<pg_ssim_options> all(6, wang);
    all[1].border = PG_BORDER_REFLECT;
    all[2].window = PG_WINDOW_UNIFORM;
    all[2].window_size = 7;
    all[3].window_size = 13;
    all[4].window_size = 3;  // float64
    all[4].window = PG_WINDOW_UNIFORM;
    all[5].window_size = 9;
    return all;
}

// One value of one image of a batch, at corners, edges and seams of strips and bands, changed for values that are unusual or none.
template <class T>
void one_value(pg_dtype dtype, double range, const std::vector<double>& values, T junk) {
    constexpr int64_t kHeight = 140, kWidth = 530;  // more than a band, more than a strip
    const int64_t rows[] = {0, 1, 127, 128, 138, kHeight - 1}, columns[] = {0, 1, 259, 260, 270, kWidth - 1};
    for (const bool rgbx : {false, true}) {
        Batch<T> x(dtype, 2, kHeight, kWidth, rgbx, 0, range, junk), y(dtype, 2, kHeight, kWidth, rgbx, 0, range, junk);
        const std::vector<pg_ssim_options> all = options_of(range);
        for (const double value : values) {
            Batch<T>& of = noise() % 2 ? x : y;
            T& changed = of.at(noise() % 2, rows[noise() % 6], columns[noise() % 6], noise() % 3);
            const T kept = changed;
            changed = static_cast<T>(value);
            same_either_way(x.images, y.images, all[noise() % all.size()]);
            changed = kept;
        }
    }
}

// Whole images of all kinds of ranges in one batch.
template <class T>
void mixed_batch(pg_dtype dtype, double range, const std::vector<double>& lows, T junk) {
    constexpr int64_t kHeight = 33, kWidth = 61;
    const int64_t count = static_cast<int64_t>(lows.size());
    Batch<T> x(dtype, count, kHeight, kWidth, false, 0, range, junk), y(dtype, count, kHeight, kWidth, true, 0, range, junk);
    for (int64_t n = 0; n < count; ++n)
        for (int64_t r = 0; r < kHeight; ++r)
            for (int64_t c = 0; c < kWidth; ++c)
                for (int64_t k = 0; k < 3; ++k) {
                    x.at(n, r, c, k) = static_cast<T>(lows[static_cast<size_t>(n)] + range * uniform());
                    y.at(n, r, c, k) = static_cast<T>(lows[static_cast<size_t>(n)] + range * uniform());
                }
    for (const pg_ssim_options& o : options_of(range)) same_either_way(x.images, y.images, o);
}

template <class T>
void floats(pg_dtype dtype) {
    const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
    one_value<T>(dtype, 1, {nan, infinity, -infinity, 1.19, 1.21, -0.049, -0.051, -0.0, 3e3, -3e3, 1e30, -1e30}, static_cast<T>(nan));
    one_value<T>(dtype, 1, {nan, 1.3}, static_cast<T>(1e30));
    mixed_batch<T>(dtype, 1, {0, 0.1, 0.5, 1000, -1000, 0, -0.5, 1e5}, static_cast<T>(nan));
}

}  // namespace

int main() {
    for (const char* isa : kIsas) {
        if (!pg_has_isa(isa)) continue;
        CHECK(pg_set_isa(isa) == PG_OK && pg_set_num_threads(3) == PG_OK);
        floats<float>(PG_FLOAT32);
        floats<double>(PG_FLOAT64);
        one_value<uint16_t>(PG_UINT16, 4095, {4096, 4914, 4915, 65535}, 65535);  // 12 bits among 16
        mixed_batch<uint16_t>(PG_UINT16, 4095, {0, 1000, 40000, 0}, 65535);
        one_value<uint8_t>(PG_UINT8, 100, {121, 119, 255}, 255);
    }
    return failures != 0;
}
