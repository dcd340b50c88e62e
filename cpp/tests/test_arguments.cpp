// Random arguments into every function of pixelgauge.h: valid ones mixed with extreme integers, choices that are none, NaN,
// infinities, NULL and every kind of stride. Each call gives PG_OK with finite results, or an error that says what was wrong and
// is not PG_INTERNAL. Buffers are as large as the arguments say, but where those are so wrong that the call must refuse them.
// Arguments: number of calls (default 100,000) and seed.
#include <pixelgauge/pixelgauge.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "check.h"

namespace {

uint64_t state = 0;
uint64_t random_bits() {  // splitmix64
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
int64_t up_to(int64_t most) { return static_cast<int64_t>(random_bits() % static_cast<uint64_t>(most + 1)); }
int64_t between(int64_t least, int64_t most) { return least + up_to(most - least); }
bool one_in(int64_t n) { return up_to(n - 1) == 0; }
template <class T, size_t N>
T one_of(const T (&values)[N]) {
    return values[static_cast<size_t>(up_to(N - 1))];
}

// What is wrong about the call at hand: it must then be refused. `rare` calls are spoilt, a few times each.
bool spoilt = false, wrong = false;

constexpr int64_t kMin = std::numeric_limits<int64_t>::min(), kMax = std::numeric_limits<int64_t>::max();
// Sizes that no memory holds, whatever they are multiplied by, and those that are none.
const int64_t kImpossible[] = {-1, -5, kMin, kMin + 1, -(int64_t{1} << 32), int64_t{1} << 57, int64_t{1} << 60, int64_t{1} << 62, kMax};
const int32_t kNoChoice[] = {-1, 7, 99, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
const double kHostile[] = {std::nan(""), HUGE_VAL, -HUGE_VAL, 0.0, -0.0, -1.0, 5e-324, 1e-200, 1e38, 1e150, 1e200, 1e300, 1e308, -1e308};

int64_t size(int64_t good) {
    if (!spoilt || !one_in(8)) return good;
    wrong = true;
    return one_of(kImpossible);
}
int32_t choice(int32_t last) {
    if (!spoilt || !one_in(8)) return static_cast<int32_t>(up_to(last));
    wrong = true;
    return one_of(kNoChoice);
}
double number(double good) { return spoilt && one_in(8) ? one_of(kHostile) : good; }
int32_t small_number(int32_t good) {
    static const int32_t odd[] = {-1, 0, 1, 2, 4, 17, 101, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
    return spoilt && one_in(8) ? one_of(odd) : good;
}
template <class T>
T* pointer(T* good) {
    if (!spoilt || !one_in(12)) return good;
    wrong = true;
    return nullptr;
}

// Values of a type: sound ones, with hostile ones among them, and flat ones of absurd size.
enum Kind { kSound, kMixed, kKinds };
constexpr size_t kPool = 1 << 18;

template <class T>
std::vector<T> make_pool(Kind kind) {
    std::vector<T> pool(kPool);
    for (T& x : pool) {
        x = static_cast<T>(up_to(255));
        if (kind == kMixed && !std::numeric_limits<T>::is_integer && one_in(40)) {
            const double value = one_of(kHostile);
            x = std::fabs(value) <= static_cast<double>(std::numeric_limits<T>::max()) || !std::isfinite(value)
                    ? static_cast<T>(value)
                    : std::numeric_limits<T>::max();
        }
    }
    return pool;
}

// A place among n elements of a pool.
template <class T>
const T* values(int64_t n) {
    static const std::vector<T> pools[kKinds] = {make_pool<T>(kSound), make_pool<T>(kMixed)};
    const std::vector<T>& pool = pools[spoilt && one_in(2) ? kMixed : kSound];
    if (n > static_cast<int64_t>(kPool)) {
        std::fprintf(stderr, "%lld values are more than the pool holds\n", static_cast<long long>(n));
        std::abort();
    }
    return pool.data() + up_to(static_cast<int64_t>(kPool) - std::max<int64_t>(n, 0));
}
const void* pixels(int32_t dtype, int64_t bytes) {
    switch (dtype) {
        case PG_UINT8:
            return values<uint8_t>(bytes);
        case PG_UINT16:
            return values<uint16_t>(bytes / 2 + 1);
        case PG_FLOAT32:
            return values<float>(bytes / 4 + 1);
        default:
            return values<double>(bytes / 8 + 1);
    }
}

// Results with a margin that must stay as it was.
template <class T>
class Results {
  public:
    explicit Results(int64_t n) : n_(static_cast<size_t>(std::max<int64_t>(n, 0))), memory_(n_ + kMargin) {
        std::memset(static_cast<void*>(memory_.data()), 0x5a, memory_.size() * sizeof(T));
    }
    T* data() { return memory_.data(); }
    T& operator[](size_t i) { return memory_[i]; }
    size_t size() const { return n_; }
    bool kept_margin() const {
        const char* const bytes = reinterpret_cast<const char*>(memory_.data() + n_);
        return std::all_of(bytes, bytes + kMargin * sizeof(T), [](char c) { return c == 0x5a; });
    }
    bool finite() const {
        return std::all_of(memory_.begin(), memory_.begin() + static_cast<std::ptrdiff_t>(n_),
                           [](T x) { return std::isfinite(static_cast<double>(x)); });
    }

  private:
    static constexpr size_t kMargin = 8;
    size_t n_;
    std::vector<T> memory_;
};

int64_t call_count = 0, ok_count = 0, refused_count = 0;

// What is wrong with the parts of the last failure, if anything.
const char* wrong_parts(pg_status status) {
    pg_error e;
    pg_error_info(&e);
    std::string text = e.value[0] ? std::string(e.argument) + "=" + e.value + " " : "";
    text += e.problem;
    if (e.remedy[0]) text += std::string(": ") + e.remedy;
    if (text != pg_last_error()) return "has a message that is not made of its parts";
    if (e.status != status || e.problem[0] == '\0') return "has parts of another failure";
    const bool of_argument = e.kind >= PG_ERROR_VALUE && e.kind <= PG_ERROR_MISMATCH;
    if (of_argument != (status == PG_INVALID_ARGUMENT)) return "has another kind than its status";
    const std::string argument = e.argument;
    if (of_argument == argument.empty() && status != PG_UNSUPPORTED) return "names no argument, or one that is not to blame";
    if (argument.find_first_of(" ,") != std::string::npos) return "names several arguments as one";
    if ((e.kind == PG_ERROR_TOO_SMALL) < (e.required >= 0)) return "asks for a size where none is too small";
    for (const int64_t place : {e.image, e.row, e.column, e.required})
        if (place < -1) return "has a place that is none";
    return nullptr;
}

// Whether the call succeeded; counts it, and checks what its status promises.
bool succeeded(const char* name, pg_status status) {
    ++call_count;
    const char* what = nullptr;
    if (status == PG_OK) {
        ++ok_count;
        if (wrong) what = "was not refused";
    } else {
        ++refused_count;
        if (status != PG_INVALID_ARGUMENT && status != PG_OUT_OF_MEMORY && status != PG_UNSUPPORTED) what = "is no error of the caller";
        if (const char* parts = wrong_parts(status)) what = parts;
        if (!spoilt && status != PG_UNSUPPORTED) what = "is a good call";
    }
    if (what) {
        std::fprintf(stderr, "call %lld, %s: status %d %s: %s\n", static_cast<long long>(call_count), name, static_cast<int>(status), what,
                     status == PG_OK ? "" : pg_last_error());
        ++failures;
    }
    return status == PG_OK;
}

void require_sane(const char* name, bool sane) {
    if (sane) return;
    std::fprintf(stderr, "call %lld, %s: PG_OK with results that are none\n", static_cast<long long>(call_count), name);
    ++failures;
}

struct Shape {
    int64_t count, height, width, channels;
};

// Images of any layout over a pool.
pg_images images(const Shape& shape, int32_t dtype) {
    static const int64_t items[] = {1, 2, 4, 8};
    const int64_t item = items[dtype], lengths[4] = {shape.count, shape.height, shape.width, shape.channels};
    int64_t strides[4] = {}, order[4] = {3, 2, 1, 0};
    if (one_in(3)) std::swap(order[up_to(3)], order[up_to(3)]);
    int64_t reach = item;
    for (const int64_t axis : order) {
        strides[axis] = one_in(12) ? 0 : one_in(6) ? reach + item * up_to(2) : one_in(20) && item == 1 ? reach + 1 : reach;
        reach += strides[axis] * std::max<int64_t>(lengths[axis] - 1, 0);
        if (one_in(10)) strides[axis] = -strides[axis];
    }
    int64_t low = 0;
    for (int axis = 0; axis < 4; ++axis) low += std::min<int64_t>(0, strides[axis] * std::max<int64_t>(lengths[axis] - 1, 0));
    pg_images x{nullptr, dtype, lengths[0], lengths[1], lengths[2], lengths[3], strides[0], strides[1], strides[2], strides[3]};
    x.data = static_cast<const char*>(pixels(dtype, reach)) - low;
    if (!spoilt) return x;
    const bool before = wrong;
    if (one_in(10)) {
        x.dtype = one_of(kNoChoice);
        wrong = true;
    }
    x.count = size(x.count);
    x.height = size(x.height);
    x.width = size(x.width);
    x.channels = size(x.channels);
    if (wrong == before && one_in(10)) {
        const int axis = static_cast<int>(up_to(3));
        int64_t* const of[] = {&x.count_stride, &x.row_stride, &x.column_stride, &x.channel_stride};
        static const int64_t far[] = {kMin, kMax, int64_t{1} << 60, -(int64_t{1} << 60)};
        *of[axis] = one_of(far);
        wrong |= lengths[axis] > 1 && lengths[0] > 0;
    }
    if (x.count != 0) x.data = pointer(x.data);
    return x;
}

Shape any_shape(int64_t channels = 0) {
    return {one_in(4) ? up_to(3) : 1, between(1, one_in(4) ? 48 : 16), between(1, one_in(4) ? 48 : 16),
            channels ? channels : between(1, 4)};
}

pg_ssim_options ssim_options() {
    pg_ssim_options o;
    pg_ssim_defaults(&o, number(one_in(2) ? 255 : 300));
    o.k1 = number(0.01);
    o.k2 = number(0.03);
    o.sigma = number(1.5);
    static const int32_t windows[] = {3, 5, 7, 9, 11};
    o.window_size = small_number(one_of(windows));
    o.window = choice(1);
    o.border = choice(2);
    o.covariance = choice(1);
    o.downsample = choice(2);
    if (one_in(3))
        for (double& e : o.exponents) e = number(static_cast<double>(up_to(3)));
    return o;
}

void value_range() {
    const Shape s = any_shape();
    const pg_images x = images({std::max<int64_t>(s.count, 1), s.height, s.width, s.channels}, static_cast<int32_t>(up_to(3)));
    double low = 0, high = 0;
    double *const a = pointer(&low), *const b = pointer(&high);
    if (succeeded("pg_value_range", pg_value_range(&x, a, b)))
        require_sane("pg_value_range", std::isfinite(low) && std::isfinite(high) && low <= high);
}

void mse() {
    const Shape s = any_shape();
    const int32_t dtype = static_cast<int32_t>(up_to(3));
    const pg_images x = images(s, dtype), y = images(s, dtype);
    Results<double> result(s.count);
    const auto error = one_in(2) ? pg_mse : pg_mae;
    if (succeeded("pg_mse", error(one_in(50) && spoilt ? (wrong = true, nullptr) : &x, &y, s.count ? pointer(result.data()) : nullptr)))
        require_sane("pg_mse", result.finite());
    CHECK(result.kept_margin());
}

bool in_range(double score, bool nan_allowed) { return std::isnan(score) ? nan_allowed : score >= -1.001 && score <= 1.000001; }

void ssim() {
    Shape s = any_shape();
    const pg_ssim_options o = ssim_options();
    s.height += 11;
    s.width += 11;
    const int32_t dtype = static_cast<int32_t>(up_to(3));
    const pg_images x = images(s, dtype);
    Results<double> scores(s.count), parts(3 * s.count);
    Results<float> map(s.count * s.height * s.width * s.channels * (dtype == PG_FLOAT64 ? 2 : 1));
    int64_t height = 0, width = 0;
    const bool before = wrong;
    if (succeeded("pg_ssim_map_size", pg_ssim_map_size(&x, &o, pointer(&height), &width)))
        require_sane("pg_ssim_map_size", height >= 1 && height <= s.height && width >= 1 && width <= s.width);
    wrong = before;
    const pg_images y = images(s, dtype);
    pg_ssim_outputs outputs{one_in(2) ? map.data() : nullptr, one_in(3) ? parts.data() : nullptr,
                            one_in(3) ? parts.data() + s.count : nullptr, one_in(3) ? parts.data() + 2 * s.count : nullptr};
    if (succeeded("pg_ssim", pg_ssim(&x, &y, &o, s.count ? pointer(scores.data()) : nullptr, one_in(2) ? &outputs : nullptr)))
        for (size_t i = 0; i < scores.size(); ++i) require_sane("pg_ssim", in_range(scores[i], spoilt));
    CHECK(scores.kept_margin() && parts.kept_margin() && map.kept_margin());
}

void ms_ssim() {
    Shape s = any_shape();
    double weights[16];
    for (double& w : weights) w = number(0.1 * static_cast<double>(between(1, 9)));
    pg_ms_ssim_options o{ssim_options(), weights, 1, 0, 0, 0};
    o.ssim.border = PG_BORDER_VALID;
    o.ssim.downsample = PG_DOWNSAMPLE_NONE;
    std::fill_n(o.ssim.exponents, 3, 1.0);
    wrong = false;
    if (!spoilt) o.ssim.window_size = 3;
    s.height += 16;
    s.width += 16;
    o.scales = small_number(static_cast<int32_t>(between(1, 3)));
    o.weights = pointer(o.weights);
    o.pyramid = choice(1);
    o.combine = choice(1);
    o.clamp_negative = choice(1);
    const int32_t dtype = static_cast<int32_t>(up_to(3));
    const pg_images x = images(s, dtype), y = images(s, dtype);
    Results<double> scores(s.count);
    if (succeeded("pg_ms_ssim", pg_ms_ssim(&x, &y, &o, s.count ? pointer(scores.data()) : nullptr)))
        for (size_t i = 0; i < scores.size(); ++i) require_sane("pg_ms_ssim", in_range(scores[i], o.clamp_negative == 0));
    CHECK(scores.kept_margin());
}

void scores() {
    Shape s = any_shape();
    const pg_ssim_options one = ssim_options(), other = ssim_options();
    s.height += 11;
    s.width += 11;
    const int32_t dtype = static_cast<int32_t>(up_to(3));
    const pg_images x = images(s, dtype), y = images(s, dtype);
    Results<double> values(4 * s.count);
    double* const to = s.count ? values.data() : nullptr;
    const pg_score_request requests[] = {{choice(PG_METRIC_MAE), nullptr, nullptr, to},
                                         {PG_METRIC_SSIM, pointer(&one), nullptr, s.count ? to + s.count : nullptr},
                                         {PG_METRIC_SSIM, &other, nullptr, s.count ? to + 2 * s.count : nullptr},
                                         {PG_METRIC_MAE, nullptr, nullptr, s.count ? pointer(to + 3 * s.count) : nullptr}};
    if (succeeded("pg_scores", pg_scores(&x, &y, pointer(requests), 4))) require_sane("pg_scores", spoilt || values.finite());
    CHECK(values.kept_margin());
}

void resize() {
    const Shape s = any_shape(3);
    const pg_images x = images(s, static_cast<int32_t>(up_to(3)));
    const int64_t height = between(1, 20), width = between(1, 40);
    Results<float> out(s.count * 3 * height * width);
    const double low = one_in(2) ? -HUGE_VAL : 0, high = one_in(2) ? HUGE_VAL : 255;
    const int32_t rule = choice(3);
    const int64_t to_height = size(height), to_width = size(width);
    if (succeeded("pg_resize", pg_resize(&x, rule, to_height, to_width, number(2), number(-1), number(low), number(high),
                                         s.count ? pointer(out.data()) : nullptr)))
        require_sane("pg_resize", out.finite());
    CHECK(out.kept_margin());
}

pg_matrix matrix(int64_t rows, int64_t columns, int32_t dtype, bool dense = false) {
    const int64_t item = dtype == PG_FLOAT32 ? 4 : 8;
    pg_matrix m{nullptr, dtype, rows, columns, columns * item, item};
    if (!dense && one_in(4)) m = {nullptr, dtype, rows, columns, item, rows * item};
    if (one_in(8)) m.row_stride = -m.row_stride;
    if (one_in(12)) m.row_stride = 0;
    if (!dense && one_in(12)) m.column_stride = 0;
    if (!dense && one_in(8)) m.column_stride = -m.column_stride;
    const int64_t reach = (rows - 1) * std::abs(m.row_stride) + (columns - 1) * std::abs(m.column_stride) + item;
    m.data = static_cast<const char*>(pixels(dtype, reach)) - std::min<int64_t>(0, (rows - 1) * m.row_stride) -
             std::min<int64_t>(0, (columns - 1) * m.column_stride);
    if (!spoilt) return m;
    if (one_in(10)) {
        m.dtype = one_of(kNoChoice);
        wrong = true;
    }
    m.rows = size(m.rows);
    m.columns = size(m.columns);
    m.data = pointer(m.data);
    return m;
}
int32_t float_type() { return one_in(2) ? PG_FLOAT32 : PG_FLOAT64; }

void matmul_transposed() {
    const int32_t dtype = float_type();
    const int64_t m = between(1, 20), n = between(1, 40), k = between(1, 40);
    const pg_matrix a = matrix(m, k, dtype), b = matrix(n, k, dtype);
    Results<double> c(m * n);
    if (succeeded("pg_matmul_transposed", pg_matmul_transposed(&a, &b, pointer(c.data()))))
        for (int64_t i = 0; i < m * n; ++i) {
            float narrow;
            std::memcpy(&narrow, reinterpret_cast<const char*>(c.data()) + 4 * i, 4);
            require_sane("pg_matmul_transposed",
                         std::isfinite(dtype == PG_FLOAT32 ? static_cast<double>(narrow) : c[static_cast<size_t>(i)]));
        }
    CHECK(c.kept_margin());
}

void scatter_add() {
    const int64_t rows = between(1, 30), columns = between(1, 20);
    const pg_matrix x = matrix(rows, columns, float_type());
    Results<double> sum(2 * columns), scatter(2 * columns * columns);
    std::fill_n(sum.data(), sum.size(), number(0));
    std::fill_n(scatter.data(), scatter.size(), 0.0);
    const double* const shift = pointer(values<double>(columns));
    if (succeeded("pg_scatter_add", pg_scatter_add(&x, shift, pointer(sum.data()), pointer(scatter.data()))))
        require_sane("pg_scatter_add", sum.finite() && scatter.finite());
    CHECK(sum.kept_margin() && scatter.kept_margin());
}

void count_neighbours() {
    const int32_t dtype = float_type();
    const int64_t real_rows = between(4, 30), fake_rows = between(4, 30), columns = between(1, 20);
    const pg_matrix real = matrix(real_rows, columns, dtype, true), fake = matrix(fake_rows, columns, dtype, true);
    pg_neighbours found{-1, -1, -1, -1};
    const int64_t precision_k = spoilt && one_in(8) ? one_of(kImpossible) : between(1, 3);
    const int64_t density_k = spoilt && one_in(8) ? one_of(kImpossible) : up_to(3);
    if (succeeded("pg_count_neighbours", pg_count_neighbours(&real, &fake, precision_k, density_k, pointer(&found))))
        require_sane("pg_count_neighbours", found.fake_inside >= 0 && found.fake_inside <= fake_rows && found.real_inside >= 0 &&
                                                found.real_inside <= real_rows && found.pairs >= 0 &&
                                                found.pairs <= real_rows * fake_rows && found.real_covered <= real_rows);
}

void gaussian_kernel_means() {
    const int32_t dtype = float_type();
    const int64_t columns = between(1, 8);
    const pg_matrix x = matrix(between(1, 30), columns, dtype, true), y = matrix(between(1, 30), columns, dtype, true);
    pg_kernel_means found{1, 1, 1};
    if (succeeded("pg_gaussian_kernel_means", pg_gaussian_kernel_means(&x, &y, number(0.01), pointer(&found))))
        require_sane("pg_gaussian_kernel_means", found.within_x >= -1 && found.within_x <= 1e-12 && found.within_y >= -1 &&
                                                     found.within_y <= 1e-12 && found.across >= -1 && found.across <= 1e-12);
}

void square_roots() {
    const int64_t n = between(1, 12), order = size(n);
    std::vector<double> a(static_cast<size_t>(n * n));
    const double* const l = values<double>(n * n);
    for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < n; ++j)
            for (int64_t k = 0; k < n; ++k) a[static_cast<size_t>(i * n + j)] += l[i * n + k] * l[j * n + k];
    if (spoilt && one_in(3)) a[static_cast<size_t>(up_to(n * n - 1))] = one_of(kHostile);
    Results<double> out(n * n);
    double remainder = -1;
    int64_t rank = -1;
    const bool before = wrong;
    if (succeeded("pg_pivoted_cholesky", pg_pivoted_cholesky(pointer(a.data()), order, out.data(), pointer(&rank), &remainder)))
        require_sane("pg_pivoted_cholesky", out.finite() && rank >= 0 && rank <= n && remainder >= 0 && std::isfinite(remainder));
    wrong = before;
    if (succeeded("pg_sqrtm_psd", pg_sqrtm_psd(pointer(a.data()), order, pointer(out.data())))) require_sane("pg_sqrtm_psd", out.finite());
    CHECK(out.kept_margin());
    wrong = false;
    const pg_matrix m = matrix(between(1, 20), between(1, 20), PG_FLOAT64);
    pg_nuclear_norm_result norm{-1, -1, 0, 0};
    if (succeeded("pg_nuclear_norm", pg_nuclear_norm(&m, pointer(&norm))))
        require_sane("pg_nuclear_norm", norm.lower >= 0 && norm.lower <= norm.upper && std::isfinite(norm.upper));
}

void ranking() {
    static const int64_t items[] = {1, 1, 2, 2, 2, 2, 4, 4, 4, 8, 8, 8};
    const int32_t dtype = static_cast<int32_t>(up_to(11));
    const int64_t n = one_in(20) ? between(1, 4000) : between(1, 200), item = items[dtype];
    const int64_t stride = one_in(4) ? 0 : one_in(4) ? -item : one_in(6) ? 2 * item : item;
    const char* scores = dtype == PG_SCORE_FLOAT32   ? reinterpret_cast<const char*>(values<float>(2 * n))
                         : dtype == PG_SCORE_FLOAT64 ? reinterpret_cast<const char*>(values<double>(2 * n))
                                                     : reinterpret_cast<const char*>(values<uint8_t>(2 * n * item));
    if (item > 1 && dtype != PG_SCORE_FLOAT32 && dtype != PG_SCORE_FLOAT64) {
        static const std::vector<uint16_t> small = [] {  // no NaN of any format
            std::vector<uint16_t> pool(kPool);
            for (uint16_t& x : pool) x = static_cast<uint16_t>(up_to(0x7b00));
            return pool;
        }();
        scores = reinterpret_cast<const char*>(small.data() + up_to(static_cast<int64_t>(kPool) - 8 * n));
    }
    if (stride < 0) scores += (n - 1) * item;
    std::vector<uint64_t> labels(static_cast<size_t>((n + 63) / 64));
    for (uint64_t& word : labels) word = random_bits();
    pg_ranking r{pointer(scores), dtype, size(n), stride, pointer(labels.data())};
    if (spoilt && one_in(10)) {
        static const int64_t far[] = {kMin, kMax, int64_t{1} << 60};
        r.stride = one_of(far);
        wrong |= n > 1;
    }
    if (spoilt && one_in(10)) {
        static const int32_t none[] = {-1, 12, 99, std::numeric_limits<int32_t>::min()};
        r.dtype = one_of(none);
        wrong = true;
    }
    std::vector<double> weights(static_cast<size_t>(n));
    for (double& w : weights) w = spoilt && one_in(50) ? one_of(kHostile) : static_cast<double>(between(1, 9));
    const double* const w = one_in(2) ? weights.data() : nullptr;
    const bool before = wrong;
    const auto again = [&] { wrong = before; };
    switch (up_to(5)) {
        case 0: {
            pg_auroc_counts counts{};
            if (succeeded("pg_auroc", pg_auroc(&r, pointer(&counts))))
                require_sane("pg_auroc", counts.positives + counts.negatives == n && counts.twice_u_high == 0 &&
                                             counts.twice_u_low <= 2u * static_cast<uint64_t>(counts.positives * counts.negatives));
            break;
        }
        case 1: {
            const int64_t group_count = between(1, 5);
            std::vector<int64_t> groups(static_cast<size_t>(n));
            for (int64_t& g : groups) g = up_to(group_count - 1);
            if (spoilt && one_in(5)) {
                static const int64_t none[] = {-1, 5, kMin, kMax};
                groups[static_cast<size_t>(up_to(n - 1))] = one_of(none);
                wrong = true;
            }
            Results<pg_auroc_counts> counts(group_count);
            const int64_t said = size(group_count);
            if (succeeded("pg_auroc_by_group", pg_auroc_by_group(&r, pointer(groups.data()), said, pointer(counts.data())))) {
                int64_t all = 0;
                for (int64_t g = 0; g < group_count; ++g)
                    all += counts[static_cast<size_t>(g)].positives + counts[static_cast<size_t>(g)].negatives;
                require_sane("pg_auroc_by_group", all == n);
            }
            CHECK(counts.kept_margin());
            break;
        }
        case 2: {
            pg_delong_sums sums{};
            if (succeeded("pg_delong", pg_delong(&r, pointer(&sums)))) require_sane("pg_delong", sums.positives + sums.negatives == n);
            break;
        }
        case 3: {
            // NaN where a class has no weight
            double value = -1;
            const auto sane = [&] { return std::isnan(value) || (value >= 0 && value <= 1 + 1e-12); };
            if (succeeded("pg_weighted_auroc", pg_weighted_auroc(&r, pointer(weights.data()), pointer(&value))))
                require_sane("pg_weighted_auroc", sane());
            again();
            if (succeeded("pg_average_precision", pg_average_precision(&r, w, pointer(&value))))
                require_sane("pg_average_precision", sane());
            break;
        }
        default: {
            pg_curve* curve = nullptr;
            const int32_t drop = choice(2), kind = choice(1);
            if (!succeeded("pg_curve_new", pg_curve_new(&r, w, drop, kind, pointer(&curve)))) {
                CHECK(curve == nullptr);
                break;
            }
            int64_t points = 0;
            const double *thresholds = nullptr, *positives = nullptr, *negatives = nullptr;
            again();
            if (succeeded("pg_curve_points", pg_curve_points(curve, &points, pointer(&thresholds), &positives, &negatives))) {
                require_sane("pg_curve_points", points >= 2 && points <= n + 1);
                for (int64_t i = 1; i < points; ++i)
                    // the first point is at infinity, where a score may be too
                    require_sane("pg_curve_points", (thresholds[i] < thresholds[i - 1] || (i == 1 && std::isinf(thresholds[1]))) &&
                                                        !(positives[i] < positives[i - 1]) && !(negatives[i] < negatives[i - 1]) &&
                                                        !std::isinf(positives[i]));
            }
            pg_curve_free(curve);
        }
    }
}

void label_bits() {
    static const int64_t widths[] = {1, 2, 4, 8}, none[] = {0, -1, 3, 16, kMin, kMax};
    const int64_t bytes = one_of(widths), n = between(1, 300);
    const int64_t stride = one_in(4) ? 0 : one_in(4) ? -bytes : one_in(6) ? 3 * bytes : bytes;
    const char* labels = reinterpret_cast<const char*>(values<uint8_t>(3 * n * bytes + 8));
    if (stride < 0) labels += (n - 1) * bytes;
    const uint64_t yes[2] = {1, spoilt && one_in(5) ? random_bits() : 1}, no[2] = {0, 0};
    Results<uint64_t> bits((n + 63) / 64);
    int32_t all_known = -1;
    const int64_t width = spoilt && one_in(8) ? (wrong = true, one_of(none)) : bytes;
    const int64_t count = size(n);
    if (succeeded("pg_label_bits", pg_label_bits(pointer(labels), width, count, stride, pointer(yes), pointer(no), pointer(bits.data()),
                                                 pointer(&all_known))))
        require_sane("pg_label_bits", all_known == 0 || all_known == 1);
    CHECK(bits.kept_margin());
}

void connected_components() {
    const int64_t count = between(1, 3), height = between(1, 30), width = between(1, 30);
    Results<int32_t> labels(count * height * width);
    Results<int64_t> regions(count);
    const uint8_t* const masks = values<uint8_t>(count * height * width);
    const int64_t n = size(count), h = size(height), w = size(width);
    if (succeeded("pg_connected_components",
                  pg_connected_components(pointer(masks), n, h, w, pointer(labels.data()), pointer(regions.data()))))
        for (size_t i = 0; i < labels.size(); ++i) require_sane("pg_connected_components", labels[i] >= 0 && labels[i] <= height * width);
    CHECK(labels.kept_margin() && regions.kept_margin());
}

void convolution() {
    static const int64_t forms[][4] = {{3, 3, 2, 2}, {3, 3, 3, 3}, {3, 3, 4, 4}, {5, 5, 2, 2}, {1, 7, 1, 2}, {7, 1, 2, 1}};
    const auto& form = forms[up_to(5)];
    const int64_t channels = between(1, 20), filters = between(1, 20), count = up_to(2), height = between(7, 20), width = between(7, 20);
    pg_convolution c{channels, filters, form[0], form[1], form[2], form[3], up_to(form[0] - 1), up_to(form[1] - 1), 0};
    const int64_t out_height = height + 2 * c.padding_height - form[0] + 1, out_width = width + 2 * c.padding_width - form[1] + 1;
    int64_t needed = 0;
    if (pg_convolution_filters_length(&c, &needed) != PG_OK) ++failures;
    c.rectified = choice(1);
    int64_t* const fields[] = {&c.channels,    &c.filters,    &c.kernel_height,  &c.kernel_width,
                               &c.tile_height, &c.tile_width, &c.padding_height, &c.padding_width};
    for (int64_t* field : fields)
        if (spoilt && one_in(20)) {
            *field = one_of(kImpossible);
            wrong = true;
        }
    const bool before = wrong;
    int64_t length = -1;
    if (succeeded("pg_convolution_filters_length", pg_convolution_filters_length(&c, pointer(&length))))
        require_sane("pg_convolution_filters_length", length == needed);
    wrong = before;
    Results<float> transformed(needed), out(count * filters * out_height * out_width);
    const float* const plain = values<float>(filters * channels * form[0] * form[1]);
    const bool ready = succeeded("pg_convolution_filters", pg_convolution_filters(&c, pointer(plain), pointer(transformed.data())));
    CHECK(transformed.kept_margin());
    if (ready) require_sane("pg_convolution_filters", transformed.finite());
    wrong = before;
    const float* const x = values<float>(count * channels * height * width);
    const int64_t n = count ? size(count) : 0, h = size(height), w = size(width);
    const int32_t threads =
        spoilt && one_in(10) ? (wrong = true, std::numeric_limits<int32_t>::min()) : static_cast<int32_t>(between(1, 4));
    const float* const bias = values<float>(filters);
    // networks see to their values themselves: NaN stays NaN
    succeeded("pg_convolve", pg_convolve(&c, n ? pointer(x) : x, n, h, w, transformed.data(), bias, n ? pointer(out.data()) : out.data(),
                                         threads, nullptr, nullptr));
    if (ready && !spoilt) require_sane("pg_convolve", out.finite());
    CHECK(out.kept_margin());
}

void lpips_layer() {
    const int64_t pairs = up_to(2), channels = between(1, 20), positions = up_to(150);
    const float *const x = values<float>(pairs * channels * positions), *const y = values<float>(pairs * channels * positions);
    const float* const weights = values<float>(channels);
    Results<float> map(pairs * positions);
    const bool empty = pairs == 0 || positions == 0;
    const int64_t n = pairs ? size(pairs) : 0, c = size(channels), p = positions ? size(positions) : 0;
    const float inside = static_cast<float>(number(0)), outside = static_cast<float>(number(1e-10));
    float* const to = empty ? map.data() : pointer(map.data());
    if (empty) wrong = false;  // where nothing is asked for, the other sizes may be any
    if (succeeded("pg_lpips_layer", pg_lpips_layer(x, y, n, c, p, weights, inside, outside, to, nullptr, nullptr)))
        require_sane("pg_lpips_layer", map.finite());
    CHECK(map.kept_margin());
}

void runtime() {
    static const char* const names[] = {"baseline", "avx2", "avx512", "", "sse9", "AVX2", "\xff\xfe"};
    const char* const name = one_of(names);
    const char* running = nullptr;
    if (pg_has_isa(name)) succeeded("pg_set_isa", pg_set_isa(name));
    spoilt = true;
    if (!pg_has_isa(name)) {
        wrong = true;
        succeeded("pg_set_isa", pg_set_isa(name));
        wrong = false;
    }
    wrong = false;
    if (succeeded("pg_isa", pg_isa(pointer(&running)))) require_sane("pg_isa", pg_has_isa(running) == 1);
    wrong = false;
    succeeded("pg_set_num_threads", pg_set_num_threads(small_number(static_cast<int32_t>(between(1, 3)))));
    succeeded("pg_set_num_threads", pg_set_num_threads(static_cast<int32_t>(between(1, 2))));
    int32_t n = 0;
    if (succeeded("pg_get_num_threads", pg_get_num_threads(pointer(&n)))) require_sane("pg_get_num_threads", n >= 1);
    CHECK(pg_has_isa(nullptr) == 0 && pg_version()[0] != '\0' && pg_last_error() != nullptr);
    pg_ssim_defaults(nullptr, number(1));
    pg_curve_free(nullptr);
}

}  // namespace

int main(int count, char** arguments) {
    const int64_t wanted = count > 1 ? std::atoll(arguments[1]) : 100000;
    state = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 11;
    void (*const all[])() = {value_range,
                             mse,
                             ssim,
                             ms_ssim,
                             scores,
                             resize,
                             matmul_transposed,
                             scatter_add,
                             count_neighbours,
                             gaussian_kernel_means,
                             square_roots,
                             ranking,
                             ranking,
                             label_bits,
                             connected_components,
                             convolution,
                             lpips_layer,
                             runtime};
    while (call_count < wanted && failures < 20) {
        spoilt = !one_in(3);
        wrong = false;
        // a choice of instruction set and threads stays for a while
        const auto next = one_of(all);
        if (next == runtime && !one_in(10)) continue;
        next();
    }
    std::printf("%lld calls, %lld good, %lld refused\n", static_cast<long long>(call_count), static_cast<long long>(ok_count),
                static_cast<long long>(refused_count));
    return failures != 0;
}
