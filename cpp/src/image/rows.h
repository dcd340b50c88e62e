// Reading images where they lie: validation of a pg_images, and rows of it as contiguous elements.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/table.h"
#include "pixelgauge/pixelgauge.h"
#include "runtime/status.h"

namespace pixelgauge {

int64_t element_bytes(pg_dtype dtype);

void require_images(const pg_images* images, const char* name);
void require_pair(const pg_images* x, const pg_images* y);

// One image of a batch, as a batch of one.
pg_images image_of(const pg_images& images, int64_t index);

// Channels [channel, channel + channels) of one image of a batch.
struct View {
    const char* data;
    pg_dtype dtype;
    int64_t height, width, channels;
    int64_t row_stride, column_stride, channel_stride;
    const char* begin;  // lowest byte of the image
    const char* end;    // one past its highest

    View(const pg_images& images, int64_t index, int64_t channel, int64_t channel_count);
};

// How a position outside [0, n) is brought back in. None: it never is outside.
enum class Border { None, Mirror, Repeat };
int64_t inside(int64_t i, int64_t n, Border border);

// The elements of a pixel if three channels are the first of four, else the channels.
int64_t slots_of(const View& view);

// Rows of a view as contiguous interleaved elements, in place where the layout allows, else copied into a buffer.
class RowReader {
  public:
    // Pixels [first, first + count) of a row, readable `slack` elements beyond. Each has its channels, or `slots` elements: its channels
    // and what lies after them.
    RowReader(const View& view, int64_t first, int64_t count, int64_t slack, Border border, int64_t slots = 0);
    const void* row(int64_t r);
    // The first of the bytes that a row will read, and their number.
    const char* first_of(int64_t r) const;
    int64_t read() const { return interior_ * std::abs(view_.column_stride); }
    // Asks for them.
    void prefetch(int64_t r) const;

  private:
    void find_groups();
    template <class Element>
    void copy(const char* row, const char* interior, Element* out) const;
    template <class Element>
    void copy_interior(const char* interior, Element* to) const;

    const View& view_;
    int64_t first_, count_, slots_, slack_bytes_, bytes_;
    int64_t left_, interior_;  // pixels before the image, and inside it
    Border border_;
    bool packed_;
    PixelBytes group_{};    // of pixels that lie within 16 bytes, if `step` is not 0
    int64_t of_group_ = 0;  // its pixels
    int64_t lowest_ = 0;    // from its first pixel's first channel
    std::vector<char> buffer_;
};

// Smallest and largest value of rows, read where they lie in whatever order.
class RowRanges {
  public:
    explicit RowRanges(const View& view);
    // Widens the bounds by rows [first, last); the first of them that holds NaN or infinity, or -1.
    int64_t add(int64_t first, int64_t last, double& low, double& high);

  private:
    const View& view_;
    RowReader reader_;
    bool planes_, dense_;        // rows of each channel, or of all, have nothing between their elements
    uint32_t used_of_four_ = 0;  // where pixels have four elements of which these are channels
    int64_t lowest_;             // of a row, from its first pixel's first channel
};

// Smallest and largest value of an image, and its first row that holds NaN or infinity, or -1.
struct ImageRange {
    double low = HUGE_VAL, high = -HUGE_VAL;
    int64_t not_finite = -1;
};
std::vector<ImageRange> image_ranges(const pg_images& images);

// What an error says of the images of a batch: their argument, how its sentence begins, and what to do.
struct ImagesInMessages {
    const char *argument, *subject, *remedy;
};
inline constexpr ImagesInMessages kOfX{"x", "x: ", "remove or replace such values first"},
    kOfY{"y", "y: ", "remove or replace such values first"};

Fault not_finite(const ImagesInMessages& said, int64_t image, int64_t row);

}  // namespace pixelgauge
