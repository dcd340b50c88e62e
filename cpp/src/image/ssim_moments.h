// Strips of filtered moments: a batch of pairs cut into tiles, their rows staged in the order that windows need them, and handed to
// a consumer block of rows by block of rows. What is made of the moments (the index, its map, its components) is the consumer's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <type_traits>
#include <vector>

#include "image/rows.h"
#include "image/ssim_options.h"
#include "kernels/table.h"
#include "pixelgauge/pixelgauge.h"

namespace pixelgauge {

// A tile is a band of output rows by a strip of output elements. The grid is fixed, so sums do not depend on threads.
// Staged rows of a strip stay in the second-level cache; a band re-stages its halo (10 rows in 128: 8 % of the
// conversion, which is an eighth of the work).
inline constexpr int64_t kBand = 128;
inline constexpr int64_t kStrip = 512;    // pixels, at most
inline constexpr int64_t kMaxGroup = 4;   // channels staged together
inline constexpr int64_t kOverread = 64;  // elements that staging may read past a row
inline constexpr int64_t kAhead = 4;      // rows that are asked for before they are staged
inline constexpr int64_t kLong = 2560;    // bytes of a row above which it is asked for by and by while others are filtered

template <class T>
const SsimKernels<T>& ssim_kernels() {
    if constexpr (std::is_same_v<T, float>)
        return kernels().ssim_f32;
    else
        return kernels().ssim_f64;
}

// Grows and is kept: one per thread and element type.
template <class T>
T* thread_buffer(size_t n) {
    thread_local std::vector<T> buffer;
    if (buffer.size() < n + 64 / sizeof(T)) buffer.assign(n + 64 / sizeof(T), T{});
    const size_t misaligned = reinterpret_cast<uintptr_t>(buffer.data()) % 64;
    return buffer.data() + (misaligned ? (64 - misaligned) / sizeof(T) : 0);
}

inline int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// Row lengths are odd numbers of cache lines, so that rows do not fall on the same cache sets.
template <class T>
int64_t row_stride(int64_t elements) {
    constexpr int64_t line = 64 / sizeof(T);
    return (round_up(elements, line) / line | 1) * line;
}

inline int64_t group_channels(const pg_images& x) {
    const bool interleaved = x.channels == 1 || std::abs(x.channel_stride) == element_bytes(x.dtype);
    return !interleaved ? 1 : x.channels < kMaxGroup ? x.channels : kMaxGroup;
}

struct Tile {
    int64_t image, channel, channels;  // the group of channels filtered together
    int64_t top, bottom;               // output rows
    int64_t left, right;               // output pixels
};

inline std::vector<Tile> tiles_of(const pg_images& x, const Region& region, const std::vector<int64_t>& images) {
    std::vector<Tile> tiles;
    const int64_t group = group_channels(x);
    const auto least = [](int64_t a, int64_t b) { return a < b ? a : b; };
    for (const int64_t image : images)
        for (int64_t c = 0; c < x.channels; c += group) {
            const int64_t channels = least(group, x.channels - c);
            const int64_t strips = (region.width + kStrip - 1) / kStrip, strip = (region.width + strips - 1) / strips;
            for (int64_t top = 0; top < region.height; top += kBand)
                for (int64_t left = 0; left < region.width; left += strip)
                    tiles.push_back({image, c, channels, top, least(top + kBand, region.height), left, least(left + strip, region.width)});
        }
    return tiles;
}

// How the columns of a tile's strip lie in the registers of its rows; see kernels/table.h.
struct StripLayout {
    int64_t lanes, channels, columns, taps;
    int64_t registers, tail;

    StripLayout(const Tile& tile, int64_t lane_count, int64_t window)
        : lanes(lane_count),
          channels(tile.channels),
          columns(tile.right - tile.left),
          taps(window),
          registers((columns + lanes - 1) / lanes),
          tail((window - 1) * channels) {}
    int64_t plane() const { return registers * lanes; }
    int64_t outputs() const { return channels * plane(); }
    int64_t tail_registers() const { return (tail + lanes - 1) / lanes; }

