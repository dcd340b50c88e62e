// The package's operators for onnxruntime's CPU provider, on the session's own threads. onnxruntime loads them from this module
// by the symbol RegisterCustomOps. Its C ABI is a table of functions whose order never changes; declared here is what is used of
// it, as it is since version 17.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <new>

#include "pixelgauge/pixelgauge.h"

namespace {

struct Status;  // onnxruntime's own types, seen through pointers alone
struct SessionOptions;
struct Domain;
struct KernelInfo;
struct KernelContext;
struct Value;
struct TypeAndShape;

constexpr uint32_t kAbiVersion = 17;
constexpr int kFloat = 1, kRequired = 0, kDefaultMemory = 0, kErrorFail = 1;

using Api = const void* const*;
struct ApiBase {
    Api (*get_api)(uint32_t version);
    const char* (*get_version)();
};

// A function of the table by its place.
template <int Place, class Function>
Function function(Api api) {
    return reinterpret_cast<Function>(const_cast<void*>(api[Place]));
}
constexpr auto create_status = function<0, Status* (*)(int code, const char* message)>;
constexpr auto create_domain = function<26, Status* (*)(const char* name, Domain**)>;
constexpr auto domain_add = function<27, Status* (*)(Domain*, const struct CustomOp*)>;
constexpr auto add_domain = function<28, Status* (*)(SessionOptions*, Domain*)>;
constexpr auto mutable_data = function<51, Status* (*)(Value*, void**)>;
constexpr auto dimension_count = function<61, Status* (*)(const TypeAndShape*, size_t*)>;
constexpr auto dimensions = function<62, Status* (*)(const TypeAndShape*, int64_t*, size_t)>;
constexpr auto element_count = function<64, Status* (*)(const TypeAndShape*, size_t*)>;
constexpr auto type_and_shape = function<65, Status* (*)(const Value*, TypeAndShape**)>;
constexpr auto int64_attribute = function<86, Status* (*)(const KernelInfo*, const char* name, int64_t*)>;
constexpr auto input = function<90, Status* (*)(const KernelContext*, size_t index, const Value**)>;
constexpr auto output = function<91, Status* (*)(KernelContext*, size_t index, const int64_t* shape, size_t, Value**)>;
constexpr auto release_type_and_shape = function<99, void (*)(TypeAndShape*)>;
constexpr auto run_parallel =
    function<274, Status* (*)(const KernelContext*, void (*)(void*, size_t), size_t total, size_t batches, void*)>;

struct CustomOp {
    uint32_t version;
    void* (*create_kernel_v1)(const CustomOp*, Api, const KernelInfo*);
    const char* (*name)(const CustomOp*);
    const char* (*provider)(const CustomOp*);
    int (*input_type)(const CustomOp*, size_t);
    size_t (*input_count)(const CustomOp*);
    int (*output_type)(const CustomOp*, size_t);
    size_t (*output_count)(const CustomOp*);
    void (*compute_v1)(void* kernel, KernelContext*);
    void (*destroy)(void* kernel);
    int (*input_characteristic)(const CustomOp*, size_t);
    int (*output_characteristic)(const CustomOp*, size_t);
    int (*input_memory)(const CustomOp*, size_t);
    int (*variadic_input_arity)(const CustomOp*);
    int (*variadic_input_homogeneity)(const CustomOp*);
    int (*variadic_output_arity)(const CustomOp*);
    int (*variadic_output_homogeneity)(const CustomOp*);
    Status* (*create_kernel)(const CustomOp*, Api, const KernelInfo*, void** kernel);
    Status* (*compute)(void* kernel, KernelContext*);
    void* infer_shape;
    int (*first_version)(const CustomOp*);
    int (*last_version)(const CustomOp*);
    void* may_inplace[4];  // of later versions
};

// The first failure of a row of calls.
#define RETURN_IF_FAILED(call)           \
    if (Status* const status = (call)) { \
        return status;                   \
    }

// An input's data, which are read only, if check(its facts) finds nothing wrong with it.
template <class Check>
Status* data_of(Api api, const KernelContext* context, size_t index, const float** data, const Check& check) {
    const Value* value = nullptr;
    TypeAndShape* facts = nullptr;
    RETURN_IF_FAILED(input(api)(context, index, &value));
    RETURN_IF_FAILED(type_and_shape(api)(value, &facts));
    Status* const wrong = check(facts);
    release_type_and_shape(api)(facts);
    if (wrong) return wrong;
    void* pointer = nullptr;
    RETURN_IF_FAILED(mutable_data(api)(const_cast<Value*>(value), &pointer));
    *data = static_cast<const float*>(pointer);
    return nullptr;
}

// An input of four axes, and its shape.
Status* images_of(Api api, const KernelContext* context, size_t index, const float** data, int64_t shape[4]) {
    return data_of(api, context, index, data, [&](const TypeAndShape* facts) {
        size_t axes = 0;
        RETURN_IF_FAILED(dimension_count(api)(facts, &axes));
        return axes == 4 ? dimensions(api)(facts, shape, 4)
                         : create_status(api)(kErrorFail, "the operator takes (count, channels, height, width)");
    });
}

// An input of so many values, whatever its axes.
Status* values_of(Api api, const KernelContext* context, size_t index, int64_t count, const float** data) {
    return data_of(api, context, index, data, [&](const TypeAndShape* facts) -> Status* {
        size_t found = 0;
        RETURN_IF_FAILED(element_count(api)(facts, &found));
        if (static_cast<int64_t>(found) == count) return nullptr;
        return create_status(api)(kErrorFail, "weights or constants of the operator have another number of values than it takes");
    });
}

Status* make_output(Api api, KernelContext* context, const int64_t (&shape)[4], float** data) {
    Value* value = nullptr;
    RETURN_IF_FAILED(output(api)(context, 0, shape, 4, &value));
    void* pointer = nullptr;
    RETURN_IF_FAILED(mutable_data(api)(value, &pointer));
    *data = static_cast<float*>(pointer);
    return nullptr;
}

// The session's threads, as the library takes them: `parallel` with this as its context.
struct SessionThreads {
    Api api;
    const KernelContext* context;
    Status* failure = nullptr;

