// Errors in parts: what pg_error_info says of each kind of failure, whose it is and how long it stays, and pixelgauge::Error.
#include <pixelgauge/pixelgauge.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <pixelgauge/pixelgauge.hpp>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "runtime/status.h"

namespace {

pg_error info() {
    pg_error e;
    pg_error_info(&e);
    return e;
}

std::string composed(const pg_error& e) {
    const std::string subject = e.value[0] ? std::string(e.argument) + "=" + e.value + " " : "";
    return subject + e.problem + (e.remedy[0] ? std::string(": ") + e.remedy : "");
}

// Whether the last failure is of an argument, a kind and a place.
bool is(pg_error_kind kind, const char* argument, int64_t image = -1, int64_t row = -1, int64_t column = -1, int64_t required = -1) {
    const pg_error e = info();
    const bool same = e.status == PG_INVALID_ARGUMENT && e.kind == kind && std::string(e.argument) == argument && e.image == image &&
                      e.row == row && e.column == column && e.required == required && composed(e) == pg_last_error();
    if (!same)
        std::fprintf(stderr, "kind %d, argument '%s', place %lld %lld %lld, required %lld: %s\n", static_cast<int>(e.kind), e.argument,
                     static_cast<long long>(e.image), static_cast<long long>(e.row), static_cast<long long>(e.column),
                     static_cast<long long>(e.required), pg_last_error());
    return same;
}

constexpr int64_t kSide = 32;

struct Pair {
    std::vector<float> x = std::vector<float>(2 * kSide * kSide, 0.5F), y = x;
    pg_images a = pixelgauge::Image::interleaved(x.data(), kSide, kSide, 1, 2);
    pg_images b = pixelgauge::Image::interleaved(y.data(), kSide, kSide, 1, 2);
    pg_ssim_options options = pixelgauge::ssim_options(1);
    double scores[2];
    pg_status ssim() { return pg_ssim(&a, &b, &options, scores, nullptr); }
};

void nothing_has_failed_yet() {
    const pg_error e = info();
    CHECK(e.status == PG_OK && e.kind == PG_ERROR_NONE && e.argument[0] == '\0' && e.value[0] == '\0' && e.problem[0] == '\0' &&
          e.remedy[0] == '\0' && e.image == -1 && e.row == -1 && e.column == -1 && e.required == -1 && pg_last_error()[0] == '\0');
    pg_error_info(nullptr);
}

void values_of_options() {
    Pair p;
    p.options.window_size = 12;
    CHECK(p.ssim() == PG_INVALID_ARGUMENT && is(PG_ERROR_VALUE, "window_size"));
    CHECK(std::string(info().value) == "12" && std::string(info().problem) == "must be odd and at least 3" && info().remedy[0] == '\0');
    CHECK(std::string(pg_last_error()) == "window_size=12 must be odd and at least 3");
    p.options = pixelgauge::ssim_options(1);
    p.options.covariance = 7;
    CHECK(p.ssim() == PG_INVALID_ARGUMENT && is(PG_ERROR_VALUE, "covariance") && std::string(info().remedy) == "use 0 to 1");
    p.options = pixelgauge::ssim_options(1e200);
    CHECK(p.ssim() == PG_INVALID_ARGUMENT && is(PG_ERROR_OVERFLOW, "data_range") && std::string(info().value) == "1e+200");
}

void missing() {
    Pair p;
    CHECK(pg_ssim(&p.a, nullptr, &p.options, p.scores, nullptr) == PG_INVALID_ARGUMENT && is(PG_ERROR_MISSING, "y"));
    CHECK(pg_ssim(&p.a, &p.b, &p.options, nullptr, nullptr) == PG_INVALID_ARGUMENT && is(PG_ERROR_MISSING, "scores"));
    p.a.data = nullptr;
    CHECK(p.ssim() == PG_INVALID_ARGUMENT && is(PG_ERROR_MISSING, "x.data"));
    const float score = 1;
    const uint64_t labels = 1;
    const pg_ranking r{&score, PG_SCORE_FLOAT32, 1, 4, &labels};
    pg_auroc_counts counts;
    const int64_t group = 0;
    CHECK(pg_auroc_by_group(&r, nullptr, 1, &counts) == PG_INVALID_ARGUMENT && is(PG_ERROR_MISSING, "groups"));
    CHECK(pg_auroc_by_group(&r, &group, 1, nullptr) == PG_INVALID_ARGUMENT && is(PG_ERROR_MISSING, "results"));
}

void too_small() {
    Pair p;
    p.a.height = p.b.height = 10;
    CHECK(p.ssim() == PG_INVALID_ARGUMENT && is(PG_ERROR_TOO_SMALL, "x", -1, -1, -1, 11));
    CHECK(std::string(info().problem) == "images of 10 x 32 are too small for a window of 11");
    p.options.border = PG_BORDER_REFLECT;
    p.a.width = p.b.width = 5;
    CHECK(p.ssim() == PG_INVALID_ARGUMENT && is(PG_ERROR_TOO_SMALL, "x", -1, -1, -1, 6));
    const pg_ms_ssim_options ms = pixelgauge::ms_ssim_options(1);
    CHECK(pg_ms_ssim(&p.a, &p.b, &ms, p.scores) == PG_INVALID_ARGUMENT && is(PG_ERROR_TOO_SMALL, "x", -1, -1, -1, 161));
    const double m[6] = {};
    const pg_matrix samples{m, PG_FLOAT64, 3, 2, 16, 8};
    pg_neighbours found;
    CHECK(pg_count_neighbours(&samples, &samples, 2, 5, &found) == PG_INVALID_ARGUMENT && is(PG_ERROR_TOO_SMALL, "real", -1, -1, -1, 6));
    float plain[64] = {};
    const pg_convolution c{1, 1, 5, 5, 2, 2, 1, 0, 0};
    CHECK(pg_convolve(&c, plain, 1, 3, 4, plain, plain, plain, 1, nullptr, nullptr) == PG_INVALID_ARGUMENT &&
          is(PG_ERROR_TOO_SMALL, "width", -1, -1, -1, 5));
}

void too_small_once_reduced() {
    const uint8_t pixel = 0;
    const pg_images x{&pixel, PG_UINT8, 1, 600, 600, 1, 0, 0, 0, 0};
    pg_ssim_options options = pixelgauge::ssim_options(255);
    options.downsample = PG_DOWNSAMPLE_POOL;
    options.window_size = 501;
    double score;
    CHECK(pg_ssim(&x, &x, &options, &score, nullptr) == PG_INVALID_ARGUMENT && is(PG_ERROR_TOO_SMALL, "x"));
    int64_t height, width;
    CHECK(pg_ssim_map_size(&x, &options, &height, &width) == PG_INVALID_ARGUMENT && is(PG_ERROR_TOO_SMALL, "x"));
}

void too_large() {
    Pair p;
    p.a.height = int64_t{1} << 60;
    CHECK(p.ssim() == PG_INVALID_ARGUMENT && is(PG_ERROR_TOO_LARGE, "x") && std::string(info().remedy) == "check the sizes");
    p.a.height = kSide;
    p.a.row_stride = std::numeric_limits<int64_t>::max();
    CHECK(p.ssim() == PG_INVALID_ARGUMENT && is(PG_ERROR_TOO_LARGE, "x"));
}

void pixels_not_finite() {
    Pair p;
    const float kept = p.y[0];
    p.y[kSide * kSide + 7 * kSide + 3] = std::nanf("");
    CHECK(p.ssim() == PG_INVALID_ARGUMENT && is(PG_ERROR_NOT_FINITE, "y", 1, 7));
    CHECK(pg_mse(&p.a, &p.b, p.scores) == PG_INVALID_ARGUMENT && is(PG_ERROR_NOT_FINITE, "y", 1, 7));
    CHECK(pg_mse(&p.b, &p.a, p.scores) == PG_INVALID_ARGUMENT && is(PG_ERROR_NOT_FINITE, "x", 1, 7));
    double low, high;
    CHECK(pg_value_range(&p.b, &low, &high) == PG_INVALID_ARGUMENT && is(PG_ERROR_NOT_FINITE, "images", 1, 7));
    CHECK(std::string(pg_last_error()) == "NaN or infinity in image 1, row 7");
    p.y[kSide * kSide + 7 * kSide + 3] = kept;
    CHECK(p.ssim() == PG_OK);
    const double large[] = {1e200}, none[] = {0};
    const pg_images a = pixelgauge::Image::interleaved(large, 1, 1, 1), b = pixelgauge::Image::interleaved(none, 1, 1, 1);
    CHECK(pg_mse(&a, &b, p.scores) == PG_INVALID_ARGUMENT && is(PG_ERROR_OVERFLOW, "x", 0));
    std::vector<float> rgb(2 * 4 * 4 * 3), out(2 * 3 * 2 * 2);
    rgb[60] = HUGE_VALF;
    const pg_images images = pixelgauge::Image::interleaved(rgb.data(), 4, 4, 3, 2);
    CHECK(pg_resize(&images, PG_RESIZE_ANTIALIAS, 2, 2, 1, 0, -1, 1, out.data()) == PG_INVALID_ARGUMENT &&
          is(PG_ERROR_NOT_FINITE, "images", 1));
}

void matrices_not_finite() {
    const double nan = std::nan("");
    std::vector<double> m(5 * 3, 1.0), shift(3), sum(6), scatter(18), product(25);
    pg_matrix features{m.data(), PG_FLOAT64, 5, 3, 24, 8};
    m[4 * 3 + 1] = nan;
    CHECK(pg_scatter_add(&features, shift.data(), sum.data(), scatter.data()) == PG_INVALID_ARGUMENT &&
          is(PG_ERROR_NOT_FINITE, "features", -1, 4, 1));
    CHECK(pg_matmul_transposed(&features, &features, product.data()) == PG_INVALID_ARGUMENT && is(PG_ERROR_NOT_FINITE, "a", -1, 4, 1));
    pg_nuclear_norm_result norm;
    CHECK(pg_nuclear_norm(&features, &norm) == PG_INVALID_ARGUMENT && is(PG_ERROR_NOT_FINITE, "m", -1, 4, 1));
    const pg_matrix turned{m.data(), PG_FLOAT64, 3, 5, 8, 24};
    CHECK(pg_nuclear_norm(&turned, &norm) == PG_INVALID_ARGUMENT && is(PG_ERROR_NOT_FINITE, "m", -1, 1, 4));
    pg_neighbours found;
    CHECK(pg_count_neighbours(&features, &features, 1, 1, &found) == PG_INVALID_ARGUMENT && is(PG_ERROR_NOT_FINITE, "real", -1, 4));
    const std::vector<double> sound(5 * 3, 1.0);
    const pg_matrix others{sound.data(), PG_FLOAT64, 5, 3, 24, 8};
    CHECK(pg_count_neighbours(&others, &features, 1, 1, &found) == PG_INVALID_ARGUMENT && is(PG_ERROR_NOT_FINITE, "fake", -1, 4));
    m[4 * 3 + 1] = 1e200;
    CHECK(pg_count_neighbours(&features, &others, 1, 1, &found) == PG_INVALID_ARGUMENT && is(PG_ERROR_OVERFLOW, "real", -1, 4));
    // finite features whose sum is not
    for (double& value : m) value = 1e308;
    CHECK(pg_scatter_add(&features, shift.data(), sum.data(), scatter.data()) == PG_INVALID_ARGUMENT && is(PG_ERROR_OVERFLOW, "features"));
    double a[9] = {1, 0, 0, 0, 1, 2, 0, 2, nan}, l[9], remainder;
    int64_t rank;
    CHECK(pg_pivoted_cholesky(a, 3, l, &rank, &remainder) == PG_INVALID_ARGUMENT && is(PG_ERROR_NOT_FINITE, "a", -1, 2, 2));
    a[8] = 9;
    a[7] = 1;
    CHECK(pg_pivoted_cholesky(a, 3, l, &rank, &remainder) == PG_INVALID_ARGUMENT && is(PG_ERROR_VALUE, "a", -1, 2, 1));
}

void samples_of_a_ranking() {
    const double scores[3] = {1, 2, std::nan("")}, weights[3] = {1, HUGE_VAL, 1}, negative[3] = {1, 1, -1};
    const uint64_t labels = 1;
    pg_ranking r{scores, PG_SCORE_FLOAT64, 3, 8, &labels};
    pg_auroc_counts counts[2];
    double area;
    CHECK(pg_auroc(&r, counts) == PG_INVALID_ARGUMENT && is(PG_ERROR_NOT_FINITE, "y_score"));
    r.count = 2;
    CHECK(pg_weighted_auroc(&r, weights, &area) == PG_INVALID_ARGUMENT && is(PG_ERROR_NOT_FINITE, "sample_weight", -1, 1));
    const int64_t groups[2] = {0, 2};
    CHECK(pg_auroc_by_group(&r, groups, 2, counts) == PG_INVALID_ARGUMENT && is(PG_ERROR_VALUE, "groups", -1, 1));
    r.stride = 0;
    r.count = 3;
    CHECK(pg_weighted_auroc(&r, negative, &area) == PG_INVALID_ARGUMENT && is(PG_ERROR_VALUE, "sample_weight", -1, 2));
}

void mismatches() {
    Pair p;
    p.b.width = 31;
    CHECK(p.ssim() == PG_INVALID_ARGUMENT && is(PG_ERROR_MISMATCH, "y") && std::string(info().remedy) == "crop or resize one of them");
    p.b = p.a;
    p.b.dtype = PG_UINT8;
    CHECK(p.ssim() == PG_INVALID_ARGUMENT && is(PG_ERROR_MISMATCH, "y"));
    const double m[6] = {};
    const pg_matrix a{m, PG_FLOAT64, 2, 3, 24, 8}, b{m, PG_FLOAT64, 3, 2, 16, 8};
    double c[6];
    CHECK(pg_matmul_transposed(&a, &b, c) == PG_INVALID_ARGUMENT && is(PG_ERROR_MISMATCH, "b"));
}

void what_no_argument_is_to_blame_for() {
    CHECK(pg_set_isa("sse9") == PG_UNSUPPORTED && info().status == PG_UNSUPPORTED && info().kind == PG_ERROR_UNSUPPORTED);
    CHECK(std::string(info().argument) == "name" && std::string(info().value) == "'sse9'" && composed(info()) == pg_last_error());
    CHECK(pixelgauge::guarded([] { throw std::bad_alloc(); }) == PG_OUT_OF_MEMORY && info().kind == PG_ERROR_MEMORY);
    CHECK(info().argument[0] == '\0' && info().value[0] == '\0' && info().remedy[0] == '\0' &&
          std::string(info().problem) == "out of memory" && composed(info()) == pg_last_error());
    CHECK(pixelgauge::guarded([] { throw std::length_error("long"); }) == PG_OUT_OF_MEMORY && info().kind == PG_ERROR_MEMORY);
    CHECK(pixelgauge::guarded([] { throw std::logic_error("a slip"); }) == PG_INTERNAL && info().kind == PG_ERROR_INTERNAL &&
          std::string(pg_last_error()) == "a slip");
    CHECK(pixelgauge::guarded([] { throw 7; }) == PG_INTERNAL && info().kind == PG_ERROR_INTERNAL);
}

void each_thread_has_its_own() {
    Pair p;
    p.a.height = p.b.height = 10;
    CHECK(p.ssim() == PG_INVALID_ARGUMENT && is(PG_ERROR_TOO_SMALL, "x", -1, -1, -1, 11));
    std::thread([] {
        nothing_has_failed_yet();
        CHECK(pg_isa(nullptr) == PG_INVALID_ARGUMENT && is(PG_ERROR_MISSING, "name"));
    }).join();
    CHECK(is(PG_ERROR_TOO_SMALL, "x", -1, -1, -1, 11));
    p.a.height = p.b.height = kSide;
    CHECK(p.ssim() == PG_OK && is(PG_ERROR_TOO_SMALL, "x", -1, -1, -1, 11));        // a success leaves it
    CHECK(pg_isa(nullptr) == PG_INVALID_ARGUMENT && is(PG_ERROR_MISSING, "name"));  // nothing of it is left by the next
}

void long_texts_are_cut() {
    using pixelgauge::Fault;
    const std::string argument(1000, 'a'), value(1000, 'v'), problem(1000, 'p'), remedy(1000, 'r');
    pixelgauge::set_error(PG_INVALID_ARGUMENT, Fault(PG_ERROR_VALUE, argument, value, problem, remedy));
    const pg_error e = info();
    CHECK(std::string(e.argument) == argument.substr(0, 63) && std::string(e.value) == value.substr(0, 191) &&
          std::string(e.problem) == problem.substr(0, 511) && std::string(e.remedy) == remedy.substr(0, 511));
    CHECK(composed(e) == pg_last_error());
    // not amid a character of two bytes
    std::string accents;
    for (int i = 0; i < 300; ++i) accents += "\xc3\xa9";
    pixelgauge::set_error(PG_INVALID_ARGUMENT, Fault(PG_ERROR_VALUE, "x", "", accents));
    CHECK(std::string(info().problem) == accents.substr(0, 510));
    pixelgauge::set_error(PG_INVALID_ARGUMENT, Fault(PG_ERROR_VALUE, "x", "", "a" + accents));
    CHECK(std::string(info().problem) == "a" + accents.substr(0, 510));
    CHECK(pg_set_isa(std::string(5000, 's').c_str()) == PG_UNSUPPORTED && std::string(info().remedy).find("use baseline") == 0);
}

void the_wrapper_keeps_the_parts() {
    Pair p;
    p.y[5 * kSide] = std::nanf("");
    try {
        pixelgauge::ssim_batch(pixelgauge::Image::interleaved(p.x.data(), kSide, kSide, 1, 2),
                               pixelgauge::Image::interleaved(p.y.data(), kSide, kSide, 1, 2), p.options);
        CHECK(false);
    } catch (const pixelgauge::Error& error) {
        const std::string message = pg_last_error();
        CHECK(pg_isa(nullptr) == PG_INVALID_ARGUMENT);  // a later failure leaves it
        const pixelgauge::Error copy = error;
        const pixelgauge::ErrorParts& parts = copy.parts();
        CHECK(copy.what() == message && parts.message() == message);
        CHECK(copy.status() == PG_INVALID_ARGUMENT && copy.kind() == PG_ERROR_NOT_FINITE);
        CHECK(parts.argument == "y" && parts.value.empty() && parts.problem == "y: NaN or infinity in image 0, row 5" &&
              parts.remedy == "remove or replace such values first");
        CHECK(parts.image == 0 && parts.row == 5 && parts.column == -1 && parts.required == -1);
    }
    try {
        pixelgauge::mse(pixelgauge::Image::interleaved(p.x.data(), kSide, kSide, 1, 2),
                        pixelgauge::Image::interleaved(p.x.data(), kSide, kSide, 1, 2));
        CHECK(false);
    } catch (const pixelgauge::Error& error) {
        CHECK(error.kind() == PG_ERROR_VALUE && error.parts().argument == "x.count" && error.parts().value == "2");
        CHECK(std::string(error.what()) == "x.count=2 must be 1: use mse_batch for a batch");
    }
}

}  // namespace

int main() {
    nothing_has_failed_yet();
    values_of_options();
    missing();
    too_small();
    too_small_once_reduced();
    too_large();
    pixels_not_finite();
    matrices_not_finite();
    samples_of_a_ranking();
    mismatches();
    what_no_argument_is_to_blame_for();
    each_thread_has_its_own();
    long_texts_are_cut();
    the_wrapper_keeps_the_parts();
    return failures != 0;
}
