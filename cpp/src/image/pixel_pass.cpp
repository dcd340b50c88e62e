// Differences are summed band by band in a fixed order, so that no digit depends on the threads; within a band in chains that do not
// depend on how the channels lie either (kernels/pixel_error.inl). Sums of integers are exact (kernels/pixel_error_integers.inl), and
// rounded once, when they are divided.
#include "image/pixel_pass.h"

#include <cmath>
#include <cstdlib>
#include <string>

#include "image/rows.h"
#include "kernels/table.h"
#include "runtime/status.h"
#include "runtime/threads.h"

namespace pixelgauge {

namespace {

constexpr int64_t kBand = 64;
constexpr int64_t kMostSlots = 4;
constexpr int kMostColumns = 32;

bool of_integers(const View& v) { return v.dtype == PG_UINT8 || v.dtype == PG_UINT16; }

// Rows from their last pixel on.
void turn(View& v) {
    v.data += (v.width - 1) * v.column_stride;
    v.column_stride = -v.column_stride;
}

// How the rows of a pair are read: pixels of a few slots where both have them alike, plane after plane, or else copied side by side.
struct ErrorLayout {
    int64_t planes = 1, slots = 1, pixels;
    uint32_t used = 1;
    bool reversed = false;  // the first channel has the last slot
    bool copied = false;

    ErrorLayout(const View& x, const View& y) : pixels(x.width) {
        const int64_t item = element_bytes(x.dtype), channels = x.channels;
        copied = !(aligned(x, item) && aligned(y, item)) || !alike(x, y, item);
        if (!copied) return;
        slots = channels <= kMostSlots ? channels : 1;
        pixels = x.width * channels / slots;
        used = (1u << slots) - 1;
    }

    // The lowest of a pixel's channels.
    static const char* lowest(const View& v) { return v.data + (v.channel_stride < 0 ? (v.channels - 1) * v.channel_stride : 0); }

  private:
    static bool aligned(const View& v, int64_t item) {
        for (const int64_t at :
             {static_cast<int64_t>(reinterpret_cast<uintptr_t>(v.data)), v.row_stride, v.column_stride, v.channel_stride})
            if (at % item != 0) return false;
        return true;
    }

    bool alike(const View& x, const View& y, int64_t item) {
        const int64_t channels = x.channels;
        if (channels > kMostSlots) return false;
        if (channels > 1 && x.column_stride == item && y.column_stride == item) {
            planes = channels;
            return true;
        }
        if (x.column_stride != y.column_stride || x.channel_stride != y.channel_stride) return false;
        const int64_t step = std::abs(x.channel_stride) / item, columns = x.column_stride / item;
        if (columns < 1 || columns > kMostSlots || (channels - 1) * step >= columns) return false;
        slots = columns;
        used = 0;
        for (int64_t c = 0; c < channels; ++c) used |= 1u << (c * step);
        reversed = x.channel_stride < 0;
        return true;
    }
};

// A sum in two parts, the second in units of 2^32, or 0 of floats. Of integers both are exact below 2^53: the first for 2^21 planes of a
// band each, the second for any image.
struct ErrorSum {
    double low = 0, high = 0;
    void operator+=(const ErrorSum& other) {
        low += other.low;
        high += other.high;
    }
    double rounded() const { return high * 4294967296.0 + low; }
};

// The sums of one band: chains of a plane after another.
class ErrorSums {
  public:
    ErrorSums(const ErrorLayout& layout, bool integers, int columns) : layout_(layout), integers_(integers), columns_(columns) {}

    double* plane(int64_t p) { return chains_ + p * columns_; }

    ErrorSum total() const {
        if (!integers_) return {of_chains(), 0};
        ErrorSum sum;
        for (int64_t p = 0; p < layout_.planes; ++p) sum += {chains_[p * columns_], chains_[p * columns_ + 1]};
        return sum;
    }

  private:
    // Column by column and channel by channel, whatever the layout.
    double of_chains() const {
        double sum = 0;
        const int64_t channels = layout_.planes * layout_.slots;
        for (int64_t m = 0; m < columns_; ++m)
            for (int64_t k = 0; k < channels; ++k) {
                const int64_t c = layout_.reversed ? channels - 1 - k : k;
                if (layout_.planes > 1 || layout_.used >> c & 1)
                    sum += layout_.planes > 1 ? chains_[c * columns_ + m] : chains_[m * channels + c];
            }
        return sum;
    }

