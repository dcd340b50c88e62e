// What parallel work over buckets shares: scratch that is used again, and a gate that lets their results pass in order.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace pixelgauge {

// What tasks keep between indices: as many as there are threads, so that no bucket pays for fresh memory.
template <class T>
class ScratchPool {
  public:
    class Lease {
      public:
        explicit Lease(ScratchPool& pool) : pool_(pool), scratch_(pool.take()) {}
        ~Lease() { pool_.give(std::move(scratch_)); }
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        T& operator*() { return *scratch_; }

      private:
        ScratchPool& pool_;
        std::unique_ptr<T> scratch_;
    };

  private:
    std::unique_ptr<T> take() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (!free_.empty()) {
                std::unique_ptr<T> scratch = std::move(free_.back());
                free_.pop_back();
                return scratch;
            }
        }
        return std::make_unique<T>();
    }
    void give(std::unique_ptr<T> scratch) {
        const std::lock_guard<std::mutex> lock(mutex_);
        free_.push_back(std::move(scratch));
    }

    std::mutex mutex_;
    std::vector<std::unique_ptr<T>> free_;
};

// Lets the indices of a parallel_for pass one by one: whoever waits, some thread works on an index before.
class InOrder {
  public:
    // False if an earlier index has failed.
    template <class F>
    bool pass(int64_t index, F f) {
        std::unique_lock<std::mutex> lock(mutex_);
        turn_.wait(lock, [&] { return next_ == index || failed_; });
        if (failed_) return false;
        f();
        ++next_;
        turn_.notify_all();
        return true;
    }
    void fail() {
        const std::lock_guard<std::mutex> lock(mutex_);
        failed_ = true;
        turn_.notify_all();
    }

  private:
    std::mutex mutex_;
    std::condition_variable turn_;
    int64_t next_ = 0;
    bool failed_ = false;
};

}  // namespace pixelgauge
