// The kernels compiled for baseline; see the flags in CMakeLists.txt. Everything has internal linkage but the table.
#include "isa/intrinsics.h"

#include "kernels/table.h"

namespace pixelgauge {
namespace {
namespace baseline {
#include "kernels/all.inl"
}
}  // namespace
constexpr Kernels kBaseline = baseline::table("baseline");
}  // namespace pixelgauge
