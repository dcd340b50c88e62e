#include "matrix/samples.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "runtime/threads.h"

namespace pixelgauge {

namespace {

constexpr double kLargestNorm = std::numeric_limits<double>::max() / 8;  // the square of a sum of two is finite then

}  // namespace

template <class In>
std::vector<double> centre_of(const pg_matrix& m) {
    std::vector<double> centre(static_cast<size_t>(m.columns));
    constexpr int64_t kColumns = 64;
    parallel_for((m.columns + kColumns - 1) / kColumns, [&](int64_t t) {
        const int64_t first = t * kColumns, last = std::min(first + kColumns, m.columns);
        for (int64_t i = 0; i < m.rows; ++i) {
            const In* const row = static_cast<const In*>(m.data) + i * (m.row_stride / static_cast<int64_t>(sizeof(In)));
            for (int64_t j = first; j < last; ++j)
                centre[static_cast<size_t>(j)] += static_cast<double>(row[j]) / static_cast<double>(m.rows);
        }
    });
    for (double& c : centre) c = std::fabs(c) < 1e37 ? static_cast<double>(static_cast<float>(c)) : c;  // the same in both types
    return centre;
}

template <class In>
Samples<In>::Samples(const pg_matrix& m, const char* name, const std::vector<double>& centre)
    : data(static_cast<const In*>(m.data)),
      count(m.rows),
      dim(m.columns),
      stride(m.row_stride / static_cast<int64_t>(sizeof(In))),
      norms(static_cast<size_t>(m.rows)) {
    parallel_for(count, [&](int64_t i) { norms[static_cast<size_t>(i)] = squared_distance(row(i), centre.data(), dim); });
    for (const double norm : norms) require(norm <= kLargestNorm, [&] { return spoilt(name); });
}

// The row to blame is that of the first value that is none, or of the largest one: by the centre it spoils all norms.
template <class In>
Fault Samples<In>::spoilt(const char* name) const {
    double most = -1;
    int64_t worst = 0;
    for (int64_t i = 0; i < count && std::isfinite(most); ++i)
        for (int64_t j = 0; j < dim && std::isfinite(most); ++j)
            if (const double magnitude = std::fabs(static_cast<double>(row(i)[j])); !(magnitude <= most)) {
                most = magnitude;
                worst = i;
            }
    return Fault(std::isfinite(most) ? PG_ERROR_OVERFLOW : PG_ERROR_NOT_FINITE, name, "",
                 std::string(name) + " holds NaN, infinity or a value whose square is not finite in row " + std::to_string(worst))
        .in_row(worst);
}

void require_comparable(const pg_matrix& x, const char* name_x, const pg_matrix& y, const char* name_y) {
    const auto both = [&] { return std::string(name_x) + " and " + name_y; };
    require(x.dtype == y.dtype, [&] { return Fault(PG_ERROR_MISMATCH, name_y, "", both() + " differ in dtype", "convert one of them"); });
    require(x.columns == y.columns, [&] {
        return Fault(PG_ERROR_MISMATCH, name_y, "",
                     std::string(name_x) + " has " + std::to_string(x.columns) + " columns and " + name_y + " " + std::to_string(y.columns),
                     "they must agree");
    });
    const int64_t item = x.dtype == PG_FLOAT32 ? 4 : 8;
    require(x.column_stride == item && y.column_stride == item, [&] {
        return Fault(PG_ERROR_VALUE, x.column_stride == item ? name_y : name_x, "", "the rows of " + both() + " must be contiguous",
                     "copy them");
    });
}

template std::vector<double> centre_of<float>(const pg_matrix&);
template std::vector<double> centre_of<double>(const pg_matrix&);
template struct Samples<float>;
template struct Samples<double>;

}  // namespace pixelgauge