    // Calls f(place) for every column and channel of the strip; those past it fill up the last lanes.
    template <class F>
    void for_each(F f) const {
        for (int64_t l = 0, column = 0; column < columns; ++l)
            for (int64_t j = 0; j < registers && column < columns; ++j, ++column)
                for (int64_t c = 0; c < channels; ++c) f(c * plane() + j * lanes + l);
    }

    // The sum of a channel's columns.
    double sum(const double* values, int64_t channel) const {
        double total = 0;
        for (int64_t j = 0; j < registers && j < columns; ++j) {
            const double* const of_lanes = values + channel * plane() + j * lanes;
            for (int64_t l = 0; l < (columns - j + registers - 1) / registers; ++l) total += of_lanes[l];
        }
        return total;
    }

    template <class T>
    void describe(SsimBlock<T>& block) const {
        block.planes = channels;
        block.registers = registers;
        block.tail = tail;
        block.taps_count = taps;
    }
};

// Rows of a tile staged as s and d in a ring, in the order the output rows need them.
template <class T>
class StagedRows {
  public:
    // `rows` output rows are filtered together, and `before` input rows above them kept. `range`: see SsimRow.
    StagedRows(const pg_images& x, const pg_images& y, const Tile& tile, const Region& region, const StripLayout& layout, int64_t rows,
               int64_t before, double shift, T* range)
        : view_x_(x, tile.image, tile.channel, tile.channels),
          view_y_(y, tile.image, tile.channel, tile.channels),
          pixel_(slots_of(view_x_) == slots_of(view_y_) ? slots_of(view_x_) : layout.channels),
          reader_x_(view_x_, tile.left + region.origin, layout.columns + layout.taps - 1, slack(layout), region.border, pixel_),
          reader_y_(view_y_, tile.left + region.origin, layout.columns + layout.taps - 1, slack(layout), region.border, pixel_),
          long_rows_(reader_x_.read() > kLong),
          stage_(ssim_kernels<T>().stage[x.dtype]),
          origin_(region.origin),
          first_(tile.top),
          next_(tile.top),
          last_(tile.bottom + layout.taps - 1),
          rows_(rows),
          before_(before),
          slots_(layout.taps + rows - 1 + before),
          row_(row_stride<T>((layout.registers + layout.tail_registers()) * layout.lanes)),
          planes_(layout.channels),
          s_(static_cast<size_t>(slots_)),
          d_(static_cast<size_t>(slots_)) {
        for (int64_t j = 0; j < layout.registers; ++j)
            for (int64_t c = 0; c < pixel_; ++c)
                places_.push_back(c < layout.channels ? c * plane_stride() + j * layout.lanes : layout.plane());
        constexpr int64_t kWord = 8;  // elements taken at once at most
        places_.resize(places_.size() + kWord, layout.plane());
        description_ = {layout.channels, pixel_, layout.registers, layout.tail, places_.data(), static_cast<T>(shift), range};
    }

    int64_t plane_stride() const { return slots_ * 2 * row_; }
    // Elements of the ring, where a plane of every row follows a plane of every row.
    int64_t ring_size() const { return planes_ * plane_stride(); }

