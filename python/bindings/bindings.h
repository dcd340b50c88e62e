// What the binding files share: status to exception, arrays to pg_images. The bindings check types and layouts; what a
// value means is checked in Python, and once more in the core.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>

#include "pixelgauge/pixelgauge.h"

namespace py = pybind11;

// Raises the Python exception that fits a failed call; for an argument pixelgauge.checks.ArgumentValueError with its parts.
void check(pg_status status);

// To be thrown for an argument that the bindings refuse: pixelgauge.checks.ArgumentValueError or ArgumentTypeError, whose message is
// the argument and the problem, the rest of a sentence.
[[nodiscard]] py::error_already_set wrong_value(const std::string& argument, std::string problem, std::string remedy = "",
                                                pg_error_kind kind = PG_ERROR_VALUE);
[[nodiscard]] py::error_already_set wrong_type(const std::string& argument, std::string problem, std::string remedy = "");
[[nodiscard]] py::error_already_set wrong_axes(const std::string& argument, int axes, const py::array& array);

// Runs a C ABI call without the GIL, then raises if it failed. What failed is kept per thread, so it is still there.
template <class Call>
void released(Call call) {
    pg_status status;
    {
        py::gil_scoped_release release;
        status = call();
    }
    check(status);
}

// A (count, height, width, channels) array of any strides, without a copy.
pg_images images_of(const py::array& array, const char* name);

void register_runtime(py::module_& m);
void register_full_reference(py::module_& m);
void register_backbones(py::module_& m);
void register_distribution(py::module_& m);
void register_ranking(py::module_& m);
void register_pictures(py::module_& m);
void register_array_memory(py::module_& m);
