// Sizes that a caller passes, multiplied with care: what no memory could hold is refused by name before anything is computed
// from it, so that no later product of a size and a small factor overflows.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

namespace pixelgauge {

// No address space is larger; a factor of 128 is left for what is derived from a size.
constexpr int64_t kMostBytes = int64_t{1} << 56;

// The product of sizes; InvalidArgument, of the argument `name`, where one is negative or the product exceeds kMostBytes.
int64_t checked_product(const std::string& name, std::initializer_list<int64_t> factors);

struct StridedAxis {
    int64_t length, stride;  // elements, of which there is at least one; bytes, of any sign
};

// Checks that the elements of `axes` from data on lie within kMostBytes of it and inside the address space.
void require_reach(const std::string& name, const void* data, std::initializer_list<StridedAxis> axes);

}  // namespace pixelgauge