    // Pointers to the rows of windows that begin at output row `top`; rows below the tile repeat its last. Rows are asked for some rows
    // before, long ones only here at the beginning: see ahead().
    void advance(int64_t top, T* ring) {
        const auto slot = [&](int64_t r) { return ring + 2 * row_ * (r % slots_); };
        const int64_t past = std::min(top - before_ + slots_, last_);
        const int64_t asked_for = !long_rows_ ? last_ : top == first_ ? past : 0;
        for (; next_ < past; ++next_) {
            if (next_ + kAhead < asked_for) {
                reader_x_.prefetch(next_ + origin_ + kAhead);
                reader_y_.prefetch(next_ + origin_ + kAhead);
            }
            stage_(reader_x_.row(next_ + origin_), reader_y_.row(next_ + origin_), &description_, slot(next_), slot(next_) + row_);
        }
        for (int64_t j = 0; j < slots_; ++j) {
            const int64_t r = top - before_ + j;
            s_[static_cast<size_t>(j)] = slot(r < 0 ? 0 : r < last_ ? r : last_ - 1);
            d_[static_cast<size_t>(j)] = s_[static_cast<size_t>(j)] + row_;
        }
    }
    // The rows that the next call will stage, if they are long.
    RowsAhead ahead() {
        ahead_.clear();
        for (int64_t r = next_; long_rows_ && r < std::min(next_ + rows_, last_); ++r)
            for (const RowReader* reader : {&reader_x_, &reader_y_}) ahead_.push_back(reader->first_of(r + origin_));
        return {ahead_.data(), static_cast<int64_t>(ahead_.size()), std::max(reader_x_.read(), reader_y_.read())};
    }
    const T* const* s() const { return s_.data(); }
    const T* const* d() const { return d_.data(); }

  private:
    // Elements that staging may read past the columns of a row.
    int64_t slack(const StripLayout& layout) const { return (layout.plane() - layout.columns) * pixel_ + kOverread; }

    View view_x_, view_y_;
    int64_t pixel_;  // its elements
    RowReader reader_x_, reader_y_;
    bool long_rows_;
    typename SsimKernels<T>::Stage stage_;
    int64_t origin_, first_, next_, last_, rows_, before_, slots_, row_, planes_;
    std::vector<const T*> s_, d_;
    std::vector<const char*> ahead_;
    std::vector<int64_t> places_;
    SsimRow<T> description_{};
};

// Values of both images that a strip has staged so far, against those it may have.
template <class T>
class WatchedRange {
  public:
    // Null: they may have any.
    explicit WatchedRange(const PairRange* allowed) : allowed_(allowed) {
        constexpr T infinity = std::numeric_limits<T>::infinity();
        for (int64_t i = 0; i < 2 * kLanes; ++i) values_[i] = i < lanes_ ? infinity : -infinity;
    }
    T* values() { return allowed_ ? values_ : nullptr; }

    bool holds() const {
        if (!allowed_) return true;
        T low = values_[0], high = values_[lanes_];
        for (int64_t i = 1; i < lanes_; ++i) {
            low = values_[i] < low ? values_[i] : low;
            high = values_[lanes_ + i] > high ? values_[lanes_ + i] : high;
        }
        return low >= allowed_->low && high <= allowed_->high;
    }

  private:
    static constexpr int64_t kLanes = 64 / sizeof(T);  // at most
    const int64_t lanes_ = ssim_kernels<T>().lanes;
    const PairRange* allowed_;
    T values_[2 * kLanes];
};

// 2 C1, and 2 C2 over what variances are to be multiplied by.
template <class T>
struct IndexConstants {
    T c1, c2;
    explicit IndexConstants(const pg_ssim_options& o) {
        const double k1 = o.k1 * o.data_range, k2 = o.k2 * o.data_range;
        const double n = static_cast<double>(o.window_size) * o.window_size;
        c1 = static_cast<T>(2 * k1 * k1);
        // The index is a ratio of variances and C2: n / (n - 1) of the sample covariance goes to C2.
        c2 = static_cast<T>(2 * k2 * k2 * (o.covariance == PG_COVARIANCE_SAMPLE ? (n - 1) / n : 1));
    }
};

// The moments of one tile, block of rows by block of rows; `block` is what the kernels of ssim.inl read.
template <class T>
class MomentStrip {
  public:
    const StripLayout layout;
    SsimBlock<T> block{};