    static void parallel(void* state, int64_t n, void (*task)(void*, int64_t), void* task_context) {
        struct Task {
            void (*call)(void*, int64_t);
            void* context;
        } each{task, task_context};
        SessionThreads& on = *static_cast<SessionThreads*>(state);
        on.failure = run_parallel(on.api)(
            on.context,
            [](void* data, size_t index) {
                const Task& one = *static_cast<Task*>(data);
                one.call(one.context, static_cast<int64_t>(index));
            },
            static_cast<size_t>(n), 0, &each);
    }
};

// x (count, channels, height, width), transformed filters, bias to the rectified convolution.
struct WinogradConv {
    static constexpr const char* name = "WinogradConv";
    static constexpr size_t inputs = 3;
    Api api;
    pg_convolution convolution{};
    int64_t threads = 1;

    Status* read(const KernelInfo* info) {
        pg_convolution& c = convolution;
        int64_t rectified = 0;
        struct {
            const char* name;
            int64_t* value;
        } const attributes[] = {{"channels", &c.channels},
                                {"filters", &c.filters},
                                {"kernel_height", &c.kernel_height},
                                {"kernel_width", &c.kernel_width},
                                {"tile_height", &c.tile_height},
                                {"tile_width", &c.tile_width},
                                {"padding_height", &c.padding_height},
                                {"padding_width", &c.padding_width},
                                {"rectified", &rectified},
                                {"threads", &threads}};
        for (const auto& attribute : attributes) RETURN_IF_FAILED(int64_attribute(api)(info, attribute.name, attribute.value));
        c.rectified = rectified != 0;
        return nullptr;
    }

    Status* compute(KernelContext* context) const {
        const pg_convolution& c = convolution;
        int64_t shape[4] = {};
        const float *x = nullptr, *transformed = nullptr, *bias = nullptr;
        int64_t length = 0;
        if (pg_convolution_filters_length(&c, &length) != PG_OK) return create_status(api)(kErrorFail, pg_last_error());
        RETURN_IF_FAILED(images_of(api, context, 0, &x, shape));
        RETURN_IF_FAILED(values_of(api, context, 1, length, &transformed));
        RETURN_IF_FAILED(values_of(api, context, 2, c.filters, &bias));
        if (shape[1] != c.channels) return create_status(api)(kErrorFail, "WinogradConv: x has another number of channels");
        float* out = nullptr;
        RETURN_IF_FAILED(make_output(api, context,
                                     {shape[0], c.filters, shape[2] + 2 * c.padding_height - c.kernel_height + 1,
                                      shape[3] + 2 * c.padding_width - c.kernel_width + 1},
                                     &out));
        SessionThreads run{api, context};
        if (pg_convolve(&c, x, shape[0], shape[2], shape[3], transformed, bias, out,
                        static_cast<int32_t>(std::clamp<int64_t>(threads, 0, INT32_MAX)), SessionThreads::parallel, &run) != PG_OK)
            return create_status(api)(kErrorFail, pg_last_error());
        return run.failure;
    }
};

// Features (2 count, channels, height, width), those of the first images before those of the second, weights of the channels,
// and the two constants of the norm to LPIPS's (count, 1, height, width).
struct LpipsLayer {
    static constexpr const char* name = "LpipsLayer";
    static constexpr size_t inputs = 4;
    Api api;

