// The extension module pixelgauge._core: instruction set, threads, build facts, and one register_* per kernel family.
#include "bindings.h"

pg_images images_of(const py::array& array, const char* name) {
    if (array.ndim() != 4) throw wrong_axes(name, 4, array);
    pg_images images{};
    if (array.dtype().equal(py::dtype::of<uint8_t>()))
        images.dtype = PG_UINT8;
    else if (array.dtype().equal(py::dtype::of<uint16_t>()))
        images.dtype = PG_UINT16;
    else if (array.dtype().equal(py::dtype::of<float>()))
        images.dtype = PG_FLOAT32;
    else if (array.dtype().equal(py::dtype::of<double>()))
        images.dtype = PG_FLOAT64;
    else
        throw wrong_type(name, "has dtype " + py::str(array.dtype()).cast<std::string>(),
                         "use uint8, uint16, float32 or float64 in native byte order");
    images.data = array.data();
    images.count = array.shape(0);
    images.height = array.shape(1);
    images.width = array.shape(2);
    images.channels = array.shape(3);
    images.count_stride = array.strides(0);
    images.row_stride = array.strides(1);
    images.column_stride = array.strides(2);
    images.channel_stride = array.strides(3);
    return images;
}

void register_runtime(py::module_& m) {
    m.def("isa", [] {
        const char* name = nullptr;
        check(pg_isa(&name));
        return std::string(name);
    });
    m.def("set_isa", [](const std::string& name) { check(pg_set_isa(name.c_str())); }, py::arg("name"));
    m.def("available_isas", [] {
        py::list names;
        for (const char* name : {"baseline", "avx2", "avx512"})
            if (pg_has_isa(name)) names.append(name);
        return names;
    });
    m.def("set_num_threads", [](int32_t n) { check(pg_set_num_threads(n)); }, py::arg("n"));
    m.def("get_num_threads", [] {
        int32_t n = 0;
        check(pg_get_num_threads(&n));
        return n;
    });
    m.def("build_info", [] {
        py::dict info;
        info["version"] = pg_version();
        info["compiler"] = PIXELGAUGE_COMPILER;
        info["build_type"] = PIXELGAUGE_BUILD_TYPE;
        return info;
    });
}

PYBIND11_MODULE(_core, m) {
    m.doc() = "Kernels of pixelgauge.";
    register_runtime(m);
    register_full_reference(m);
    register_backbones(m);
    register_distribution(m);
    register_ranking(m);
    register_pictures(m);
    register_array_memory(m);
}
