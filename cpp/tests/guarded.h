// Buffers that end, or begin, at a page no one may touch: a read or a write one element too far is a crash at its place.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

class Guarded {
  public:
    explicit Guarded(size_t most) : page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))), room_((most + page_ - 1) / page_ * page_) {
        void* const all = mmap(nullptr, room_ + 2 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (all == MAP_FAILED) {
            std::perror("mmap");
            std::abort();
        }
        memory_ = static_cast<char*>(all) + page_;
        if (mprotect(memory_, room_, PROT_READ | PROT_WRITE) != 0) {
            std::perror("mprotect");
            std::abort();
        }
    }
    ~Guarded() { munmap(memory_ - page_, room_ + 2 * page_); }
    Guarded(const Guarded&) = delete;
    Guarded& operator=(const Guarded&) = delete;

    // `bytes` of it: the last ones, or the first.
    char* take(size_t bytes, bool at_end) const {
        if (bytes > room_) {
            std::fprintf(stderr, "%zu bytes are wanted of %zu\n", bytes, room_);
            std::abort();
        }
        return at_end ? memory_ + room_ - bytes : memory_;
    }

  private:
    size_t page_, room_;
    char* memory_;
};
