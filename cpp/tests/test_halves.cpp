// Reduced images are the plain sums of their blocks to the last bit: 2 x 2, which kernels sum, and a few others, over sizes, dtypes,
// layouts, edges, threads and instruction sets.
#include <cmath>
#include <cstring>
#include <random>

#include "check.h"
#include "image/downsample.h"
#include "laid.h"

using namespace pixelgauge;

namespace {

std::mt19937 noise(11);

// Floats of magnitudes that differ by up to 2^60, so that every other order of additions would show.
template <class T>
std::vector<T> drawn(size_t n) {
    std::vector<T> values;
    for (size_t i = 0; i < n; ++i) {
        const double v = std::ldexp(static_cast<double>(noise()) - 2147483648.0, static_cast<int>(noise() % 60) - 60);
        values.push_back(std::is_integral<T>::value ? static_cast<T>(noise()) : static_cast<T>(v));
    }
    return values;
}

int64_t repeated(int64_t i, int64_t n) {
    while (i < 0 || i >= n) i = i < 0 ? -1 - i : 2 * n - 1 - i;
    return i;
}

// A reduced plane of packed pixels, by row after row of each block.
template <class T, class Sum, class Out>
std::vector<Out> plain(const std::vector<T>& pixels, const pg_images& x, int64_t image, int64_t channel, Axis rows, Axis columns,
                       Outside outside) {
    std::vector<Out> plane;
    for (int64_t i = 0; i < rows.outputs; ++i)
        for (int64_t k = 0; k < columns.outputs; ++k) {
            Sum sum = 0;
            for (int64_t r = i * rows.factor + rows.offset; r < (i + 1) * rows.factor + rows.offset; ++r)
                for (int64_t c = k * columns.factor + columns.offset; c < (k + 1) * columns.factor + columns.offset; ++c) {
                    if (outside == Outside::Zero && (r < 0 || r >= x.height || c < 0 || c >= x.width)) continue;
                    const int64_t at = (image * x.height + repeated(r, x.height)) * x.width + repeated(c, x.width);
                    sum += static_cast<Sum>(pixels[static_cast<size_t>(at * x.channels + channel)]);
                }
            const double factor = std::is_integral<Out>::value ? 1 : 1 / static_cast<double>(rows.factor * columns.factor);
            plane.push_back(static_cast<Out>(static_cast<double>(sum) * factor));
        }
    return plane;
}

template <class T, class Sum, class Out>
void reduce(pg_dtype dtype, int64_t count, int64_t height, int64_t width, int64_t channels, Axis rows, Axis columns, Outside outside) {
    const std::vector<T> pixels = drawn<T>(static_cast<size_t>(count * height * width * channels));
    for (int layout = kPacked; layout < kLayouts; ++layout) {
        const Laid<T> x(pixels, dtype, static_cast<Layout>(layout), count, height, width, channels);
        for (const char* isa : kIsas) {
            if (!pg_has_isa(isa)) continue;
            CHECK(pg_set_isa(isa) == PG_OK);
            Reduced reduced;
            reduced.reduce(x.images, rows, columns, outside);
            const pg_images& to = reduced.images();
            CHECK(to.count == count && to.height == rows.outputs && to.width == columns.outputs && to.channels == channels);
            CHECK(reduced.scale() == (dtype == PG_UINT8 ? static_cast<double>(rows.factor * columns.factor) : 1));
            for (int64_t n = 0; n < count; ++n)
                for (int64_t c = 0; c < channels; ++c) {
                    const std::vector<Out> expected = plain<T, Sum, Out>(pixels, x.images, n, c, rows, columns, outside);
                    const char* const plane = static_cast<const char*>(to.data) + n * to.count_stride + c * to.channel_stride;
                    if (std::memcmp(plane, expected.data(), expected.size() * sizeof(Out)) == 0) continue;
                    std::fprintf(stderr, "channel %d of %d x %d x %d, dtype %d, layout %d, %s\n", int(c), int(height), int(width),
                                 int(channels), int(dtype), layout, isa);
                    ++failures;
                }
        }
    }
}

template <class T, class Sum, class Out>
void reduce_all(pg_dtype dtype) {
    for (int64_t width = 1; width < 140; width += width < 70 ? 1 : 13)
        for (const int64_t channels : {1, 2, 3, 4, 5}) {
            const int64_t height = 1 + (width + channels) % 6;
            const int64_t count = width % 16 == 0 ? 2 : 1;
            const auto halves = [](int64_t n, int64_t offset) { return Axis{2, offset, (n + 1) / 2}; };
            for (const Outside outside : {Outside::Repeat, Outside::Zero})
                for (const int64_t offset : {0, -1})
                    reduce<T, Sum, Out>(dtype, count, height, width, channels, halves(height, -(height % 2)), halves(width, offset),
                                        outside);
            if (width % 7 != 0) continue;
            reduce<T, Sum, Out>(dtype, 1, 75, width, channels, halves(75, 0), halves(width, 0), Outside::Repeat);  // several bands
            if (std::is_floating_point<T>::value) continue;  // other blocks are summed down their columns first
            reduce<T, Sum, Out>(dtype, 1, height, width, channels, {2, 0, (height + 1) / 2}, {3, -1, (width + 2) / 3}, Outside::Repeat);
        }
}

}  // namespace

int main() {
    for (const int threads : {1, 3}) {
        CHECK(pg_set_num_threads(threads) == PG_OK);
        reduce_all<uint8_t, uint32_t, uint16_t>(PG_UINT8);
        reduce_all<uint16_t, uint32_t, float>(PG_UINT16);
        reduce_all<float, double, float>(PG_FLOAT32);
        reduce_all<double, double, double>(PG_FLOAT64);
    }
    return failures != 0;
}
