#include "image/rows.h"

#include <cmath>
#include <cstdlib>
#include <cstring>

#include "kernels/table.h"
#include "runtime/sizes.h"
#include "runtime/status.h"
#include "runtime/threads.h"

namespace pixelgauge {

int64_t element_bytes(pg_dtype dtype) {
    constexpr int64_t bytes[] = {1, 2, 4, 8};
    return bytes[dtype];
}

namespace {
std::string shape_of(const pg_images& images) {
    return std::to_string(images.count) + ", " + std::to_string(images.height) + ", " + std::to_string(images.width) + ", " +
           std::to_string(images.channels);
}
}  // namespace

void require_images(const pg_images* images, const char* name) {
    require_given({{name, images}});
    require(images->dtype >= PG_UINT8 && images->dtype <= PG_FLOAT64, [&] {
        return Fault(PG_ERROR_VALUE, std::string(name) + ".dtype", std::to_string(images->dtype), "is not a pg_dtype",
                     "use PG_UINT8, PG_UINT16, PG_FLOAT32 or PG_FLOAT64");
    });
    require(images->count >= 0 && images->height > 0 && images->width > 0 && images->channels > 0, [&] {
        return Fault(PG_ERROR_MISSING, name, "", std::string(name) + " is empty: count, height, width, channels = " + shape_of(*images));
    });
    // An empty batch has no pixels, but what one image takes is computed all the same.
    const int64_t count = images->count > 0 ? images->count : 1;
    checked_product(name, {count, images->height, images->width, images->channels, element_bytes(images->dtype)});
    if (images->count == 0) return;
    require(images->data != nullptr,
            [&] { return Fault(PG_ERROR_MISSING, std::string(name) + ".data", "", std::string(name) + ".data is NULL"); });
    require_reach(name, images->data,
                  {{images->count, images->count_stride},
                   {images->height, images->row_stride},
                   {images->width, images->column_stride},
                   {images->channels, images->channel_stride}});
}

void require_pair(const pg_images* x, const pg_images* y) {
    require_images(x, "x");
    require_images(y, "y");
    require(x->dtype == y->dtype, [] { return Fault(PG_ERROR_MISMATCH, "y", "", "x and y differ in dtype", "convert one of them"); });
    require(x->count == y->count && x->height == y->height && x->width == y->width && x->channels == y->channels, [&] {
        return Fault(PG_ERROR_MISMATCH, "y", "",
                     "x and y differ in shape: count, height, width, channels = " + shape_of(*x) + " and " + shape_of(*y),
                     "crop or resize one of them");
    });
}

pg_images image_of(const pg_images& images, int64_t index) {
    pg_images one = images;
    one.count = 1;
    one.data = static_cast<const char*>(images.data) + index * images.count_stride;
    return one;
}

View::View(const pg_images& images, int64_t index, int64_t channel, int64_t channel_count)
    : data(static_cast<const char*>(images.data) + index * images.count_stride + channel * images.channel_stride),
      dtype(images.dtype),
      height(images.height),
      width(images.width),
      channels(channel_count),
      // an axis of one element may have any stride: as if there were no gaps
      row_stride(images.height == 1 ? 0 : images.row_stride),
      column_stride(images.width == 1 ? channel_count * element_bytes(images.dtype) : images.column_stride),
      channel_stride(channel_count == 1 ? element_bytes(images.dtype) : images.channel_stride),
      begin(data),
      end(data + element_bytes(dtype)) {
    const int64_t reach[] = {(height - 1) * row_stride, (width - 1) * column_stride, (channels - 1) * channel_stride};
    for (const int64_t r : reach) (r < 0 ? begin : end) += r;
}

int64_t inside(int64_t i, int64_t n, Border border) {
    if (border == Border::Mirror) {
        if (n == 1) return 0;
        while (i < 0 || i >= n) i = i < 0 ? -i : 2 * (n - 1) - i;
    } else if (border == Border::Repeat) {
        while (i < 0 || i >= n) i = i < 0 ? -1 - i : 2 * n - 1 - i;
    }
    return i;
}

int64_t slots_of(const View& view) {
    const int64_t item = element_bytes(view.dtype);
    return view.channels == 3 && view.channel_stride == item && view.column_stride == 4 * item ? 4 : view.channels;
}

RowReader::RowReader(const View& view, int64_t first, int64_t count, int64_t slack, Border border, int64_t slots)
    : view_(view), first_(first), count_(count), slots_(slots == 0 ? view.channels : slots), border_(border) {
    const int64_t item = element_bytes(view.dtype);
    slack_bytes_ = slack * item;
    bytes_ = count * slots_ * item;
    packed_ = view.column_stride == slots_ * item && view.channel_stride == item;
    left_ = first >= 0 ? 0 : -first < count ? -first : count;
    const int64_t right = view.width - (first + left_);  // pixels inside from there on
    interior_ = right < 0 ? 0 : right < count - left_ ? right : count - left_;
    if (!packed_) find_groups();
}

// As many pixels as lie within 16 bytes, in any order of pixels and channels.
void RowReader::find_groups() {
    const int64_t item = element_bytes(view_.dtype), channels = view_.channels, column = view_.column_stride, reach = std::abs(column),
                  channel_reach = (channels - 1) * view_.channel_stride;
    if (item > 4 || reach == 0 || channels > 16 || std::abs(channel_reach) + item > 16) return;
    of_group_ = (16 - std::abs(channel_reach) - item) / reach + 1;
    if (of_group_ * channels * item > 16) of_group_ = 16 / (channels * item);
    if (of_group_ * channels < 2) return;
    lowest_ = (column < 0 ? (of_group_ - 1) * column : 0) + (channel_reach < 0 ? channel_reach : 0);
    group_.step = of_group_ * column;
    group_.written = static_cast<int>(of_group_ * channels * item);
    group_.item = static_cast<int>(item);
    for (int64_t e = 0; e < group_.written; ++e) {
        const int64_t pixel = e / item / channels, channel = e / item % channels;
        group_.order[e] = static_cast<uint8_t>(pixel * column + channel * view_.channel_stride - lowest_ + e % item);
    }
    for (int64_t e = group_.written; e < 16; ++e) group_.order[e] = PixelBytes::kZero;
}

template <class Element>
void RowReader::copy_interior(const char* interior, Element* to) const {
    const int64_t channels = view_.channels, column = view_.column_stride;
    const auto one_by_one = [&](int64_t from, int64_t past) {
        for (int64_t c = 0; c < channels; ++c) {
            const char* at = interior + from * column + c * view_.channel_stride;
            for (int64_t i = from; i < past; ++i, at += column) std::memcpy(to + i * channels + c, at, sizeof(Element));
        }
    };
    if (group_.step == 0) return one_by_one(0, interior_);
    // Groups whose 16 bytes are the image's.
    PixelBytes groups = group_;
    groups.groups = interior_ / of_group_;
    const auto reaches_out = [&](int64_t g) { return view_.end - (interior + lowest_ + g * groups.step) < 16; };
    int64_t skipped = 0;
    while (groups.groups > 0 && reaches_out(groups.groups - 1)) --groups.groups;
    while (skipped < groups.groups && reaches_out(skipped)) ++skipped;
    groups.groups -= skipped;
    one_by_one(0, skipped * of_group_);
    if (groups.groups > 0) kernels().pack_pixels(interior + lowest_ + skipped * groups.step, &groups, to + skipped * of_group_ * channels);
    one_by_one((skipped + groups.groups) * of_group_, interior_);
}

// The row, from its interior on, into a buffer.
template <class Element>
void RowReader::copy(const char* row, const char* interior, Element* out) const {
    const int64_t channels = view_.channels, column = view_.column_stride;
    const auto outside = [&](int64_t p) {
        const char* const at = row + inside(first_ + p, view_.width, border_) * column;
        for (int64_t c = 0; c < channels; ++c) std::memcpy(out + p * slots_ + c, at + c * view_.channel_stride, sizeof(Element));
    };
    for (int64_t p = 0; p < left_; ++p) outside(p);
    if (!packed_)
        copy_interior(interior, out + left_ * slots_);
    else if (interior_ > 0)  // what follows the last channel may not be the image's
        std::memcpy(out + left_ * slots_, interior, static_cast<size_t>(interior_ * slots_ - (slots_ - channels)) * sizeof(Element));
    for (int64_t p = left_ + interior_; p < count_; ++p) outside(p);
}

const char* RowReader::first_of(int64_t r) const {
    const int64_t last = view_.column_stride < 0 && interior_ > 0 ? interior_ - 1 : 0;
    return view_.data + inside(r, view_.height, border_) * view_.row_stride + (first_ + left_ + last) * view_.column_stride;
}

void RowReader::prefetch(int64_t r) const {
    const char* const lowest = first_of(r);
    const int64_t bytes = read();
    // Of more lines than a core has in flight to its first cache at once, each would be waited for here.
    constexpr int64_t kFew = 9 * 64;
    if (bytes <= kFew)
        for (int64_t b = 0; b < bytes; b += 64) __builtin_prefetch(lowest + b);
    else
        for (int64_t b = 0; b < bytes; b += 64) __builtin_prefetch(lowest + b, 0, 1);
}

const void* RowReader::row(int64_t r) {
    const char* const source = view_.data + inside(r, view_.height, border_) * view_.row_stride;
    const char* const from = interior_ == 0 ? source : source + (first_ + left_) * view_.column_stride;
    const bool aligned = reinterpret_cast<uintptr_t>(from) % static_cast<uintptr_t>(element_bytes(view_.dtype)) == 0;
    if (packed_ && aligned && interior_ == count_ && bytes_ + slack_bytes_ <= view_.end - from) return from;
    if (buffer_.empty()) buffer_.resize(static_cast<size_t>(bytes_ + slack_bytes_) + sizeof group_.order);  // what a group is written over
    char* const to = buffer_.data();
    switch (view_.dtype) {
        case PG_UINT8:
            copy(source, from, reinterpret_cast<uint8_t*>(to));
            break;
        case PG_UINT16:
            copy(source, from, reinterpret_cast<uint16_t*>(to));
            break;
        case PG_FLOAT32:
            copy(source, from, reinterpret_cast<float*>(to));
            break;
        case PG_FLOAT64:
            copy(source, from, reinterpret_cast<double*>(to));
            break;
    }
    return to;
}

RowRanges::RowRanges(const View& view) : view_(view), reader_(view, 0, view.width, 0, Border::None) {
    const int64_t item = element_bytes(view.dtype), channels = view.channels, column = std::abs(view.column_stride),
                  channel = std::abs(view.channel_stride);
    bool aligned = true;
    for (const int64_t at : {static_cast<int64_t>(reinterpret_cast<uintptr_t>(view.data)), view.row_stride, view.channel_stride})
        aligned &= at % item == 0;
    planes_ = aligned && channels > 1 && column == item;
    dense_ = aligned && channel == item && column == channels * item;
    if (aligned && channels == 3 && column == 4 * item && channel == item) used_of_four_ = 7;
    lowest_ = (view.column_stride < 0 ? (view.width - 1) * view.column_stride : 0) +
              (view.channel_stride < 0 && !planes_ ? (channels - 1) * view.channel_stride : 0);
}

int64_t RowRanges::add(int64_t first, int64_t last, double& low, double& high) {
    bool finite = true;
    const auto range = kernels().value_range[view_.dtype];
    const auto widen = [&](const void* x, int64_t rows, int64_t elements) {
        const RangeRows in{static_cast<const char*>(x), rows, elements, std::abs(view_.row_stride), used_of_four_};
        double lo, hi;
        range(&in, &lo, &hi);
        finite &= lo == lo;
        low = lo < low ? lo : low;
        high = hi > high ? hi : high;
    };
    // Rows that lie one before another are read from the last one on.
    const char* const top = view_.data + (view_.row_stride < 0 ? last - 1 : first) * view_.row_stride + lowest_;
    if (used_of_four_)
        widen(top, last - first, 4 * view_.width);
    else if (dense_)
        widen(top, last - first, view_.channels * view_.width);
    else if (planes_)
        for (int64_t c = 0; c < view_.channels; ++c) widen(top + c * view_.channel_stride, last - first, view_.width);
    else
        for (int64_t r = first; r < last; ++r) widen(reader_.row(r), 1, view_.width * view_.channels);
    if (finite) return -1;
    for (int64_t r = first; r + 1 < last; ++r)
        if (add(r, r + 1, low, high) >= 0) return r;
    return last - 1;
}

Fault not_finite(const ImagesInMessages& said, int64_t image, int64_t row) {
    return Fault(PG_ERROR_NOT_FINITE, said.argument, "",
                 said.subject + ("NaN or infinity in image " + std::to_string(image)) + ", row " + std::to_string(row), said.remedy)
        .in_image(image)
        .in_row(row);
}

std::vector<ImageRange> image_ranges(const pg_images& images) {
    constexpr int64_t kBand = 128;
    const int64_t bands = (images.height + kBand - 1) / kBand;
    std::vector<ImageRange> of_bands(static_cast<size_t>(images.count * bands)), all;
    parallel_for(images.count * bands, [&](int64_t t) {
        const View view(images, t / bands, 0, images.channels);
        RowRanges ranges(view);
        const int64_t top = t % bands * kBand, bottom = top + kBand < view.height ? top + kBand : view.height;
        ImageRange& band = of_bands[static_cast<size_t>(t)];
        band.not_finite = ranges.add(top, bottom, band.low, band.high);
    });
    for (int64_t i = 0; i < images.count; ++i) {
        ImageRange image;
        for (int64_t b = 0; b < bands; ++b) {
            const ImageRange& band = of_bands[static_cast<size_t>(i * bands + b)];
            image.low = band.low < image.low ? band.low : image.low;
            image.high = band.high > image.high ? band.high : image.high;
            if (image.not_finite < 0) image.not_finite = band.not_finite;
        }
        all.push_back(image);
    }
    return all;
}

}  // namespace pixelgauge

extern "C" pg_status pg_value_range(const pg_images* images, double* low, double* high) {
    using namespace pixelgauge;
    return guarded([&] {
        require_images(images, "images");
        require(images->count > 0, [] { return Fault(PG_ERROR_MISSING, "images", "", "images is empty: count = 0"); });
        require_given({{"low", low}, {"high", high}});
        const std::vector<ImageRange> ranges = image_ranges(*images);
        ImageRange all;
        for (size_t i = 0; i < ranges.size(); ++i) {
            const ImageRange& one = ranges[i];
            require(one.not_finite < 0, [&] { return not_finite({"images", "", ""}, static_cast<int64_t>(i), one.not_finite); });
            all.low = std::fmin(one.low, all.low);
            all.high = std::fmax(one.high, all.high);
        }
        *low = all.low;
        *high = all.high;
    });
}
