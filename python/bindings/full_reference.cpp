// mse, mae, ssim, ms_ssim and several of them at once on (count, height, width, channels) arrays.
#include <pybind11/stl.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "bindings.h"

namespace {

using Scores = py::array_t<double>;

// The choices as Python's enums: at the C ABI they are plain integers.
enum class Window : int32_t { gaussian = PG_WINDOW_GAUSSIAN, uniform = PG_WINDOW_UNIFORM };
enum class Border : int32_t { valid = PG_BORDER_VALID, reflect = PG_BORDER_REFLECT, crop = PG_BORDER_CROP };
enum class Covariance : int32_t { population = PG_COVARIANCE_POPULATION, sample = PG_COVARIANCE_SAMPLE };
enum class Downsample : int32_t { none = PG_DOWNSAMPLE_NONE, matlab = PG_DOWNSAMPLE_MATLAB, pool = PG_DOWNSAMPLE_POOL };
enum class Pyramid : int32_t { wang = PG_PYRAMID_WANG, pool = PG_PYRAMID_POOL };
enum class Combine : int32_t { product = PG_COMBINE_PRODUCT, sum = PG_COMBINE_SUM };

py::tuple value_range(const py::array& images) {
    const pg_images view = images_of(images, "images");
    double low = 0, high = 0;
    released([&] { return pg_value_range(&view, &low, &high); });
    return py::make_tuple(low, high);
}

Scores pixel_error(const py::array& x, const py::array& y, pg_status (*of)(const pg_images*, const pg_images*, double*)) {
    const pg_images a = images_of(x, "x"), b = images_of(y, "y");
    Scores result(a.count);
    double* out = result.mutable_data();
    released([&] { return of(&a, &b, out); });
    return result;
}
Scores mse(const py::array& x, const py::array& y) { return pixel_error(x, y, pg_mse); }
Scores mae(const py::array& x, const py::array& y) { return pixel_error(x, y, pg_mae); }

py::tuple ssim(const py::array& x, const py::array& y, const pg_ssim_options& options, bool full, bool components) {
    const pg_images a = images_of(x, "x"), b = images_of(y, "y");
    Scores scores(a.count);
    Scores parts(std::vector<py::ssize_t>{3, components ? a.count : 0});
    py::object map = py::none();
    pg_ssim_outputs outputs{};
    if (full) {
        int64_t height = 0, width = 0;
        check(pg_ssim_map_size(&a, &options, &height, &width));
        const std::vector<py::ssize_t> shape{a.count, height, width, a.channels};
        py::array array = a.dtype == PG_FLOAT64 ? py::array(py::dtype::of<double>(), shape) : py::array(py::dtype::of<float>(), shape);
        outputs.map = array.mutable_data();
        map = array;
    }
    if (components) {
        outputs.luminance = parts.mutable_data(0, 0);
        outputs.contrast = outputs.luminance + a.count;
        outputs.structure = outputs.contrast + a.count;
    }
    double* out = scores.mutable_data();
    released([&] { return pg_ssim(&a, &b, &options, out, &outputs); });
    return py::make_tuple(scores, map, parts);
}

// Options with weights of their own.
struct MsSsimOptions {
    pg_ssim_options ssim;
    std::vector<double> weights;
    Pyramid pyramid;
    Combine combine;
    bool clamp_negative;

