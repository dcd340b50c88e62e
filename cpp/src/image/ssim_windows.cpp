#include "image/ssim_windows.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <type_traits>

#include "image/rows.h"
#include "image/ssim_taps.h"
#include "kernels/table.h"
#include "runtime/status.h"
#include "runtime/threads.h"

namespace pixelgauge {

namespace {

// A tile is a band of output rows by a strip of output elements. The grid is fixed, so sums do not depend on threads.
// Staged rows of a strip stay in the second-level cache; a band re-stages its halo (10 rows in 128: 8 % of the
// conversion, which is an eighth of the work).
constexpr int64_t kBand = 128;
constexpr int64_t kStrip = 512;    // pixels, at most
constexpr int64_t kMaxGroup = 4;   // channels staged together
constexpr int64_t kOverread = 64;  // elements that staging may read past a row

// How many times k2 L the values of float32 windows may be: a mean of M rounds by eps M / 2, and that against sqrt(C2) is what
// is left of rounding (kernels/ssim.inl). 8- and 16-bit images of the full range have 33.
constexpr double kFloat32Values = 40;
// How far below zero float32 values may be, in k1 L, beside others above it: a mean near zero of larger values has lost its digits,
// and luminance compares it with k1 L.
constexpr double kFloat32Below = 5;
// Float32 values are at most this, so that the index's products of four of them stay below 2^128.
constexpr double kFloat32Largest = 1e8;
// Largest error of float64 variances against C2 that is accepted: beyond it a window could be mistaken for another.
constexpr double kFloat64Tolerance = 1e-3;

// The index multiplies four lengths of the range: within these the products stay normal numbers, with room for spread.
constexpr double kFloat32Lengths[] = {1e-6, 1e8}, kFloat64Lengths[] = {1e-60, 1e60};

// Whether the constants that k1 and k2 make of a range are like those of a range between two lengths at the usual k.
bool lengths_within(const pg_ssim_options& o, const double* limits) {
    for (const double k : {1.0, o.k1 / 0.01, o.k2 / 0.03})
        if (!(k * o.data_range >= limits[0] && k * o.data_range <= limits[1])) return false;
    return true;
}

int64_t padded(const pg_ssim_options& options) { return options.window_size / 2; }

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

int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// Row lengths are odd numbers of cache lines, so that rows do not fall on the same cache sets.
template <class T>
int64_t row_stride(int64_t elements) {
    constexpr int64_t line = 64 / sizeof(T);
    return (round_up(elements, line) / line | 1) * line;
}

// Output pixels of a pair, where window (0, 0) begins at (origin, origin) of the image.
struct Region {
    int64_t height, width, origin;
    Border border;
};

Region score_region(const pg_ssim_options& o, int64_t height, int64_t width) {
    if (o.border == PG_BORDER_REFLECT) return {height, width, -padded(o), Border::Mirror};
    return {height - o.window_size + 1, width - o.window_size + 1, 0, Border::None};
}

Region map_region(const pg_ssim_options& o, int64_t height, int64_t width) {
    if (o.border == PG_BORDER_CROP) return {height, width, -padded(o), Border::Repeat};
    return score_region(o, height, width);
}

int64_t group_channels(const pg_images& x) {
    const bool interleaved = x.channels == 1 || x.channel_stride == element_bytes(x.dtype);
    return !interleaved ? 1 : x.channels < kMaxGroup ? x.channels : kMaxGroup;
}

struct Tile {
    int64_t image, channel, channels;  // the group of channels filtered together
    int64_t top, bottom;               // output rows
    int64_t left, right;               // output pixels
};

std::vector<Tile> tiles_of(const pg_images& x, const Region& region, const std::vector<int64_t>& images) {
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

    // Calls f(column, channel, place) for every column of the strip; those past it fill up the last lanes.
    template <class F>
    void for_each(F f) const {
        for (int64_t l = 0, column = 0; column < columns; ++l)
            for (int64_t j = 0; j < registers && column < columns; ++j, ++column)
                for (int64_t c = 0; c < channels; ++c) f(column, c, c * plane() + j * lanes + l);
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
    // `rows` output rows are filtered together, and `before` input rows above them kept.
    StagedRows(const pg_images& x, const pg_images& y, const Tile& tile, const Region& region, const StripLayout& layout, int64_t rows,
               int64_t before, double shift)
        : view_x_(x, tile.image, tile.channel, tile.channels),
          view_y_(y, tile.image, tile.channel, tile.channels),
          reader_x_(view_x_, tile.left + region.origin, layout.columns + layout.taps - 1, slack(layout), region.border),
          reader_y_(view_y_, tile.left + region.origin, layout.columns + layout.taps - 1, slack(layout), region.border),
          stage_(ssim_kernels<T>().stage[x.dtype]),
          origin_(region.origin),
          next_(tile.top),
          last_(tile.bottom + layout.taps - 1),
          before_(before),
          slots_(layout.taps + rows - 1 + before),
          row_(row_stride<T>((layout.registers + layout.tail_registers()) * layout.lanes)),
          planes_(layout.channels),
          s_(static_cast<size_t>(slots_)),
          d_(static_cast<size_t>(slots_)) {
        for (int64_t j = 0; j < layout.registers; ++j)
            for (int64_t c = 0; c < layout.channels; ++c) places_.push_back(c * plane_stride() + j * layout.lanes);
        constexpr int64_t kWord = 8;  // elements taken at once at most
        places_.resize(places_.size() + kWord, layout.plane());
        description_ = {layout.channels, layout.registers, layout.tail, places_.data(), static_cast<T>(shift)};
    }

    int64_t plane_stride() const { return slots_ * 2 * row_; }
    // Elements of the ring, where a plane of every row follows a plane of every row.
    int64_t ring_size() const { return planes_ * plane_stride(); }

    // Pointers to the rows of windows that begin at output row `top`; rows below the tile repeat its last.
    void advance(int64_t top, T* ring) {
        const auto slot = [&](int64_t r) { return ring + 2 * row_ * (r % slots_); };
        for (; next_ < top - before_ + slots_ && next_ < last_; ++next_)
            stage_(reader_x_.row(next_ + origin_), reader_y_.row(next_ + origin_), &description_, slot(next_), slot(next_) + row_);
        for (int64_t j = 0; j < slots_; ++j) {
            const int64_t r = top - before_ + j;
            s_[static_cast<size_t>(j)] = slot(r < 0 ? 0 : r < last_ ? r : last_ - 1);
            d_[static_cast<size_t>(j)] = s_[static_cast<size_t>(j)] + row_;
        }
    }
    const T* const* s() const { return s_.data(); }
    const T* const* d() const { return d_.data(); }

  private:
    // Elements that staging may read past the columns of a row.
    static int64_t slack(const StripLayout& layout) {
        return layout.outputs() + layout.tail + kOverread - (layout.columns + layout.taps - 1) * layout.channels;
    }

    View view_x_, view_y_;
    RowReader reader_x_, reader_y_;
    typename SsimKernels<T>::Stage stage_;
    int64_t origin_, next_, last_, before_, slots_, row_, planes_;
    std::vector<const T*> s_, d_;
    std::vector<int64_t> places_;
    SsimRow<T> description_{};
};

template <class T>
void set_constants(SsimBlock<T>& block, const pg_ssim_options& o, double shift) {
    const double c1 = o.k1 * o.data_range, c2 = o.k2 * o.data_range;
    const double n = static_cast<double>(o.window_size) * o.window_size;
    block.c1 = static_cast<T>(2 * c1 * c1);
    // The index is a ratio of variances and C2: n / (n - 1) of the sample covariance goes to C2.
    block.c2 = static_cast<T>(2 * c2 * c2 * (o.covariance == PG_COVARIANCE_SAMPLE ? (n - 1) / n : 1));
    block.origin = static_cast<T>(2 * shift);
}

// Copies a row of a tile into its place in a [height][width][channels] map.
template <class From, class To>
void place(const From* row, const StripLayout& layout, const Tile& tile, int64_t channels, To* map_row) {
    To* const to = map_row + tile.left * channels + tile.channel;
    layout.for_each([&](int64_t column, int64_t c, int64_t i) { to[column * channels + c] = static_cast<To>(row[i]); });
}

template <class To>
To* map_row(void* map, const pg_images& x, const Region& region, int64_t image, int64_t row) {
    return static_cast<To*>(map) + (image * region.height + row) * region.width * x.channels;
}

// Whether running sums of integers are exact in float32: about kMiddle they stay below 2^24.
bool slides(const pg_images& x, const pg_ssim_options& o, bool float64) {
    return !float64 && x.dtype == PG_UINT8 && o.window == PG_WINDOW_UNIFORM && o.window_size <= 15;
}
constexpr double kMiddle = 128;

template <class T>
void run_tile(const pg_images& x, const pg_images& y, const pg_ssim_options& o, bool luminance, const Region& region,
              const std::vector<T>& taps, double shift, const Tile& tile, double* sums, void* map) {
    const SsimKernels<T>& k = ssim_kernels<T>();
    const int64_t n = o.window_size, rows = k.rows_per_block;
    const StripLayout layout(tile, k.lanes, n);
    const bool sliding = slides(x, o, sizeof(T) == sizeof(double));
    if (sliding) shift = kMiddle;
    const int64_t outputs = layout.outputs();
    StagedRows<T> staged(x, y, tile, region, layout, rows, sliding, shift);
    const int64_t scratch_stride = row_stride<T>(ssim_scratch_registers(k.lanes, n, layout.registers, layout.tail) * k.lanes);
    const int64_t ring_size = round_up(staged.ring_size(), k.lanes);
    const int64_t scratch_size = scratch_stride * (sliding ? 5 * layout.channels : 4 * rows);
    T* const ring = thread_buffer<T>(static_cast<size_t>(ring_size + scratch_size + (map ? rows * outputs : 0)));
    std::vector<double> columns(static_cast<size_t>(outputs));
    std::vector<T> row_weights(static_cast<size_t>(rows));
    std::vector<T*> map_rows;
    for (int64_t r = 0; map && r < rows; ++r) map_rows.push_back(ring + ring_size + scratch_size + r * outputs);

    SsimBlock<T> block{};
    block.taps = taps.data();
    layout.describe(block);
    block.plane_stride = staged.plane_stride();
    block.scratch = ring + ring_size;
    block.scratch_stride = scratch_stride;
    set_constants(block, o, shift);
    block.sums = columns.data();
    block.row_weights = row_weights.data();
    block.map = map ? map_rows.data() : nullptr;
    const auto filter = sliding   ? k.slide[luminance]
                        : n == 11 ? k.block11[luminance]
                        : n == 7  ? k.block7[luminance]
                                  : k.block_any[luminance];
    if (sliding) block.c2 *= static_cast<T>(n * n * n * n);  // its variances are n^2 sum(v^2) - sum(v)^2
    for (int64_t r = tile.top; r < tile.bottom; r += rows) {
        staged.advance(r, ring);
        block.s_rows = staged.s();
        block.d_rows = staged.d();
        block.first = r == tile.top;
        block.rows = tile.bottom - r < rows ? tile.bottom - r : rows;
        for (int64_t i = 0; i < rows; ++i) row_weights[static_cast<size_t>(i)] = static_cast<T>(i < block.rows);
        filter(&block);
        for (int64_t i = 0; map && i < block.rows; ++i) {
            const T* const from = map_rows[static_cast<size_t>(i)];
            if (x.dtype == PG_FLOAT64)
                place(from, layout, tile, x.channels, map_row<double>(map, x, region, tile.image, r + i));
            else
                place(from, layout, tile, x.channels, map_row<float>(map, x, region, tile.image, r + i));
        }
    }
    for (int64_t c = 0; c < layout.channels; ++c) sums[c] = layout.sum(columns.data(), c);
}

void split_by_precision(const std::vector<PairPrecision>& precision, std::vector<int64_t> images[2]) {
    for (size_t i = 0; i < precision.size(); ++i) images[precision[i].float64].push_back(static_cast<int64_t>(i));
}

template <class T>
void run_windows(const pg_images& x, const pg_images& y, const pg_ssim_options& o, bool luminance, const Region& region,
                 const std::vector<PairPrecision>& precision, const std::vector<int64_t>& images, double* dissimilarities, void* map) {
    if (images.empty()) return;
    const std::vector<T> taps = window_taps<T>(o, ssim_kernels<T>().rows_per_block);
    const std::vector<Tile> tiles = tiles_of(x, region, images);
    std::vector<double> sums(tiles.size() * kMaxGroup);
    parallel_for(static_cast<int64_t>(tiles.size()), [&](int64_t t) {
        const Tile& tile = tiles[static_cast<size_t>(t)];
        run_tile<T>(x, y, o, luminance, region, taps, precision[static_cast<size_t>(tile.image)].shift, tile,
                    &sums[static_cast<size_t>(t * kMaxGroup)], map);
    });
    if (!dissimilarities) return;
    for (const int64_t image : images)
        for (int64_t c = 0; c < x.channels; ++c) dissimilarities[image * x.channels + c] = 0;
    for (size_t t = 0; t < tiles.size(); ++t)
        for (int64_t c = 0; c < tiles[t].channels; ++c)
            dissimilarities[tiles[t].image * x.channels + tiles[t].channel + c] += sums[t * kMaxGroup + static_cast<size_t>(c)];
    const double windows = static_cast<double>(region.height) * static_cast<double>(region.width);
    for (const int64_t image : images)
        for (int64_t c = 0; c < x.channels; ++c) dissimilarities[image * x.channels + c] /= windows;
}

// base^exponent of a factor that is at most 1, which it stays.
double power(double base, double exponent) { return exponent == 1 ? base : exponent == 0 ? 1 : std::pow(base, exponent); }

}  // namespace

std::string short_number(double x) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", x);
    return text;
}

void require_ssim_options(const pg_ssim_options* o, int64_t height, int64_t width) {
    require(o != nullptr, "options is NULL");
    require(o->data_range > 0 && std::isfinite(o->data_range),
            [&] { return "data_range=" + short_number(o->data_range) + " must be positive and finite"; });
    require(o->k1 > 0 && std::isfinite(o->k1), [&] { return "k1=" + short_number(o->k1) + " must be positive and finite"; });
    require(o->k2 > 0 && std::isfinite(o->k2), [&] { return "k2=" + short_number(o->k2) + " must be positive and finite"; });
    require(lengths_within(*o, kFloat64Lengths), [&] {
        return "data_range=" + short_number(o->data_range) + " with k1=" + short_number(o->k1) + " and k2=" + short_number(o->k2) +
               " leaves float64's room: scale the images and their range to a length near 1";
    });
    require(o->window == PG_WINDOW_UNIFORM || o->window == PG_WINDOW_GAUSSIAN,
            [&] { return "window=" + std::to_string(o->window) + " is not a pg_window"; });
    require(o->window == PG_WINDOW_UNIFORM || (o->sigma > 0 && std::isfinite(o->sigma)),
            [&] { return "sigma=" + short_number(o->sigma) + " must be positive and finite"; });
    require(o->window_size >= 3 && o->window_size % 2 == 1,
            [&] { return "window_size=" + std::to_string(o->window_size) + " must be odd and at least 3"; });
    require(o->border >= PG_BORDER_VALID && o->border <= PG_BORDER_CROP,
            [&] { return "border=" + std::to_string(o->border) + " is not a pg_border"; });
    require(o->downsample >= PG_DOWNSAMPLE_NONE && o->downsample <= PG_DOWNSAMPLE_POOL,
            [&] { return "downsample=" + std::to_string(o->downsample) + " is not a pg_downsample"; });
    require_choice(o->covariance, PG_COVARIANCE_SAMPLE, "covariance", "pg_covariance");
    for (const double e : o->exponents) {
        require(e >= 0 && std::isfinite(e),
                [&] { return "exponents holds " + short_number(e) + ": each must be finite and not negative"; });
        require(e <= 1000, [&] { return "exponents holds " + short_number(e) + ": of a power above 1000 nothing is left but 0 and 1"; });
    }
    const int64_t needed = o->border == PG_BORDER_REFLECT ? o->window_size / 2 + 1 : o->window_size;
    require(height >= needed && width >= needed, [&] {
        return "images of " + std::to_string(height) + " x " + std::to_string(width) + " are too small for a window of " +
               std::to_string(o->window_size) + ": at least " + std::to_string(needed) + " x " + std::to_string(needed) +
               " is needed; use larger images or a smaller window_size";
    });
}

void window_map_size(const pg_ssim_options& o, int64_t height, int64_t width, int64_t* map_height, int64_t* map_width) {
    const Region region = map_region(o, height, width);
    *map_height = region.height;
    *map_width = region.width;
}

std::vector<PairPrecision> pair_precision(const pg_images& x, const pg_images& y, const pg_ssim_options& o) {
    const double c2 = o.k2 * o.data_range * o.k2 * o.data_range, largest = kFloat32Values * o.k2 * o.data_range;
    const bool in_float32 = x.dtype != PG_FLOAT64 && lengths_within(o, kFloat32Lengths) && middle_is_heavy(o);
    std::vector<PairPrecision> precision(static_cast<size_t>(x.count));
    if (in_float32 && ((x.dtype == PG_UINT8 && largest >= 255) || (x.dtype == PG_UINT16 && largest >= 65535))) {
        for (PairPrecision& p : precision) p = {0, false};
        return precision;
    }
    parallel_for(x.count, [&](int64_t i) {
        double low[2], high[2];
        const pg_images* pair[] = {&x, &y};
        for (int k = 0; k < 2; ++k) {
            pg_images one = *pair[k];
            one.data = static_cast<const char*>(one.data) + i * one.count_stride;
            one.count = 1;
            if (pg_value_range(&one, &low[k], &high[k]) != PG_OK) {
                std::string where = pg_last_error();
                const std::string batch_position = "image 0, ";
                if (const size_t at = where.find(batch_position); at != std::string::npos)
                    where.replace(at, batch_position.size(), "image " + std::to_string(i) + ", ");
                throw InvalidArgument((k == 0 ? "x: " : "y: ") + where + ": remove or mask such values first");
            }
        }
        const double lo = low[0] < low[1] ? low[0] : low[1], hi = high[0] > high[1] ? high[0] : high[1];
        require(2.3e-16 / 2 * (hi - lo) * (hi - lo) / c2 <= kFloat64Tolerance, [&] {
            return "image " + std::to_string(i) + " of x and y has values from " + short_number(lo) + " to " + short_number(hi) +
                   ", too far apart for data_range=" + short_number(o.data_range) + " and k2=" + short_number(o.k2) +
                   ": correct the range, or replace fill values by ones inside it";
        });
        // Values about zero need no shift, and then luminance is as exact as they are; one far from zero is subtracted, an integer
        // from integers, so that their sums stay exact.
        const bool near = hi <= largest && -lo <= kFloat32Below * o.k1 * o.data_range, one_side = lo > 0 || hi < 0;
        const double middle = x.dtype <= PG_UINT16 ? std::floor((lo + hi) / 2) : (lo + hi) / 2;
        const bool fits = near || (one_side && hi - middle <= largest);
        precision[static_cast<size_t>(i)] = {near || !one_side ? 0 : middle,
                                             !(in_float32 && fits && hi <= kFloat32Largest && -lo <= kFloat32Largest)};
    });
    return precision;
}

void window_dissimilarities(const pg_images& x, const pg_images& y, const pg_ssim_options& o, bool luminance,
                            const std::vector<PairPrecision>& precision, double* dissimilarities) {
    const Region region = score_region(o, x.height, x.width);
    std::vector<int64_t> images[2];
    split_by_precision(precision, images);
    run_windows<float>(x, y, o, luminance, region, precision, images[0], dissimilarities, nullptr);
    run_windows<double>(x, y, o, luminance, region, precision, images[1], dissimilarities, nullptr);
}

void window_map(const pg_images& x, const pg_images& y, const pg_ssim_options& o, const std::vector<PairPrecision>& precision, void* map) {
    const Region region = map_region(o, x.height, x.width);
    std::vector<int64_t> images[2];
    split_by_precision(precision, images);
    run_windows<float>(x, y, o, true, region, precision, images[0], nullptr, map);
    run_windows<double>(x, y, o, true, region, precision, images[1], nullptr, map);
}

namespace {

void run_components(const pg_images& x, const pg_images& y, const pg_ssim_options& o, const Region& region,
                    const std::vector<PairPrecision>& precision, Components* means, void* map) {
    // Always float64: the square roots of small variances would show float32's rounding.
    const SsimKernels<double>& k = ssim_kernels<double>();
    const std::vector<double> taps = window_taps<double>(o, k.rows_per_block);
    std::vector<int64_t> images(static_cast<size_t>(x.count));
    for (size_t i = 0; i < images.size(); ++i) images[i] = static_cast<int64_t>(i);
    const std::vector<Tile> tiles = tiles_of(x, region, images);
    std::vector<Components> sums(tiles.size(), Components{});
    parallel_for(static_cast<int64_t>(tiles.size()), [&](int64_t t) {
        const Tile& tile = tiles[static_cast<size_t>(t)];
        const double shift = precision[static_cast<size_t>(tile.image)].shift;
        const int64_t n = o.window_size;
        const StripLayout layout(tile, k.lanes, n);
        StagedRows<double> staged(x, y, tile, region, layout, 1, 0, shift);
        const int64_t scratch_stride = row_stride<double>(ssim_scratch_registers(k.lanes, n, layout.registers, layout.tail) * k.lanes);
        const int64_t ring_size = round_up(staged.ring_size(), k.lanes), outputs = layout.outputs();
        double* const ring = thread_buffer<double>(static_cast<size_t>(ring_size + 5 * (scratch_stride + outputs)));
        double* const scratch = ring + ring_size;
        double* out[5];
        for (int i = 0; i < 5; ++i) out[i] = scratch + 5 * scratch_stride + i * outputs;
        SsimBlock<double> block{};
        block.taps = taps.data();
        layout.describe(block);
        block.plane_stride = staged.plane_stride();
        block.scratch = scratch;
        block.scratch_stride = scratch_stride;
        set_constants(block, o, shift);
        Components& sum = sums[static_cast<size_t>(t)];
        for (int64_t r = tile.top; r < tile.bottom; ++r) {
            staged.advance(r, ring);
            block.s_rows = staged.s();
            block.d_rows = staged.d();
            k.moments(&block, out);
            layout.for_each([&](int64_t, int64_t, int64_t e) {
                const double c1 = block.c1 / 2, c2 = block.c2 / 2, c3 = c2 / 2;
                const double vx = std::fmax(out[2][e], 0) / 4, vy = std::fmax(out[3][e], 0) / 4, covariance = out[4][e] / 4;
                const double deviations = std::sqrt(vx * vy), spread = std::sqrt(vx) - std::sqrt(vy);
                const double d = (out[0][e] - out[1][e]) / 2, mx = (out[0][e] + block.origin) / 2, my = (out[1][e] + block.origin) / 2;
                // Each as what it lacks of 1, which for equal images is 0 however the rest rounds; covariances never exceed deviations.
                const double luminance = 1 - d * d / (mx * mx + my * my + c1);
                const double contrast = 1 - spread * spread / (vx + vy + c2);
                const double structure = 1 - std::fmax(deviations - covariance, 0) / (deviations + c3);
                const double score = power(luminance, o.exponents[0]) * power(contrast, o.exponents[1]) * power(structure, o.exponents[2]);
                sum.score += score;
                sum.luminance += luminance;
                sum.contrast += contrast;
                sum.structure += structure;
                out[0][e] = score;
            });
            if (!map) continue;
            if (x.dtype == PG_FLOAT64)
                place(out[0], layout, tile, x.channels, map_row<double>(map, x, region, tile.image, r));
            else
                place(out[0], layout, tile, x.channels, map_row<float>(map, x, region, tile.image, r));
        }
    });
    if (!means) return;
    const double n = static_cast<double>(region.height) * static_cast<double>(region.width) * static_cast<double>(x.channels);
    for (int64_t i = 0; i < x.count; ++i) means[i] = Components{};
    for (size_t t = 0; t < tiles.size(); ++t) {
        Components& m = means[tiles[t].image];
        m.score += sums[t].score;
        m.luminance += sums[t].luminance;
        m.contrast += sums[t].contrast;
        m.structure += sums[t].structure;
    }
    for (int64_t i = 0; i < x.count; ++i)
        means[i] = {means[i].score / n, means[i].luminance / n, means[i].contrast / n, means[i].structure / n};
}

}  // namespace

void window_components(const pg_images& x, const pg_images& y, const pg_ssim_options& o, const std::vector<PairPrecision>& precision,
                       Components* means) {
    run_components(x, y, o, score_region(o, x.height, x.width), precision, means, nullptr);
}

void window_power_map(const pg_images& x, const pg_images& y, const pg_ssim_options& o, const std::vector<PairPrecision>& precision,
                      void* map) {
    run_components(x, y, o, map_region(o, x.height, x.width), precision, nullptr, map);
}

}  // namespace pixelgauge
