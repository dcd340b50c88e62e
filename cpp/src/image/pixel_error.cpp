// Mean squared error of pairs of images, summed row by row in a fixed order.
#include <vector>

#include "image/rows.h"
#include "kernels/table.h"
#include "runtime/status.h"
#include "runtime/threads.h"

namespace pixelgauge {

namespace {

// The first row of an image that holds NaN or infinity, or -1.
int64_t row_not_finite(const pg_images& images, int64_t image) {
    const View view(images, image, 0, images.channels);
    RowReader rows(view, 0, view.width, 0, Border::None);
    for (int64_t r = 0; r < view.height; ++r) {
        double low, high;
        kernels().value_range[images.dtype](rows.row(r), view.width * view.channels, &low, &high);
        if (low != low) return r;
    }
    return -1;
}

Fault not_finite(const pg_images& x, const pg_images& y, int64_t image) {
    const int64_t row_x = row_not_finite(x, image), row_y = row_x < 0 ? row_not_finite(y, image) : -1;
    return Fault(row_x < 0 && row_y < 0 ? PG_ERROR_OVERFLOW : PG_ERROR_NOT_FINITE, row_y < 0 ? "x" : "y", "",
                 "x or y holds NaN or infinity, or values whose squares overflow (image " + std::to_string(image) + ")",
                 "replace them, or crop to the valid part, first")
        .in_image(image)
        .in_row(row_x < 0 ? row_y : row_x);
}

}  // namespace

}  // namespace pixelgauge

extern "C" pg_status pg_mse(const pg_images* x, const pg_images* y, double* mse) {
    using namespace pixelgauge;
    return guarded([&] {
        require_pair(x, y);
        if (x->count > 0) require_given({{"mse", mse}});
        const auto squared_error = kernels().squared_error[x->dtype];
        constexpr int64_t kBand = 64;
        const int64_t bands = (x->height + kBand - 1) / kBand;
        std::vector<double> sums(static_cast<size_t>(x->count * bands));
        parallel_for(x->count * bands, [&](int64_t t) {
            const View a(*x, t / bands, 0, x->channels), b(*y, t / bands, 0, x->channels);
            RowReader rows_a(a, 0, a.width, 0, Border::None), rows_b(b, 0, b.width, 0, Border::None);
            const int64_t top = t % bands * kBand, bottom = top + kBand < a.height ? top + kBand : a.height;
            double sum = 0;
            for (int64_t r = top; r < bottom; ++r) sum += squared_error(rows_a.row(r), rows_b.row(r), a.width * a.channels);
            sums[static_cast<size_t>(t)] = sum;
        });
        const double n = static_cast<double>(x->height) * static_cast<double>(x->width) * static_cast<double>(x->channels);
        for (int64_t i = 0; i < x->count; ++i) {
            double sum = 0;
            for (int64_t band = 0; band < bands; ++band) sum += sums[static_cast<size_t>(i * bands + band)];
            mse[i] = sum / n;
            require(mse[i] - mse[i] == 0, [&] { return not_finite(*x, *y, i); });
        }
    });
}
