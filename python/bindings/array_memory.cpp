// Memory of NumPy's arrays that is used again by the next arrays of the threads that ask for it (NumPy's NEP 49).
//
// The system clears every page of memory that it hands out, and an allocator gives megabytes back as soon as they are free: the pages
// of a decoded image cost a third of what decoding it does. What is held is never more than the arrays once took together.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define PIXELGAUGE_HAS_FORK 1
#endif

#include "bindings.h"

namespace {

// NumPy's structure, whose layout version 1 fixes: numpy/ndarraytypes.h.
struct Handler {
    char name[127];
    uint8_t version;
    void* ctx;
    void* (*malloc)(void* ctx, size_t bytes);
    void* (*calloc)(void* ctx, size_t count, size_t each);
    void* (*realloc)(void* ctx, void* data, size_t bytes);
    void (*free)(void* ctx, void* data, size_t bytes);
};

constexpr int kSetHandler = 304;         // of NumPy's table of functions
constexpr size_t kAlignment = 64;        // a register, and a line of the caches
constexpr size_t kLeastKept = 64 << 10;  // smaller ones the allocator keeps by itself
constexpr uint64_t kPatience = 64;       // blocks that are asked for until one that nobody took goes back to the system

// Forks that led to this process. A child may have been made while another thread of its parent, which it does not have, held a lock.
std::atomic<int> forks{0};

int forks_so_far() {
#ifdef PIXELGAUGE_HAS_FORK
    static const int registered = pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });
    static_cast<void>(registered);
#endif
    return forks.load(std::memory_order_relaxed);
}

// Stands before the data of an array.
struct alignas(kAlignment) Head {
    void* block;
    size_t bytes;  // of the data that there is room for
    uint64_t freed;
};

class Memory {
  public:
    void* take(size_t bytes, bool cleared) {
        if (bytes > PTRDIFF_MAX - 2 * sizeof(Head)) return nullptr;
        if (bytes >= kLeastKept && is_ours()) {
            if (Head* head = spare(bytes)) {
                if (cleared) std::memset(head + 1, 0, bytes);
                return head + 1;
            }
        }
        const size_t whole = bytes + 2 * sizeof(Head);
        void* block = cleared ? std::calloc(whole, 1) : std::malloc(whole);
        if (!block) {
            missed(bytes);
            return nullptr;
        }
        const auto address = reinterpret_cast<uintptr_t>(block);
        auto* head = new (reinterpret_cast<void*>((address + kAlignment - 1) / kAlignment * kAlignment)) Head{block, bytes, 0};
        return head + 1;
    }

    void* resize(void* data, size_t bytes) {
        if (!data) return take(bytes, false);
        void* other = take(bytes, false);
        if (!other) return nullptr;
        const size_t before = (static_cast<Head*>(data) - 1)->bytes;
        std::memcpy(other, data, before < bytes ? before : bytes);
        give(data);
        return other;
    }

    void give(void* data) {
        if (!data) return;
        Head* head = static_cast<Head*>(data) - 1;
        if (head->bytes >= kLeastKept && is_ours()) {
            const std::lock_guard<std::mutex> lock(mutex_);
            in_use_ -= head->bytes;
            if (!closed_ && keep(head)) return;
        }
        std::free(head->block);
    }

    // Gives back what is spare, and from now on whatever is freed.
    void close() {
        if (!is_ours()) return;
        const std::lock_guard<std::mutex> lock(mutex_);
        closed_ = true;
        release(0);
    }

    size_t held() {
        if (!is_ours()) return 0;
        const std::lock_guard<std::mutex> lock(mutex_);
        return in_use_ + kept_;
    }

    ~Memory() {
        if (is_ours()) release(0);
    }

  private:
    // A child of a fork leaves its parent's blocks and lock alone: it takes from the allocator and gives back to it.
    bool is_ours() const { return forks_so_far() == made_in_; }

    // A block that is large enough and wastes no more than a quarter; counts it, or the new one that is made instead, as used.
    Head* spare(size_t bytes) {
        const std::lock_guard<std::mutex> lock(mutex_);
        ++asked_;
        size_t best = spare_.size();
        for (size_t i = 0; i < spare_.size(); ++i) {
            const size_t room = spare_[i]->bytes;
            if (room >= bytes && room - bytes <= bytes / 4 && (best == spare_.size() || room < spare_[best]->bytes)) best = i;
        }
        if (best == spare_.size()) {
            in_use_ += bytes;
            if (in_use_ > most_) most_ = in_use_;
            release(most_ - in_use_);
            return nullptr;
        }
        Head* head = spare_[best];
        spare_.erase(spare_.begin() + static_cast<std::ptrdiff_t>(best));
        kept_ -= head->bytes;
        in_use_ += head->bytes;
        while (!spare_.empty() && asked_ - spare_.front()->freed > kPatience) drop_oldest();
        return head;
    }

