// The area under the ROC curve as a fraction of integers.
#include <cstdint>
#include <vector>

#include "pixelgauge/pixelgauge.h"
#include "ranking/pair_counts.h"
#include "ranking/scores.h"
#include "runtime/status.h"
#include "runtime/wide.h"

extern "C" pg_status pg_auroc(const pg_ranking* ranking, pg_auroc_counts* result) {
    using namespace pixelgauge;
    return guarded([&] {
        require_ranking(ranking);
        require_given({{"result", result}});
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
