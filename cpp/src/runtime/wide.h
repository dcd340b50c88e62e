// Wide: unsigned integers of 128 bits, for counts of pairs and their squares. The compiler's own where it has them; else two
// words with the few operations that ranking takes (PIXELGAUGE_WIDE_OF_WORDS chooses them, and a test runs on them).
#pragma once

#include <cstdint>

namespace pixelgauge {

#if defined(__SIZEOF_INT128__) && !defined(PIXELGAUGE_WIDE_OF_WORDS)

__extension__ using Wide = unsigned __int128;

inline uint64_t low_word(Wide x) { return static_cast<uint64_t>(x); }
inline uint64_t high_word(Wide x) { return static_cast<uint64_t>(x >> 64); }

#else

class Wide {
  public:
    constexpr Wide() = default;
    constexpr Wide(uint64_t low, uint64_t high = 0) : low_(low), high_(high) {}  // NOLINT: as integers convert

    Wide& operator+=(Wide other) {
        low_ += other.low_;
        high_ += other.high_ + (low_ < other.low_);
        return *this;
    }
    Wide& operator-=(Wide other) {
        high_ -= other.high_ + (low_ < other.low_);
        low_ -= other.low_;
        return *this;
    }
    friend Wide operator+(Wide a, Wide b) { return a += b; }
    friend Wide operator-(Wide a, Wide b) { return a -= b; }
    friend Wide operator*(Wide a, Wide b) {
        Wide product = of_words(a.low_, b.low_);
        product.high_ += a.low_ * b.high_ + a.high_ * b.low_;
        return product;
    }
    friend bool operator==(Wide a, Wide b) { return a.low_ == b.low_ && a.high_ == b.high_; }

    friend uint64_t low_word(Wide x) { return x.low_; }
    friend uint64_t high_word(Wide x) { return x.high_; }

  private:
    // By halves of 32 bits.
    static Wide of_words(uint64_t a, uint64_t b) {
        constexpr uint64_t half = 0xffffffffu;
        const uint64_t a0 = a & half, a1 = a >> 32, b0 = b & half, b1 = b >> 32;
        const uint64_t middle = a1 * b0 + ((a0 * b0) >> 32), other = a0 * b1 + (middle & half);
        return {((a0 * b0) & half) | (other << 32), a1 * b1 + (middle >> 32) + (other >> 32)};
    }

    uint64_t low_ = 0, high_ = 0;
};

#endif

}  // namespace pixelgauge
