// Resizing by the rules of the programs that compute Inception features. Each output row is computed alone, from tables
// made in float64, so that no bit depends on the batch or on the threads.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "image/rows.h"
#include "kernels/table.h"
#include "runtime/sizes.h"
#include "runtime/status.h"
#include "runtime/threads.h"

namespace pixelgauge {

namespace {

constexpr int64_t kMostPixels = int64_t{1} << 28;  // a side; 3 * 4 bytes * this stays far from overflow
constexpr double kLargestFloat = std::numeric_limits<float>::max();
constexpr int64_t kBand = 32;  // output rows a task: 10 tasks for 299 rows

// Output i is the sum over t < taps of weights[i * taps + t] * input[first[i] + t].
struct Taps {
    int32_t taps = 1;
    std::vector<int32_t> first;
    std::vector<float> weights;
};

// The contributions to one output; its vector is used again for the next.
struct Span {
    int64_t first = 0;
    std::vector<double> weights;
};

// Two neighbours by distance. Positions before the first pixel are moved onto it, beyond the last repeated.
void linear_span(double at, int64_t in, Span& span) {
    at = std::max(at, 0.0);
    const int64_t low = std::min(static_cast<int64_t>(at), in - 1), high = std::min(low + 1, in - 1);
    const double fraction = std::min(at - static_cast<double>(low), 1.0);
    span.first = low;
    if (high == low) {
        span.weights.assign(1, 1.0);
        return;
    }
    span.weights.assign({1 - fraction, fraction});
}

double triangle(double x) { return std::max(0.0, 1 - std::fabs(x)); }

double cubic(double x) {  // Keys 1981 with a = -1/2, as Pillow
    x = std::fabs(x);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

// Pillow's rule, which PyTorch's antialias=True follows: the filter is stretched when shrinking, cut at the edges and
// normalised.
void filter_span(int64_t i, int64_t in, int64_t out, double (*filter)(double), double support, Span& span) {
    const double scale = static_cast<double>(in) / static_cast<double>(out), stretch = std::max(scale, 1.0);
    const double centre = (static_cast<double>(i) + 0.5) * scale, reach = support * stretch;
    const int64_t low = std::max<int64_t>(static_cast<int64_t>(centre - reach + 0.5), 0);
    const int64_t high = std::min(static_cast<int64_t>(centre + reach + 0.5), in);
    span.first = low;
    span.weights.clear();
    double sum = 0;
    for (int64_t k = low; k < high; ++k) {
        span.weights.push_back(filter((static_cast<double>(k) - centre + 0.5) / stretch));
        sum += span.weights.back();
    }
    for (double& w : span.weights) w /= sum;
}

Taps contributions(pg_resize_rule rule, int64_t in, int64_t out) {
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    std::vector<int64_t> firsts;
    std::vector<size_t> ends, shifts(static_cast<size_t>(out));
    std::vector<double> weights;
    size_t longest = 1;
    Span span;
    for (int64_t i = 0; i < out; ++i) {
        const double at = static_cast<double>(i);
        switch (rule) {
            case PG_RESIZE_HALF_PIXEL:
                linear_span((at + 0.5) * scale - 0.5, in, span);
                break;
            case PG_RESIZE_TENSORFLOW1:
                linear_span(at * scale, in, span);
                break;
            case PG_RESIZE_ANTIALIAS:
                filter_span(i, in, out, triangle, 1, span);
                break;
            case PG_RESIZE_BICUBIC:
                filter_span(i, in, out, cubic, 2, span);
                break;
        }
        auto begin = span.weights.begin(), end = span.weights.end();
        while (end - begin > 1 && *(end - 1) == 0) --end;
        while (end - begin > 1 && *begin == 0) ++begin, ++span.first;
        firsts.push_back(span.first);
        weights.insert(weights.end(), begin, end);
        ends.push_back(weights.size());
    }
    // Without zeros at its ends a span may begin after the next one does: the kernels want the first inputs in order.
    for (size_t i = firsts.size(); i-- > 0;) {
        const int64_t before = firsts[i];
        if (i + 1 < firsts.size()) firsts[i] = std::min(before, firsts[i + 1]);
        shifts[i] = static_cast<size_t>(before - firsts[i]);
        longest = std::max(longest, shifts[i] + ends[i] - (i ? ends[i - 1] : 0));
    }
    Taps taps;
    taps.taps = static_cast<int32_t>(longest);
    taps.weights.assign(static_cast<size_t>(out) * longest, 0.0F);
    size_t begin = 0;
    for (size_t i = 0; i < firsts.size(); ++i) {
        // Short spans are padded with zeros, and moved left where that would leave the image.
        const int64_t first = std::min(firsts[i], in - taps.taps);
        taps.first.push_back(static_cast<int32_t>(first));
        for (size_t t = static_cast<size_t>(firsts[i] - first) + shifts[i]; begin < ends[i]; ++begin, ++t)
            taps.weights[i * longest + t] = static_cast<float>(weights[begin]);
    }
    return taps;
}

// The weights tap by tap if every register of outputs reads inputs that one permutation reaches; otherwise nothing.
std::vector<float> weights_by_tap(const Taps& columns, const Kernels& table) {
    const int64_t n = static_cast<int64_t>(columns.first.size()), lanes = table.resize_lanes;
    if (n < lanes) return {};
    for (int64_t x = 0; x < n; x += lanes) {
        const auto first = columns.first.begin() + std::min(x, n - lanes);
        if (first[lanes - 1] - first[0] >= table.resize_reach) return {};
    }
    std::vector<float> weights(columns.weights.size());
    for (int64_t x = 0; x < n; ++x)
        for (int64_t t = 0; t < columns.taps; ++t)
            weights[static_cast<size_t>(t * n + x)] = columns.weights[static_cast<size_t>(x * columns.taps + t)];
    return weights;
}

// Rows of float pixels are looked at where they are summed: NaN and infinities, which no bound would hide, and results beyond
// float32.
void require_room(const float* row, int64_t n, double scale, double offset, int64_t image) {
    float most = 0, poison = 0;
    for (int64_t i = 0; i < n; ++i) {
        const float magnitude = std::fabs(row[i]);
        most = magnitude > most ? magnitude : most;
        poison += row[i] * 0;
    }
    const bool fits = 4 * static_cast<double>(most) * std::fabs(scale) + std::fabs(offset) <= kLargestFloat;
    if (poison == 0 && fits) return;
    const std::string name = "images: image " + std::to_string(image);
    if (poison == 0)
        throw InvalidArgument(Fault(PG_ERROR_OVERFLOW, "images", "",
                                    name + " with scale=" + short_number(scale) + " and offset=" + short_number(offset) + " leaves float32")
                                  .in_image(image));
    throw InvalidArgument(
        Fault(PG_ERROR_NOT_FINITE, "images", "", name + " holds NaN, infinity or values beyond float32", "remove or replace them first")
            .in_image(image));
}

void require_resizing(const pg_images& images, pg_resize_rule rule, int64_t height, int64_t width, double scale, double offset, double low,
                      double high) {
    require(images.channels == 3, [&] {
        return Fault(PG_ERROR_VALUE, "images", "", "images has " + std::to_string(images.channels) + " channels", "resizing takes RGB, 3");
    });
    require_choice(rule, PG_RESIZE_BICUBIC, "rule", "pg_resize_rule");
    for (const auto& [name, side] : {std::pair("height", height), std::pair("width", width)})
        require(side > 0 && side <= kMostPixels,
                [&, of = name, n = side] { return Fault(PG_ERROR_VALUE, of, std::to_string(n), "must be 1 to 2^28"); });
    require(images.height <= kMostPixels && images.width <= kMostPixels,
            [] { return Fault(PG_ERROR_TOO_LARGE, "images", "", "images has a side of more than 2^28 pixels"); });
    require(std::isfinite(scale) && std::isfinite(offset),
            [&] { return Fault(PG_ERROR_VALUE, std::isfinite(scale) ? "offset" : "scale", "", "scale and offset must be finite"); });
    const auto leaves_float32 = [&] {
        return Fault(PG_ERROR_OVERFLOW, "scale", short_number(scale), "with offset=" + short_number(offset) + " leaves float32");
    };
    require(std::fabs(scale) <= kLargestFloat && std::fabs(offset) <= kLargestFloat, leaves_float32);
    require(low <= high, [] { return Fault(PG_ERROR_MISMATCH, "low", "", "low must not exceed high"); });
    require(low >= -kLargestFloat ? low <= kLargestFloat : std::isinf(low),
            [&] { return Fault(PG_ERROR_VALUE, "low", short_number(low), "is beyond float32", "use -infinity for no bound"); });
    require(high <= kLargestFloat ? high >= -kLargestFloat : std::isinf(high),
            [&] { return Fault(PG_ERROR_VALUE, "high", short_number(high), "is beyond float32", "use infinity for no bound"); });
    // Weights of either axis sum to 1, those of the cubic to 1.3 in magnitude: four times the pixels is beyond any sum.
    const double largest_pixel = images.dtype == PG_UINT8 ? 255 : 65535;
    require(images.dtype > PG_UINT16 || 4 * largest_pixel * std::fabs(scale) + std::fabs(offset) <= kLargestFloat, leaves_float32);
}

// Rows of an image, one after another: a packed row where it lies, the rows of other layouts packed once.
class PackedRows {
  public:
    PackedRows(const View& view, int64_t top, int64_t bottom, int64_t row_bytes) : rows_(static_cast<size_t>(bottom - top)) {
        RowReader reader(view, 0, view.width, 0, Border::None);
        for (int64_t r = top; r < bottom; ++r) {
            const void* row = reader.row(r);
            const char* const at = static_cast<const char*>(row);
            if (at < view.begin || at >= view.end) {
                if (copies_.empty()) copies_.resize(static_cast<size_t>((bottom - top) * row_bytes));
                char* const copy = copies_.data() + (r - top) * row_bytes;
                std::memcpy(copy, row, static_cast<size_t>(row_bytes));
                row = copy;
            }
            rows_[static_cast<size_t>(r - top)] = row;
        }
    }
    const void* const* from(int64_t row) const { return rows_.data() + row; }

  private:
    std::vector<const void*> rows_;
    std::vector<char> copies_;
};

struct Resizing {
    const pg_images& images;
    int64_t height, width;
    double scale, offset, low, high;
    float* out;
    const Kernels& table;
    Taps rows, columns;
    std::vector<float> tap_weights;

    // Output rows top to bottom - 1 of an image.
    void band(int64_t image, int64_t top, int64_t bottom) const {
        constexpr int64_t kRows = ResizeRows::kRows;
        const int64_t n = images.width * 3;
        const View view(images, image, 0, 3);
        const int64_t input_top = *std::min_element(rows.first.begin() + top, rows.first.begin() + bottom);
        const int64_t input_bottom = *std::max_element(rows.first.begin() + top, rows.first.begin() + bottom) + rows.taps;
        const PackedRows input(view, input_top, input_bottom, n * element_bytes(images.dtype));
        const int64_t stride = n + ResizeRows::kSlack, plane_stride = images.width + ResizeRows::kSlack;
        std::vector<float> sums(static_cast<size_t>(kRows * stride));
        std::vector<float> quads(static_cast<size_t>(tap_weights.empty() ? kRows * 4 * width : 3 * plane_stride));
        ResizeRows job = along_rows();
        job.plane_stride = plane_stride;
        job.quads = quads.data();
        for (int64_t r = 0; r < kRows; ++r) job.rows[r] = sums.data() + r * stride;
        for (int64_t y = top; y < bottom; y += kRows) {
            job.count = static_cast<int>(std::min(kRows, bottom - y));
            for (int64_t r = 0; r < job.count; ++r) {
                const size_t at = static_cast<size_t>(y + r);
                float* const sum = sums.data() + r * stride;
                table.resize_columns[images.dtype](input.from(rows.first[at] - input_top),
                                                   rows.weights.data() + at * static_cast<size_t>(rows.taps), rows.taps, n, sum);
                if (images.dtype > PG_UINT16) require_room(sum, n, scale, offset, image);
            }
            job.out = out + (image * 3 * height + y) * width;
            table.resize_rows(&job);
        }
    }

    // What is the same for all rows.
    ResizeRows along_rows() const {
        ResizeRows job{};
        job.tap_weights = tap_weights.empty() ? nullptr : tap_weights.data();
        job.inputs = images.width;
        job.first = columns.first.data();
        job.weights = columns.weights.data();
        job.taps = columns.taps;
        job.outputs = width;
        job.scale = static_cast<float>(scale);
        job.offset = static_cast<float>(offset);
        job.low = static_cast<float>(low);
        job.high = static_cast<float>(high);
        job.out_row_stride = width;
        job.out_plane_stride = height * width;
        return job;
    }
};

}  // namespace

}  // namespace pixelgauge

extern "C" pg_status pg_resize(const pg_images* images, pg_resize_rule rule, int64_t height, int64_t width, double scale, double offset,
                               double low, double high, float* out) {
    using namespace pixelgauge;
    return guarded([&] {
        require_images(images, "images");
        require_resizing(*images, rule, height, width, scale, offset, low, high);
        checked_product("out", {images->count, 3, height, width, sizeof(float)});
        if (images->count > 0) require_given({{"out", out}});
        const Kernels& table = kernels();
        Taps columns = contributions(rule, images->width, width);
        std::vector<float> tap_weights = weights_by_tap(columns, table);
        const Resizing resizing{*images,
                                height,
                                width,
                                scale,
                                offset,
                                low,
                                high,
                                out,
                                table,
                                contributions(rule, images->height, height),
                                std::move(columns),
                                std::move(tap_weights)};
        const int64_t bands = (height + kBand - 1) / kBand;
        parallel_for(images->count * bands, [&](int64_t task) {
            const int64_t top = task % bands * kBand;
            resizing.band(task / bands, top, std::min(top + kBand, height));
        });
    });
}
