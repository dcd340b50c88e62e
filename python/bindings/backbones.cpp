// resize on (count, height, width, 3) arrays, for the networks' inputs.
#include <vector>

#include "bindings.h"

namespace {

py::array_t<float> resize(const py::array& images, pg_resize_rule rule, int64_t height, int64_t width, double scale, double offset,
                          double low, double high) {
    const pg_images view = images_of(images, "images");
    if (height <= 0 || width <= 0) throw py::value_error("height and width must be positive");
    py::array_t<float> result(std::vector<py::ssize_t>{view.count, 3, height, width});
    float* out = result.mutable_data();
    released([&] { return pg_resize(&view, rule, height, width, scale, offset, low, high, out); });
    return result;
}

}  // namespace

void register_backbones(py::module_& m) {
    py::enum_<pg_resize_rule>(m, "ResizeRule")
        .value("half_pixel", PG_RESIZE_HALF_PIXEL)
        .value("tensorflow1", PG_RESIZE_TENSORFLOW1)
        .value("antialias", PG_RESIZE_ANTIALIAS)
        .value("bicubic", PG_RESIZE_BICUBIC);
    m.def("resize", &resize, py::arg("images"), py::arg("rule"), py::arg("height"), py::arg("width"), py::arg("scale"), py::arg("offset"),
          py::arg("low"), py::arg("high"));
}
