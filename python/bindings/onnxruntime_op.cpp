// The operator pixelgauge::WinogradConv for onnxruntime's CPU provider: x, transformed filters, bias to the rectified
// convolution, on the session's own threads. onnxruntime loads it from this module by the symbol RegisterCustomOps. Its C ABI
// is a table of functions whose order never changes; declared here is what is used of it, as it is since version 17.
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

struct Kernel {
    Api api;
    pg_convolution convolution;
    int64_t threads;
};

Status* create_kernel(const CustomOp*, Api api, const KernelInfo* info, void** out) {
    pg_convolution c{};
    int64_t rectified = 0, threads = 1;
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
    *out = new (std::nothrow) Kernel{api, c, threads};
    return *out ? nullptr : create_status(api)(kErrorFail, "out of memory");
}

Status* data_of(Api api, const KernelContext* context, size_t index, const float** data, int64_t shape[4]) {
    const Value* value = nullptr;
    RETURN_IF_FAILED(input(api)(context, index, &value));
    if (shape) {
        TypeAndShape* facts = nullptr;
        RETURN_IF_FAILED(type_and_shape(api)(value, &facts));
        size_t count = 0;
        Status* status = dimension_count(api)(facts, &count);
        if (!status && count == 4) status = dimensions(api)(facts, shape, 4);
        release_type_and_shape(api)(facts);
        if (!status && count != 4) status = create_status(api)(kErrorFail, "WinogradConv takes (count, channels, height, width)");
        if (status) return status;
    }
    void* pointer = nullptr;
    RETURN_IF_FAILED(mutable_data(api)(const_cast<Value*>(value), &pointer));
    *data = static_cast<const float*>(pointer);
    return nullptr;
}

Status* compute(void* kernel, KernelContext* context) {
    const Kernel& k = *static_cast<Kernel*>(kernel);
    const pg_convolution& c = k.convolution;
    int64_t shape[4] = {};
    const float *x = nullptr, *transformed = nullptr, *bias = nullptr;
    RETURN_IF_FAILED(data_of(k.api, context, 0, &x, shape));
    RETURN_IF_FAILED(data_of(k.api, context, 1, &transformed, nullptr));
    RETURN_IF_FAILED(data_of(k.api, context, 2, &bias, nullptr));
    if (shape[1] != c.channels) return create_status(k.api)(kErrorFail, "WinogradConv: x has another number of channels");
    const int64_t result[4] = {shape[0], c.filters, shape[2] + 2 * c.padding_height - c.kernel_height + 1,
                               shape[3] + 2 * c.padding_width - c.kernel_width + 1};
    Value* value = nullptr;
    RETURN_IF_FAILED(output(k.api)(context, 0, result, 4, &value));
    void* out = nullptr;
    RETURN_IF_FAILED(mutable_data(k.api)(value, &out));

    struct Run {
        Api api;
        const KernelContext* context;
        Status* failure;
    } run{k.api, context, nullptr};
    const auto parallel = [](void* state, int64_t n, void (*task)(void*, int64_t), void* task_context) {
        struct Task {
            void (*call)(void*, int64_t);
            void* context;
        } each{task, task_context};
        Run& on = *static_cast<Run*>(state);
        on.failure = run_parallel(on.api)(
            on.context,
            [](void* data, size_t index) {
                const Task& one = *static_cast<Task*>(data);
                one.call(one.context, static_cast<int64_t>(index));
            },
            static_cast<size_t>(n), 0, &each);
    };
    if (pg_convolve(&c, x, shape[0], shape[2], shape[3], transformed, bias, static_cast<float*>(out), static_cast<int>(k.threads), parallel,
                    &run) != PG_OK)
        return create_status(k.api)(kErrorFail, pg_last_error());
    return run.failure;
}

constexpr CustomOp make_op() {
    CustomOp op{};
    op.version = kAbiVersion;
    op.name = [](const CustomOp*) { return "WinogradConv"; };
    op.provider = [](const CustomOp*) -> const char* { return "CPUExecutionProvider"; };
    op.input_type = [](const CustomOp*, size_t) { return kFloat; };
    op.input_count = [](const CustomOp*) -> size_t { return 3; };
    op.output_type = [](const CustomOp*, size_t) { return kFloat; };
    op.output_count = [](const CustomOp*) -> size_t { return 1; };
    op.destroy = [](void* kernel) { delete static_cast<Kernel*>(kernel); };
    op.input_characteristic = [](const CustomOp*, size_t) { return kRequired; };
    op.output_characteristic = [](const CustomOp*, size_t) { return kRequired; };
    op.input_memory = [](const CustomOp*, size_t) { return kDefaultMemory; };
    op.create_kernel = create_kernel;
    op.compute = compute;
    op.first_version = [](const CustomOp*) { return 1; };
    op.last_version = [](const CustomOp*) { return INT32_MAX; };
    return op;
}
constexpr CustomOp kWinogradConv = make_op();

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
        Status* const status = create_domain(api)("pixelgauge", &domain);
        return status ? status : domain_add(api)(domain, &kWinogradConv);
    }();
    return failure ? create_status(api)(kErrorFail, "pixelgauge's operator could not be registered") : add_domain(api)(options, domain);
}