    // `rows` output rows a block, `before` staged rows kept above them; the kernel's scratch has `scratch_rows`, and `extra` elements
    // behind it are the consumer's. `allowed`: see each_block.
    MomentStrip(const pg_images& x, const pg_images& y, const pg_ssim_options& o, const Region& region, const Tile& tile,
                const std::vector<T>& taps, double shift, int64_t rows, int64_t before, int64_t scratch_rows, int64_t extra,
                const PairRange* allowed = nullptr)
        : layout(tile, ssim_kernels<T>().lanes, o.window_size),
          tile_(tile),
          rows_(rows),
          watched_(allowed),
          staged_(x, y, tile, region, layout, rows, before, shift, watched_.values()) {
        const int64_t lanes = layout.lanes, ring = round_up(staged_.ring_size(), lanes);
        const int64_t stride = row_stride<T>(ssim_scratch_registers(lanes, layout.taps, layout.registers, layout.tail) * lanes);
        ring_ = thread_buffer<T>(static_cast<size_t>(ring + scratch_rows * stride + extra));
        extra_ = ring_ + ring + scratch_rows * stride;
        block.taps = taps.data();
        layout.describe(block);
        block.plane_stride = staged_.plane_stride();
        block.scratch = ring_ + ring;
        block.scratch_stride = stride;
        const IndexConstants<T> constants(o);
        block.c1 = constants.c1;
        block.c2 = constants.c2;
        block.origin = static_cast<T>(2 * shift);
    }

    T* extra() const { return extra_; }

    // Calls consume(first row, rows that count) for every block, with `block` telling of its staged rows; ends with false before a
    // block of values that are not allowed.
    template <class F>
    bool each_block(F consume) {
        for (int64_t r = tile_.top; r < tile_.bottom; r += rows_) {
            staged_.advance(r, ring_);
            if (!watched_.holds()) return false;
            block.s_rows = staged_.s();
            block.d_rows = staged_.d();
            block.ahead = staged_.ahead();
            block.first = r == tile_.top;
            block.rows = tile_.bottom - r < rows_ ? tile_.bottom - r : rows_;
            consume(r, block.rows);
        }
        return true;
    }

  private:
    const Tile& tile_;
    int64_t rows_;
    WatchedRange<T> watched_;
    StagedRows<T> staged_;
    T *ring_, *extra_;
};

// A [height][width][channels] map of a batch, float64 for float64 images and float32 for others.
class MapWriter {
  public:
    MapWriter(void* map, const pg_images& x, const Region& region) : map_(map), x_(x), region_(region) {}
    explicit operator bool() const { return map_ != nullptr; }

    // Puts a row of a tile into its place.
    template <class T>
    void write(const T* values, const StripLayout& layout, const Tile& tile, int64_t row) const {
        if (x_.dtype == PG_FLOAT64)
            place<T, double>(values, layout, tile, row);
        else
            place<T, float>(values, layout, tile, row);
    }

  private:
    template <class From, class To>
    void place(const From* values, const StripLayout& layout, const Tile& tile, int64_t row) const {
        const int64_t first = ((tile.image * region_.height + row) * region_.width + tile.left) * x_.channels + tile.channel;
        To* const to = static_cast<To*>(map_) + first;
        switch (layout.channels) {  // known to the compiler where it matters: a value takes a third of the time then
            case 1:
                return place_columns(values, layout, std::integral_constant<int64_t, 1>{}, to);
            case 3:
                return place_columns(values, layout, std::integral_constant<int64_t, 3>{}, to);
            default:
                return place_columns(values, layout, layout.channels, to);
        }
    }

    // Column by column; channels are a number or a constant.
    template <class From, class To, class Channels>
    void place_columns(const From* values, const StripLayout& layout, Channels channels, To* to) const {
        const int64_t plane = layout.plane(), lanes = layout.lanes, step = x_.channels;
        for (int64_t l = 0, column = 0; column < layout.columns; ++l) {
            const int64_t count = std::min(layout.registers, layout.columns - column);
            const From* from = values + l;
            for (int64_t j = 0; j < count; ++j, from += lanes, to += step)
                for (int64_t c = 0; c < channels; ++c) to[c] = static_cast<To>(from[c * plane]);
            column += count;
        }
    }

    void* map_;
    const pg_images& x_;
    const Region& region_;
};

}  // namespace pixelgauge
