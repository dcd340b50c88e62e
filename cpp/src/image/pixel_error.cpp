// Mean squared error of pairs of images, summed row by row in a fixed order.
#include <vector>

#include "image/rows.h"
#include "kernels/table.h"
#include "runtime/status.h"
#include "runtime/threads.h"

extern "C" pg_status pg_mse(const pg_images* x, const pg_images* y, double* mse) {
    using namespace pixelgauge;
    return guarded([&] {
        require_pair(x, y);
        require(mse != nullptr || x->count == 0, "mse is NULL");
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
            if (!(mse[i] - mse[i] == 0))
                throw InvalidArgument("x or y holds NaN or infinity, or values whose squares overflow (image " + std::to_string(i) +
                                      "): replace them, or crop to the valid part, first");
        }
    });
}
