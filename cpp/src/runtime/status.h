// Errors: inside the core exceptions with parts, at the C ABI a status and the parts of the thread's last failure.
#pragma once

#include <exception>
#include <initializer_list>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "pixelgauge/pixelgauge.h"

namespace pixelgauge {

// What is wrong, in the parts of pg_error. With a value the problem is the rest of a sentence that begins `argument=value`, else
// a whole one.
struct Fault {
    pg_error_kind kind;
    std::string argument, value, problem, remedy;
    int64_t image = -1, row = -1, column = -1, required = -1;

    Fault(pg_error_kind kind, std::string argument, std::string value, std::string problem, std::string remedy = "");
    Fault& in_image(int64_t index);
    Fault& in_row(int64_t index);
    Fault& in_column(int64_t index);
    Fault& needing(int64_t size);
};

class Failure : public std::exception {
  public:
    const Fault fault;
    explicit Failure(Fault parts) : fault(std::move(parts)) {}
    const char* what() const noexcept override { return fault.problem.c_str(); }
};

struct Unsupported : Failure {
    using Failure::Failure;
};

// Thrown for what a caller passed.
struct InvalidArgument : Failure {
    using Failure::Failure;
};

// The parts are made where they are needed: made for every check, messages took half of a small image's score.
template <class Describe>
void require(bool condition, Describe describe) {
    if (!condition) throw InvalidArgument(describe());
}

struct Given {
    const char* name;
    const void* pointer;
};
// The first that is NULL is PG_ERROR_MISSING.
void require_given(std::initializer_list<Given> pointers);

// An enum as it crosses the ABI, a plain integer, is one of 0 to `last`.
void require_choice(int32_t value, int32_t last, const char* name, const char* type);

// A number for a message, with as many digits as it needs, at most six.
std::string short_number(double x);

// Keeps the parts for the calling thread, cut to size, without allocating.
pg_status set_error(pg_status status, const Fault& fault) noexcept;
pg_status set_error(pg_status status, pg_error_kind kind, const char* problem) noexcept;

// Runs a body that may throw and turns what it throws into a status.
template <class Body>
pg_status guarded(Body body) noexcept {
    try {
        body();
        return PG_OK;
    } catch (const InvalidArgument& e) {
        return set_error(PG_INVALID_ARGUMENT, e.fault);
    } catch (const Unsupported& e) {
        return set_error(PG_UNSUPPORTED, e.fault);
    } catch (const std::bad_alloc&) {
        return set_error(PG_OUT_OF_MEMORY, PG_ERROR_MEMORY, "out of memory");
    } catch (const std::length_error&) {  // more than a container can count
        return set_error(PG_OUT_OF_MEMORY, PG_ERROR_MEMORY, "out of memory");
    } catch (const std::exception& e) {
        return set_error(PG_INTERNAL, PG_ERROR_INTERNAL, e.what());
    } catch (...) {
        return set_error(PG_INTERNAL, PG_ERROR_INTERNAL, "unknown failure");
    }
}

}  // namespace pixelgauge
