// The thread pool: every index once, nested and concurrent use, exceptions, and use after fork.
#include <pixelgauge/pixelgauge.h>

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <thread>
#include <vector>

#if defined(__unix__)
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "check.h"
#include "runtime/threads.h"

namespace {

bool every_index_once(int64_t n) {
    std::vector<std::atomic<int>> seen(static_cast<size_t>(n));
    pixelgauge::parallel_for(n, [&](int64_t i) { ++seen[static_cast<size_t>(i)]; });
    for (const std::atomic<int>& count : seen)
        if (count != 1) return false;
    return true;
}

void nested_and_concurrent() {
    std::atomic<int64_t> total{0};
    std::vector<std::thread> callers;
    for (int c = 0; c < 4; ++c)
        callers.emplace_back([&] {
            for (int round = 0; round < 50; ++round)
                pixelgauge::parallel_for(7, [&](int64_t) { pixelgauge::parallel_for(5, [&](int64_t) { ++total; }); });
        });
    for (std::thread& caller : callers) caller.join();
    CHECK(total == 4 * 50 * 7 * 5);
}

// A caller's own threads: each index on a thread of its own, none of which may see an exception.
void on_threads_of_the_caller(void* context, int64_t n, void (*task)(void*, int64_t), void* task_context) {
    ++*static_cast<int*>(context);
    std::vector<std::thread> threads;
    for (int64_t i = 0; i < n; ++i) threads.emplace_back(task, task_context, i);
    for (std::thread& thread : threads) thread.join();
}

void callers_threads() {
    int calls = 0;
    std::atomic<int64_t> sum{0};
    pixelgauge::parallel_on(on_threads_of_the_caller, &calls, 20, [&](int64_t i) { sum += i; });
    CHECK(calls == 1 && sum == 190);
    pixelgauge::parallel_on(nullptr, nullptr, 20, [&](int64_t i) { sum += i; });
    CHECK(sum == 380);
    bool caught = false;
    try {
        pixelgauge::parallel_on(on_threads_of_the_caller, &calls, 20, [](int64_t i) {
            if (i % 3 == 1) throw std::runtime_error("no");
        });
    } catch (const std::runtime_error&) {
        caught = true;
    }
    CHECK(caught && calls == 2);
}

void exceptions_reach_the_caller() {
    bool caught = false;
    try {
        pixelgauge::parallel_for(100, [](int64_t i) {
            if (i == 17) throw std::runtime_error("17");
        });
    } catch (const std::runtime_error& error) {
        caught = error.what()[0] == '1';
    }
    CHECK(caught);
    CHECK(every_index_once(100));
}

void usable_after_fork() {
#if defined(__unix__)
    if (std::getenv("PIXELGAUGE_NO_FORK")) {
        std::puts("fork is left out: PIXELGAUGE_NO_FORK is set");
        return;
    }
    CHECK(every_index_once(1000));  // the parent's workers exist
    const pid_t child = fork();
    if (child == 0) _exit(every_index_once(1000) ? 0 : 1);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#endif
}

}  // namespace

int main() {
    for (const int threads : {1, 2, 3, 8}) {
        CHECK(pg_set_num_threads(threads) == PG_OK);
        int now = 0;
        CHECK(pg_get_num_threads(&now) == PG_OK && now == threads);
        for (const int64_t n : {0, 1, 2, 3, 100, 10000}) CHECK(every_index_once(n));
        nested_and_concurrent();
        callers_threads();
        exceptions_reach_the_caller();
        usable_after_fork();
    }
    CHECK(pg_set_num_threads(0) == PG_INVALID_ARGUMENT);
    CHECK(pg_set_num_threads(100000) == PG_INVALID_ARGUMENT);
    return failures != 0;
}
