#include "runtime/threads.h"

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <exception>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define PIXELGAUGE_HAS_FORK 1
#endif

#include "runtime/status.h"

namespace pixelgauge {

namespace {

struct Job {
    Task task;
    void* context;
    int64_t n;
    std::atomic<int64_t> next{0};
    int helpers_wanted;  // guarded by the pool's mutex
    int helpers = 0;     // guarded by the pool's mutex
    std::mutex failure_mutex;
    std::exception_ptr failure;

    void run() {
        for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < n;) {
            try {
                task(context, i);
            } catch (...) {
                const std::lock_guard<std::mutex> lock(failure_mutex);
                if (!failure) failure = std::current_exception();
                next.store(n, std::memory_order_relaxed);
            }
        }
    }
};

class Pool {
  public:
    void run(Job& job) {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            for (; workers_ < job.helpers_wanted; ++workers_) {
                try {
                    std::thread([this] { work(); }).detach();
                } catch (const std::system_error&) {
                    break;  // the caller does what no helper can
                }
            }
            jobs_.push_back(&job);
        }
        wake_.notify_all();
        job.run();
        std::unique_lock<std::mutex> lock(mutex_);
        for (auto it = jobs_.begin(); it != jobs_.end(); ++it) {
            if (*it == &job) {
                jobs_.erase(it);
                break;
            }
        }
        done_.wait(lock, [&] { return job.helpers == 0; });
    }

  private:
    void work() {
        std::unique_lock<std::mutex> lock(mutex_);
        for (;;) {
            Job* job = nullptr;
            wake_.wait(lock, [&] { return (job = open_job()) != nullptr; });
            ++job->helpers;
            --job->helpers_wanted;
            lock.unlock();
            job->run();
            lock.lock();
            if (--job->helpers == 0) done_.notify_all();
        }
    }

    Job* open_job() {
        for (Job* job : jobs_)
            if (job->helpers_wanted > 0 && job->next.load(std::memory_order_relaxed) < job->n) return job;
        return nullptr;
    }

    std::mutex mutex_;
    std::condition_variable wake_, done_;
    std::deque<Job*> jobs_;
    int workers_ = 0;
};

// Never destroyed: workers may outlive every static object. A forked child has none of the parent's threads, so it
// drops the parent's pool, whose locks may be held, and makes its own.
std::atomic<Pool*> pool{nullptr};

Pool& the_pool() {
    Pool* p = pool.load(std::memory_order_acquire);
    if (!p) {
        Pool* fresh = new Pool;
        if (pool.compare_exchange_strong(p, fresh)) {
            p = fresh;
#if defined(PIXELGAUGE_HAS_FORK)
            static const int registered = pthread_atfork(nullptr, nullptr, [] { pool.store(nullptr, std::memory_order_release); });
            (void)registered;
#endif
        } else {
            delete fresh;
        }
    }
    return *p;
}

int affinity_count() {
#if defined(__linux__)
    // Beyond 1024 CPUs sched_getaffinity refuses a fixed set: ask with larger ones.
    for (size_t cpus = 1024; cpus <= (size_t{1} << 20); cpus *= 4) {
        cpu_set_t* set = CPU_ALLOC(cpus);
        if (!set) break;
        const size_t bytes = CPU_ALLOC_SIZE(cpus);
        const bool ok = sched_getaffinity(0, bytes, set) == 0;
        const int n = ok ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (n > 0) return n;
    }
#endif
    const unsigned n = std::thread::hardware_concurrency();
    return n ? static_cast<int>(n) : 1;
}

// Whole cores granted by the cgroup's quota, rounded up; a large number where there is none.
int cgroup_count() {
#if defined(__linux__)
    double quota = 0, period = 0;
    std::string first;
    if (std::ifstream v2{"/sys/fs/cgroup/cpu.max"}; v2 >> first >> period && first != "max") {
        quota = std::strtod(first.c_str(), nullptr);
    } else if (std::ifstream q{"/sys/fs/cgroup/cpu/cpu.cfs_quota_us"}; q >> quota) {
        std::ifstream{"/sys/fs/cgroup/cpu/cpu.cfs_period_us"} >> period;
    }
    if (quota > 0 && period > 0) return static_cast<int>((quota + period - 1) / period);
#endif
    return 1 << 20;
}

constexpr int kMaxThreads = 1024;

int default_threads() {
    if (const char* text = std::getenv("PIXELGAUGE_NUM_THREADS"); text && *text) {
        char* end = nullptr;
        const long n = std::strtol(text, &end, 10);
        if (*end != '\0' || n < 1 || n > kMaxThreads)
            throw InvalidArgument(Fault(PG_ERROR_VALUE, "PIXELGAUGE_NUM_THREADS", std::string("'") + text + "'",
                                        "must be a whole number from 1 to " + std::to_string(kMaxThreads)));
        return static_cast<int>(n);
    }
    const int n = affinity_count(), granted = cgroup_count();
    const int least = n < granted ? n : granted;
    return least < 1 ? 1 : least > kMaxThreads ? kMaxThreads : least;
}

std::atomic<int> threads{0};  // 0: not asked yet

}  // namespace

int num_threads() {
    int n = threads.load(std::memory_order_relaxed);
    if (n == 0) {
        n = default_threads();
        threads.store(n, std::memory_order_relaxed);
    }
    return n;
}

void parallel_for(int64_t n, Task task, void* context) {
    const int64_t helpers = (n < num_threads() ? n : num_threads()) - 1;
    if (helpers <= 0) {
        for (int64_t i = 0; i < n; ++i) task(context, i);
        return;
    }
    Job job;
    job.task = task;
    job.context = context;
    job.n = n;
    job.helpers_wanted = static_cast<int>(helpers);
    the_pool().run(job);
    if (job.failure) std::rethrow_exception(job.failure);
}

}  // namespace pixelgauge

extern "C" pg_status pg_set_num_threads(int n) {
    return pixelgauge::guarded([&] {
        pixelgauge::require(n >= 1 && n <= pixelgauge::kMaxThreads, [&] {
            return pixelgauge::Fault(PG_ERROR_VALUE, "n", std::to_string(n), "threads",
                                     "use 1 to " + std::to_string(pixelgauge::kMaxThreads));
        });
        pixelgauge::threads.store(n);
    });
}

extern "C" pg_status pg_get_num_threads(int* n) {
    return pixelgauge::guarded([&] {
        pixelgauge::require_given({{"n", n}});
        *n = pixelgauge::num_threads();
    });
}
