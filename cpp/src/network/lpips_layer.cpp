// A layer of LPIPS: squared differences of unit-normalised features, weighted and summed over channels, a block of positions at
// a time.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "kernels/table.h"
#include "runtime/sizes.h"
#include "runtime/status.h"
#include "runtime/threads.h"

namespace pixelgauge {

namespace {

void require_layer(int64_t pairs, int64_t channels, int64_t positions, float inside, float outside) {
    for (const auto& [name, size] : {std::pair("pairs", pairs), std::pair("positions", positions)})
        require(size >= 0, [&, of = name, n = size] { return Fault(PG_ERROR_VALUE, of, std::to_string(n), "must not be negative"); });
    require(channels > 0 && channels < 1 << 16,
            [&] { return Fault(PG_ERROR_VALUE, "channels", std::to_string(channels), "must be 1 to 65535"); });
    checked_product("x", {pairs, channels, positions, sizeof(float)});
    const float most = 1 / (std::sqrt(inside) + outside);  // by which features that vanish are multiplied
    require(inside >= 0 && outside >= 0 && std::isfinite(inside) && std::isfinite(outside) && std::isfinite(most), [&] {
        return Fault(PG_ERROR_VALUE, inside >= 0 && std::isfinite(inside) ? "outside" : "inside", "",
                     "inside=" + short_number(inside) + ", outside=" + short_number(outside),
                     "must be finite, not negative, and not both so near zero that 1 / (sqrt(inside) + outside) overflows");
    });
}

// The first place of the map that holds NaN or infinity, whichever thread comes upon it.
class FirstNotFinite {
  public:
    static constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

    void look(const float* map_block, int64_t count, int64_t place) {
        for (int64_t i = 0; i < count; ++i) {
            if (std::isfinite(map_block[i])) continue;
            int64_t before = first_.load(std::memory_order_relaxed);
            while (place + i < before && !first_.compare_exchange_weak(before, place + i, std::memory_order_relaxed)) {
            }
            return;
        }
    }
    int64_t place() const { return first_.load(); }

  private:
    std::atomic<int64_t> first_{kNone};
};

// The planes end within the block, after `left` positions: it is computed on a copy with zeros after them.
void last_block(const Kernels& table, LpipsLayer job, int64_t left) {
    const int64_t size = table.lpips_positions, channels = job.channels;
    thread_local std::vector<float> copy;
    copy.assign(static_cast<size_t>((2 * channels + 1) * size), 0.0F);
    float *const a = copy.data(), *const b = a + channels * size, *const last = b + channels * size;
    for (int64_t c = 0; c < channels; ++c) {
        std::copy_n(job.x + c * job.plane, left, a + c * size);
        std::copy_n(job.y + c * job.plane, left, b + c * size);
    }
    float* const to = job.map;
    job.x = a, job.y = b, job.plane = size, job.map = last;
    table.lpips_layer(&job);
    std::copy_n(last, left, to);
}

}  // namespace

}  // namespace pixelgauge

extern "C" pg_status pg_lpips_layer(const float* x, const float* y, int64_t pairs, int64_t channels, int64_t positions,
                                    const float* weights, float inside, float outside, float* map, pg_parallel parallel,
                                    void* parallel_context) {
    using namespace pixelgauge;
    return guarded([&] {
        const Kernels& table = kernels();
        require_layer(pairs, channels, positions, inside, outside);
        if (pairs == 0 || positions == 0) return;
        require_given({{"x", x}, {"y", y}, {"weights", weights}, {"map", map}});
        const int64_t size = table.lpips_positions, blocks = (positions + size - 1) / size;
        FirstNotFinite bad;
        parallel_on(parallel, parallel_context, pairs * blocks, [&](int64_t index) {
            const int64_t pair = index / blocks, at = index % blocks * size, first = pair * channels * positions + at;
            const int64_t place = pair * positions + at, left = positions - at;
            LpipsLayer job{x + first, y + first, positions, channels, weights, inside, outside, map + place};
            if (left >= size)
                table.lpips_layer(&job);
            else
                last_block(table, job, left);
            bad.look(map + place, std::min(left, size), place);
        });
        const int64_t place = bad.place();
        require(place == FirstNotFinite::kNone, [&] {
            return Fault(PG_ERROR_NOT_FINITE, "x", "",
                         "x, y or weights hold NaN or infinity, or values whose squares overflow: at position " +
                             std::to_string(place % positions) + " of pair " + std::to_string(place / positions))
                .in_image(place / positions);
        });
    });
}
