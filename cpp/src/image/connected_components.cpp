// Connected regions of masks, eight neighbours, by union-find over runs of two rows.
#include <algorithm>
#include <string>
#include <vector>

#include "pixelgauge/pixelgauge.h"
#include "runtime/sizes.h"
#include "runtime/status.h"
#include "runtime/threads.h"

namespace pixelgauge {

namespace {

int32_t root(std::vector<int32_t>& parent, int32_t r) {
    while (parent[static_cast<size_t>(r)] != r) {
        parent[static_cast<size_t>(r)] = parent[static_cast<size_t>(parent[static_cast<size_t>(r)])];
        r = parent[static_cast<size_t>(r)];
    }
    return r;
}

}  // namespace

}  // namespace pixelgauge

using namespace pixelgauge;

extern "C" pg_status pg_connected_components(const uint8_t* masks, int64_t count, int64_t height, int64_t width, int32_t* labels,
                                             int64_t* regions) {
    return guarded([&] {
        require_given({{"masks", masks}, {"labels", labels}, {"regions", regions}});
        require(count >= 1 && height >= 1 && width >= 1 && height <= (int64_t{1} << 31) / width, [&] {
            return Fault(count >= 1 && height >= 1 && width >= 1 ? PG_ERROR_TOO_LARGE : PG_ERROR_MISSING, "masks", "",
                         "masks of count=" + std::to_string(count) + ", height=" + std::to_string(height) +
                             ", width=" + std::to_string(width) + " are empty or have more than 2^31 pixels each");
        });
        checked_product("labels", {count, height, width, sizeof(int32_t)});
        parallel_for(count, [&](int64_t image) {
            const uint8_t* mask = masks + image * height * width;
            int32_t* out = labels + image * height * width;
            std::vector<int32_t> parent{0};  // 0: background
            for (int64_t y = 0; y < height; ++y) {
                for (int64_t x = 0; x < width; ++x) {
                    const int64_t at = y * width + x;
                    out[at] = 0;
                    if (!mask[at]) continue;
                    int32_t mine = 0;
                    const auto join = [&](int32_t other) {
                        if (!other) return;
                        other = root(parent, other);
                        if (!mine || other == mine) {
                            mine = other;
                            return;
                        }
                        parent[static_cast<size_t>(std::max(mine, other))] = std::min(mine, other);
                        mine = std::min(mine, other);
                    };
                    if (x > 0) join(out[at - 1]);
                    if (y > 0) {
                        if (x > 0) join(out[at - width - 1]);
                        join(out[at - width]);
                        if (x + 1 < width) join(out[at - width + 1]);
                    }
                    if (!mine) {
                        mine = static_cast<int32_t>(parent.size());
                        parent.push_back(mine);
                    }
                    out[at] = mine;
                }
            }
            std::vector<int32_t> number(parent.size());
            int32_t next = 0;
            for (size_t r = 1; r < parent.size(); ++r)
                number[r] =
                    parent[r] == static_cast<int32_t>(r) ? ++next : number[static_cast<size_t>(root(parent, static_cast<int32_t>(r)))];
            for (int64_t at = 0; at < height * width; ++at) out[at] = number[static_cast<size_t>(out[at])];
            regions[image] = next;
        });
    });
}
