// Winograd convolution with channels last: the lanes are 16 channels of a pixel, so that both transforms are plain arithmetic
// and a tile is a row of the products. Planes are turned into pixels and back by transposing registers.
#include "winograd_forms.h"

// f(Index<0>) ... f(Index<N - 1>).
template <int I>
struct Index {
    static constexpr int value = I;
};
template <int N, int I = 0, class F>
PG_INLINE void unrolled(const F& f) {
    if constexpr (I < N) {
        f(Index<I>{});
        unrolled<N, I + 1>(f);
    }
}

// out = matrix times in, without the products with 0 and +-1.
template <const auto& Matrix, int Rows, int Columns, class In, class Out>
PG_INLINE void apply(const In& in, const Out& out) {
    unrolled<Rows>([&](auto row) PG_LAMBDA_INLINE {
        constexpr int I = decltype(row)::value;
        Vec<float> sum = Vec<float>::set1(0);
        bool some = false;
        unrolled<Columns>([&](auto column) PG_LAMBDA_INLINE {
            constexpr int J = decltype(column)::value;
            constexpr float c = Matrix[I][J];
            if constexpr (c != 0) {
                const Vec<float> x = in(column);
                if (!some)
                    sum = c == 1 ? x : Vec<float>::set1(c) * x;
                else
                    sum = c == 1 ? sum + x : c == -1 ? sum - x : fma(Vec<float>::set1(c), x, sum);
                some = true;
            }
        });
        out(row, sum);
    });
}

template <int MH, int RH, int MW, int RW>
void winograd_input(const float* PG_RESTRICT x, int64_t row_stride, int64_t channels, float* PG_RESTRICT v, int64_t point_stride,
                    int64_t group_stride) {
    using Down = WinogradForm<MH, RH>;
    using Across = WinogradForm<MW, RW>;
    constexpr int L = Vec<float>::lanes, H = Down::points, W = Across::points;
    for (int64_t c = 0; c < channels; c += L) {
        float* const to = v + c / kWinogradGroup * group_stride + c % kWinogradGroup;
        Vec<float> down[W][H];
        unrolled<W>([&](auto j) PG_LAMBDA_INLINE {
            constexpr int J = decltype(j)::value;
            apply<Down::input, H, H>(
                [&](auto i) PG_LAMBDA_INLINE { return Vec<float>::load(x + decltype(i)::value * row_stride + J * channels + c); },
                [&](auto i, Vec<float> sum) PG_LAMBDA_INLINE { down[J][decltype(i)::value] = sum; });
        });
        unrolled<H>([&](auto i) PG_LAMBDA_INLINE {
            constexpr int I = decltype(i)::value;
            apply<Across::input, W, W>([&](auto j) PG_LAMBDA_INLINE { return down[decltype(j)::value][I]; },
                                       [&](auto j, Vec<float> sum)
                                           PG_LAMBDA_INLINE { sum.store(to + (I * W + decltype(j)::value) * point_stride); });
        });
    }
}

template <int MH, int RH, int MW, int RW>
void winograd_output(const WinogradOutput* job) {
    using Down = WinogradForm<MH, RH>;
    using Across = WinogradForm<MW, RW>;
    constexpr int L = Vec<float>::lanes, H = Down::points, W = Across::points;
    const float* const m = job->m;
    for (int64_t f = 0; f < job->filters; f += L) {
        Vec<float> down[W][MH];
        unrolled<W>([&](auto j) PG_LAMBDA_INLINE {
            constexpr int J = decltype(j)::value;
            apply<Down::output, MH, H>(
                [&](auto i) PG_LAMBDA_INLINE { return Vec<float>::load(m + (decltype(i)::value * W + J) * job->point_stride + f); },
                [&](auto i, Vec<float> sum) PG_LAMBDA_INLINE { down[J][decltype(i)::value] = sum; });
        });
        const Vec<float> bias = Vec<float>::load(job->bias + f), least = Vec<float>::set1(job->least);
        unrolled<MH>([&](auto i) PG_LAMBDA_INLINE {
            constexpr int I = decltype(i)::value;
            if (I >= job->rows) return;
            apply<Across::output, MW, W>([&](auto j) PG_LAMBDA_INLINE { return down[decltype(j)::value][I]; },
                                         [&](auto j, Vec<float> sum) PG_LAMBDA_INLINE {
                                             constexpr int J = decltype(j)::value;
                                             if (J < job->columns)
                                                 max(least, sum + bias).store(job->y + I * job->row_stride + J * job->column_stride + f);
                                         });
        });
    }
}

// Tiles that stay in registers: 12 x 2 accumulators of 32, 6 x 2 of 16.
constexpr int kWinogradRows = kVecRegisters == 32 ? 12 : 6;

