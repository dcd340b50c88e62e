// resize on (count, height, width, 3) arrays, for the networks' inputs, Winograd convolution with its filters,
// and LPIPS's differences of features.
#include <algorithm>
#include <utility>
#include <vector>

#include "bindings.h"

namespace {

enum class ResizeRule : int32_t {
    half_pixel = PG_RESIZE_HALF_PIXEL,
    tensorflow1 = PG_RESIZE_TENSORFLOW1,
    antialias = PG_RESIZE_ANTIALIAS,
    bicubic = PG_RESIZE_BICUBIC
};

using Floats = py::array_t<float, py::array::c_style>;

// Into `given`, where one is.
Floats resize(const py::array& images, ResizeRule rule, int64_t height, int64_t width, double scale, double offset, double low, double high,
              const py::object& given) {
    const pg_images view = images_of(images, "images");
    if (height <= 0 || width <= 0) throw py::value_error("height and width must be positive");
    const std::vector<py::ssize_t> shape{view.count, 3, height, width};
    if (!given.is_none() && !py::isinstance<Floats>(given)) throw py::type_error("out must be a C-contiguous array of float32");
    Floats result = given.is_none() ? Floats(shape) : py::reinterpret_borrow<Floats>(given);
    if (!std::equal(shape.begin(), shape.end(), result.shape(), result.shape() + result.ndim())) {
        throw wrong_value("out", "must have the shape (count, 3, height, width)");
    }
    float* out = result.mutable_data();
    released([&] { return pg_resize(&view, static_cast<pg_resize_rule>(rule), height, width, scale, offset, low, high, out); });
    return result;
}

pg_convolution convolution_of(int64_t channels, int64_t filters, std::pair<int64_t, int64_t> kernel, std::pair<int64_t, int64_t> tile,
                              std::pair<int64_t, int64_t> padding) {
    return {channels, filters, kernel.first, kernel.second, tile.first, tile.second, padding.first, padding.second, 1};
}

// (filters, channels, height, width) to what the convolution takes: one row.
Floats convolution_filters(const Floats& filters, std::pair<int64_t, int64_t> tile) {
    if (filters.ndim() != 4) throw wrong_axes("filters", 4, filters);
    const pg_convolution convolution =
        convolution_of(filters.shape(1), filters.shape(0), {filters.shape(2), filters.shape(3)}, tile, {0, 0});
    int64_t length = 0;
    check(pg_convolution_filters_length(&convolution, &length));
    Floats result(length);
    const float* in = filters.data();
    float* out = result.mutable_data();
    released([&] { return pg_convolution_filters(&convolution, in, out); });
    return result;
}

// (count, channels, height, width) to the rectified convolution.
Floats convolve(const Floats& x, const Floats& transformed, const Floats& bias, std::pair<int64_t, int64_t> kernel,
                std::pair<int64_t, int64_t> tile, std::pair<int64_t, int64_t> padding) {
    if (x.ndim() != 4) throw wrong_axes("x", 4, x);
    const pg_convolution convolution = convolution_of(x.shape(1), bias.size(), kernel, tile, padding);
    int64_t length = 0;
    int32_t threads = 0;
    check(pg_convolution_filters_length(&convolution, &length));
    check(pg_get_num_threads(&threads));
    if (transformed.size() != length)
        throw wrong_value("transformed",
                          "has " + std::to_string(transformed.size()) + " values, this convolution takes " + std::to_string(length),
                          "make it with convolution_filters", PG_ERROR_MISMATCH);
    const int64_t height = x.shape(2) + 2 * padding.first - kernel.first + 1, width = x.shape(3) + 2 * padding.second - kernel.second + 1;
    if (height <= 0 || width <= 0) throw wrong_value("x", "is smaller than the kernel", "", PG_ERROR_TOO_SMALL);
    Floats result(std::vector<py::ssize_t>{x.shape(0), bias.size(), height, width});
    const float *in = x.data(), *u = transformed.data(), *b = bias.data();
    float* out = result.mutable_data();
    released([&] { return pg_convolve(&convolution, in, x.shape(0), x.shape(2), x.shape(3), u, b, out, threads, nullptr, nullptr); });
    return result;
}

// Features (pairs, channels, positions) to LPIPS's (pairs, positions).
Floats lpips_layer(const Floats& x, const Floats& y, const Floats& weights, float inside, float outside) {
    if (x.ndim() != 3 || y.ndim() != 3 || x.shape(0) != y.shape(0) || x.shape(1) != y.shape(1) || x.shape(2) != y.shape(2))
        throw py::value_error("x and y must have three axes and the same shape");
    if (weights.size() != x.shape(1))
        throw wrong_value("weights", "has " + std::to_string(weights.size()) + " values for " + std::to_string(x.shape(1)) + " channels",
                          "", PG_ERROR_MISMATCH);
    Floats result(std::vector<py::ssize_t>{x.shape(0), x.shape(2)});
    const float *a = x.data(), *b = y.data(), *w = weights.data();
    float* map = result.mutable_data();
    released([&] { return pg_lpips_layer(a, b, x.shape(0), x.shape(1), x.shape(2), w, inside, outside, map, nullptr, nullptr); });
    return result;
}

}  // namespace

void register_backbones(py::module_& m) {
    py::enum_<ResizeRule>(m, "ResizeRule")
        .value("half_pixel", ResizeRule::half_pixel)
        .value("tensorflow1", ResizeRule::tensorflow1)
        .value("antialias", ResizeRule::antialias)
        .value("bicubic", ResizeRule::bicubic);
    m.def("resize", &resize, py::arg("images"), py::arg("rule"), py::arg("height"), py::arg("width"), py::arg("scale"), py::arg("offset"),
          py::arg("low"), py::arg("high"), py::arg("out") = py::none());
    m.def("convolution_filters", &convolution_filters, py::arg("filters"), py::arg("tile"));
    m.def("convolve", &convolve, py::arg("x"), py::arg("transformed"), py::arg("bias"), py::arg("kernel"), py::arg("tile"),
          py::arg("padding"));
    m.def("lpips_layer", &lpips_layer, py::arg("x"), py::arg("y"), py::arg("weights"), py::arg("inside"), py::arg("outside"));
}
