// Scores a picture against a noisy copy of itself, with the pixels where they lie. See docs/reference/c-api.md.
#include <cstdint>
#include <cstdio>
#include <pixelgauge/pixelgauge.hpp>
#include <random>
#include <vector>

int main() {
    constexpr int height = 480, width = 640, channels = 3;
    std::vector<std::uint8_t> picture, noisy;
    std::mt19937 random(7);
    for (int i = 0; i < height * width * channels; ++i) {
        const int value = (i / channels % width + i / channels / width) % 200;
        picture.push_back(static_cast<std::uint8_t>(value));
        noisy.push_back(static_cast<std::uint8_t>(value + static_cast<int>(random() % 21)));
    }
    const auto x = pixelgauge::Image::interleaved(picture.data(), height, width, channels);
    const auto y = pixelgauge::Image::interleaved(noisy.data(), height, width, channels);
    try {
        std::printf("psnr %.3f dB\nssim %.6f\nms-ssim %.6f\n", pixelgauge::psnr(x, y), pixelgauge::ssim(x, y), pixelgauge::ms_ssim(x, y));
    } catch (const pixelgauge::Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
