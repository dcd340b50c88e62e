// Pixels of a Pillow image, which keeps RGB as four bytes, out of what it exports by the Arrow C data interface.
#include <cstring>

#include "bindings.h"

namespace {

// The two structures of the interface, whose layout is fixed for good: https://arrow.apache.org/docs/format/CDataInterface.html
struct ArrowSchema {
    const char* format;
    const char* name;
    const char* metadata;
    int64_t flags, n_children;
    ArrowSchema** children;
    ArrowSchema* dictionary;
    void (*release)(ArrowSchema*);
    void* private_data;
};

struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void** buffers;
    ArrowArray** children;
    ArrowArray* dictionary;
    void (*release)(ArrowArray*);
    void* private_data;
};

// The bytes of a list of four bytes for each of so many pixels; NULL for any other layout.
const uint8_t* four_bytes_each(const ArrowSchema& schema, const ArrowArray& array, int64_t pixels) {
    if (!schema.release || !array.release || !schema.format || std::strcmp(schema.format, "+w:4") != 0) return nullptr;
    if (schema.n_children != 1 || array.n_children != 1 || array.length != pixels || array.offset != 0 || array.null_count > 0)
        return nullptr;
    const ArrowSchema& of = *schema.children[0];
    const ArrowArray& bytes = *array.children[0];
    if (!of.format || std::strcmp(of.format, "C") != 0 || bytes.offset != 0 || bytes.null_count > 0) return nullptr;
    if (bytes.length != 4 * pixels || bytes.n_buffers != 2) return nullptr;
    return static_cast<const uint8_t*>(bytes.buffers[1]);
}

// Three of every four bytes: two words of two pixels each are twelve bytes.
void drop_fourth(const uint8_t* from, int64_t pixels, uint8_t* to) {
    int64_t i = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    constexpr uint64_t kPixel = 0xffffff;
    for (; i + 4 <= pixels; i += 4, from += 16, to += 12) {
        uint64_t a, b;
        std::memcpy(&a, from, 8);
        std::memcpy(&b, from + 8, 8);
        const uint64_t first = (a & kPixel) | (a >> 32 & kPixel) << 24 | b << 48;
        const uint32_t rest = static_cast<uint32_t>((b >> 16 & 0xff) | (b >> 32 & kPixel) << 8);
        std::memcpy(to, &first, 8);
        std::memcpy(to + 8, &rest, 4);
    }
#endif
    for (; i < pixels; ++i, from += 4, to += 3) std::memcpy(to, from, 3);
}

// Fills a (height, width, 3) array; false where the export is laid out otherwise.
bool rgb_of_arrow(const py::capsule& schema, const py::capsule& array, py::array_t<uint8_t, py::array::c_style> out) {
    if (out.ndim() != 3 || out.shape(2) != 3) throw wrong_value("out", "must have the shape (height, width, 3)");
    const auto* described = static_cast<const ArrowSchema*>(PyCapsule_GetPointer(schema.ptr(), "arrow_schema"));
    const auto* exported = described ? static_cast<const ArrowArray*>(PyCapsule_GetPointer(array.ptr(), "arrow_array")) : nullptr;
    if (!exported) throw py::error_already_set();
    const int64_t pixels = out.shape(0) * out.shape(1);
    const uint8_t* from = four_bytes_each(*described, *exported, pixels);
    if (!from) return false;
    uint8_t* to = out.mutable_data();
    const py::gil_scoped_release release;
    drop_fourth(from, pixels, to);
    return true;
}

}  // namespace

void register_pictures(py::module_& m) {
    m.def("rgb_of_arrow", &rgb_of_arrow, py::arg("schema"), py::arg("array"), py::arg("out").noconvert());
}
