// What the binding files share: status to exception, arrays to pg_images. The bindings check types and layouts; what a
// value means is checked in Python, and once more in the core.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>

#include "pixelgauge/pixelgauge.h"

namespace py = pybind11;

// Raises the Python exception that fits a failed call.
void check(pg_status status);

// Runs a C ABI call without the GIL, then raises if it failed. The message of a failure is per thread, so it is still there.
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
