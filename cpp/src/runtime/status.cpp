#include "runtime/status.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

namespace pixelgauge {

namespace {

// Room for one part of an error: text that does not fit loses its end, at the edge of a character of UTF-8.
template <size_t kBytes>
class Text {
  public:
    const char* c_str() const { return bytes_; }
    size_t size() const { return size_; }

    void clear() {
        size_ = 0;
        bytes_[0] = '\0';
    }
    Text& operator<<(std::string_view text) {
        size_t n = std::min(text.size(), kBytes - 1 - size_);
        if (n < text.size())
            while (n > 0 && (text[n] & 0xc0) == 0x80) --n;
        std::memcpy(bytes_ + size_, text.data(), n);
        size_ += n;
        bytes_[size_] = '\0';
        return *this;
    }

  private:
    char bytes_[kBytes] = "";
    size_t size_ = 0;
};

constexpr size_t kArgument = 64, kValue = 192, kSentence = 512;

struct LastError {
    pg_status status = PG_OK;
    pg_error_kind kind = PG_ERROR_NONE;
    Text<kArgument> argument;
    Text<kValue> value;
    Text<kSentence> problem, remedy;
    Text<kArgument + kValue + 2 * kSentence + 4> message;  // "=", " " and ": " between the parts: all of them fit
    int64_t image = -1, row = -1, column = -1, required = -1;

    void set(pg_status new_status, pg_error_kind new_kind, std::string_view new_argument, std::string_view new_value,
             std::string_view new_problem, std::string_view new_remedy) {
        status = new_status;
        kind = new_kind;
        argument.clear();
        value.clear();
        problem.clear();
        remedy.clear();
        message.clear();
        argument << new_argument;
        value << new_value;
        problem << new_problem;
        remedy << new_remedy;
        if (value.size()) message << argument.c_str() << "=" << value.c_str() << " ";
        message << problem.c_str();
        if (remedy.size()) message << ": " << remedy.c_str();
        image = row = column = required = -1;
    }
};

thread_local LastError error_of_thread;

}  // namespace

Fault::Fault(pg_error_kind what, std::string of, std::string shown, std::string wrong, std::string advice)
    : kind(what), argument(std::move(of)), value(std::move(shown)), problem(std::move(wrong)), remedy(std::move(advice)) {}

Fault& Fault::in_image(int64_t index) {
    image = index;
    return *this;
}
Fault& Fault::in_row(int64_t index) {
    row = index;
    return *this;
}
Fault& Fault::in_column(int64_t index) {
    column = index;
    return *this;
}
Fault& Fault::needing(int64_t size) {
    required = size;
    return *this;
}

void require_given(std::initializer_list<Given> pointers) {
    for (const Given& given : pointers)
        require(given.pointer != nullptr, [&] { return Fault(PG_ERROR_MISSING, given.name, "", std::string(given.name) + " is NULL"); });
}

void require_choice(int32_t value, int32_t last, const char* name, const char* type) {
    require(value >= 0 && value <= last, [&] {
        return Fault(PG_ERROR_VALUE, name, std::to_string(value), std::string("is not a ") + type, "use 0 to " + std::to_string(last));
    });
}

std::string short_number(double x) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", x);
    return text;
}

pg_status set_error(pg_status status, const Fault& fault) noexcept {
    LastError& error = error_of_thread;
    error.set(status, fault.kind, fault.argument, fault.value, fault.problem, fault.remedy);
    error.image = fault.image;
    error.row = fault.row;
    error.column = fault.column;
    error.required = fault.required;
    return status;
}

pg_status set_error(pg_status status, pg_error_kind kind, const char* problem) noexcept {
    error_of_thread.set(status, kind, "", "", problem, "");
    return status;
}

}  // namespace pixelgauge

extern "C" const char* pg_last_error(void) { return pixelgauge::error_of_thread.message.c_str(); }

extern "C" void pg_error_info(pg_error* info) {
    if (!info) return;
    const pixelgauge::LastError& e = pixelgauge::error_of_thread;
    *info = {e.status, e.kind, e.argument.c_str(), e.value.c_str(), e.problem.c_str(), e.remedy.c_str(),
             e.image,  e.row,  e.column,           e.required};
}

extern "C" const char* pg_version(void) { return PIXELGAUGE_VERSION; }