    Status* read(const KernelInfo*) { return nullptr; }

    Status* compute(KernelContext* context) const {
        int64_t shape[4] = {};
        const float *features = nullptr, *weights = nullptr, *inside = nullptr, *outside = nullptr;
        RETURN_IF_FAILED(images_of(api, context, 0, &features, shape));
        RETURN_IF_FAILED(values_of(api, context, 1, shape[1], &weights));
        RETURN_IF_FAILED(values_of(api, context, 2, 1, &inside));
        RETURN_IF_FAILED(values_of(api, context, 3, 1, &outside));
        if (shape[0] % 2 != 0) return create_status(api)(kErrorFail, "LpipsLayer: the features are not pairs");
        const int64_t pairs = shape[0] / 2, channels = shape[1], positions = shape[2] * shape[3];
        float* map = nullptr;
        RETURN_IF_FAILED(make_output(api, context, {pairs, 1, shape[2], shape[3]}, &map));
        SessionThreads run{api, context};
        std::fill_n(map, pairs * positions, 0.0F);
        if (pg_lpips_layer(features, features + pairs * channels * positions, pairs, channels, positions, weights, *inside, *outside, map,
                           SessionThreads::parallel, &run) == PG_OK)
            return run.failure;
        // What is not finite goes on with its map, to whoever runs the session and knows the network's name.
        const bool computed = std::any_of(map, map + pairs * positions, [](float value) { return !std::isfinite(value); });
        return run.failure || computed ? run.failure : create_status(api)(kErrorFail, pg_last_error());
    }
};

template <class Kernel>
Status* create_kernel(const CustomOp*, Api api, const KernelInfo* info, void** out) {
    Kernel* const kernel = new (std::nothrow) Kernel{api};
    if (!kernel) return create_status(api)(kErrorFail, "out of memory");
    Status* const status = kernel->read(info);
    if (status) delete kernel;
    *out = status ? nullptr : kernel;
    return status;
}

template <class Kernel>
constexpr CustomOp make_op() {
    CustomOp op{};
    op.version = kAbiVersion;
    op.name = [](const CustomOp*) { return Kernel::name; };
    op.provider = [](const CustomOp*) -> const char* { return "CPUExecutionProvider"; };
    op.input_type = [](const CustomOp*, size_t) { return kFloat; };
    op.input_count = [](const CustomOp*) { return Kernel::inputs; };
    op.output_type = [](const CustomOp*, size_t) { return kFloat; };
    op.output_count = [](const CustomOp*) -> size_t { return 1; };
    op.destroy = [](void* kernel) { delete static_cast<Kernel*>(kernel); };
    op.input_characteristic = [](const CustomOp*, size_t) { return kRequired; };
    op.output_characteristic = [](const CustomOp*, size_t) { return kRequired; };
    op.input_memory = [](const CustomOp*, size_t) { return kDefaultMemory; };
    op.create_kernel = create_kernel<Kernel>;
    op.compute = [](void* kernel, KernelContext* context) { return static_cast<Kernel*>(kernel)->compute(context); };
    op.first_version = [](const CustomOp*) { return 1; };
    op.last_version = [](const CustomOp*) { return INT32_MAX; };
    return op;
}
constexpr CustomOp kOps[] = {make_op<WinogradConv>(), make_op<LpipsLayer>()};

}  // namespace

#if defined(_WIN32)
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

extern "C" EXPORTED Status* RegisterCustomOps(SessionOptions* options, const ApiBase* base) {
    static const Api api = base->get_api(kAbiVersion);
    // The first version has the first function in the same place.
    if (!api) return create_status(base->get_api(1))(kErrorFail, "pixelgauge needs onnxruntime 1.17 or later: update it");
    // Made once and kept: a domain must outlive the sessions, whose end onnxruntime does not tell.
    static Domain* domain = nullptr;
    static Status* const failure = [] {
        Status* status = create_domain(api)("pixelgauge", &domain);
        for (const CustomOp& op : kOps)
            if (!status) status = domain_add(api)(domain, &op);
        return status;
    }();
    return failure ? create_status(api)(kErrorFail, "pixelgauge's operators could not be registered") : add_domain(api)(options, domain);
}
