// Ranking on one vector of scores and one of label bits.
#include <pybind11/stl.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "bindings.h"

namespace {

using Bits = py::array_t<uint64_t, py::array::c_style>;

enum class CurveDrop : int32_t {
    none = PG_CURVE_DROP_NONE,
    equal_steps = PG_CURVE_DROP_EQUAL_STEPS,
    same_positives = PG_CURVE_DROP_SAME_POSITIVES
};

pg_score_dtype score_dtype(const py::array& scores, bool bfloat16) {
    const char kind = scores.dtype().kind();
    const py::ssize_t bytes = scores.itemsize();
    if (scores.dtype().attr("isnative").cast<bool>()) {
        if (bfloat16) {
            if (kind == 'u' && bytes == 2) return PG_SCORE_BFLOAT16;
        } else if (kind == 'u') {
            return bytes == 1 ? PG_SCORE_UINT8 : bytes == 2 ? PG_SCORE_UINT16 : bytes == 4 ? PG_SCORE_UINT32 : PG_SCORE_UINT64;
        } else if (kind == 'i') {
            return bytes == 1 ? PG_SCORE_INT8 : bytes == 2 ? PG_SCORE_INT16 : bytes == 4 ? PG_SCORE_INT32 : PG_SCORE_INT64;
        } else if (kind == 'f' && bytes <= 8) {
            return bytes == 2 ? PG_SCORE_FLOAT16 : bytes == 4 ? PG_SCORE_FLOAT32 : PG_SCORE_FLOAT64;
        }
    }
    throw wrong_type("y_score", "has dtype " + py::str(scores.dtype()).cast<std::string>(),
                     "use float16, float32, float64 or integers in native byte order");
}

pg_ranking ranking_of(const py::array& scores, const Bits& labels, bool bfloat16) {
    if (scores.ndim() != 1) throw wrong_axes("y_score", 1, scores);
    if (labels.size() != (scores.shape(0) + 63) / 64)
        throw wrong_value(
            "labels",
            "must have one bit a score: " + std::to_string(labels.size()) + " words for " + std::to_string(scores.shape(0)) + " scores", "",
            PG_ERROR_MISMATCH);
    return {scores.data(), score_dtype(scores, bfloat16), scores.shape(0), scores.strides(0), labels.data()};
}

py::object wide(uint64_t high, uint64_t low) {
    return py::reinterpret_steal<py::object>(PyNumber_Or(
        py::reinterpret_steal<py::object>(PyNumber_Lshift(py::int_(high).ptr(), py::int_(64).ptr())).ptr(), py::int_(low).ptr()));
}

py::object label_bits(const py::array& labels, const py::array& positive, const py::array& negative) {
    if (labels.ndim() != 1) throw wrong_axes("labels", 1, labels);
    const auto spellings = [&](const py::array& values, uint64_t out[2]) {
        if (!values.dtype().equal(labels.dtype()) || values.ndim() != 1 || values.shape(0) != 2)
            throw py::value_error("positive and negative must be two spellings each of the labels' dtype");
        out[0] = out[1] = 0;
        for (int k = 0; k < 2; ++k) std::memcpy(&out[k], values.data(k), static_cast<size_t>(values.itemsize()));
    };
    uint64_t yes[2], no[2];
    const py::ssize_t bytes = labels.itemsize();
    if (bytes > 8) throw wrong_type("labels", "of " + std::to_string(bytes) + " bytes", "use 1, 2, 4 or 8");
    spellings(positive, yes);
    spellings(negative, no);
    Bits bits((labels.shape(0) + 63) / 64);
    uint64_t* out = bits.mutable_data();
    int32_t all_known = 0;
    released([&] { return pg_label_bits(labels.data(), bytes, labels.shape(0), labels.strides(0), yes, no, out, &all_known); });
    if (!all_known) return py::none();
    return bits;
}

py::tuple auroc(const py::array& scores, const Bits& labels, bool bfloat16) {
    const pg_ranking ranking = ranking_of(scores, labels, bfloat16);
    pg_auroc_counts counts{};
    released([&] { return pg_auroc(&ranking, &counts); });
    return py::make_tuple(wide(counts.twice_u_high, counts.twice_u_low), counts.positives, counts.negatives);
}

py::list auroc_by_group(const py::array& scores, const Bits& labels, const py::array_t<int64_t, py::array::c_style>& groups,
                        int64_t group_count, bool bfloat16) {
    const pg_ranking ranking = ranking_of(scores, labels, bfloat16);
    if (groups.ndim() != 1 || groups.shape(0) != scores.shape(0)) throw wrong_value("groups", "must be one a score", "", PG_ERROR_MISMATCH);
    std::vector<pg_auroc_counts> counts(static_cast<size_t>(std::max<int64_t>(group_count, 0)));
    const int64_t* of_sample = groups.data();
    released([&] { return pg_auroc_by_group(&ranking, of_sample, group_count, counts.data()); });
    py::list result;
    for (const pg_auroc_counts& c : counts) result.append(py::make_tuple(wide(c.twice_u_high, c.twice_u_low), c.positives, c.negatives));
    return result;
}

using Weights = py::array_t<double, py::array::c_style>;

const double* weights_of(const std::optional<Weights>& weights, const py::array& scores) {
    if (!weights) return nullptr;
    if (weights->ndim() != 1 || weights->shape(0) != scores.shape(0))
        throw wrong_value("weights", "must be one a score", "", PG_ERROR_MISMATCH);
    return weights->data();
}

py::tuple curve(const py::array& scores, const Bits& labels, const std::optional<Weights>& weights, CurveDrop drop, bool rates,
                bool bfloat16) {
    const pg_ranking ranking = ranking_of(scores, labels, bfloat16);
    const double* w = weights_of(weights, scores);
    pg_curve* made = nullptr;
    released([&] { return pg_curve_new(&ranking, w, static_cast<pg_curve_drop>(drop), rates ? PG_CURVE_RATES : PG_CURVE_COUNTS, &made); });
    // the arrays look into the curve, which goes with the last of them
    const py::capsule owner(made, [](void* c) { pg_curve_free(static_cast<pg_curve*>(c)); });
    int64_t n = 0;
    const double *thresholds = nullptr, *positives = nullptr, *negatives = nullptr;
    check(pg_curve_points(made, &n, &thresholds, &positives, &negatives));
    const auto view = [&](const double* p) { return py::array_t<double>(n, p, owner); };
    return py::make_tuple(view(negatives), view(positives), view(thresholds));
}

double average_precision(const py::array& scores, const Bits& labels, const std::optional<Weights>& weights, bool bfloat16) {
    const pg_ranking ranking = ranking_of(scores, labels, bfloat16);
    const double* w = weights_of(weights, scores);
    double result = 0;
    released([&] { return pg_average_precision(&ranking, w, &result); });
    return result;
}

double weighted_auroc(const py::array& scores, const Bits& labels, const Weights& weights, bool bfloat16) {
    const pg_ranking ranking = ranking_of(scores, labels, bfloat16);
    const double* w = weights_of(weights, scores);
    double result = 0;
    released([&] { return pg_weighted_auroc(&ranking, w, &result); });
    return result;
}

py::tuple delong(const py::array& scores, const Bits& labels, bool bfloat16) {
    const pg_ranking ranking = ranking_of(scores, labels, bfloat16);
    pg_delong_sums sums{};
    released([&] { return pg_delong(&ranking, &sums); });
    return py::make_tuple(wide(sums.twice_u[1], sums.twice_u[0]), wide(sums.positive_squares[1], sums.positive_squares[0]),
                          wide(sums.negative_squares[1], sums.negative_squares[0]), sums.positives, sums.negatives);
}

py::tuple connected_components(const py::array_t<uint8_t, py::array::c_style>& masks) {
    if (masks.ndim() != 3) throw wrong_axes("masks", 3, masks);
    py::array_t<int32_t> labels({masks.shape(0), masks.shape(1), masks.shape(2)});
    py::array_t<int64_t> regions(masks.shape(0));
    const uint8_t* in = masks.data();
    int32_t* out = labels.mutable_data();
    int64_t* numbers = regions.mutable_data();
    released([&] { return pg_connected_components(in, masks.shape(0), masks.shape(1), masks.shape(2), out, numbers); });
    return py::make_tuple(labels, regions);
}

}  // namespace