    pg_ms_ssim_options of_core() const {
        return {ssim,
                weights.data(),
                static_cast<int32_t>(weights.size()),
                static_cast<pg_pyramid>(pyramid),
                static_cast<pg_combine>(combine),
                clamp_negative};
    }
};

Scores ms_ssim(const py::array& x, const py::array& y, const MsSsimOptions& of) {
    const pg_images a = images_of(x, "x"), b = images_of(y, "y");
    const pg_ms_ssim_options options = of.of_core();
    Scores scores(a.count);
    double* out = scores.mutable_data();
    released([&] { return pg_ms_ssim(&a, &b, &options, out); });
    return scores;
}

// (metrics, N) values: a metric is "mse", "mae", SsimOptions or MsSsimOptions.
Scores scores(const py::array& x, const py::array& y, const py::list& metrics) {
    const pg_images a = images_of(x, "x"), b = images_of(y, "y");
    Scores values(std::vector<py::ssize_t>{static_cast<py::ssize_t>(metrics.size()), a.count});
    std::vector<pg_score_request> requests;
    std::vector<pg_ms_ssim_options> multi_scale;
    multi_scale.reserve(metrics.size());
    for (const py::handle metric : metrics) {
        pg_score_request request{PG_METRIC_MSE, nullptr, nullptr, a.count > 0 ? values.mutable_data(requests.size(), 0) : nullptr};
        if (py::isinstance<pg_ssim_options>(metric)) {
            request.metric = PG_METRIC_SSIM;
            request.ssim = &metric.cast<const pg_ssim_options&>();
        } else if (py::isinstance<MsSsimOptions>(metric)) {
            request.metric = PG_METRIC_MS_SSIM;
            multi_scale.push_back(metric.cast<const MsSsimOptions&>().of_core());
            request.ms_ssim = &multi_scale.back();
        } else if (metric.equal(py::str("mae"))) {
            request.metric = PG_METRIC_MAE;
        } else if (!metric.equal(py::str("mse"))) {
            throw wrong_value("metrics", "holds what is not \"mse\", \"mae\", SsimOptions or MsSsimOptions");
        }
        requests.push_back(request);
    }
    released([&] { return pg_scores(&a, &b, requests.data(), static_cast<int32_t>(requests.size())); });
    return values;
}

}  // namespace

void register_full_reference(py::module_& m) {
    py::enum_<Window>(m, "Window").value("gaussian", Window::gaussian).value("uniform", Window::uniform);
    py::enum_<Border>(m, "Border").value("valid", Border::valid).value("reflect", Border::reflect).value("crop", Border::crop);
    py::enum_<Covariance>(m, "Covariance").value("population", Covariance::population).value("sample", Covariance::sample);
    py::enum_<Downsample>(m, "Downsample")
        .value("none", Downsample::none)
        .value("matlab", Downsample::matlab)
        .value("pool", Downsample::pool);
    py::enum_<Pyramid>(m, "Pyramid").value("wang", Pyramid::wang).value("pool", Pyramid::pool);
    py::enum_<Combine>(m, "Combine").value("product", Combine::product).value("sum", Combine::sum);
    py::class_<pg_ssim_options>(m, "SsimOptions")
        .def(py::init([](double data_range, double k1, double k2, double sigma, int32_t window_size, Window window, Border border,
                         Covariance covariance, Downsample downsample, std::array<double, 3> exponents) {
                 return pg_ssim_options{data_range,
                                        k1,
                                        k2,
                                        sigma,
                                        window_size,
                                        static_cast<pg_window>(window),
                                        static_cast<pg_border>(border),
                                        static_cast<pg_covariance>(covariance),
                                        static_cast<pg_downsample>(downsample),
                                        {exponents[0], exponents[1], exponents[2]}};
             }),
             py::kw_only(), py::arg("data_range"), py::arg("k1"), py::arg("k2"), py::arg("sigma"), py::arg("window_size"),
             py::arg("window"), py::arg("border"), py::arg("covariance"), py::arg("downsample"), py::arg("exponents"));
    m.def("value_range", &value_range, py::arg("images"));
    py::class_<MsSsimOptions>(m, "MsSsimOptions")
        .def(py::init([](const pg_ssim_options& ssim, std::vector<double> weights, Pyramid pyramid, Combine combine, bool clamp_negative) {
                 if (weights.size() > INT32_MAX) throw wrong_value("weights", "has too many values", "", PG_ERROR_TOO_LARGE);
                 return MsSsimOptions{ssim, std::move(weights), pyramid, combine, clamp_negative};
             }),
             py::kw_only(), py::arg("ssim"), py::arg("weights"), py::arg("pyramid"), py::arg("combine"), py::arg("clamp_negative"));
    m.def("mse", &mse, py::arg("x"), py::arg("y"));
    m.def("mae", &mae, py::arg("x"), py::arg("y"));
    m.def("ssim", &ssim, py::arg("x"), py::arg("y"), py::arg("options"), py::arg("full"), py::arg("components"));
    m.def("ms_ssim", &ms_ssim, py::arg("x"), py::arg("y"), py::arg("options"));
    m.def("scores", &scores, py::arg("x"), py::arg("y"), py::arg("metrics"));
}
