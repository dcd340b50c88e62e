// The area under the ROC curve as a fraction of integers, and what all of ranking checks first.
#include "ranking/ranking.h"

#include <cstdlib>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "runtime/sizes.h"
#include "runtime/status.h"

namespace pixelgauge {

LargeBuffer::LargeBuffer(size_t bytes) {
    constexpr size_t huge = size_t{2} << 20;
    if (bytes == 0) bytes = 1;
    const size_t align = bytes >= 2 * huge ? huge : 64;
    void* p = std::aligned_alloc(align, (bytes + align - 1) / align * align);
    if (!p) throw std::bad_alloc();
#if defined(__linux__)
    if (align == huge) madvise(p, (bytes + align - 1) / align * align, MADV_HUGEPAGE);  // a wish: refusal costs speed only
#endif
    data_.reset(p);
}

void LargeBuffer::Free::operator()(void* p) const { std::free(p); }

int64_t item_bytes(pg_score_dtype dtype) {
    static const int64_t bytes[] = {1, 1, 2, 2, 2, 2, 4, 4, 4, 8, 8, 8};
    return bytes[dtype];
}

int key_bytes(pg_score_dtype dtype) { return item_bytes(dtype) < 2 ? 2 : static_cast<int>(item_bytes(dtype)); }

void throw_nan_scores() { throw InvalidArgument("y_score holds NaN, which has no rank: remove or impute those samples first"); }

void require_ranking(const pg_ranking* r) {
    require(r != nullptr, "ranking is NULL");
    require_choice(r->dtype, PG_SCORE_FLOAT64, "dtype", "pg_score_dtype");
    require(r->count >= 1, [&] { return "count=" + std::to_string(r->count) + ": at least one score is needed"; });
    require(r->count <= kMostScores, [&] { return "count=" + std::to_string(r->count) + ": at most 2^38 scores are ranked at once"; });
    require(r->scores != nullptr, "scores is NULL");
    require_reach("scores", r->scores, {{r->count, r->stride}});
    require(r->labels != nullptr, "labels is NULL");
}

int64_t count_positives(const pg_ranking& r) {
    int64_t sum = 0;
    for (int64_t i = 0; i < r.count; i += 64) {
        uint64_t word = r.labels[i / 64];
        if (r.count - i < 64) word &= (uint64_t{1} << (r.count - i)) - 1;
        // the bits of a word, added in pairs, in fours, in eights, and the eights by one multiplication
        word -= word >> 1 & 0x5555555555555555u;
        word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
        sum += static_cast<int64_t>(((word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u >> 56);
    }
    return sum;
}

void narrow_counts(const pg_ranking& r, std::vector<uint64_t>& counts) {
    const RankingKernels& k = kernels().ranking;
    const ScoreSource<uint16_t> source = score_source<uint16_t>(r);
    const bool bytes = r.dtype == PG_SCORE_UINT8 || r.dtype == PG_SCORE_INT8;
    const size_t slots = bytes ? 512 : 131072, tables = bytes ? 4 : 1;
    const int64_t blocks = (r.count + kBlock - 1) / kBlock;
    const int64_t parts = std::max(std::min<int64_t>(num_threads(), std::max<int64_t>(1, blocks / 64)), (r.count >> 31) + 1);
    std::vector<uint32_t> partial(static_cast<size_t>(parts) * slots * tables);
    parallel_for(parts, [&](int64_t part) {
        const int64_t begin = blocks * part / parts * kBlock, end = std::min(r.count, blocks * (part + 1) / parts * kBlock);
        uint32_t* mine = partial.data() + static_cast<size_t>(part) * slots * tables;
        if (bytes && r.stride == 1)
            k.histogram8(static_cast<const uint8_t*>(r.scores) + begin, r.dtype == PG_SCORE_INT8 ? 0x80 : 0, r.labels + begin / 64,
                         end - begin, mine);
        else
            for_each_block(source, begin, end, [&](const uint16_t* keys, const uint64_t* labels, int64_t m, int64_t) {
                if (bytes) {
                    uint8_t narrow[kBlock];
                    // int8 keys are biased in 16 bits: their low byte is that of the score
                    for (int64_t j = 0; j < m; ++j) narrow[j] = static_cast<uint8_t>(keys[j]);
                    k.histogram8(narrow, r.dtype == PG_SCORE_INT8 ? 0x80 : 0, labels, m, mine);
                } else {
                    k.histogram16(keys, labels, m, mine);
                }
            });
    });
    counts.assign(slots, 0);
    for (size_t t = 0; t < partial.size(); ++t) counts[t % slots] += partial[t];
}

namespace {

template <class K>
Wide twice_u_sorted(std::vector<K>& positive, std::vector<K>& negative) {
    std::sort(positive.begin(), positive.end());
    std::sort(negative.begin(), negative.end());
    Wide sum = 0;
    size_t less = 0, not_more = 0;
    for (const K key : positive) {
        while (less < negative.size() && negative[less] < key) ++less;
        while (not_more < negative.size() && negative[not_more] <= key) ++not_more;
        sum += less + not_more;
    }
    return sum;
}

// 2 #{negative < positive} + #{negative = positive} of two classes of which one is small enough for a GapTable.
template <class K>
class PairCounter {
  public:
    // visit(f) calls f(keys, m) for the other class, m <= kBlockKeys.
    template <class Visit>
    Wide twice_u(const K* small, int64_t n, bool small_positive, Wide pairs, Visit visit) {
        table_.build(small, n);
        Wide ranks = 0;
        int64_t open = 0;
        K unresolved[2 * kBlockKeys + 16];
        const auto resolve = [&] {
            for (int64_t k = 0; k < open; ++k) ranks += table_.rank(unresolved[k]);
            open = 0;
        };
        visit([&](const K* keys, int64_t m) {
            ranks += placement<K>().rank_sum(keys, m, &table_.gaps(), unresolved, &open);
            if (open >= kBlockKeys) resolve();
        });
        resolve();
        return small_positive ? 2 * pairs - ranks : ranks;
    }

  private:
    GapTable<K> table_;
};

// 2 #{negative < positive} + #{negative = positive}
template <class K>
Wide twice_u(const std::vector<ScoreSource<K>>& sources, int depth, int64_t* positives, int64_t* negatives) {
    Wide total = 0;
    *positives = *negatives = 0;
    for_each_slice(sources, [&](const Buckets<K>& buckets) {
        *positives += buckets.positives();
        *negatives += buckets.negatives();
        std::vector<Wide> sums(static_cast<size_t>(buckets.count()));
        std::vector<char> again(static_cast<size_t>(buckets.count()));
        for_bucket_groups(buckets.count(), [&](int64_t, int64_t first, int64_t last) {
            PairCounter<K> counter;
            std::vector<K> small, other;
            for (int64_t i = first; i < last; ++i) {
                const Bucket<K> b = buckets[i];
                const Wide pairs = static_cast<Wide>(b.positives) * static_cast<Wide>(b.negatives);
                Wide& sum = sums[static_cast<size_t>(i)];
                sum = 2 * static_cast<Wide>(b.positives_above) * static_cast<Wide>(b.negatives);
                if (pairs == 0) continue;
                if (b.low == b.high) {
                    sum += pairs;
                    continue;
                }
                if (b.positives + b.negatives > buckets.largest()) {
                    if (depth < 8) {
                        again[static_cast<size_t>(i)] = 1;
                        continue;
                    }
                    buckets.read(i, true, small);
                    buckets.read(i, false, other);
                    sum += twice_u_sorted(small, other);
                    continue;
                }
                const bool small_positive = b.positives < b.negatives;
                buckets.read(i, small_positive, small);
                sum += counter.twice_u(small.data(), static_cast<int64_t>(small.size()), small_positive, pairs, [&](auto f) {
                    buckets.visit(i, !small_positive, [&](const K* keys, const double*, int64_t m) { f(keys, m); });
                });
            }
        });
        for (int64_t i = 0; i < buckets.count(); ++i) {
            total += sums[static_cast<size_t>(i)];
            if (!again[static_cast<size_t>(i)]) continue;
            int64_t p = 0, n = 0;
            total += twice_u<K>({buckets.source(i, true), buckets.source(i, false)}, depth + 1, &p, &n);
        }
    });
    return total;
}

void set_counts(pg_auroc_counts& counts, Wide twice_u, int64_t positives, int64_t negatives) {
    counts = {low_word(twice_u), high_word(twice_u), positives, negatives};
}

// Keys go by group and class to one array, in one pass; each group is then counted by itself.
template <class K>
void by_group(const pg_ranking& r, const int64_t* groups, int64_t group_count, pg_auroc_counts* results) {
    const size_t slots = 2 * static_cast<size_t>(group_count);
    const int64_t blocks = (r.count + kBlock - 1) / kBlock;
    const int64_t parts = std::min<int64_t>(num_threads(), std::max<int64_t>(1, blocks / 16));
    std::vector<uint64_t> next(static_cast<size_t>(parts) * slots);
    const auto range = [&](int64_t part) {
        return std::pair(blocks * part / parts * kBlock, std::min(r.count, blocks * (part + 1) / parts * kBlock));
    };
    const auto slot_of = [&](int64_t i, uint64_t label) { return 2 * static_cast<size_t>(groups[i]) + static_cast<size_t>(label & 1); };
    parallel_for(parts, [&](int64_t part) {
        uint64_t* mine = next.data() + static_cast<size_t>(part) * slots;
        for (auto [i, end] = range(part); i < end; ++i) {
            if (groups[i] < 0 || groups[i] >= group_count)
                throw InvalidArgument("groups holds " + std::to_string(groups[i]) + ": use 0 to " + std::to_string(group_count - 1));
            ++mine[slot_of(i, r.labels[i >> 6] >> (i & 63))];
        }
    });
    std::vector<uint64_t> begin(slots + 1);
    uint64_t placed = 0;
    for (size_t slot = 0; slot < slots; ++slot) {
        begin[slot] = placed;
        for (size_t part = 0; part < static_cast<size_t>(parts); ++part) {
            const uint64_t here = next[part * slots + slot];
            next[part * slots + slot] = placed;
            placed += here;
        }
    }
    begin[slots] = placed;
    const LargeBuffer buffer(static_cast<size_t>(r.count) * sizeof(K));
    K* keys = buffer.as<K>();
    const ScoreSource<K> source = score_source<K>(r);
    parallel_for(parts, [&](int64_t part) {
        uint64_t* mine = next.data() + static_cast<size_t>(part) * slots;
        const auto [first, end] = range(part);
        for_each_block(source, first, end, [&](const K* block, const uint64_t* labels, int64_t m, int64_t i) {
            for (int64_t j = 0; j < m; ++j) keys[mine[slot_of(i + j, labels[j >> 6] >> (j & 63))]++] = block[j];
        });
    });
    const auto class_of = [&](int64_t g, bool positive) {
        const size_t slot = 2 * static_cast<size_t>(g) + positive;
        return std::pair<const K*, int64_t>(keys + begin[slot], static_cast<int64_t>(begin[slot + 1] - begin[slot]));
    };
    constexpr int64_t large = 1 << 18;
    for_bucket_groups(group_count, [&](int64_t, int64_t first, int64_t last) {
        PairCounter<K> counter;
        for (int64_t g = first; g < last; ++g) {
            const int64_t p = class_of(g, true).second, n = class_of(g, false).second;
            if (p + n > large) continue;
            const bool small_positive = p < n;
            const Wide pairs = static_cast<Wide>(p) * static_cast<Wide>(n);
            Wide sum = 0;
            if (p > 0 && n > 0) {
                const K* other = class_of(g, !small_positive).first;
                sum = counter.twice_u(class_of(g, small_positive).first, std::min(p, n), small_positive, pairs, [&](auto f) {
                    for (int64_t i = 0; i < std::max(p, n); i += kBlockKeys)
                        f(other + i, std::min<int64_t>(kBlockKeys, std::max(p, n) - i));
                });
            }
            set_counts(results[g], sum, p, n);
        }
    });
    for (int64_t g = 0; g < group_count; ++g) {
        if (class_of(g, true).second + class_of(g, false).second <= large) continue;
        std::vector<ScoreSource<K>> sources;
        for (const bool positive : {true, false}) {
            const auto [first, count] = class_of(g, positive);
            if (count)
                sources.push_back({reinterpret_cast<const char*>(first), count, sizeof(K), sizeof(K), key_reader<K>(), nullptr, positive});
        }
        int64_t p = 0, n = 0;
        const Wide sum = twice_u<K>(sources, 0, &p, &n);
        set_counts(results[g], sum, p, n);
    }
}

}  // namespace

}  // namespace pixelgauge

using namespace pixelgauge;

extern "C" pg_status pg_label_bits(const void* labels, int64_t bytes, int64_t count, int64_t stride, const uint64_t positive[2],
                                   const uint64_t negative[2], uint64_t* bits, int* all_known) {
    return guarded([&] {
        require(labels && bits && all_known && positive && negative, "labels, positive, negative, bits or all_known is NULL");
        require(bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8,
                [&] { return "bytes=" + std::to_string(bytes) + " of a label: use 1, 2, 4 or 8"; });
        checked_product("count", {count, bytes});
        require_reach("labels", labels, {{count, stride}});
        for (const uint64_t value : {positive[0], positive[1], negative[0], negative[1]})
            require(bytes == 8 || value >> (8 * bytes) == 0, [&] {
                return "positive or negative holds " + std::to_string(value) + ", more than a label of bytes=" + std::to_string(bytes) +
                       " can";
            });
        const bool in_place = stride == bytes && reinterpret_cast<uintptr_t>(labels) % static_cast<uintptr_t>(bytes) == 0;
        const auto kernel = kernels().ranking.label_bits[bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 4 ? 2 : 3];
        constexpr int64_t chunk = 1 << 16;
        const int64_t chunks = (count + chunk - 1) / chunk;
        std::vector<char> known(static_cast<size_t>(chunks), 1);
        parallel_for(chunks, [&](int64_t c) {
            const int64_t end = std::min(count, (c + 1) * chunk);
            alignas(8) char gathered[kBlock * 8];
            for (int64_t i = c * chunk; i < end; i += in_place ? chunk : kBlock) {
                const char* p = static_cast<const char*>(labels) + i * stride;
                int64_t m = end - i;
                if (!in_place) {
                    m = std::min(m, kBlock);
                    for (int64_t j = 0; j < m; ++j) std::memcpy(gathered + j * bytes, p + j * stride, static_cast<size_t>(bytes));
                    p = gathered;
                }
                if (!kernel(p, m, positive, negative, bits + i / 64)) known[static_cast<size_t>(c)] = 0;
            }
        });
        *all_known = std::all_of(known.begin(), known.end(), [](char k) { return k != 0; });
    });
}

extern "C" pg_status pg_auroc(const pg_ranking* ranking, pg_auroc_counts* result) {
    return guarded([&] {
        require_ranking(ranking);
        require(result != nullptr, "result is NULL");
        Wide sum = 0;
        int64_t positives = 0, negatives = 0;
        switch (key_bytes(ranking->dtype)) {
            case 2: {
                std::vector<uint64_t> counts;
                narrow_counts(*ranking, counts);
                for (size_t key = 0; key < counts.size(); key += 2) {
                    sum += static_cast<Wide>(counts[key + 1]) * (2 * static_cast<Wide>(negatives) + counts[key]);
                    negatives += static_cast<int64_t>(counts[key]);
                    positives += static_cast<int64_t>(counts[key + 1]);
                }
                break;
            }
            case 4:
                sum = twice_u<uint32_t>({score_source<uint32_t>(*ranking)}, 0, &positives, &negatives);
                break;
            default:
                sum = twice_u<uint64_t>({score_source<uint64_t>(*ranking)}, 0, &positives, &negatives);
        }
        set_counts(*result, sum, positives, negatives);
    });
}

extern "C" pg_status pg_auroc_by_group(const pg_ranking* ranking, const int64_t* groups, int64_t group_count, pg_auroc_counts* results) {
    return guarded([&] {
        require_ranking(ranking);
        require(groups && results, "groups or results is NULL");
        require(group_count >= 1, [&] { return "group_count=" + std::to_string(group_count) + ": at least one group is needed"; });
        // two counts of 8 bytes a group for each of some thousand threads at most
        checked_product("group_count", {group_count, 2 * sizeof(uint64_t), 1024});
        if (key_bytes(ranking->dtype) == 8)
            by_group<uint64_t>(*ranking, groups, group_count, results);
        else
            by_group<uint32_t>(*ranking, groups, group_count, results);
    });
}
