// What the matrix functions of the C ABI share: checks of a pg_matrix and its view as rows.
#pragma once

#include "gemm.h"
#include "pixelgauge/pixelgauge.h"

namespace pixelgauge {

void require_matrix(const pg_matrix* m, const char* name);

template <class In, class T>
Rows<In, T> rows_of(const pg_matrix& m) {
    constexpr int64_t item = sizeof(In);
    return {static_cast<const In*>(m.data), m.row_stride / item, m.column_stride / item};
}

}  // namespace pixelgauge
