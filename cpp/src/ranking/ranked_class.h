// One class of scores sorted into cells, into which the other class is ranked without being sorted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/table.h"
#include "ranking/scores.h"

namespace pixelgauge {

// One class of a bucket made ready for the other to be ranked into it.
template <class K>
class RankedClass {
  public:
    // Sorts n >= 1 keys, fewer than 2^29 (2^25 for rank_sum). With ties and few values there may be ranks only.
    void build(const K* keys, int64_t n, bool sorted_wanted = false) {
        K low = static_cast<K>(~K{0}), high = 0;
        placement<K>().bounds(keys, n, &low, &high);
        const uint64_t width = static_cast<uint64_t>(high - low);
        int bits = 0, cell_bits = 6;
        while (bits < 64 && (width >> bits) != 0) ++bits;
        // Four cells a key: 2.6 % of the other class then meet a cell with more than one. From 2^17 cells on, which leave
        // room in L2, one cell a key.
        while (cell_bits < 20 && (int64_t{1} << cell_bits) < (cell_bits < 17 ? 4 * n : n)) ++cell_bits;
        const int shift = std::max(0, bits - cell_bits);
        if (shift == 0 && !sorted_wanted) return build_exact(keys, n, low, high);
        const size_t cells = static_cast<size_t>(width >> shift) + 1;
        ends_.assign(cells, 0);
        for (int64_t i = 0; i < n; ++i) ++ends_[static_cast<size_t>((keys[i] - low) >> shift)];
        cells_.resize(cells);
        const CellTotals totals = kernels().ranking.start_cells(ends_.data(), static_cast<int64_t>(cells), cells_.data());
        if (!sorted_wanted && 2 * totals.occupied < n && width < (1u << 17)) {
            build_exact(keys, n, low, high);
            return;
        }
        sorted_.resize(static_cast<size_t>(n));
        K* sorted = sorted_.data();
        const bool crowded = totals.most > 16;
        for (int64_t i = 0; i < n; ++i) {
            const size_t c = static_cast<size_t>((keys[i] - low) >> shift);
            uint32_t at = ends_[c]++;
            if (!crowded)
                for (const uint32_t from = begin_of(c); at > from && sorted[at - 1] > keys[i]; --at) sorted[at] = sorted[at - 1];
            sorted[at] = keys[i];
        }
        if (crowded)
            for (size_t c = 0; c < cells; ++c)
                if (cells_[c] >> 31) std::sort(sorted + begin_of(c), sorted + ends_[c]);
        table_ = {low, static_cast<K>(width), shift, cells_.data(), sorted};
    }

    const RankTable<K>& table() const { return table_; }

    // 2 #{sorted < key} + #{sorted = key} where the kernels could not tell.
    uint32_t rank(K key) const {
        const K above = key > table_.low ? static_cast<K>(key - table_.low) : K{0};
        const size_t c = static_cast<size_t>(std::min(above, table_.width) >> table_.shift);
        const K *sorted = table_.sorted, *from = sorted + begin_of(c), *to = sorted + ends_[c];
        if (to - from > 8) {
            const auto equal = std::equal_range(from, to, key);
            return static_cast<uint32_t>((equal.first - sorted) + (equal.second - sorted));
        }
        uint32_t twice = 2 * static_cast<uint32_t>(from - sorted);
        for (; from < to; ++from) twice += static_cast<uint32_t>(*from < key) + static_cast<uint32_t>(*from <= key);
        return twice;
    }

    // f(from, to) for the groups of equal keys, highest first, as positions among the n sorted.
    template <class F>
    void each_group(int64_t n, F f) const {
        uint32_t to = static_cast<uint32_t>(n);
        if (!table_.sorted) {
            for (size_t c = cells_.size(); c-- > 0;) {
                const uint32_t from = cells_[c] - to;  // a cell holds from + to
                if (from == to) continue;
                f(from, to);
                to = from;
            }
            return;
        }
        while (to > 0) {
            uint32_t from = to - 1;
            while (from > 0 && table_.sorted[from - 1] == table_.sorted[to - 1]) --from;
            f(from, to);
            to = from;
        }
    }

  private:
    uint32_t begin_of(size_t c) const { return (cells_[c] & 0x7fffffffu) >> 1; }

    // A cell a key, and one on either side: no comparison is left, whatever the ties.
    void build_exact(const K* keys, int64_t n, K low, K high) {
        const K first = static_cast<K>(low - (low > 0)), last = static_cast<K>(high + (high < static_cast<K>(~K{0})));
        cells_.assign(static_cast<size_t>(last - first) + 1, 0);
        for (int64_t i = 0; i < n; ++i) ++cells_[static_cast<size_t>(keys[i] - first)];
        uint32_t below = 0;
        for (uint32_t& cell : cells_) {
            const uint32_t here = cell;
            cell = 2 * below + here;
            below += here;
        }
        table_ = {first, static_cast<K>(last - first), 0, cells_.data(), nullptr};
    }

    RankTable<K> table_{};
    std::vector<uint32_t> cells_, ends_;
    std::vector<K> sorted_;
};

}  // namespace pixelgauge
