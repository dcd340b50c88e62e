#include "runtime/sizes.h"

#include "runtime/status.h"

namespace pixelgauge {

int64_t checked_product(const std::string& name, std::initializer_list<int64_t> factors) {
    const auto refuse = [&](pg_error_kind kind, const char* why) {
        std::string text;
        for (const int64_t factor : factors) text += (text.empty() ? "" : " x ") + std::to_string(factor);
        throw InvalidArgument(Fault(kind, name, "", name + ": a size of " + text + " " + why, "check the sizes"));
    };
    bool empty = false;
    for (const int64_t factor : factors) {
        if (factor < 0) refuse(PG_ERROR_VALUE, "is negative");
        empty |= factor == 0;
    }
    if (empty) return 0;
    int64_t product = 1;
    for (const int64_t factor : factors) {
        if (product > kMostBytes / factor) refuse(PG_ERROR_TOO_LARGE, "is beyond any memory");
        product *= factor;
    }
    return product;
}

void require_reach(const std::string& name, const void* data, std::initializer_list<StridedAxis> axes) {
    uint64_t down = 0, up = 0;  // of up to four axes, each within kMostBytes: no overflow
    for (const StridedAxis& axis : axes) {
        if (axis.length <= 1) continue;
        const int64_t most = kMostBytes / (axis.length - 1);
        require(axis.stride >= -most && axis.stride <= most, [&] {
            return Fault(PG_ERROR_TOO_LARGE, name, "",
                         name + ": a stride of " + std::to_string(axis.stride) + " bytes over " + std::to_string(axis.length) +
                             " elements is beyond any memory",
                         "strides are in bytes");
        });
        const uint64_t reach = static_cast<uint64_t>(axis.length - 1) * static_cast<uint64_t>(axis.stride < 0 ? -axis.stride : axis.stride);
        (axis.stride < 0 ? down : up) += reach;
    }
    const uint64_t at = reinterpret_cast<uintptr_t>(data);
    require(down <= at && up <= UINTPTR_MAX - at, [&] {
        return Fault(PG_ERROR_TOO_LARGE, name, "", name + ": its strides lead out of the address space",
                     "data is the first element, whatever the signs of the strides");
    });
}

}  // namespace pixelgauge