    // Takes back what was counted as used and could not be made: it is no measure of how much may be kept.
    void missed(size_t bytes) {
        if (bytes < kLeastKept || !is_ours()) return;
        const std::lock_guard<std::mutex> lock(mutex_);
        in_use_ -= bytes;
        most_ = in_use_ + kept_;
    }

    bool keep(Head* head) {
        try {
            spare_.push_back(head);
        } catch (const std::bad_alloc&) {
            return false;
        }
        head->freed = asked_;
        kept_ += head->bytes;
        return true;
    }

    void release(size_t most) {
        while (kept_ > most) drop_oldest();
    }

    void drop_oldest() {
        Head* head = spare_.front();
        spare_.erase(spare_.begin());
        kept_ -= head->bytes;
        std::free(head->block);
    }

    const int made_in_ = forks_so_far();
    std::mutex mutex_;
    std::vector<Head*> spare_;  // the one that was freed first is the first
    size_t in_use_ = 0, kept_ = 0, most_ = 0;
    uint64_t asked_ = 0;
    bool closed_ = false;
};

// The GNU C library maps blocks beyond a threshold anew each time, and clears them so, and gives back twice as much at a heap's end;
// it raises the threshold to the largest block, up to 32 MiB, that it has seen freed. Encoded files and the kernels' own rows, which
// are no arrays, stay below that from here on: half a millisecond for a pair of a megapixel, and three with a pyramid.
void teach_allocator() {
#ifdef __GLIBC__
    static const bool taught = [] {
        void* volatile block = std::malloc((32 << 20) - (64 << 10));
        std::free(block);
        return true;
    }();
    static_cast<void>(taught);
#endif
}

// What NumPy holds as long as there is any array of it.
struct Held {
    Handler handler;
    Memory memory;
};

class ArrayMemory {
  public:
    ArrayMemory() {
        teach_allocator();
        auto held = std::make_unique<Held>();
        std::memcpy(held->handler.name, "pixelgauge", 11);
        held->handler.version = 1;
        held->handler.ctx = &held->memory;
        held->handler.malloc = [](void* ctx, size_t bytes) { return memory(ctx).take(bytes, false); };
        held->handler.calloc = [](void* ctx, size_t count, size_t each) -> void* {
            if (each && count > SIZE_MAX / each) return nullptr;
            return memory(ctx).take(count * each, true);
        };
        held->handler.realloc = [](void* ctx, void* data, size_t bytes) { return memory(ctx).resize(data, bytes); };
        held->handler.free = [](void* ctx, void* data, size_t) { memory(ctx).give(data); };
        capsule_ = py::reinterpret_steal<py::object>(PyCapsule_New(&held->handler, "mem_handler", [](PyObject* capsule) {
            auto* handler = static_cast<Handler*>(PyCapsule_GetPointer(capsule, "mem_handler"));
            delete reinterpret_cast<Held*>(handler);  // whose first member it is
        }));
        if (!capsule_) throw py::error_already_set();
        memory_ = &held.release()->memory;
    }

    void use() const {
        const py::capsule table = py::module_::import("numpy._core._multiarray_umath").attr("_ARRAY_API");
        void** functions = table;
        auto* set = reinterpret_cast<PyObject* (*)(PyObject*)>(functions[kSetHandler]);
        const py::object before = py::reinterpret_steal<py::object>(set(capsule_.ptr()));
        if (!before) throw py::error_already_set();
    }

    void close() const { memory_->close(); }
    size_t held() const { return memory_->held(); }

  private:
    static Memory& memory(void* ctx) { return *static_cast<Memory*>(ctx); }

    py::object capsule_;
    Memory* memory_ = nullptr;
};

}  // namespace

void register_array_memory(py::module_& m) {
    py::class_<ArrayMemory>(m, "ArrayMemory")
        .def(py::init<>())
        .def("use", &ArrayMemory::use)
        .def("close", &ArrayMemory::close)
        .def_property_readonly("held", &ArrayMemory::held);
}
