// A layer of LPIPS at lpips_positions neighbouring positions, which are the lanes; features are planes, a channel each. The first
// pass sums the squares of each position's channels, the second the weighted squared differences.

constexpr int kUnitVecs = 4;

// Sums of many channels are taken this many at a time, which keeps their rounding small.
constexpr int64_t kUnitChannels = 32;

// sums[i] = the sum over channels of what add(c, partial sums) adds to them.
template <int N, class Add>
PG_INLINE void sum_channels(int64_t channels, Vec<float> (&sums)[N], const Add& add) {
    for (int i = 0; i < N; ++i) sums[i] = Vec<float>::set1(0);
    for (int64_t begin = 0; begin < channels; begin += kUnitChannels) {
        const int64_t end = begin + kUnitChannels < channels ? begin + kUnitChannels : channels;
        Vec<float> some[N];
        for (int i = 0; i < N; ++i) some[i] = Vec<float>::set1(0);
        for (int64_t c = begin; c < end; ++c) add(c, some);
        for (int i = 0; i < N; ++i) sums[i] = sums[i] + some[i];
    }
}

inline void lpips_layer(const LpipsLayer* job) {
    constexpr int L = Vec<float>::lanes, K = kUnitVecs;
    const float *const x = job->x, *const y = job->y;
    const int64_t plane = job->plane;
    Vec<float> inverse[2 * K], distance[K];  // x's, then y's
    sum_channels(job->channels, inverse, [&](int64_t c, Vec<float>(&squares)[2 * K]) PG_LAMBDA_INLINE {
        for (int k = 0; k < 2 * K; ++k) {
            const Vec<float> v = Vec<float>::load((k < K ? x : y) + c * plane + k % K * L);
            squares[k] = fma(v, v, squares[k]);
        }
    });
    // A norm that overflowed would pass for infinitely long features, which differ by nothing: it makes the position NaN.
    Vec<float> poison[K];
    for (int k = 0; k < K; ++k) poison[k] = inverse[k] * Vec<float>::set1(0) + inverse[K + k] * Vec<float>::set1(0);
    for (Vec<float>& v : inverse) v = Vec<float>::set1(1) / (sqrt(v + Vec<float>::set1(job->inside)) + Vec<float>::set1(job->outside));
    sum_channels(job->channels, distance, [&](int64_t c, Vec<float>(&sums)[K]) PG_LAMBDA_INLINE {
        const Vec<float> weight = Vec<float>::set1(job->weights[c]);
        for (int k = 0; k < K; ++k) {
            // Both products are rounded before they are subtracted: equal images differ by exactly nothing.
            const Vec<float> d =
                Vec<float>::load(x + c * plane + k * L) * inverse[k] - Vec<float>::load(y + c * plane + k * L) * inverse[K + k];
            sums[k] = fma(d * d, weight, sums[k]);
        }
    });
    for (int k = 0; k < K; ++k) (distance[k] + poison[k]).store(job->map + k * L);
}
