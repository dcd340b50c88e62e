#include "image/ssim_windows.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

#include "image/ssim_moments.h"
#include "image/ssim_taps.h"
#include "kernels/table.h"
#include "runtime/threads.h"

namespace pixelgauge {

namespace {

// Whether running sums of integers are exact in float32: about kMiddle they stay below 2^24.
bool slides(const pg_images& x, const pg_ssim_options& o, bool float64) {
    return !float64 && x.dtype == PG_UINT8 && o.window == PG_WINDOW_UNIFORM && o.window_size <= 15;
}
constexpr double kMiddle = 128;

// Values that windows of several indices may meet where a pair's precision is assumed: what each may.
PairRange usual_of_all(const pg_images& x, const std::vector<WindowIndex>& indices) {
    PairRange all{-HUGE_VAL, HUGE_VAL};
    for (const WindowIndex& index : indices) {
        const PairRange one = usual_values(x, index.options);
        all = {std::max(all.low, one.low), std::min(all.high, one.high)};
    }
    return all;
}

// False, and no sums, where values turn up that are not allowed.
template <class T>
bool run_tile(const pg_images& x, const pg_images& y, const pg_ssim_options& o, bool luminance, const Region& region,
              const std::vector<T>& taps, double shift, const PairRange* allowed, const Tile& tile, double* sums, const MapWriter& map) {
    const SsimKernels<T>& k = ssim_kernels<T>();
    const int64_t n = o.window_size, rows = k.rows_per_block, outputs = StripLayout(tile, k.lanes, n).outputs();
    const bool sliding = slides(x, o, sizeof(T) == sizeof(double));
    MomentStrip<T> strip(x, y, o, region, tile, taps, sliding ? kMiddle : shift, rows, sliding, sliding ? 5 * tile.channels : 4 * rows,
                         map ? rows * outputs : 0, allowed);
    std::vector<double> columns(static_cast<size_t>(outputs));
    std::vector<T> row_weights(static_cast<size_t>(rows));
    std::vector<T*> map_rows;
    for (int64_t r = 0; map && r < rows; ++r) map_rows.push_back(strip.extra() + r * outputs);
    SsimBlock<T>& block = strip.block;
    block.sums = columns.data();
    block.row_weights = row_weights.data();
    block.map = map ? map_rows.data() : nullptr;
    if (sliding) block.c2 *= static_cast<T>(n * n * n * n);  // its variances are n^2 sum(v^2) - sum(v)^2
    const auto filter = sliding   ? k.slide[luminance]
                        : n == 11 ? k.block11[luminance]
                        : n == 7  ? k.block7[luminance]
                                  : k.block_any[luminance];
    const bool done = strip.each_block([&](int64_t first, int64_t count) {
        for (int64_t i = 0; i < rows; ++i) row_weights[static_cast<size_t>(i)] = static_cast<T>(i < count);
        filter(&block);
        for (int64_t i = 0; map && i < count; ++i) map.write(map_rows[static_cast<size_t>(i)], strip.layout, tile, first + i);
    });
    for (int64_t c = 0; done && c < tile.channels; ++c) sums[c] = strip.layout.sum(columns.data(), c);
    return done;
}

// Several indices of windows of 11 taps that do not slide; sums are [index][kMaxGroup].
template <class T>
bool run_tile_of_many(const pg_images& x, const pg_images& y, const std::vector<WindowIndex>& indices, const Region& region,
                      const std::vector<T>& taps, double shift, const PairRange* allowed, const Tile& tile, double* sums) {
    const SsimKernels<T>& k = ssim_kernels<T>();
    const int64_t rows = k.rows_per_block;
    MomentStrip<T> strip(x, y, indices[0].options, region, tile, taps, shift, rows, 0, 4 * rows, 0, allowed);
    const size_t outputs = static_cast<size_t>(strip.layout.outputs());
    std::vector<double> columns(outputs * indices.size());
    std::vector<T> row_weights(static_cast<size_t>(rows));
    SsimIndices<T> list{static_cast<int>(indices.size()), {}};
    for (size_t i = 0; i < indices.size(); ++i) {
        const IndexConstants<T> constants(indices[i].options);
        list.of[i] = {constants.c1, constants.c2, indices[i].luminance, columns.data() + i * outputs};
    }
    strip.block.row_weights = row_weights.data();
    strip.block.indices = &list;
    const bool done = strip.each_block([&](int64_t, int64_t count) {
        for (int64_t i = 0; i < rows; ++i) row_weights[static_cast<size_t>(i)] = static_cast<T>(i < count);
        k.many11(&strip.block);
    });
    for (size_t i = 0; done && i < indices.size(); ++i)
        for (int64_t c = 0; c < tile.channels; ++c) sums[static_cast<int64_t>(i) * kMaxGroup + c] = strip.layout.sum(list.of[i].sums, c);
    return done;
}

std::vector<int64_t> all_images(const pg_images& x) {
    std::vector<int64_t> all(static_cast<size_t>(x.count));
    std::iota(all.begin(), all.end(), int64_t{0});
    return all;
}

void split_by_precision(const std::vector<PairPrecision>& precision, const std::vector<int64_t>& of, std::vector<int64_t> images[2]) {
    for (const int64_t i : of) images[precision[static_cast<size_t>(i)].float64].push_back(i);
}

// Which pairs of a batch have values that they were assumed not to have.
class Unusual {
  public:
    explicit Unusual(int64_t count) : of_(static_cast<size_t>(count)) {}
    void add(int64_t image) { of_[static_cast<size_t>(image)].store(true, std::memory_order_relaxed); }
    bool holds(int64_t image) const { return of_[static_cast<size_t>(image)].load(std::memory_order_relaxed); }
    std::vector<int64_t> images() const {
        std::vector<int64_t> all;
        for (size_t i = 0; i < of_.size(); ++i)
            if (of_[i]) all.push_back(static_cast<int64_t>(i));
        return all;
    }

