// Mean squared and mean absolute error of pairs of images.
#include <algorithm>

#include "image/pixel_pass.h"
#include "image/rows.h"
#include "runtime/status.h"

using namespace pixelgauge;

extern "C" pg_status pg_mse(const pg_images* x, const pg_images* y, double* mse) {
    return guarded([&] {
        require_pair(x, y);
        if (x->count > 0) require_given({{"mse", mse}});
        PixelPass pass{true, false, {}, {}};
        pass_over_pixels(*x, *y, 0, pass);
        std::copy(pass.mse.begin(), pass.mse.end(), mse);
    });
}

extern "C" pg_status pg_mae(const pg_images* x, const pg_images* y, double* mae) {
    return guarded([&] {
        require_pair(x, y);
        if (x->count > 0) require_given({{"mae", mae}});
        PixelPass pass{false, true, {}, {}};
        pass_over_pixels(*x, *y, 0, pass);
        std::copy(pass.mae.begin(), pass.mae.end(), mae);
    });
}
