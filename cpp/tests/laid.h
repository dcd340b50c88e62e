// The same pixels in every layout of images that a program may hold, and the instruction sets to read them with.
#pragma once

#include <pixelgauge/pixelgauge.h>

#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

const char* const kIsas[] = {"baseline", "avx2", "avx512"};

enum Layout {
    kPacked,
    kPlanes,
    kRgbx,
    kXrgb,
    kBgrx,
    kEverySecond,
    kEveryFifth,
    kTurned,
    kBgr,
    kMirrored,
    kMirroredRgbx,
    kUpsideDown,
    kUpsideDownRgbx,
    kDense,
    kDenseRgbx,
    kLayouts
};

// The pixels of a batch once more, in another layout; what lies between them is NaN or noise.
template <class T>
struct Laid {
    std::vector<T> values;
    pg_images images{};

    Laid(const std::vector<T>& pixels, pg_dtype dtype, Layout layout, int64_t count, int64_t height, int64_t width, int64_t channels) {
        const bool among_more = layout == kRgbx || layout == kXrgb || layout == kBgrx || layout == kMirroredRgbx ||
                                layout == kUpsideDownRgbx || layout == kDenseRgbx;
        const bool backwards = layout == kBgrx || layout == kBgr;
        const int64_t slots = among_more               ? channels + 1
                              : layout == kPlanes      ? 1
                              : layout == kEverySecond ? 2 * channels
                              : layout == kEveryFifth  ? 5 * channels
                                                       : channels;
        const int64_t planes = layout == kPlanes ? channels : 1, first = layout == kXrgb ? 1 : backwards ? channels - 1 : 0;
        const bool dense = layout == kDense || layout == kDenseRgbx;
        int64_t column = slots, row = width * slots + (dense ? 0 : 3), plane = height * row,
                channel = layout == kPlanes ? plane
                          : backwards       ? -1
                                            : 1;
        values.assign(static_cast<size_t>(count * planes * plane), T(77));
        if (std::is_floating_point<T>::value) values.assign(values.size(), std::numeric_limits<T>::quiet_NaN());
        int64_t origin = first;
        if (layout == kTurned || layout == kUpsideDown || layout == kUpsideDownRgbx) {
            origin += (height - 1) * row;
            row = -row;
        }
        if (layout == kTurned || layout == kMirrored || layout == kMirroredRgbx) {
            origin += (width - 1) * column;
            column = -column;
        }
        const int64_t image = planes * plane;
        for (int64_t n = 0, i = 0; n < count; ++n)
            for (int64_t r = 0; r < height; ++r)
                for (int64_t k = 0; k < width; ++k)
                    for (int64_t c = 0; c < channels; ++c, ++i)
                        values[static_cast<size_t>(origin + n * image + r * row + k * column + c * channel)] =
                            pixels[static_cast<size_t>(i)];
        const int64_t item = sizeof(T);
        images = {values.data() + origin, dtype, count, height, width, channels, image * item, row * item, column * item, channel * item};
    }
};
