// The kernels compiled for avx2; see the flags in CMakeLists.txt. Everything has internal linkage but the table.
#include "isa/intrinsics.h"

#include "kernels/table.h"

namespace pixelgauge {
namespace {
namespace avx2 {
#include "kernels/all.inl"
}
}  // namespace
constexpr Kernels kAvx2 = avx2::table("avx2");
}  // namespace pixelgauge
