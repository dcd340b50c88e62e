// Arguments that no valid call has: choices that are none, sizes whose products overflow, numbers beyond all use. Each is an
// error that names the argument; none computes nothing and says PG_OK.
#include <pixelgauge/pixelgauge.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <limits>
#include <pixelgauge/pixelgauge.hpp>
#include <string>
#include <vector>

#include "check.h"

namespace {

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
const int64_t kBadSizes[] = {-5, -1, std::numeric_limits<int64_t>::min(), int64_t{1} << 60, int64_t{1} << 61, int64_t{1} << 62, kHuge};
const int32_t kBadChoices[] = {-1, 99, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
const double kNan = std::nan(""), kInfinity = HUGE_VAL;

bool refused(pg_status status, const char* text) {
    if (status == PG_INVALID_ARGUMENT && std::string(pg_last_error()).find(text) != std::string::npos) return true;
    std::fprintf(stderr, "status %d, '%s' has no '%s'\n", static_cast<int>(status), status == PG_OK ? "" : pg_last_error(), text);
    return false;
}

// Whether f throws pixelgauge::Error and nothing else.
template <class F>
bool throws(F f, pg_status status, const char* text) {
    try {
        f();
    } catch (const pixelgauge::Error& error) {
        return error.status() == status && std::string(error.what()).find(text) != std::string::npos;
    } catch (...) {
    }
    return false;
}

struct Pictures {
    std::vector<float> x = std::vector<float>(8 * 176 * 176), y = x;
    Pictures() {
        for (size_t i = 0; i < x.size(); ++i) {
            x[i] = static_cast<float>(i * 37 % 251) / 255;
            y[i] = x[i] + static_cast<float>(i % 7) / 255;
        }
    }
    pixelgauge::Image a(int64_t count) const { return pixelgauge::Image::interleaved(x.data(), 176, 176, 1, count); }
    pixelgauge::Image b(int64_t count) const { return pixelgauge::Image::interleaved(y.data(), 176, 176, 1, count); }
};

void a_batch_is_a_vector() {
    using namespace pixelgauge;
    const Pictures p;
    const Image a = p.a(8), b = p.b(8);
    const std::vector<double> errors = mse_batch(a, b), decibels = psnr_batch(a, b, 1), scores = ssim_batch(a, b, ssim_options(1)),
                              multi = ms_ssim_batch(a, b, 1);
    CHECK(errors.size() == 8 && decibels.size() == 8 && scores.size() == 8 && multi.size() == 8);
    for (size_t i = 0; i < 8; ++i) {
        Image one = p.a(1), other = p.b(1);
        one.data = p.x.data() + i * 176 * 176;
        other.data = p.y.data() + i * 176 * 176;
        CHECK(mse(one, other) == errors[i] && psnr(one, other, 1) == decibels[i]);
        CHECK(ssim(one, other, ssim_options(1)) == scores[i] && ms_ssim(one, other, 1) == multi[i]);
    }
    for (const int64_t count : {int64_t{8}, int64_t{0}, int64_t{-5}, kHuge, int64_t{1} << 62}) {
        Image x = a, y = b;
        x.count = y.count = count;
        const std::string text = "x.count=" + std::to_string(count);
        CHECK(throws([&] { mse(x, y); }, PG_INVALID_ARGUMENT, text.c_str()));
        CHECK(throws([&] { psnr(x, y, 1); }, PG_INVALID_ARGUMENT, text.c_str()));
        CHECK(throws([&] { ssim(x, y, ssim_options(1)); }, PG_INVALID_ARGUMENT, text.c_str()));
        CHECK(throws([&] { ms_ssim(x, y, 1.0); }, PG_INVALID_ARGUMENT, text.c_str()));
        if (count == 8) continue;
        if (count == 0) {
            CHECK(mse_batch(x, y).empty() && psnr_batch(x, y, 1).empty() && ssim_batch(x, y, ssim_options(1)).empty() &&
                  ms_ssim_batch(x, y, 1).empty());
            continue;
        }
        CHECK(throws([&] { mse_batch(x, y); }, PG_INVALID_ARGUMENT, text.c_str()));
        CHECK(throws([&] { psnr_batch(x, y, 1); }, PG_INVALID_ARGUMENT, text.c_str()));
        CHECK(throws([&] { ssim_batch(x, y, ssim_options(1)); }, PG_INVALID_ARGUMENT, text.c_str()));
        CHECK(throws([&] { ms_ssim_batch(x, y, 1.0); }, PG_INVALID_ARGUMENT, text.c_str()));
    }
    const Image one = p.a(1);
    CHECK(throws([&] { psnr(one, one); }, PG_INVALID_ARGUMENT, "data_range"));
    CHECK(throws([&] { ssim(one, one); }, PG_INVALID_ARGUMENT, "data_range"));
    CHECK(throws([&] { ms_ssim(one, one); }, PG_INVALID_ARGUMENT, "data_range"));
    CHECK(throws([&] { psnr_batch(one, one); }, PG_INVALID_ARGUMENT, "data_range"));
    CHECK(throws([&] { ssim_batch(one, one); }, PG_INVALID_ARGUMENT, "data_range"));
    CHECK(throws([&] { ms_ssim_batch(one, one); }, PG_INVALID_ARGUMENT, "data_range"));
    for (const double range : {0.0, -1.0, kNan, kInfinity})
        CHECK(throws([&] { psnr(one, one, range); }, PG_INVALID_ARGUMENT, "data_range"));
    for (const int64_t size : kBadSizes)
        CHECK(throws([&] { mse(Image::interleaved(p.x.data(), size, size, size), one); }, PG_INVALID_ARGUMENT, ""));
    CHECK(throws([&] { mse(a, one); }, PG_INVALID_ARGUMENT, "x.count=8"));
    CHECK(throws([&] { mse(one, b); }, PG_INVALID_ARGUMENT, "y.count=8"));
}

void choices() {
    const Pictures p;
    const pg_images a = p.a(1), b = p.b(1);
    double score = 0;
    int64_t height = 0, width = 0;
    static const double weights[] = {0.5, 0.5};
    for (const int32_t bad : kBadChoices) {
        const auto option = [&](int32_t pg_ssim_options::* field, const char* name) {
            pg_ssim_options o = pixelgauge::ssim_options(1);
            o.*field = bad;
            CHECK(refused(pg_ssim(&a, &b, &o, &score, nullptr), name));
            CHECK(refused(pg_ssim_map_size(&a, &o, &height, &width), name));
            const pg_ms_ssim_options ms{o, weights, 2, 0, 0, 0};
            CHECK(refused(pg_ms_ssim(&a, &b, &ms, &score), ""));
        };
        option(&pg_ssim_options::window, "window");
        option(&pg_ssim_options::border, "border");
        option(&pg_ssim_options::covariance, "covariance");
        option(&pg_ssim_options::downsample, "downsample");
        pg_images other = a;
        other.dtype = bad;
        CHECK(refused(pg_mse(&other, &b, &score), "x.dtype"));
        CHECK(refused(pg_value_range(&other, &score, &score), "images.dtype"));
        const pg_ms_ssim_options good{pixelgauge::ssim_options(1), weights, 2, 0, 0, 0};
        CHECK(pg_ms_ssim(&a, &b, &good, &score) == PG_OK);
        pg_ms_ssim_options ms = good;
        ms.pyramid = bad;
        CHECK(refused(pg_ms_ssim(&a, &b, &ms, &score), "pyramid"));
        ms = good;
        ms.combine = bad;
        CHECK(refused(pg_ms_ssim(&a, &b, &ms, &score), "combine"));
        ms = good;
        ms.clamp_negative = bad;
        CHECK(refused(pg_ms_ssim(&a, &b, &ms, &score), "clamp_negative"));
        const std::vector<uint8_t> pixels(48);
        const pg_images rgb = pixelgauge::Image::interleaved(pixels.data(), 4, 4, 3);
        std::vector<float> out(48);
        CHECK(refused(pg_resize(&rgb, bad, 4, 4, 1, 0, 0, 1, out.data()), "rule"));
        const float scores[] = {1, 2};
        const uint64_t labels = 1;
        pg_ranking r{scores, PG_SCORE_FLOAT32, 2, 4, &labels};
        pg_curve* curve = nullptr;
        CHECK(refused(pg_curve_new(&r, nullptr, bad, 0, &curve), "drop"));
        CHECK(refused(pg_curve_new(&r, nullptr, 0, bad, &curve), "values"));
        CHECK(curve == nullptr);
        r.dtype = bad;
        CHECK(refused(pg_curve_new(&r, nullptr, 0, 0, &curve), "dtype"));
        double m[4] = {1, 0, 0, 1}, c[4];
        pg_matrix matrix{m, PG_FLOAT64, 2, 2, 16, 8};
        matrix.dtype = bad;
        CHECK(refused(pg_matmul_transposed(&matrix, &matrix, c), "a must be float32 or float64"));
        int64_t length = 0;
        const pg_convolution convolution{1, 1, 3, 3, 2, 2, 0, 0, bad};
        CHECK(refused(pg_convolution_filters_length(&convolution, &length), "rectified"));
    }
}

void sizes() {
    std::vector<double> memory(64), out(64);
    double score = 0, high = 0;
    const pg_images good{memory.data(), PG_FLOAT64, 1, 4, 4, 1, 128, 32, 8, 8};
    // a picture that repeats one pixel for ever
    for (const int64_t size : kBadSizes)
        for (int64_t pg_images::* field : {&pg_images::count, &pg_images::height, &pg_images::width, &pg_images::channels}) {
            pg_images x = good;
            x.count_stride = x.row_stride = x.column_stride = x.channel_stride = 0;
            x.*field = size;
            CHECK(refused(pg_mse(&x, &x, &score), "x"));
            CHECK(refused(pg_value_range(&x, &score, &high), "images"));
            const pg_ssim_options o = pixelgauge::ssim_options(1);
            CHECK(refused(pg_ssim(&x, &x, &o, &score, nullptr), "x"));
            int64_t height = 0, width = 0;
            CHECK(refused(pg_ssim_map_size(&x, &o, &height, &width), "x"));
        }
    pg_images row = good;
    row.height = 20;
    row.width = int64_t{1} << 60;
    row.row_stride = row.column_stride = 0;
    CHECK(refused(pg_mse(&row, &row, &score), "20 x 1152921504606846976"));
    for (const int64_t stride : {int64_t{1} << 60, -(int64_t{1} << 60), kHuge, std::numeric_limits<int64_t>::min()})
        for (int64_t pg_images::* field : {&pg_images::row_stride, &pg_images::column_stride}) {
            pg_images x = good;
            x.*field = stride;
            CHECK(refused(pg_mse(&x, &x, &score), "x: a stride of"));
            x.height = x.width = 1;
            CHECK(pg_mse(&x, &x, &score) == PG_OK);  // nothing is reached by it
        }
    pg_images below = good;
    below.row_stride = -(int64_t{1} << 53);
    CHECK(refused(pg_mse(&below, &below, &score), "out of the address space"));

    const pg_matrix square{memory.data(), PG_FLOAT64, 2, 2, 16, 8};
    pg_nuclear_norm_result norm;
    pg_neighbours found;
    for (const int64_t size : kBadSizes)
        for (int64_t pg_matrix::* field : {&pg_matrix::rows, &pg_matrix::columns}) {
            pg_matrix m = square;
            m.row_stride = m.column_stride = 0;
            m.*field = size;
            CHECK(refused(pg_matmul_transposed(&m, &m, out.data()), "a"));
            CHECK(refused(pg_nuclear_norm(&m, &norm), "m"));
            CHECK(refused(pg_scatter_add(&m, memory.data(), out.data(), out.data()), "features"));
            m.column_stride = 8;
            CHECK(refused(pg_count_neighbours(&m, &m, 1, 1, &found), "real"));
            pg_kernel_means means;
            CHECK(refused(pg_gaussian_kernel_means(&m, &m, 1, &means), "x"));
        }
    for (const int64_t n : {int64_t{0}, int64_t{-5}, int64_t{1} << 31, int64_t{1} << 32, int64_t{1} << 62, kHuge, -kHuge}) {
        int64_t rank = 0;
        CHECK(refused(pg_pivoted_cholesky(memory.data(), n, out.data(), &rank, &score), "n"));
        CHECK(refused(pg_sqrtm_psd(memory.data(), n, out.data()), "n"));
    }
    for (const int64_t k : {int64_t{-1}, int64_t{2}, kHuge}) CHECK(refused(pg_count_neighbours(&square, &square, k, 1, &found), ""));

    const uint64_t labels[2] = {1, 0}, yes[2] = {1, 1}, no[2] = {0, 0};
    uint64_t bits = 0;
    int32_t known = 0;
    const int64_t groups[2] = {0, 0};
    pg_auroc_counts counts[2];
    const pg_ranking two{memory.data(), PG_SCORE_FLOAT64, 2, 8, labels};
    for (const int64_t size : kBadSizes) {
        pg_ranking r = two;
        r.count = size;
        r.stride = 0;
        CHECK(refused(pg_auroc(&r, counts), "count"));
        CHECK(refused(pg_label_bits(labels, 8, size, 0, yes, no, &bits, &known), "count"));
        CHECK(refused(pg_auroc_by_group(&two, groups, size, counts), "group_count"));
        const uint8_t mask = 1;
        int32_t region = 0;
        int64_t number = 0;
        CHECK(refused(pg_connected_components(&mask, size, 1, 1, &region, &number), ""));
        CHECK(refused(pg_connected_components(&mask, 1, size, 1, &region, &number), "height"));
        CHECK(refused(pg_connected_components(&mask, 1, 1, size, &region, &number), "width"));
        float plain[64] = {}, result[64] = {};
        const pg_convolution c{1, 1, 3, 3, 2, 2, 1, 1, 1};
        CHECK(refused(pg_convolve(&c, plain, size, 3, 3, plain, plain, result, 1, nullptr, nullptr), ""));
        CHECK(refused(pg_convolve(&c, plain, 1, size, 3, plain, plain, result, 1, nullptr, nullptr), "height"));
        CHECK(refused(pg_convolve(&c, plain, 1, 3, size, plain, plain, result, 1, nullptr, nullptr), "width"));
        int64_t length = 0;
        for (int64_t pg_convolution::* field : {&pg_convolution::channels, &pg_convolution::filters, &pg_convolution::kernel_height,
                                                &pg_convolution::tile_width, &pg_convolution::padding_height}) {
            pg_convolution wrong = c;
            wrong.*field = size;
            CHECK(refused(pg_convolution_filters_length(&wrong, &length), ""));
        }
        CHECK(refused(pg_lpips_layer(plain, plain, size, 1, 1, plain, 0, 1, result, nullptr, nullptr), ""));
        CHECK(refused(pg_lpips_layer(plain, plain, 1, size, 1, plain, 0, 1, result, nullptr, nullptr), "channels"));
        CHECK(refused(pg_lpips_layer(plain, plain, 1, 1, size, plain, 0, 1, result, nullptr, nullptr), ""));
        const pg_images rgb{memory.data(), PG_UINT8, 1, 2, 2, 3, 12, 6, 3, 1};
        CHECK(refused(pg_resize(&rgb, 0, size, 2, 1, 0, 0, 1, result), "height"));
        CHECK(refused(pg_resize(&rgb, 0, 2, size, 1, 0, 0, 1, result), "width"));
    }
    pg_ranking r = two;
    r.stride = kHuge;
    CHECK(refused(pg_auroc(&r, counts), "scores: a stride of"));
    CHECK(refused(pg_label_bits(labels, 8, 2, -kHuge, yes, no, &bits, &known), "labels: a stride of"));
    const uint64_t wide[2] = {256, 256};
    CHECK(refused(pg_label_bits(labels, 1, 2, 1, wide, no, &bits, &known), "256"));
}

void numbers() {
    const Pictures p;
    const pg_images a = p.a(1), b = p.b(1);
    double score = 0;
    double weights[2] = {1e308, 1e308};
    const pg_ms_ssim_options ms{pixelgauge::ssim_options(1), weights, 2, 0, 0, 0};
    CHECK(refused(pg_ms_ssim(&a, &b, &ms, &score), "weights"));
    weights[1] = 0;
    CHECK(refused(pg_ms_ssim(&a, &b, &ms, &score), "weights add up to 1e+308"));
    for (const double exponent : {1e38, 1e308, kNan, kInfinity, -1.0}) {
        pg_ssim_options o = pixelgauge::ssim_options(1);
        o.exponents[1] = exponent;
        CHECK(refused(pg_ssim(&a, &b, &o, &score, nullptr), "exponents holds"));
    }

    // features whose squares are no numbers: nothing is added
    for (const double big : {1e200, 1e160, -1e200}) {
        const std::vector<double> features{big, 1, -big, 1}, shift{0, 0};
        std::vector<double> sum(4), scatter(8);
        const pg_matrix m{features.data(), PG_FLOAT64, 2, 2, 16, 8};
        CHECK(refused(pg_scatter_add(&m, shift.data(), sum.data(), scatter.data()), "features"));
        for (const double x : sum) CHECK(x == 0);
        for (const double x : scatter) CHECK(x == 0);
        const std::vector<double> far{big, 0};
        const std::vector<double> small{1, 2, 3, 4};
        const pg_matrix near{small.data(), PG_FLOAT64, 2, 2, 16, 8};
        CHECK(refused(pg_scatter_add(&near, far.data(), sum.data(), scatter.data()), "shift holds"));
        std::vector<double> product(4);
        CHECK(refused(pg_matmul_transposed(&m, &m, product.data()), "overflow"));
        pg_neighbours found;
        CHECK(refused(pg_count_neighbours(&m, &m, 1, 1, &found), "real holds"));
        pg_kernel_means means;
        CHECK(refused(pg_gaussian_kernel_means(&m, &m, 1e-9, &means), "x holds"));
    }
    for (const double bad : {kNan, kInfinity, -kInfinity}) {
        const std::vector<double> features{1, bad, 2, 3, 0, 0}, zeros(6);
        std::vector<double> product(9);
        const pg_matrix m{features.data(), PG_FLOAT64, 3, 2, 16, 8}, z{zeros.data(), PG_FLOAT64, 3, 2, 16, 8};
        CHECK(refused(pg_matmul_transposed(&m, &z, product.data()), "a holds NaN"));  // 0 times it would pass for 0
        CHECK(refused(pg_matmul_transposed(&z, &m, product.data()), "b holds NaN"));
        std::vector<double> sum(4), scatter(8, bad), shift{0, bad};
        const pg_matrix finite{zeros.data(), PG_FLOAT64, 3, 2, 16, 8};
        CHECK(refused(pg_scatter_add(&finite, shift.data(), sum.data(), scatter.data()), "shift holds"));
        shift[1] = 1;
        CHECK(refused(pg_scatter_add(&finite, shift.data(), sum.data(), scatter.data()), "scatter holds"));
    }

    std::vector<double> root(4);
    int64_t rank = 0;
    for (const double off : {0.0, 2 * (1 + 1e-9), -2.0, kNan}) {
        const std::vector<double> lopsided{5, 2, off, 5};
        CHECK(refused(pg_sqrtm_psd(lopsided.data(), 2, root.data()), "the matrix a"));
        CHECK(refused(pg_pivoted_cholesky(lopsided.data(), 2, root.data(), &rank, &score), "the matrix a"));
    }
    const std::vector<double> rounded{5, 2, 2 * (1 + 1e-15), 5}, zeros_but{0, 1e-300, 1e-300, 0};
    CHECK(pg_sqrtm_psd(rounded.data(), 2, root.data()) == PG_OK);
    CHECK(refused(pg_sqrtm_psd(zeros_but.data(), 2, root.data()), "not positive semi-definite"));
    const std::vector<double> large(16, 1.7e308);
    const pg_matrix over{large.data(), PG_FLOAT64, 4, 4, 32, 8};
    pg_nuclear_norm_result norm;
    CHECK(refused(pg_nuclear_norm(&over, &norm), "m: its nuclear norm"));

    const std::vector<uint8_t> pixels(48, 200);
    std::vector<float> floats(48, 200.0F), out(48);
    const pg_images rgb = pixelgauge::Image::interleaved(pixels.data(), 4, 4, 3),
                    f = pixelgauge::Image::interleaved(floats.data(), 4, 4, 3);
    for (const pg_images* x : {&rgb, &f}) {
        CHECK(refused(pg_resize(x, 0, 4, 4, 1e300, 0, -kInfinity, kInfinity, out.data()), "scale=1e+300"));
        CHECK(refused(pg_resize(x, 0, 4, 4, 3e38, 0, 0, 1, out.data()), "scale=3e+38"));
        CHECK(refused(pg_resize(x, 0, 4, 4, 1, -1e300, 0, 1, out.data()), "offset=-1e+300"));
        CHECK(refused(pg_resize(x, 0, 4, 4, 1, 0, 1e300, kInfinity, out.data()), "low=1e+300"));
        CHECK(refused(pg_resize(x, 0, 4, 4, 1, 0, kInfinity, kInfinity, out.data()), "low=inf"));
        CHECK(refused(pg_resize(x, 0, 4, 4, 1, 0, kNan, 1, out.data()), "low"));
        CHECK(pg_resize(x, 0, 4, 4, 1e30, 0, -kInfinity, kInfinity, out.data()) == PG_OK && out[0] > 1.9e32F);
    }
    for (const float bad : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
        floats[17] = bad;
        for (const double bound : {1.0, kInfinity}) {
            CHECK(refused(pg_resize(&f, 0, 4, 4, 1, 0, -bound, bound, out.data()), "image 0 holds NaN"));
            CHECK(refused(pg_resize(&f, 3, 2, 3, 1, 0, -bound, bound, out.data()), "image 0 holds NaN"));
        }
    }

    // a layer of LPIPS: the position is named, and the others are computed
    for (const float bad : {std::nanf(""), HUGE_VALF, 1e30F}) {
        std::vector<float> x(3 * 200, 0.5F), y(3 * 200, 0.25F), w(3, 1.0F), map(200, -1.0F);
        x[200 + 150] = bad;
        CHECK(refused(pg_lpips_layer(x.data(), y.data(), 1, 3, 200, w.data(), 0, 1e-10F, map.data(), nullptr, nullptr),
                      "at position 150 of pair 0"));
        for (size_t i = 0; i < 200; ++i) CHECK(i == 150 ? std::isnan(map[i]) : map[i] >= 0 && map[i] < 1e-6F);
        if (bad == 1e30F) continue;  // a square that overflows, where a weight is only large
        x[200 + 150] = 0.5F;
        w[1] = bad;
        CHECK(refused(pg_lpips_layer(x.data(), y.data(), 1, 3, 200, w.data(), 0, 1e-30F, map.data(), nullptr, nullptr), "weights"));
    }
    for (const float bad : {std::nanf(""), HUGE_VALF, 3e38F}) {
        std::vector<float> filters(9, bad), transformed(16 * 16);
        const pg_convolution c{1, 1, 3, 3, 2, 2, 1, 1, 1};
        CHECK(refused(pg_convolution_filters(&c, filters.data(), transformed.data()), "filters hold"));
    }

    // weights of any size give the same figures; only their sums can be beyond float64
    const float scores[] = {4, 3, 2, 1};
    const uint64_t labels = 0b0101;
    const pg_ranking r{scores, PG_SCORE_FLOAT32, 4, 4, &labels};
    for (const double scale : {5e-324, 1e-300, 1.0, 1e200, 1e308, DBL_MAX}) {
        const double of_samples[4] = {scale, scale, scale, scale};
        double area = 0, precision = 0;
        CHECK(pg_weighted_auroc(&r, of_samples, &area) == PG_OK && area == 0.75);
        CHECK(pg_average_precision(&r, of_samples, &precision) == PG_OK && std::fabs(precision - 5.0 / 6) < 1e-15);
        pg_curve* curve = nullptr;
        const pg_status status = pg_curve_new(&r, of_samples, 0, PG_CURVE_COUNTS, &curve);
        CHECK(scale < 1e308 ? status == PG_OK : refused(status, "sample_weight adds up"));
        pg_curve_free(curve);
    }
    for (const double bad : {-1.0, kNan, kInfinity}) {
        const double of_samples[4] = {1, 1, bad, 1};
        pg_curve* curve = nullptr;
        CHECK(refused(pg_weighted_auroc(&r, of_samples, &score), "sample_weight holds"));
        CHECK(refused(pg_average_precision(&r, of_samples, &score), "sample_weight holds"));
        CHECK(refused(pg_curve_new(&r, of_samples, 0, 0, &curve), "sample_weight holds"));
    }
}

}  // namespace

int main() {
    a_batch_is_a_vector();
    choices();
    sizes();
    numbers();
    return failures != 0;
}