template <int Rows, int Vecs>
PG_INLINE void winograd_block(const WinogradProduct& job, const float* PG_RESTRICT v, const float* const (&u)[Vecs], float* PG_RESTRICT m,
                              const int (&column)[Vecs]) {
    Vec<float> sums[Rows][Vecs];
    for (int r = 0; r < Rows; ++r)
        for (int i = 0; i < Vecs; ++i) sums[r][i] = Vec<float>::set1(0);
    const float* filter[Vecs];
    for (int i = 0; i < Vecs; ++i) filter[i] = u[i];
    for (int64_t left = job.channels; left > 0; left -= kWinogradGroup, v += job.group_stride) {
        const int64_t channels = left < kWinogradGroup ? left : kWinogradGroup;
        for (int64_t c = 0; c < channels; ++c) {
            Vec<float> filters[Vecs];
            for (int i = 0; i < Vecs; ++i) {
                filters[i] = Vec<float>::load(filter[i]);
                filter[i] += kWinogradGroup;
            }
            unrolled<Rows>([&](auto row) PG_LAMBDA_INLINE {
                constexpr int r = decltype(row)::value;
                const Vec<float> tile = Vec<float>::set1(v[r * kWinogradGroup + c]);
                for (int i = 0; i < Vecs; ++i) sums[r][i] = fma(tile, filters[i], sums[r][i]);
            });
        }
    }
    for (int r = 0; r < Rows; ++r)
        for (int i = 0; i < Vecs; ++i) sums[r][i].store(m + r * job.m_stride + column[i]);
}

template <int Vecs, int Rows = kWinogradRows>
PG_INLINE void winograd_rows(int rows, const WinogradProduct& job, const float* v, const float* const (&u)[Vecs], float* m,
                             const int (&column)[Vecs]) {
    if (rows == Rows)
        winograd_block<Rows, Vecs>(job, v, u, m, column);
    else if constexpr (Rows > 1)
        winograd_rows<Vecs, Rows - 1>(rows, job, v, u, m, column);
}

// m = v u for one point: tiles x channels times channels x 16 or 32 filters. Sums run over the channels in order.
void winograd_product(const WinogradProduct* job) {
    constexpr int L = Vec<float>::lanes, kHalves = kWinogradGroup / L;
    const int64_t blocks = (job->tiles + kWinogradRows - 1) / kWinogradRows;
    for (int64_t b = 0; b < blocks; ++b) {
        const int64_t first = job->tiles * b / blocks;
        const int rows = static_cast<int>(job->tiles * (b + 1) / blocks - first);
        const float* const tiles = job->v + first * kWinogradGroup;
        float* const m = job->m + first * job->m_stride;
        if constexpr (kHalves == 1) {
            if (job->groups == 2) {
                const float* const u[2] = {job->u[0], job->u[1]};
                winograd_rows<2>(rows, *job, tiles, u, m, {0, kWinogradGroup});
            } else {
                const float* const u[1] = {job->u[0]};
                winograd_rows<1>(rows, *job, tiles, u, m, {0});
            }
        } else {
            for (int g = 0; g < job->groups; ++g)
                for (int h = 0; h < kHalves; h += 2) {
                    const float* const u[2] = {job->u[g] + h * L, job->u[g] + (h + 1) * L};
                    winograd_rows<2>(rows, *job, tiles, u, m, {g * kWinogradGroup + h * L, g * kWinogradGroup + (h + 1) * L});
                }
        }
    }
}

// Up to 16 planes, `plane` apart, of a run of pixels to pixels of 16 values, `stride` apart. Reads whole registers as long as
// they lie before `end`.
void planes_to_pixels(const float* x, int64_t plane, int planes, int64_t pixels, const float* end, float* out, int64_t stride) {
    constexpr int L = Vec<float>::lanes;
    for (int c = 0; c < kWinogradGroup; c += L)
        for (int64_t q = 0; q < pixels; q += L) {
            const int64_t count = pixels - q < L ? pixels - q : L;
            Vec<float> r[L];
            for (int i = 0; i < L; ++i) {
                const float* const from = x + (c + i) * plane + q;
                if (c + i >= planes)
                    r[i] = Vec<float>::set1(0);
                else if (end - from >= L)
                    r[i] = Vec<float>::load(from);
                else {
                    float last[L] = {};
                    for (int64_t j = 0; j < count; ++j) last[j] = from[j];
                    r[i] = Vec<float>::load(last);
                }
            }
            transpose(r);
            for (int i = 0; i < count; ++i) r[i].store(out + (q + i) * stride + c);
        }
}

// And back, up to 16 planes; reads up to 15 pixels beyond the run.
void pixels_to_planes(const float* y, int64_t stride, int64_t pixels, float* out, int64_t plane, int planes) {
    constexpr int L = Vec<float>::lanes;
    for (int c = 0; c < kWinogradGroup; c += L)
        for (int64_t q = 0; q < pixels; q += L) {
            const int64_t count = pixels - q < L ? pixels - q : L;
            Vec<float> r[L];
            for (int i = 0; i < L; ++i) r[i] = Vec<float>::load(y + (q + i) * stride + c);
            transpose(r);
            for (int i = 0; i < L && c + i < planes; ++i) {
                float* const to = out + (c + i) * plane + q;
                if (count == L) {
                    r[i].store(to);
                } else {
                    float last[L];
                    r[i].store(last);
                    for (int64_t j = 0; j < count; ++j) to[j] = last[j];
                }
            }
        }
}

template <int MH, int RH, int MW, int RW>
constexpr WinogradKernels::Form winograd_form() {
    return {MH, RH, MW, RW, winograd_input<MH, RH, MW, RW>, winograd_output<MH, RH, MW, RW>};
}

constexpr WinogradKernels winograd_kernels() {
    return {{winograd_form<2, 3, 2, 3>(), winograd_form<3, 3, 3, 3>(), winograd_form<4, 3, 4, 3>(), winograd_form<2, 5, 2, 5>(),
             winograd_form<1, 1, 2, 7>(), winograd_form<2, 7, 1, 1>()},
            winograd_product,
            planes_to_pixels,
            pixels_to_planes};
}
