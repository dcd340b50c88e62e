// Areas under the ROC curves of many groups: keys go by group and class to one array, in one pass; each group is then counted by
// itself.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "pixelgauge/pixelgauge.h"
#include "ranking/pair_counts.h"
#include "ranking/scores.h"
#include "runtime/sizes.h"
#include "runtime/status.h"
#include "runtime/threads.h"
#include "runtime/wide.h"

namespace pixelgauge {

namespace {

// The keys of every group and class, one after another: slot 2 g holds the negatives of group g, 2 g + 1 its positives.
template <class K>
class GroupedKeys {
  public:
    GroupedKeys(const pg_ranking& r, const int64_t* groups, int64_t group_count)
        : r_(r),
          groups_(groups),
          slots_(2 * static_cast<size_t>(group_count)),
          blocks_((r.count + kBlock - 1) / kBlock),
          parts_(std::min<int64_t>(num_threads(), std::max<int64_t>(1, blocks_ / 16))),
          keys_(static_cast<size_t>(r.count) * sizeof(K)) {
        std::vector<uint64_t> next = counts(group_count);
        begin_.resize(slots_ + 1);
        uint64_t placed = 0;
        for (size_t slot = 0; slot < slots_; ++slot) {
            begin_[slot] = placed;
            for (size_t part = 0; part < static_cast<size_t>(parts_); ++part) {
                const uint64_t here = next[part * slots_ + slot];
                next[part * slots_ + slot] = placed;
                placed += here;
            }
        }
        begin_[slots_] = placed;
        place(next);
    }

    struct Class {
        const K* keys;
        int64_t count;
    };
    Class operator()(int64_t group, bool positive) const {
        const size_t slot = 2 * static_cast<size_t>(group) + positive;
        return {keys_.as<K>() + begin_[slot], static_cast<int64_t>(begin_[slot + 1] - begin_[slot])};
    }

  private:
    std::pair<int64_t, int64_t> range(int64_t part) const {
        return {blocks_ * part / parts_ * kBlock, std::min(r_.count, blocks_ * (part + 1) / parts_ * kBlock)};
    }
    size_t slot_of(int64_t i, uint64_t label) const { return 2 * static_cast<size_t>(groups_[i]) + static_cast<size_t>(label & 1); }

    // How many keys of each slot each part holds.
    std::vector<uint64_t> counts(int64_t group_count) const {
        std::vector<uint64_t> counts(static_cast<size_t>(parts_) * slots_);
        parallel_for(parts_, [&](int64_t part) {
            uint64_t* mine = counts.data() + static_cast<size_t>(part) * slots_;
            for (auto [i, end] = range(part); i < end; ++i) {
                if (groups_[i] < 0 || groups_[i] >= group_count)
                    throw InvalidArgument(Fault(PG_ERROR_VALUE, "groups", "", "groups holds " + std::to_string(groups_[i]),
                                                "use 0 to " + std::to_string(group_count - 1))
                                              .in_row(i));
                ++mine[slot_of(i, r_.labels[i >> 6] >> (i & 63))];
            }
        });
        return counts;
    }

    // Puts every key at the next place of its part and slot.
    void place(std::vector<uint64_t>& next) {
        K* keys = keys_.as<K>();
        const ScoreSource<K> source = score_source<K>(r_);
        parallel_for(parts_, [&](int64_t part) {
            uint64_t* mine = next.data() + static_cast<size_t>(part) * slots_;
            const auto [first, end] = range(part);
            for_each_block(source, first, end, [&](const K* block, const uint64_t* labels, int64_t m, int64_t i) {
                for (int64_t j = 0; j < m; ++j) keys[mine[slot_of(i + j, labels[j >> 6] >> (j & 63))]++] = block[j];
            });
        });
    }

    const pg_ranking& r_;
    const int64_t* groups_;
    size_t slots_;
    int64_t blocks_, parts_;
    LargeBuffer keys_;
    std::vector<uint64_t> begin_;
};

// Groups of more keys are ranked with all threads.
constexpr int64_t kLargeGroup = 1 << 18;

template <class K>
Wide twice_u_of_small(PairCounter<K>& counter, const GroupedKeys<K>& keys, int64_t g) {
    const int64_t p = keys(g, true).count, n = keys(g, false).count;
    if (p == 0 || n == 0) return 0;
    const bool small_positive = p < n;
    const auto small = keys(g, small_positive), other = keys(g, !small_positive);
    return counter.twice_u(small.keys, small.count, small_positive, static_cast<Wide>(p) * static_cast<Wide>(n), [&](auto f) {
        for (int64_t i = 0; i < other.count; i += kBlockKeys) f(other.keys + i, std::min<int64_t>(kBlockKeys, other.count - i));
    });
}

template <class K>
Wide twice_u_of_large(const GroupedKeys<K>& keys, int64_t g) {
    std::vector<ScoreSource<K>> sources;
    for (const bool positive : {true, false}) {
        const auto [first, count] = keys(g, positive);
        if (count)
            sources.push_back({reinterpret_cast<const char*>(first), count, sizeof(K), sizeof(K), key_reader<K>(), nullptr, positive});
    }
    int64_t p = 0, n = 0;
    return twice_u<K>(sources, 0, &p, &n);
}

template <class K>
void by_group(const pg_ranking& r, const int64_t* groups, int64_t group_count, pg_auroc_counts* results) {
    const GroupedKeys<K> keys(r, groups, group_count);
    const auto is_large = [&](int64_t g) { return keys(g, true).count + keys(g, false).count > kLargeGroup; };
    for_bucket_groups(group_count, [&](int64_t, int64_t first, int64_t last) {
        PairCounter<K> counter;
        for (int64_t g = first; g < last; ++g)
            if (!is_large(g)) set_counts(results[g], twice_u_of_small(counter, keys, g), keys(g, true).count, keys(g, false).count);
    });
    for (int64_t g = 0; g < group_count; ++g)
        if (is_large(g)) set_counts(results[g], twice_u_of_large(keys, g), keys(g, true).count, keys(g, false).count);
}

}  // namespace

}  // namespace pixelgauge

extern "C" pg_status pg_auroc_by_group(const pg_ranking* ranking, const int64_t* groups, int64_t group_count, pg_auroc_counts* results) {
    using namespace pixelgauge;
    return guarded([&] {
        require_ranking(ranking);
        require_given({{"groups", groups}, {"results", results}});
        require(group_count >= 1, [&] { return Fault(PG_ERROR_VALUE, "group_count", std::to_string(group_count), "must be at least 1"); });
        // two counts of 8 bytes a group for each of some thousand threads at most
        checked_product("group_count", {group_count, 2 * sizeof(uint64_t), 1024});
        if (key_bytes(ranking->dtype) == 8)
            by_group<uint64_t>(*ranking, groups, group_count, results);
        else
            by_group<uint32_t>(*ranking, groups, group_count, results);
    });
}
