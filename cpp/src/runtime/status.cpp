#include "runtime/status.h"

#include <cstdio>
#include <cstring>
#include <string>

namespace pixelgauge {

namespace {
constexpr size_t kMessageBytes = 512;
thread_local char message_of_thread[kMessageBytes] = "";
}  // namespace

void require_choice(int32_t value, int32_t last, const char* name, const char* type) {
    if (value >= 0 && value <= last) return;
    throw InvalidArgument(std::string(name) + "=" + std::to_string(value) + " is not a " + type + ": use 0 to " + std::to_string(last));
}

std::string short_number(double x) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", x);
    return text;
}

pg_status set_error(pg_status status, const char* message) noexcept {
    std::strncpy(message_of_thread, message, kMessageBytes - 1);
    message_of_thread[kMessageBytes - 1] = '\0';
    return status;
}

}  // namespace pixelgauge

extern "C" const char* pg_last_error(void) { return pixelgauge::message_of_thread; }

extern "C" const char* pg_version(void) { return PIXELGAUGE_VERSION; }
