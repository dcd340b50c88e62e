#include "reduce.h"

#include "images.h"
#include "threads.h"

namespace pixelgauge {

namespace {

template <class In, class Sum, class Out>
void reduce_row(RowReader& reader, int64_t height, int64_t width, const Axis& rows, const Axis& columns, Outside outside, int64_t r,
                double factor, std::vector<Sum>& sums, Out* out) {
    sums.assign(static_cast<size_t>(width), Sum{});
    for (int64_t k = 0; k < rows.factor; ++k) {
        const int64_t at = r * rows.factor + rows.offset + k;
        if (outside == Outside::Zero && (at < 0 || at >= height)) continue;
        const In* row = static_cast<const In*>(reader.row(inside(at, height, Border::Repeat)));
        for (int64_t i = 0; i < width; ++i) sums[static_cast<size_t>(i)] += static_cast<Sum>(row[i]);
    }
    for (int64_t i = 0; i < columns.outputs; ++i) {
        const int64_t at = i * columns.factor + columns.offset;
        Sum sum{};
        if (at >= 0 && at + columns.factor <= width) {
            for (int64_t k = 0; k < columns.factor; ++k) sum += sums[static_cast<size_t>(at + k)];
        } else {
            for (int64_t k = at; k < at + columns.factor; ++k) {
                if (outside == Outside::Zero && (k < 0 || k >= width)) continue;
                sum += sums[static_cast<size_t>(inside(k, width, Border::Repeat))];
            }
        }
        out[i] = static_cast<Out>(static_cast<double>(sum) * factor);
    }
}

}  // namespace

Reduced::Reduced(const pg_images& images, Axis rows, Axis columns, Outside outside) {
    const double block = static_cast<double>(rows.factor) * static_cast<double>(columns.factor);
    const bool as_integers = images.dtype == PG_UINT8 && 255 * block <= 65535;
    images_ = images;
    images_.dtype = as_integers ? PG_UINT16 : images.dtype == PG_FLOAT64 ? PG_FLOAT64 : PG_FLOAT32;
    scale_ = as_integers ? block : 1;
    const double factor = as_integers ? 1 : 1 / block;
    const int64_t item = element_bytes(images_.dtype);
    images_.height = rows.outputs;
    images_.width = columns.outputs;
    images_.column_stride = item;
    images_.row_stride = columns.outputs * item;
    images_.channel_stride = rows.outputs * images_.row_stride;
    images_.count_stride = images.channels * images_.channel_stride;
    pixels_.resize(static_cast<size_t>(images.count * images_.count_stride));
    images_.data = pixels_.data();

    constexpr int64_t kBand = 32;
    const int64_t bands = (rows.outputs + kBand - 1) / kBand;
    parallel_for(images.count * images.channels * bands, [&](int64_t t) {
        const int64_t plane = t / bands, image = plane / images.channels, channel = plane % images.channels;
        const View view(images, image, channel, 1);
        RowReader reader(view, 0, images.width, 0, Border::None);
        const int64_t top = t % bands * kBand, bottom = top + kBand < rows.outputs ? top + kBand : rows.outputs;
        char* const out = pixels_.data() + image * images_.count_stride + channel * images_.channel_stride;
        const auto run = [&](auto in, auto sum, auto to) {
            std::vector<decltype(sum)> sums;
            for (int64_t r = top; r < bottom; ++r)
                reduce_row<decltype(in)>(reader, images.height, images.width, rows, columns, outside, r, factor, sums,
                                         reinterpret_cast<decltype(to)*>(out + r * images_.row_stride));
        };
        switch (images.dtype) {
            case PG_UINT8:
                as_integers ? run(uint8_t{}, uint32_t{}, uint16_t{}) : run(uint8_t{}, uint32_t{}, float{});
                break;
            case PG_UINT16:
                run(uint16_t{}, uint32_t{}, float{});
                break;
            case PG_FLOAT32:
                run(float{}, double{}, float{});
                break;
            case PG_FLOAT64:
                run(double{}, double{}, double{});
                break;
        }
    });
}

}  // namespace pixelgauge