    const ErrorLayout& layout_;
    bool integers_;
    int64_t columns_;
    double chains_[kMostSlots * kMostColumns] = {};
};

// What a band has found.
struct Found {
    ErrorSum squares, distances;
};

Found pass_over_band(const pg_images& x, const pg_images& y, int64_t image, int64_t top, int64_t bottom, const PixelPass& pass) {
    const Kernels& k = kernels();
    View a(x, image, 0, x.channels), b(y, image, 0, x.channels);
    const bool integers = of_integers(a);
    if (integers && a.column_stride < 0 && b.column_stride < 0) {  // whose sums have no order
        turn(a);
        turn(b);
    }
    Found found;
    const ErrorLayout layout(a, b);
    ErrorSums squares(layout, integers, k.error_columns), distances(layout, integers, k.error_columns);
    RowReader rows_a(a, 0, a.width, 0, Border::None), rows_b(b, 0, b.width, 0, Border::None);
    const auto add_errors = [&](const PixelErrorRows& rows, int64_t plane) {
        if (pass.squares) k.squared_error[x.dtype](&rows, squares.plane(plane));
        if (pass.distances) k.absolute_error[x.dtype](&rows, distances.plane(plane));
    };
    PixelErrorRows rows{nullptr,    nullptr, bottom - top, layout.pixels, a.row_stride, b.row_stride, static_cast<int>(layout.slots),
                        layout.used};
    if (layout.copied) {
        rows.rows = 1;
        for (int64_t r = top; r < bottom; ++r) {
            if (r + 1 < bottom) {
                rows_a.prefetch(r + 1);
                rows_b.prefetch(r + 1);
            }
            rows.x = static_cast<const char*>(rows_a.row(r));
            rows.y = static_cast<const char*>(rows_b.row(r));
            add_errors(rows, 0);
        }
    }
    for (int64_t p = 0; p < layout.planes && !layout.copied; ++p) {
        const int64_t plane_a = layout.planes > 1 ? p * a.channel_stride : 0, plane_b = layout.planes > 1 ? p * b.channel_stride : 0;
        rows.x = (layout.planes > 1 ? a.data : ErrorLayout::lowest(a)) + top * a.row_stride + plane_a;
        rows.y = (layout.planes > 1 ? b.data : ErrorLayout::lowest(b)) + top * b.row_stride + plane_b;
        add_errors(rows, p);
    }
    if (pass.squares) found.squares = squares.total();
    if (pass.distances) found.distances = distances.total();
    return found;
}

Fault not_a_number(const pg_images& x, const pg_images& y, int64_t image, int64_t first) {
    for (const pg_images* images : {&x, &y}) {
        const int64_t row = image_ranges(image_of(*images, image))[0].not_finite;
        if (row >= 0) return not_finite(images == &x ? kOfX : kOfY, first + image, row);
    }
    return Fault(PG_ERROR_OVERFLOW, "x", "", "x and y hold values whose squares overflow (image " + std::to_string(first + image) + ")",
                 "scale them to a length near 1 first")
        .in_image(first + image);
}

}  // namespace

void pass_over_pixels(const pg_images& x, const pg_images& y, int64_t first, PixelPass& pass) {
    const int64_t bands = (x.height + kBand - 1) / kBand;
    std::vector<Found> found(static_cast<size_t>(x.count * bands));
    parallel_for(x.count * bands, [&](int64_t t) {
        const int64_t top = t % bands * kBand, bottom = top + kBand < x.height ? top + kBand : x.height;
        found[static_cast<size_t>(t)] = pass_over_band(x, y, t / bands, top, bottom, pass);
    });
    const double n = static_cast<double>(x.height) * static_cast<double>(x.width) * static_cast<double>(x.channels);
    const size_t count = static_cast<size_t>(x.count);
    pass.mse.assign(pass.squares ? count : 0, 0);
    pass.mae.assign(pass.distances ? count : 0, 0);
    for (size_t i = 0; i < count; ++i) {
        const Found* const of_image = &found[i * static_cast<size_t>(bands)];
        const int64_t image = static_cast<int64_t>(i);
        ErrorSum squares, distances;
        for (int64_t band = 0; band < bands; ++band) {
            squares += of_image[band].squares;
            distances += of_image[band].distances;
        }
        const auto mean = [&](double sum) {
            require(sum / n - sum / n == 0, [&] { return not_a_number(x, y, image, first); });
            return sum / n;
        };
        if (pass.squares) pass.mse[i] = mean(squares.rounded());
        if (pass.distances) pass.mae[i] = mean(distances.rounded());
    }
}

}  // namespace pixelgauge