void register_ranking(py::module_& m) {
    py::enum_<CurveDrop>(m, "CurveDrop")
        .value("none", CurveDrop::none)
        .value("equal_steps", CurveDrop::equal_steps)
        .value("same_positives", CurveDrop::same_positives);
    m.def("curve", &curve, py::arg("scores"), py::arg("labels"), py::arg("weights"), py::arg("drop"), py::arg("rates"),
          py::arg("bfloat16") = false);
    m.def("average_precision", &average_precision, py::arg("scores"), py::arg("labels"), py::arg("weights"), py::arg("bfloat16") = false);
    m.def("weighted_auroc", &weighted_auroc, py::arg("scores"), py::arg("labels"), py::arg("weights"), py::arg("bfloat16") = false);
    m.def("delong", &delong, py::arg("scores"), py::arg("labels"), py::arg("bfloat16") = false);
    m.def("connected_components", &connected_components, py::arg("masks"));
    m.def("label_bits", &label_bits, py::arg("labels"), py::arg("positive"), py::arg("negative"));
    m.def("auroc", &auroc, py::arg("scores"), py::arg("labels"), py::arg("bfloat16") = false);
    m.def("auroc_by_group", &auroc_by_group, py::arg("scores"), py::arg("labels"), py::arg("groups"), py::arg("group_count"),
          py::arg("bfloat16") = false);
}
