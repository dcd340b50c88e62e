// Sets of samples, a row each, that are compared by their squared distances.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/table.h"
#include "matrix/matrices.h"
#include "runtime/status.h"

namespace pixelgauge {

inline double squared_distance(const float* x, const float* y, int64_t n) { return kernels().squared_distance_f32(x, y, n); }
inline double squared_distance(const double* x, const double* y, int64_t n) { return kernels().squared_distance_f64(x, y, n); }
inline double squared_distance(const float* x, const double* y, int64_t n) { return kernels().squared_distance_mixed(x, y, n); }

// The mean of a set, which float32 holds where it can.
template <class In>
std::vector<double> centre_of(const pg_matrix& m);

// Samples about a common centre, which leaves distances alone and lowers the norms that rounding is relative to. Throws if a value is
// not finite, or its square is not.
template <class In>
struct Samples {
    const In* data;
    int64_t count, dim, stride;
    std::vector<double> norms;

    Samples(const pg_matrix& m, const char* name, const std::vector<double>& centre);
    const In* row(int64_t i) const { return data + i * stride; }

  private:
    Fault spoilt(const char* name) const;
};

// Of one dtype and width, with contiguous rows.
void require_comparable(const pg_matrix& x, const char* name_x, const pg_matrix& y, const char* name_y);

}  // namespace pixelgauge
