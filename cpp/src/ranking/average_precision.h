// Average precision of weighted samples.
#pragma once

#include "pixelgauge/pixelgauge.h"

namespace pixelgauge {

double weighted_average_precision(const pg_ranking& ranking, const double* weights);

}  // namespace pixelgauge
