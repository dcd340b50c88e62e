#include "ranking/scores.h"

#include <cstdlib>
#include <new>
#include <string>

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

void throw_nan_scores() {
    throw InvalidArgument(
        Fault(PG_ERROR_NOT_FINITE, "y_score", "", "y_score holds NaN, which has no rank", "remove or impute those samples first"));
}

void require_ranking(const pg_ranking* r) {
    require_given({{"ranking", r}});
    require_choice(r->dtype, PG_SCORE_FLOAT64, "dtype", "pg_score_dtype");
    require(r->count >= 1, [&] { return Fault(PG_ERROR_VALUE, "count", std::to_string(r->count), "must be at least 1"); });
    require(r->count <= kMostScores, [&] {
        return Fault(PG_ERROR_TOO_LARGE, "count", std::to_string(r->count), "is too many", "at most 2^38 scores are ranked at once");
    });
    require_given({{"scores", r->scores}});
    require_reach("scores", r->scores, {{r->count, r->stride}});
    require_given({{"labels", r->labels}});
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

}  // namespace pixelgauge

extern "C" pg_status pg_label_bits(const void* labels, int64_t bytes, int64_t count, int64_t stride, const uint64_t positive[2],
                                   const uint64_t negative[2], uint64_t* bits, int* all_known) {
    using namespace pixelgauge;
    return guarded([&] {
        require_given({{"labels", labels}, {"positive", positive}, {"negative", negative}, {"bits", bits}, {"all_known", all_known}});
        require(bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8,
                [&] { return Fault(PG_ERROR_VALUE, "bytes", std::to_string(bytes), "of a label", "use 1, 2, 4 or 8"); });
        checked_product("count", {count, bytes});
        require_reach("labels", labels, {{count, stride}});
        for (const auto& [name, spellings] : {std::pair("positive", positive), std::pair("negative", negative)})
            for (const uint64_t value : {spellings[0], spellings[1]})
                require(bytes == 8 || value >> (8 * bytes) == 0, [&, of = name] {
                    return Fault(PG_ERROR_MISMATCH, of, "",
                                 std::string(of) + " holds " + std::to_string(value) +
                                     ", more than a label of bytes=" + std::to_string(bytes) + " can");
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
