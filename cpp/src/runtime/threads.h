// The one thread pool. parallel_for runs fn(0) ... fn(n - 1), each once, on at most num_threads() threads, the caller's
// among them. Which thread runs which index is not fixed: callers keep results apart by index and add them in order.
#pragma once

#include <cstdint>
#include <exception>
#include <mutex>
#include <type_traits>

#include "pixelgauge/pixelgauge.h"

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

// The same on the threads of a caller's `parallel`, which runs every index even after one has thrown, or the pool's if it is NULL.
template <class F>
void parallel_on(pg_parallel parallel, void* parallel_context, int64_t n, F&& fn) {
    if (!parallel) return parallel_for(n, fn);
    struct Run {
        std::remove_reference_t<F>* fn;
        std::exception_ptr failure;
        std::mutex mutex;
    } run{&fn, nullptr, {}};
    parallel(
        parallel_context, n,
        [](void* context, int64_t index) {
            Run& on = *static_cast<Run*>(context);
            try {
                (*on.fn)(index);
            } catch (...) {  // the caller's threads are not to see it
                const std::lock_guard<std::mutex> lock(on.mutex);
                if (!on.failure) on.failure = std::current_exception();
            }
        },
        &run);
    if (run.failure) std::rethrow_exception(run.failure);
}

}  // namespace pixelgauge
