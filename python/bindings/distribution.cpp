// Matrix products, statistics of features and square roots of covariances on float32 and float64 arrays.
#include <vector>

#include "bindings.h"

namespace {

using Float64 = py::array_t<double, py::array::c_style>;

pg_matrix matrix_of(const py::array& array, const char* name) {
    if (array.ndim() != 2) throw wrong_axes(name, 2, array);
    pg_matrix matrix{};
    if (array.dtype().equal(py::dtype::of<float>()))
        matrix.dtype = PG_FLOAT32;
    else if (array.dtype().equal(py::dtype::of<double>()))
        matrix.dtype = PG_FLOAT64;
    else
        throw wrong_type(name, "has dtype " + py::str(array.dtype()).cast<std::string>(), "use float32 or float64 in native byte order");
    matrix.data = array.data();
    matrix.rows = array.shape(0);
    matrix.columns = array.shape(1);
    matrix.row_stride = array.strides(0);
    matrix.column_stride = array.strides(1);
    return matrix;
}

// A dense square float64 matrix, used where the core wants plain memory.
int64_t order_of(const Float64& a, const char* name) {
    if (a.ndim() != 2 || a.shape(0) != a.shape(1)) throw wrong_value(name, "must be a square matrix");
    return a.shape(0);
}

py::array matmul_transposed(const py::array& a, const py::array& b) {
    const pg_matrix x = matrix_of(a, "a"), y = matrix_of(b, "b");
    py::array c(a.dtype(), std::vector<py::ssize_t>{x.rows, y.rows});
    void* out = c.mutable_data();
    released([&] { return pg_matmul_transposed(&x, &y, out); });
    return c;
}

void scatter_add(const py::array& features, const Float64& shift, Float64& sum, Float64& scatter) {
    const pg_matrix x = matrix_of(features, "features");
    if (shift.size() != x.columns || sum.size() != 2 * x.columns || scatter.size() != 2 * x.columns * x.columns)
        throw py::value_error("shift, sum and scatter must hold D, 2 D and 2 D D values for features of D columns");
    const double* c = shift.data();
    double *s = sum.mutable_data(), *m = scatter.mutable_data();
    released([&] { return pg_scatter_add(&x, c, s, m); });
}

py::tuple count_neighbours(const py::array& real, const py::array& fake, int64_t precision_k, int64_t density_k) {
    const pg_matrix x = matrix_of(real, "real"), y = matrix_of(fake, "fake");
    pg_neighbours found{};
    released([&] { return pg_count_neighbours(&x, &y, precision_k, density_k, &found); });
    return py::make_tuple(found.fake_inside, found.real_inside, found.pairs, found.real_covered);
}

py::tuple gaussian_kernel_means(const py::array& x, const py::array& y, double gamma) {
    const pg_matrix of_x = matrix_of(x, "x"), of_y = matrix_of(y, "y");
    pg_kernel_means found{};
    released([&] { return pg_gaussian_kernel_means(&of_x, &of_y, gamma, &found); });
    return py::make_tuple(found.within_x, found.within_y, found.across);
}

py::tuple pivoted_cholesky(const Float64& a) {
    const int64_t n = order_of(a, "a");
    Float64 l(std::vector<py::ssize_t>{n, n});
    int64_t rank = 0;
    double remainder = 0;
    const double* in = a.data();
    double* out = l.mutable_data();
    released([&] { return pg_pivoted_cholesky(in, n, out, &rank, &remainder); });
    return py::make_tuple(l, rank, remainder);
}

py::tuple nuclear_norm(const py::array& m) {
    const pg_matrix x = matrix_of(m, "m");
    pg_nuclear_norm_result result{};
    released([&] { return pg_nuclear_norm(&x, &result); });
    return py::make_tuple(result.lower, result.upper, result.halley_steps, result.newton_schulz_steps);
}

Float64 sqrtm_psd(const Float64& a) {
    const int64_t n = order_of(a, "a");
    Float64 root(std::vector<py::ssize_t>{n, n});
    const double* in = a.data();
    double* out = root.mutable_data();
    released([&] { return pg_sqrtm_psd(in, n, out); });
    return root;
}

}  // namespace

void register_distribution(py::module_& m) {
    m.def("matmul_transposed", &matmul_transposed, py::arg("a"), py::arg("b"));
    m.def("scatter_add", &scatter_add, py::arg("features"), py::arg("shift").noconvert(), py::arg("sum").noconvert(),
          py::arg("scatter").noconvert());
    m.def("count_neighbours", &count_neighbours, py::arg("real"), py::arg("fake"), py::arg("precision_k"), py::arg("density_k"));
    m.def("gaussian_kernel_means", &gaussian_kernel_means, py::arg("x"), py::arg("y"), py::arg("gamma"));
    m.def("pivoted_cholesky", &pivoted_cholesky, py::arg("a").noconvert());
    m.def("nuclear_norm", &nuclear_norm, py::arg("m"));
    m.def("sqrtm_psd", &sqrtm_psd, py::arg("a").noconvert());
}
