// Many metrics of a batch: one pass for errors, one set of moments for every index of the same windows.
#include <algorithm>
#include <string>
#include <vector>

#include "image/ms_ssim.h"
#include "image/pixel_pass.h"
#include "image/rows.h"
#include "image/ssim_options.h"
#include "image/ssim_scores.h"
#include "image/ssim_windows.h"
#include "runtime/status.h"
#include "runtime/threads.h"

namespace pixelgauge {

namespace {

void require_request(const pg_score_request& r, const pg_images& x) {
    require_choice(r.metric, PG_METRIC_MS_SSIM, "metric", "pg_metric");
    if (r.metric == PG_METRIC_SSIM) {
        require_given({{"ssim", r.ssim}});
        require_ssim_fits(r.ssim, x);
    }
    if (r.metric == PG_METRIC_MS_SSIM) {
        require_given({{"ms_ssim", r.ms_ssim}});
        require_ms_ssim_options(r.ms_ssim, x);
    }
    if (x.count > 0) require_given({{"values", r.values}});
}

// An index of windows that requests need: SSIM itself, or the finest scale of MS-SSIM.
struct Wanted {
    WindowIndex index;
    std::vector<PairPrecision> precision;
    std::vector<double> dissimilarities;
};

bool same_index(const Wanted& a, const Wanted& b) {
    const pg_ssim_options &p = a.index.options, &q = b.index.options;
    return a.index.luminance == b.index.luminance && p.data_range == q.data_range && p.k1 == q.k1 && p.k2 == q.k2 &&
           p.covariance == q.covariance;
}

bool same_precision(const Wanted& a, const Wanted& b) {
    return std::equal(a.precision.begin(), a.precision.end(), b.precision.begin(), [](const PairPrecision& p, const PairPrecision& q) {
        return p.shift == q.shift && p.float64 == q.float64 && p.assumed == q.assumed;
    });
}

bool needs_index(const pg_score_request& r, const pg_images& x) {
    return r.metric == PG_METRIC_MS_SSIM || (r.metric == PG_METRIC_SSIM && is_plain_index(*r.ssim, x));
}

// The indices of all requests, each made once and those of the same moments together; nothing for other requests.
class Indices {
  public:
    Indices(const pg_images& x, const pg_score_request* requests, int32_t count) : of_request_(static_cast<size_t>(count)) {
        for (int32_t i = 0; i < count; ++i) {
            const pg_score_request& r = requests[i];
            if (!needs_index(r, x)) continue;
            of_request_[static_cast<size_t>(i)] = wanted_.size();
            wanted_.push_back(
                {r.metric == PG_METRIC_SSIM ? WindowIndex{*r.ssim, true, nullptr} : finest_index(*r.ms_ssim, nullptr), {}, {}});
            in_float64_.push_back(r.metric == PG_METRIC_MS_SSIM && finest_in_float64(*r.ms_ssim));
        }
    }

    void make(const pg_images& x, const pg_images& y, int64_t first) {
        for (size_t i = 0; i < wanted_.size(); ++i) {
            Wanted& w = wanted_[i];
            w.precision = usual_precision(x, w.index.options);
            for (PairPrecision& p : w.precision) p.float64 |= in_float64_[i];
        }
        std::vector<bool> done(wanted_.size());
        same_as_.resize(wanted_.size());
        for (size_t i = 0; i < wanted_.size(); ++i) {
            if (done[i]) continue;
            std::vector<size_t> together;
            std::vector<WindowIndex> distinct;
            for (size_t j = i; j < wanted_.size(); ++j) {
                Wanted& w = wanted_[j];
                if (done[j] || !same_moments(w.index.options, wanted_[i].index.options) || !same_precision(w, wanted_[i])) continue;
                done[j] = true;
                const auto twin = std::find_if(together.begin(), together.end(), [&](size_t t) { return same_index(wanted_[t], w); });
                same_as_[j] = twin == together.end() ? j : *twin;
                if (twin != together.end()) continue;
                together.push_back(j);
                w.dissimilarities.resize(static_cast<size_t>(x.count * x.channels));
                distinct.push_back({w.index.options, w.index.luminance, w.dissimilarities.data()});
            }
            window_dissimilarities(x, y, distinct, wanted_[i].precision, first);
        }
    }

    const std::vector<double>& of(int32_t request) const {
        return wanted_[same_as_[of_request_[static_cast<size_t>(request)]]].dissimilarities;
    }

  private:
    std::vector<size_t> of_request_, same_as_;
    std::vector<Wanted> wanted_;
    std::vector<bool> in_float64_;
};

// Of a batch whose first pair is number `first`; values go to values[first] and on.
void scores_of_batch(const pg_images& x, const pg_images& y, const pg_score_request* requests, int32_t count, int64_t first) {
    Indices indices(x, requests, count);
    PixelPass pass{false, false, {}, {}};
    for (int32_t i = 0; i < count; ++i) {
        pass.squares |= requests[i].metric == PG_METRIC_MSE;
        pass.distances |= requests[i].metric == PG_METRIC_MAE;
    }
    if (pass.squares || pass.distances) pass_over_pixels(x, y, first, pass);
    indices.make(x, y, first);
    for (int32_t i = 0; i < count; ++i) {
        const pg_score_request& r = requests[i];
        double* const values = r.values + first;
        if (r.metric == PG_METRIC_MSE)
            std::copy(pass.mse.begin(), pass.mse.end(), values);
        else if (r.metric == PG_METRIC_MAE)
            std::copy(pass.mae.begin(), pass.mae.end(), values);
        else if (!needs_index(r, x))
            ssim_scores(x, y, *r.ssim, first, values, nullptr);
        else if (r.metric == PG_METRIC_SSIM)
            scores_of(indices.of(i), x.count, x.channels, values);
        else
            *values = ms_ssim_from_finest(x, y, *r.ms_ssim, indices.of(i).data(), first);
    }
}

}  // namespace

}  // namespace pixelgauge

using namespace pixelgauge;

extern "C" pg_status pg_scores(const pg_images* x, const pg_images* y, const pg_score_request* requests, int32_t count) {
    return guarded([&] {
        require_pair(x, y);
        require(count >= 1, [&] { return Fault(PG_ERROR_VALUE, "count", std::to_string(count), "must be at least 1"); });
        require_given({{"requests", requests}});
        bool multi_scale = false;
        for (int32_t i = 0; i < count; ++i) {
            require_request(requests[i], *x);
            multi_scale |= requests[i].metric == PG_METRIC_MS_SSIM;
        }
        if (x->count == 0) return;
        if (!multi_scale) return scores_of_batch(*x, *y, requests, count, 0);
        // Images side by side, as multi-scale SSIM has them.
        parallel_for(x->count, [&](int64_t i) { scores_of_batch(image_of(*x, i), image_of(*y, i), requests, count, i); });
    });
}
