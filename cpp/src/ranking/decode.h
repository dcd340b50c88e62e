// Keys back to the scores that they were made of.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "pixelgauge/pixelgauge.h"

namespace pixelgauge {

// Scores as float64 from their keys.
template <class K>
void decode(pg_score_dtype dtype, const K* keys, size_t n, double* scores) {
    const auto each = [&](auto f) {
        for (size_t i = 0; i < n; ++i) scores[i] = f(keys[i]);
    };
    const auto float32_of_bits = [](uint32_t bits) {
        float value;
        std::memcpy(&value, &bits, sizeof value);
        return static_cast<double>(value);
    };
    // keys of negative numbers are their bits reversed
    const auto bits32 = [](uint32_t key) { return key ^ (static_cast<uint32_t>(static_cast<int32_t>(~key) >> 31) | 0x80000000u); };
    const auto bits16 = [](K key) { return static_cast<uint32_t>(key & 0x8000 ? key ^ 0x8000 : ~key & 0xffff); };
    switch (dtype) {
        case PG_SCORE_UINT8:
        case PG_SCORE_UINT16:
        case PG_SCORE_UINT32:
        case PG_SCORE_UINT64:
            return each([](K key) { return static_cast<double>(key); });
        case PG_SCORE_INT8:
        case PG_SCORE_INT16:
            return each([](K key) { return static_cast<double>(static_cast<int64_t>(key) - 0x8000); });
        case PG_SCORE_INT32:
            return each([](K key) { return static_cast<double>(static_cast<int64_t>(key) - (int64_t{1} << 31)); });
        case PG_SCORE_INT64:
            return each([](K key) { return static_cast<double>(static_cast<int64_t>(static_cast<uint64_t>(key) ^ (uint64_t{1} << 63))); });
        case PG_SCORE_FLOAT16:
            return each([&](K key) {
                const uint32_t b = bits16(key), exponent = b >> 10 & 31, fraction = b & 1023;
                const double magnitude = exponent == 31  ? HUGE_VAL
                                         : exponent == 0 ? std::ldexp(fraction, -24)
                                                         : std::ldexp(1024 + fraction, static_cast<int>(exponent) - 25);
                return b >> 15 ? -magnitude : magnitude;
            });
        case PG_SCORE_BFLOAT16:
            return each([&](K key) { return float32_of_bits(bits16(key) << 16); });
        case PG_SCORE_FLOAT32:
            return each([&](K key) { return float32_of_bits(bits32(static_cast<uint32_t>(key))); });
        case PG_SCORE_FLOAT64:
            return each([](K key) {
                const uint64_t k = static_cast<uint64_t>(key), top = uint64_t{1} << 63, bits = k & top ? k ^ top : ~k;
                double value;
                std::memcpy(&value, &bits, sizeof value);
                return value;
            });
    }
}

}  // namespace pixelgauge
