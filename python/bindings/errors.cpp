// Exceptions of Python from failures of the core, part by part, and from what the bindings refuse themselves.
#include <pybind11/gil_safe_call_once.h>

#include <iterator>
#include <utility>

#include "bindings.h"
#include "pixelgauge/pixelgauge.hpp"

namespace {

using pixelgauge::ErrorParts;

// The words of pg_error_kind.
const char* word_of(pg_error_kind kind) {
    static const char* const words[] = {"none",     "value",    "missing",     "too_small", "too_large", "not_finite",
                                        "overflow", "mismatch", "unsupported", "memory",    "internal"};
    return kind >= 0 && kind < static_cast<pg_error_kind>(std::size(words)) ? words[kind] : "internal";
}

// Names of instruction sets come from the environment, where text need not be UTF-8.
py::str text_of(const std::string& text) {
    PyObject* const decoded = PyUnicode_DecodeUTF8(text.data(), static_cast<py::ssize_t>(text.size()), "replace");
    if (!decoded) throw py::error_already_set();
    return py::reinterpret_steal<py::str>(decoded);
}

// The module of the exceptions, imported with the first of them: it is of the package that imports this extension.
const py::module_& checks() {
    PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::module_> storage;
    return storage.call_once_and_store_result([] { return py::module_::import("pixelgauge.checks"); }).get_stored();
}

py::error_already_set raised(const py::object& type, const py::object& error) {
    PyErr_SetObject(type.ptr(), error.ptr());
    return py::error_already_set();
}

py::error_already_set of_argument(const char* type_name, const ErrorParts& parts) {
    const auto known = [](int64_t n) -> py::object { return n < 0 ? py::object(py::none()) : py::object(py::int_(n)); };
    const py::object type = checks().attr(type_name);
    return raised(type,
                  type(text_of(parts.argument), text_of(parts.value), text_of(parts.problem), text_of(parts.remedy),
                       py::arg("kind") = word_of(parts.kind), py::arg("image") = known(parts.image), py::arg("row") = known(parts.row),
                       py::arg("column") = known(parts.column), py::arg("required") = known(parts.required)));
}

}  // namespace

void check(pg_status status) {
    if (status == PG_OK) return;
    pg_error info;
    pg_error_info(&info);
    const ErrorParts parts(info);  // a copy: whatever Python runs meanwhile, an import or a finalizer, may fail here too
    if (status == PG_INVALID_ARGUMENT) throw of_argument("ArgumentValueError", parts);
    const py::handle type = status == PG_OUT_OF_MEMORY ? PyExc_MemoryError : PyExc_RuntimeError;
    throw raised(py::reinterpret_borrow<py::object>(type), text_of(parts.message()));
}

py::error_already_set wrong_value(const std::string& argument, std::string problem, std::string remedy, pg_error_kind kind) {
    return of_argument("ArgumentValueError",
                       {PG_INVALID_ARGUMENT, kind, argument, "", argument + " " + std::move(problem), std::move(remedy)});
}

py::error_already_set wrong_type(const std::string& argument, std::string problem, std::string remedy) {
    return of_argument("ArgumentTypeError",
                       {PG_INVALID_ARGUMENT, PG_ERROR_VALUE, argument, "", argument + " " + std::move(problem), std::move(remedy)});
}

py::error_already_set wrong_axes(const std::string& argument, int axes, const py::array& array) {
    return wrong_value(argument,
                       "must have " + std::to_string(axes) + (axes == 1 ? " axis" : " axes") + ", not " + std::to_string(array.ndim()));
}
