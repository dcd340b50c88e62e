// Every instruction set that this CPU has against baseline, kernel by kernel, over sizes around every register width.
#include <pixelgauge/pixelgauge.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "check.h"

namespace {

const char* const kIsas[] = {"baseline", "avx2", "avx512"};

double range(pg_dtype dtype) { return dtype == PG_UINT16 ? 65535 : 255; }

template <class T>
struct Pair {
    std::vector<T> x, y;
    pg_images a{}, b{};

    Pair(pg_dtype dtype, int64_t count, int64_t height, int64_t width, int64_t channels, unsigned seed) {
        std::mt19937 random(seed);
        const size_t n = static_cast<size_t>(count * height * width * channels);
        const int step = static_cast<int>(range(dtype)) / 255;
        for (size_t i = 0; i < n; ++i) {
            const int v = static_cast<int>(random() % 256), w = v + static_cast<int>(random() % 41) - 20;
            x.push_back(static_cast<T>(v * step));
            y.push_back(static_cast<T>((w < 0 ? 0 : w > 255 ? 255 : w) * step));
        }
        const int64_t item = sizeof(T);
        a = {x.data(),        dtype, count, height, width, channels, height * width * channels * item, width * channels * item,
             channels * item, item};
        b = a;
        b.data = y.data();
    }
};

template <class T>
void compare(pg_dtype dtype) {
    // 1e-6: one float32 rounding apart per moment, with and without fused multiply-add; float64 agrees to its own rounding.
    const double tolerance = dtype == PG_FLOAT64 ? 1e-12 : 1e-6;
    for (const int window : {7, 11, 9})
        for (const int64_t channels : {1, 2, 3, 4, 5})
            for (int64_t width = window; width < window + 70; width += width < window + 36 ? 1 : 7) {
                const int64_t height = window + width % 19;
                const Pair<T> p(dtype, 1, height, width, channels, static_cast<unsigned>(width * 7 + channels));
                pg_ssim_options o;
                pg_ssim_defaults(&o, range(dtype));
                o.window_size = window;
                o.window = window == 7 ? PG_WINDOW_UNIFORM : PG_WINDOW_GAUSSIAN;
                o.border = width % 2 ? PG_BORDER_REFLECT : PG_BORDER_VALID;
                double expected_ssim = 0, expected_mse = 0;
                for (const char* isa : kIsas) {
                    if (!pg_has_isa(isa)) continue;
                    CHECK(pg_set_isa(isa) == PG_OK);
                    const char* running = nullptr;
                    CHECK(pg_isa(&running) == PG_OK && std::strcmp(running, isa) == 0);
                    double ssim = -2, mse = -1;
                    CHECK(pg_ssim(&p.a, &p.b, &o, &ssim, nullptr) == PG_OK);
                    CHECK(pg_mse(&p.a, &p.b, &mse) == PG_OK);
                    if (std::strcmp(isa, "baseline") == 0) {
                        expected_ssim = ssim;
                        expected_mse = mse;
                        double plain = 0;
                        for (size_t i = 0; i < p.x.size(); ++i)
                            plain += (double(p.x[i]) - double(p.y[i])) * (double(p.x[i]) - double(p.y[i]));
                        CHECK(mse == plain / static_cast<double>(p.x.size()));  // integers below 2^53: exact
                    }
                    CHECK(std::fabs(ssim - expected_ssim) <= tolerance);
                    CHECK(mse == expected_mse);
                }
            }
}

// Widths around every register and around the densities where the kernel changes its way along a row.
void compare_resizing() {
    for (int64_t in = 1; in < 90; in += in < 40 ? 1 : 7)
        for (const int64_t out : {1, 3, 8, 15, 16, 17, 33, 40})
            for (int rule = PG_RESIZE_HALF_PIXEL; rule <= PG_RESIZE_BICUBIC; ++rule) {
                const Pair<uint8_t> p(PG_UINT8, 1, 1 + in % 5, in, 3, static_cast<unsigned>(in * 100 + out));
                const int64_t height = 1 + out % 7;
                std::vector<float> expected(static_cast<size_t>(3 * height * out)), value(expected.size());
                for (const char* isa : kIsas) {
                    if (!pg_has_isa(isa)) continue;
                    CHECK(pg_set_isa(isa) == PG_OK);
                    float* const to = std::strcmp(isa, "baseline") == 0 ? expected.data() : value.data();
                    CHECK(pg_resize(&p.a, static_cast<pg_resize_rule>(rule), height, out, 1, 0, -1e9, 1e9, to) == PG_OK);
                    // A few roundings of sums below 512: 512 * 2^-24 each.
                    if (to == value.data())
                        for (size_t i = 0; i < value.size(); ++i) CHECK(std::fabs(value[i] - expected[i]) < 5e-4F);
                }
            }
}

void unknown_isas_are_refused() {
    CHECK(pg_set_isa("sse9") == PG_UNSUPPORTED);
    CHECK(std::string(pg_last_error()).find("'sse9' is not an instruction set") != std::string::npos);
    for (const char* isa : kIsas)
        if (!pg_has_isa(isa)) CHECK(pg_set_isa(isa) == PG_UNSUPPORTED);
    CHECK(pg_has_isa(nullptr) == 0);
}

}  // namespace

int main() {
    compare<uint8_t>(PG_UINT8);
    compare<uint16_t>(PG_UINT16);
    compare<float>(PG_FLOAT32);
    compare<double>(PG_FLOAT64);
    compare_resizing();
    unknown_isas_are_refused();
    return failures != 0;
}