  private:
    std::vector<std::atomic<bool>> of_;
};

template <class T>
void run_windows(const pg_images& x, const pg_images& y, const std::vector<WindowIndex>& indices, const Region& region,
                 const std::vector<PairPrecision>& precision, const std::vector<int64_t>& images, Unusual& unusual, void* map) {
    if (images.empty()) return;
    const WindowIndex& one = indices[0];
    const std::vector<T> taps = window_taps<T>(one.options);
    const std::vector<Tile> tiles = tiles_of(x, region, images);
    const size_t sums_of_tile = indices.size() * kMaxGroup;
    std::vector<double> sums(tiles.size() * sums_of_tile);
    const MapWriter writer(map, x, region);
    const auto is_assumed = [&](int64_t image) { return precision[static_cast<size_t>(image)].assumed; };
    const PairRange usual = std::any_of(images.begin(), images.end(), is_assumed) ? usual_of_all(x, indices) : PairRange{};
    parallel_for(static_cast<int64_t>(tiles.size()), [&](int64_t t) {
        const Tile& tile = tiles[static_cast<size_t>(t)];
        if (unusual.holds(tile.image)) return;
        const PairPrecision& of_pair = precision[static_cast<size_t>(tile.image)];
        const PairRange* const allowed = is_assumed(tile.image) ? &usual : nullptr;
        double* const to = &sums[static_cast<size_t>(t) * sums_of_tile];
        const bool done = indices.size() == 1
                              ? run_tile<T>(x, y, one.options, one.luminance, region, taps, of_pair.shift, allowed, tile, to, writer)
                              : run_tile_of_many<T>(x, y, indices, region, taps, of_pair.shift, allowed, tile, to);
        if (!done) unusual.add(tile.image);
    });
    const double windows = static_cast<double>(region.height) * static_cast<double>(region.width);
    for (size_t i = 0; i < indices.size(); ++i) {
        double* const dissimilarities = indices[i].dissimilarities;
        if (!dissimilarities) continue;
        for (const int64_t image : images)
            for (int64_t c = 0; c < x.channels; ++c) dissimilarities[image * x.channels + c] = 0;
        for (size_t t = 0; t < tiles.size(); ++t)
            for (int64_t c = 0; c < tiles[t].channels; ++c)
                dissimilarities[tiles[t].image * x.channels + tiles[t].channel + c] +=
                    sums[t * sums_of_tile + i * kMaxGroup + static_cast<size_t>(c)];
        for (const int64_t image : images)
            for (int64_t c = 0; c < x.channels; ++c) {
                double& mean = dissimilarities[image * x.channels + c];
                mean /= windows;
                if (is_assumed(image) && !(mean - mean == 0)) unusual.add(image);  // NaN is in no range
            }
    }
}

}  // namespace

void window_map_size(const pg_ssim_options& o, int64_t height, int64_t width, int64_t* map_height, int64_t* map_width) {
    const Region region = map_region(o, height, width);
    *map_height = region.height;
    *map_width = region.width;
}

bool same_moments(const pg_ssim_options& a, const pg_ssim_options& b) {
    return a.window == b.window && a.window_size == b.window_size && (a.window == PG_WINDOW_UNIFORM || a.sigma == b.sigma) &&
           (a.border == PG_BORDER_REFLECT) == (b.border == PG_BORDER_REFLECT);
}

namespace {

// Indices of the same moments, of some pairs of a batch.
void run_indices(const pg_images& x, const pg_images& y, std::vector<WindowIndex> indices, const std::vector<PairPrecision>& precision,
                 const std::vector<int64_t>& of, Unusual& unusual) {
    const Region region = score_region(indices[0].options, x.height, x.width);
    std::vector<int64_t> images[2];
    split_by_precision(precision, of, images);
    const auto run = [&](const std::vector<WindowIndex>& some) {
        run_windows<float>(x, y, some, region, precision, images[0], unusual, nullptr);
        run_windows<double>(x, y, some, region, precision, images[1], unusual, nullptr);
    };
    if (indices[0].options.window_size != 11 || slides(x, indices[0].options, false)) {
        for (const WindowIndex& index : indices) run({index});
        return;
    }
    const auto c2_of = [](const WindowIndex& index) { return IndexConstants<double>(index.options).c2; };
    std::stable_sort(indices.begin(), indices.end(), [&](const WindowIndex& a, const WindowIndex& b) {
        return c2_of(a) != c2_of(b) ? c2_of(a) < c2_of(b) : a.luminance < b.luminance;
    });
    for (size_t i = 0; i < indices.size(); i += SsimIndices<float>::kMost)
        run({indices.begin() + static_cast<ptrdiff_t>(i),
             indices.begin() + static_cast<ptrdiff_t>(std::min(indices.size(), i + SsimIndices<float>::kMost))});
}

}  // namespace

void window_dissimilarities(const pg_images& x, const pg_images& y, const std::vector<WindowIndex>& indices,
                            const std::vector<PairPrecision>& precision, int64_t first) {
    Unusual unusual(x.count);
    run_indices(x, y, indices, precision, all_images(x), unusual);
    const std::vector<int64_t> again = unusual.images();
    if (again.empty()) return;
    const std::vector<PairRange> ranges = pair_ranges(x, y, first);
    for (const WindowIndex& index : indices) {
        std::vector<PairPrecision> known = pair_precision(x, index.options, ranges, first);
        for (size_t i = 0; i < known.size(); ++i) known[i].float64 |= precision[i].float64;
        Unusual none(x.count);
        run_indices(x, y, {index}, known, again, none);
    }
}

void window_map(const pg_images& x, const pg_images& y, const pg_ssim_options& o, const std::vector<PairPrecision>& precision, void* map) {
    const Region region = map_region(o, x.height, x.width);
    std::vector<int64_t> images[2];
    split_by_precision(precision, all_images(x), images);
    const std::vector<WindowIndex> one{{o, true, nullptr}};
    Unusual none(x.count);
    run_windows<float>(x, y, one, region, precision, images[0], none, map);
    run_windows<double>(x, y, one, region, precision, images[1], none, map);
}

}  // namespace pixelgauge
