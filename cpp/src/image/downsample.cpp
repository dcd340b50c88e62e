#include "image/downsample.h"

#include <cstdlib>
#include <cstring>
#include <type_traits>

#include "image/rows.h"
#include "kernels/table.h"
#include "runtime/threads.h"

namespace pixelgauge {

namespace {

// Sums of the blocks of one plane, or of all planes of pixels that lie side by side: where they are read.
template <class In, class Sum>
class Blocks {
  public:
    Blocks(const View& view, int64_t planes, Axis rows, Axis columns, Outside outside)
        : view_(view), planes_(planes), rows_(rows), columns_(columns), outside_(outside) {}

    // Row r of each plane; the planes' rows lie `plane_stride` elements apart.
    template <class Out>
    void row(int64_t r, double factor, Out* out, int64_t plane_stride) {
        const int64_t top = r * rows_.factor + rows_.offset, f = columns_.factor;
        // outputs whose block lies inside the image, from first to last
        int64_t first = columns_.offset < 0 ? (f - 1 - columns_.offset) / f : 0;
        const int64_t reach = view_.width - columns_.offset;
        int64_t last = reach / f < columns_.outputs ? reach / f : columns_.outputs;
        if (top < 0 || top + rows_.factor > view_.height || last <= first) first = last = columns_.outputs;
        for (int64_t c = 0; c < planes_; ++c) {
            Out* const to = out + c * plane_stride;
            for (int64_t i = 0; i < first; ++i) to[i] = scaled<Out>(border_block(top, i, c), factor);
            for (int64_t i = last; i < columns_.outputs; ++i) to[i] = scaled<Out>(border_block(top, i, c), factor);
        }
        if (first == last) return;
        const char* const source = view_.data + top * view_.row_stride + (first * f + columns_.offset) * view_.column_stride;
        if (f == 2 && rows_.factor == 2)
            halved(source, first, last, out, plane_stride);
        else
            averaged(source, first, last, factor, out, plane_stride);
    }

  private:
    // A plane after another of the same two rows, which the first one has brought into the cache.
    template <class Out>
    void halved(const char* source, int64_t first, int64_t last, Out* out, int64_t plane_stride) const {
        const char* const below = source + view_.row_stride;
        for (int64_t c = 0; c < planes_; ++c) {
            const int64_t at = c * view_.channel_stride;
            const char* const later = (view_.row_stride < 0 ? source : below) + at;
            const HalvesRow row{source + at,  below + at,        view_.column_stride,
                                last - first, view_.end - later, out + c * plane_stride + first};
            kernels().halves[view_.dtype](&row);
        }
    }

    // Down the columns first, in registers where the values lie side by side, as those of interleaved planes do.
    template <class Out>
    void averaged(const char* source, int64_t first, int64_t last, double factor, Out* out, int64_t plane_stride) {
        const int64_t f = columns_.factor, width = (last - first) * f * planes_, item = sizeof(In);
        sums_.resize(static_cast<size_t>(width));
        Sum* const sums = sums_.data();
        const auto down = [&](int64_t step) {
            for (int64_t x = 0; x < width; ++x) sums[x] = at(source + x * step);
            for (int64_t k = 1; k < rows_.factor; ++k) {
                const char* const line = source + k * view_.row_stride;
                for (int64_t x = 0; x < width; ++x) sums[x] = static_cast<Sum>(sums[x] + at(line + x * step));
            }
        };
        view_.column_stride == item* planes_ ? down(item) : down(view_.column_stride);
        for (int64_t c = 0; c < planes_; ++c) {
            const Sum* from = sums + c;
            for (int64_t i = first; i < last; ++i, from += f * planes_) {
                Sum sum{};
                for (int64_t k = 0; k < f; ++k) sum = static_cast<Sum>(sum + from[k * planes_]);
                out[c * plane_stride + i] = scaled<Out>(sum, factor);
            }
        }
    }

    static Sum at(const char* p) {
        In value;
        std::memcpy(&value, p, sizeof(In));
        return static_cast<Sum>(value);
    }
    template <class Out>
    static Out scaled(Sum sum, double factor) {
        if constexpr (std::is_integral_v<Out>)
            return static_cast<Out>(sum);
        else
            return static_cast<Out>(static_cast<double>(sum) * factor);
    }

