// What the matrix functions of the C ABI share: checks of a pg_matrix and its view as rows.
#pragma once

#include "matrix/gemm.h"
#include "pixelgauge/pixelgauge.h"

namespace pixelgauge {

void require_matrix(const pg_matrix* m, const char* name);

// Whether every element is finite; a pass over all of them.
bool is_finite(const pg_matrix& m);

// Whether the n values are: NaN and infinities survive a multiplication with 0.
template <class T>
bool are_finite(const T* values, int64_t n) {
    T poison = 0;
    for (int64_t i = 0; i < n; ++i) poison += values[i] * 0;
    return poison == 0;
}

template <class In, class T>
Rows<In, T> rows_of(const pg_matrix& m) {
    constexpr int64_t item = sizeof(In);
    return {static_cast<const In*>(m.data), m.row_stride / item, m.column_stride / item};
}

}  // namespace pixelgauge
