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

extern "C" pg_status pg_lpips_layer(const float* x, const float* y, int64_t pairs, int64_t channels, int64_t positions,
                                    const float* weights, float inside, float outside, float* map, pg_parallel parallel,
                                    void* parallel_context) {
    using namespace pixelgauge;
    return guarded([&] {
        const Kernels& table = kernels();
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
        if (pairs == 0 || positions == 0) return;
        require_given({{"x", x}, {"y", y}, {"weights", weights}, {"map", map}});
        const int64_t size = table.lpips_positions, blocks = (positions + size - 1) / size;
        constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
        std::atomic<int64_t> first_bad{kNone};  // of the map
        const auto look = [&](const float* map_block, int64_t count, int64_t place) {
            for (int64_t i = 0; i < count; ++i) {
                if (std::isfinite(map_block[i])) continue;
                int64_t before = first_bad.load(std::memory_order_relaxed);
                while (place + i < before && !first_bad.compare_exchange_weak(before, place + i, std::memory_order_relaxed)) {
                }
                return;
            }
        };
        parallel_on(parallel, parallel_context, pairs * blocks, [&](int64_t index) {
            const int64_t pair = index / blocks, at = index % blocks * size, first = pair * channels * positions + at;
            LpipsLayer job{x + first, y + first, positions, channels, weights, inside, outside, map + pair * positions + at};
            const int64_t left = positions - at;
            if (left >= size) {
                table.lpips_layer(&job);
                return look(job.map, size, pair * positions + at);
            }
            // The planes end within the block: it is computed on a copy with zeros after them.
            thread_local std::vector<float> copy;
            copy.assign(static_cast<size_t>((2 * channels + 1) * size), 0.0F);
            float *const a = copy.data(), *const b = a + channels * size, *const last = b + channels * size;
            for (int64_t c = 0; c < channels; ++c) {
                std::copy_n(job.x + c * positions, left, a + c * size);
                std::copy_n(job.y + c * positions, left, b + c * size);
            }
            float* const to = job.map;
            job.x = a, job.y = b, job.plane = size, job.map = last;
            table.lpips_layer(&job);
            std::copy_n(last, left, to);
            look(to, left, pair * positions + at);
        });
        const int64_t bad = first_bad.load();
        require(bad == kNone, [&] {
            return Fault(PG_ERROR_NOT_FINITE, "x", "",
                         "x, y or weights hold NaN or infinity, or values whose squares overflow: at position " +
                             std::to_string(bad % positions) + " of pair " + std::to_string(bad / positions))
                .in_image(bad / positions);
        });
    });
}
