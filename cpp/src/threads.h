// The one thread pool. parallel_for runs fn(0) ... fn(n - 1), each once, on at most num_threads() threads, the caller's
// among them. Which thread runs which index is not fixed: callers keep results apart by index and add them in order.
#pragma once

#include <cstdint>
#include <type_traits>

namespace pixelgauge {

int num_threads();

using Task = void (*)(void* context, int64_t index);
void parallel_for(int64_t n, Task task, void* context);

// The first exception that an index throws reaches the caller; indices not yet begun are then skipped.
template <class F>
void parallel_for(int64_t n, F&& fn) {
    using Fn = std::remove_reference_t<F>;
    parallel_for(
        n, [](void* context, int64_t index) { (*static_cast<Fn*>(context))(index); }, const_cast<void*>(static_cast<const void*>(&fn)));
}

}  // namespace pixelgauge
