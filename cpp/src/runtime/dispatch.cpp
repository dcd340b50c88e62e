// Chooses the table of kernels once: the best instruction set of this CPU, or the one that PIXELGAUGE_ISA names.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>

#include "kernels/table.h"
#include "runtime/status.h"

namespace pixelgauge {

namespace {

struct Candidate {
    const char* name;
    const Kernels* table;  // null: not in this build
    bool runs;
};

#if defined(PIXELGAUGE_X86_ISAS)
// __builtin_cpu_supports reads CPUID and XGETBV, so a level that the operating system has not enabled is not offered.
bool cpu_has_avx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2");
}

bool cpu_has_avx512() {
    return cpu_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

constexpr int kCandidates = 3;

const Candidate& candidate(int i) {
#if defined(PIXELGAUGE_X86_ISAS)
    static const Candidate all[kCandidates] = {
        {"avx512", &kAvx512, cpu_has_avx512()}, {"avx2", &kAvx2, cpu_has_avx2()}, {"baseline", &kBaseline, true}};
#else
    static const Candidate all[kCandidates] = {{"avx512", nullptr, false}, {"avx2", nullptr, false}, {"baseline", &kBaseline, true}};
#endif
    return all[i];
}

const Candidate* find(const char* name) {
    for (int i = 0; i < kCandidates; ++i)
        if (std::strcmp(candidate(i).name, name) == 0) return &candidate(i);
    return nullptr;
}

const Kernels* choose(const char* name, const char* argument) {
    const Candidate* c = find(name);
    const auto unsupported = [&](const char* problem, const std::string& remedy) {
        return Unsupported(Fault(PG_ERROR_UNSUPPORTED, argument, std::string("'") + name + "'", problem, remedy));
    };
    if (!c) throw unsupported("is not an instruction set", "use baseline, avx2 or avx512");
    if (!c->table) throw unsupported("is not part of this build for this architecture", "use baseline");
    if (!c->runs) {
        std::string usable;
        for (int i = 0; i < kCandidates; ++i)
            if (candidate(i).runs) usable = candidate(i).name + (usable.empty() ? "" : ", " + usable);
        throw unsupported("cannot run on this CPU", "use one of " + usable);
    }
    return c->table;
}

std::atomic<const Kernels*> chosen{nullptr};

}  // namespace

const Kernels& kernels() {
    const Kernels* table = chosen.load(std::memory_order_acquire);
    if (!table) {
        const char* wanted = std::getenv("PIXELGAUGE_ISA");
        if (wanted && *wanted) {
            table = choose(wanted, "PIXELGAUGE_ISA");
        } else {
            for (int i = kCandidates - 1; i >= 0; --i)
                if (candidate(i).runs) table = candidate(i).table;
        }
        chosen.store(table, std::memory_order_release);
    }
    return *table;
}

}  // namespace pixelgauge

using pixelgauge::guarded;

extern "C" pg_status pg_isa(const char** name) {
    return guarded([&] {
        pixelgauge::require_given({{"name", name}});
        *name = pixelgauge::kernels().name;
    });
}

extern "C" pg_status pg_set_isa(const char* name) {
    return guarded([&] {
        pixelgauge::require_given({{"name", name}});
        pixelgauge::chosen.store(pixelgauge::choose(name, "name"));
    });
}

extern "C" int pg_has_isa(const char* name) {
    const pixelgauge::Candidate* c = name ? pixelgauge::find(name) : nullptr;
    return c && c->table && c->runs;
}
