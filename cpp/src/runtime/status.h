// Errors: inside the core exceptions, at the C ABI a status and a message kept per thread.
#pragma once

#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "pixelgauge/pixelgauge.h"

namespace pixelgauge {

struct Unsupported : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Thrown for what a caller passed: the text names the argument, the value seen and what to do.
struct InvalidArgument : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

// The message is made where it is needed: made for every check, messages took half of a small image's score.
inline void require(bool condition, const char* message) {
    if (!condition) throw InvalidArgument(message);
}
template <class Message, class = decltype(std::declval<Message>()())>
void require(bool condition, Message message) {
    if (!condition) throw InvalidArgument(message());
}

// An enum as it crosses the ABI, a plain integer, is one of 0 to `last`.
void require_choice(int32_t value, int32_t last, const char* name, const char* type);

// A number for a message, with as many digits as it needs, at most six.
std::string short_number(double x);

pg_status set_error(pg_status status, const char* message) noexcept;

// Runs a body that may throw and turns what it throws into a status.
template <class Body>
pg_status guarded(Body body) noexcept {
    try {
        body();
        return PG_OK;
    } catch (const InvalidArgument& e) {
        return set_error(PG_INVALID_ARGUMENT, e.what());
    } catch (const Unsupported& e) {
        return set_error(PG_UNSUPPORTED, e.what());
    } catch (const std::bad_alloc&) {
        return set_error(PG_OUT_OF_MEMORY, "out of memory");
    } catch (const std::length_error&) {  // more than a container can count
        return set_error(PG_OUT_OF_MEMORY, "out of memory");
    } catch (const std::exception& e) {
        return set_error(PG_INTERNAL, e.what());
    } catch (...) {
        return set_error(PG_INTERNAL, "unknown failure");
    }
}

}  // namespace pixelgauge
