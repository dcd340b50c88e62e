// Ranking through the C ABI: counts, curves and DeLong's sums against every pair, under each instruction set and thread count.
#include <pixelgauge/pixelgauge.h>

#include <cstdint>
#include <string>
#include <vector>

#include "check.h"

namespace {

struct Sample {
    std::vector<float> scores;
    std::vector<uint64_t> labels;
    std::vector<int64_t> groups;

    bool positive(size_t i) const { return labels[i / 64] >> (i % 64) & 1; }
    pg_ranking ranking() const {
        return {scores.data(), PG_SCORE_FLOAT32, static_cast<int64_t>(scores.size()), sizeof(float), labels.data()};
    }
};

// Scores with ties, on a coarse grid where `levels` is small.
Sample sample(size_t n, uint32_t levels) {
    Sample s;
    s.labels.resize((n + 63) / 64);
    uint32_t state = 12345;
    const auto next = [&] { return (state = state * 1664525u + 1013904223u) >> 8; };
    for (size_t i = 0; i < n; ++i) {
        const bool positive = i == 0 || (i > 1 && next() % 5 == 0);
        s.scores.push_back(static_cast<float>(next() % levels) / 64 - 3 + (positive ? 1.0f : 0.0f));
        if (positive) s.labels[i / 64] |= uint64_t{1} << (i % 64);
        s.groups.push_back(static_cast<int64_t>(next() % 3));
    }
    return s;
}

void counts_equal_pairs(size_t n, uint32_t levels) {
    const Sample s = sample(n, levels);
    uint64_t twice = 0, of_group[3] = {}, positive_squares = 0, negative_squares = 0;
    for (size_t i = 0; i < n; ++i) {
        uint64_t placement = 0;
        for (size_t j = 0; j < n; ++j) {
            if (s.positive(i) == s.positive(j)) continue;
            const float pos = s.positive(i) ? s.scores[i] : s.scores[j], neg = s.positive(i) ? s.scores[j] : s.scores[i];
            const uint64_t half = neg < pos ? 2 : neg == pos ? 1 : 0;
            placement += half;
            if (s.positive(i)) {
                twice += half;
                if (s.groups[i] == s.groups[j]) of_group[s.groups[i]] += half;
            }
        }
        (s.positive(i) ? positive_squares : negative_squares) += placement * placement;
    }
    const pg_ranking r = s.ranking();
    pg_auroc_counts counts{};
    CHECK(pg_auroc(&r, &counts) == PG_OK);
    CHECK(counts.twice_u_low == twice && counts.twice_u_high == 0);
    CHECK(counts.positives + counts.negatives == static_cast<int64_t>(n));
    pg_auroc_counts groups[3];
    CHECK(pg_auroc_by_group(&r, s.groups.data(), 3, groups) == PG_OK);
    for (int g = 0; g < 3; ++g) CHECK(groups[g].twice_u_low == of_group[g]);
    pg_delong_sums sums{};
    CHECK(pg_delong(&r, &sums) == PG_OK);
    CHECK(sums.twice_u[0] == twice && sums.positive_squares[0] == positive_squares && sums.negative_squares[0] == negative_squares);

    pg_curve* curve = nullptr;
    CHECK(pg_curve_new(&r, nullptr, PG_CURVE_DROP_NONE, PG_CURVE_COUNTS, &curve) == PG_OK);
    int64_t points = 0;
    const double *thresholds = nullptr, *positives = nullptr, *negatives = nullptr;
    CHECK(pg_curve_points(curve, &points, &thresholds, &positives, &negatives) == PG_OK);
    for (int64_t k = 0; k < points; ++k) {
        int64_t p = 0, q = 0;
        for (size_t i = 0; i < n; ++i)
            if (static_cast<double>(s.scores[i]) >= thresholds[k]) ++(s.positive(i) ? p : q);
        CHECK(positives[k] == static_cast<double>(p) && negatives[k] == static_cast<double>(q));
        CHECK(k == 0 || thresholds[k] < thresholds[k - 1]);
    }
    CHECK(positives[points - 1] + negatives[points - 1] == static_cast<double>(n));
    pg_curve_free(curve);
}

void bad_input_is_refused() {
    Sample s = sample(10, 4);
    pg_ranking r = s.ranking();
    pg_auroc_counts counts{};
    CHECK(pg_auroc(nullptr, &counts) == PG_INVALID_ARGUMENT);
    CHECK(pg_auroc(&r, nullptr) == PG_INVALID_ARGUMENT);
    s.scores[3] = 0.0f / 0.0f * s.scores[4];
    CHECK(pg_auroc(&r, &counts) == PG_INVALID_ARGUMENT && std::string(pg_last_error()).find("NaN") != std::string::npos);
    s.scores[3] = 0;
    s.groups[2] = 3;
    CHECK(pg_auroc_by_group(&r, s.groups.data(), 3, &counts) == PG_INVALID_ARGUMENT);
    CHECK(std::string(pg_last_error()).find("groups holds 3") != std::string::npos);
    r.count = 0;
    CHECK(pg_auroc(&r, &counts) == PG_INVALID_ARGUMENT);
}

}  // namespace

int main() {
    for (const char* isa : {"baseline", "avx2", "avx512"}) {
        if (!pg_has_isa(isa)) continue;
        CHECK(pg_set_isa(isa) == PG_OK);
        for (const int threads : {1, 3}) {
            CHECK(pg_set_num_threads(threads) == PG_OK);
            for (const size_t n : {size_t{2}, size_t{63}, size_t{64}, size_t{1500}})
                for (const uint32_t levels : {1u, 9u, 1u << 20}) counts_equal_pairs(n, levels);
        }
    }
    bad_input_is_refused();
    return failures != 0;
}