    // A block of a plane that reaches beyond the edge.
    Sum border_block(int64_t top, int64_t i, int64_t plane) const {
        const char* const data = view_.data + plane * view_.channel_stride;
        Sum sum{};
        for (int64_t r = top; r < top + rows_.factor; ++r)
            for (int64_t c = i * columns_.factor + columns_.offset; c < (i + 1) * columns_.factor + columns_.offset; ++c) {
                const bool is_inside = r >= 0 && r < view_.height && c >= 0 && c < view_.width;
                if (outside_ == Outside::Zero && !is_inside) continue;
                sum = static_cast<Sum>(sum + at(data + inside(r, view_.height, Border::Repeat) * view_.row_stride +
                                                inside(c, view_.width, Border::Repeat) * view_.column_stride));
            }
        return sum;
    }

    const View& view_;
    int64_t planes_;
    Axis rows_, columns_;
    Outside outside_;
    std::vector<Sum> sums_;
};

}  // namespace

double reduced_scale(pg_dtype dtype, Axis rows, Axis columns) {
    const double block = static_cast<double>(rows.factor) * static_cast<double>(columns.factor);
    return dtype == PG_UINT8 && 255 * block <= 65535 ? block : 1;
}

bool channels_together(const pg_images& images) { return std::abs(images.channel_stride) < std::abs(images.column_stride); }

void Reduced::reduce(const pg_images& images, Axis rows, Axis columns, Outside outside) {
    const double block = static_cast<double>(rows.factor) * static_cast<double>(columns.factor);
    scale_ = reduced_scale(images.dtype, rows, columns);
    const bool as_integers = images.dtype == PG_UINT8 && scale_ == block;
    images_ = images;
    images_.dtype = as_integers ? PG_UINT16 : images.dtype == PG_FLOAT64 ? PG_FLOAT64 : PG_FLOAT32;
    const double factor = as_integers ? 1 : 1 / block;
    const int64_t item = element_bytes(images_.dtype);
    images_.height = rows.outputs;
    images_.width = columns.outputs;
    images_.column_stride = item;
    images_.row_stride = columns.outputs * item;
    images_.channel_stride = rows.outputs * images_.row_stride;
    images_.count_stride = images.channels * images_.channel_stride;
    const int64_t bytes = images.count * images_.count_stride;
    if (bytes > bytes_) {
        pixels_.reset(new char[static_cast<size_t>(bytes)]);
        bytes_ = bytes;
    }
    images_.data = pixels_.get();

    constexpr int64_t kBand = 32;
    const int64_t bands = (rows.outputs + kBand - 1) / kBand;
    // Channels that lie side by side are read together: halves row by row, other blocks as one long row.
    const int64_t read = element_bytes(images.dtype);
    const bool halves = rows.factor == 2 && columns.factor == 2;
    const bool together =
        halves ? channels_together(images) : images.channel_stride == read && images.column_stride == images.channels * read;
    const int64_t planes = together ? images.channels : 1, parts = images.channels / planes;
    parallel_for(images.count * parts * bands, [&](int64_t t) {
        const int64_t part = t / bands, image = part / parts, channel = part % parts;
        const View view(images, image, channel, planes);
        const int64_t top = t % bands * kBand, bottom = top + kBand < rows.outputs ? top + kBand : rows.outputs;
        char* const out = pixels_.get() + image * images_.count_stride + channel * images_.channel_stride;
        const auto run = [&](auto in, auto sum, auto to) {
            using Out = decltype(to);
            Blocks<decltype(in), decltype(sum)> blocks(view, planes, rows, columns, outside);
            for (int64_t r = top; r < bottom; ++r)
                blocks.row(r, factor, reinterpret_cast<Out*>(out + r * images_.row_stride), images_.channel_stride / item);
        };
        const double largest_sum = block * (images.dtype == PG_UINT8 ? 255 : 65535);
        const auto run_integers = [&](auto in) {
            largest_sum <= 4294967295.0 ? run(in, uint32_t{}, float{}) : run(in, uint64_t{}, float{});
        };
        switch (images.dtype) {
            case PG_UINT8:
                as_integers ? run(uint8_t{}, uint16_t{}, uint16_t{}) : run_integers(uint8_t{});
                break;
            case PG_UINT16:
                run_integers(uint16_t{});
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
