// The C ABI as a C++ program uses it: through the wrapper, with errors that name the argument.
#include <pixelgauge/pixelgauge.h>

#include <cstdint>
#include <pixelgauge/pixelgauge.hpp>
#include <string>
#include <vector>

#include "check.h"

namespace {

bool message_has(const char* text) { return std::string(pg_last_error()).find(text) != std::string::npos; }

void the_wrapper_scores_and_throws() {
    std::vector<uint8_t> x(64 * 48 * 3), y;
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint8_t>(i * 37 % 251);
    y = x;
    const auto a = pixelgauge::Image::interleaved(x.data(), 64, 48, 3), b = pixelgauge::Image::interleaved(y.data(), 64, 48, 3);
    CHECK(pixelgauge::ssim(a, b) == 1.0);
    CHECK(pixelgauge::mse(a, b) == 0.0);
    y[5] = static_cast<uint8_t>(y[5] ^ 64);
    CHECK(pixelgauge::ssim(a, b) < 1.0);
    CHECK(pixelgauge::psnr(a, b) > 40);
    bool thrown = false;
    try {
        pixelgauge::ms_ssim(a, b);
    } catch (const pixelgauge::Error& error) {
        thrown = error.status() == PG_INVALID_ARGUMENT && std::string(error.what()).find("too small for 5 scales") != std::string::npos;
    }
    CHECK(thrown);
}

void bad_arguments() {
    std::vector<uint8_t> x(32 * 32);
    pg_images a{x.data(), PG_UINT8, 1, 32, 32, 1, 1024, 32, 1, 1};
    pg_ssim_options o;
    pg_ssim_defaults(&o, 255);
    double score = 0;
    CHECK(pg_ssim(nullptr, &a, &o, &score, nullptr) == PG_INVALID_ARGUMENT && message_has("x is NULL"));
    CHECK(pg_ssim(&a, &a, nullptr, &score, nullptr) == PG_INVALID_ARGUMENT && message_has("options is NULL"));
    CHECK(pg_ssim(&a, &a, &o, nullptr, nullptr) == PG_INVALID_ARGUMENT && message_has("scores is NULL"));
    pg_images b = a;
    b.width = 31;
    CHECK(pg_ssim(&a, &b, &o, &score, nullptr) == PG_INVALID_ARGUMENT && message_has("1, 32, 32, 1 and 1, 32, 31, 1"));
    b = a;
    b.dtype = static_cast<pg_dtype>(9);
    CHECK(pg_mse(&a, &b, &score) == PG_INVALID_ARGUMENT && message_has("y.dtype=9"));
    b = a;
    b.data = nullptr;
    CHECK(pg_mse(&b, &a, &score) == PG_INVALID_ARGUMENT && message_has("x.data is NULL"));
    b = a;
    b.height = 0;
    CHECK(pg_mse(&b, &a, &score) == PG_INVALID_ARGUMENT && message_has("x is empty"));
    o.window_size = 12;
    CHECK(pg_ssim(&a, &a, &o, &score, nullptr) == PG_INVALID_ARGUMENT && message_has("window_size=12"));
    o.window_size = 11;
    o.window = static_cast<pg_window>(5);
    CHECK(pg_ssim(&a, &a, &o, &score, nullptr) == PG_INVALID_ARGUMENT && message_has("window=5 is not a pg_window"));
    const std::string kept = pg_last_error();
    CHECK(pg_mse(&a, &a, &score) == PG_OK && kept == pg_last_error());
    CHECK(std::string(pg_version()).size() >= 5);
    CHECK(pg_isa(nullptr) == PG_INVALID_ARGUMENT && message_has("name is NULL"));
    CHECK(pg_set_isa(nullptr) == PG_INVALID_ARGUMENT && message_has("name is NULL"));
    CHECK(pg_get_num_threads(nullptr) == PG_INVALID_ARGUMENT && message_has("n is NULL"));
}

}  // namespace

int main() {
    the_wrapper_scores_and_throws();
    bad_arguments();
    return failures != 0;
}
