// The kernels compiled for avx512; see the flags in CMakeLists.txt. Everything has internal linkage but the table.
#include "isa/intrinsics.h"

#include "kernels/table.h"

namespace pixelgauge {
namespace {
namespace avx512 {
#include "kernels/all.inl"
}
}  // namespace
constexpr Kernels kAvx512 = avx512::table("avx512");
}  // namespace pixelgauge
