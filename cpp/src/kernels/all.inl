// Every kernel and the table that lists them: an ISA unit includes this inside its own namespace.
#include "vec.h"

// Written on Vec<T>:
#include "gaussian.inl"
#include "gemm.inl"
#include "halves.inl"
#include "lpips_layer.inl"
#include "near.inl"
#include "pack.inl"
#include "pixel_error.inl"
#include "pixel_error_integers.inl"
#include "range.inl"
#include "ranking_keys.inl"
#include "ranking_ranks.inl"
#include "ranking_scatter.inl"
#include "ranking_table.inl"
#include "resize.inl"
#include "ssim.inl"
#include "ssim_slide.inl"
#include "ssim_stage.inl"
#include "sums.inl"
#include "winograd.inl"

template <class T>
constexpr SsimKernels<T> ssim_kernels() {
    SsimKernels<T> k{kSsimGroup,
                     Vec<T>::lanes,
                     {ssim_stage<T, uint8_t>, ssim_stage<T, uint16_t>, ssim_stage<T, float>, ssim_stage<T, double>},
                     {ssim_block<T, 11, false>, ssim_block<T, 11, true>},
                     {ssim_block<T, 7, false>, ssim_block<T, 7, true>},
                     {ssim_block_any<T, false>, ssim_block_any<T, true>},
                     ssim_many<T, 11>,
                     {nullptr, nullptr},
                     ssim_moments<T>};
    if constexpr (sizeof(T) == sizeof(float)) {
        k.slide[0] = ssim_slide<false>;
        k.slide[1] = ssim_slide<true>;
    }
    return k;
}

constexpr Kernels table(const char* name) {
    return {name,
            ssim_kernels<float>(),
            ssim_kernels<double>(),
            {integer_error<uint8_t, false>, integer_error<uint16_t, false>, pixel_error<float, false>, pixel_error<double, false>},
            {integer_error<uint8_t, true>, integer_error<uint16_t, true>, pixel_error<float, true>, pixel_error<double, true>},
            kErrorColumns,
            pack_pixels,
            {halves<uint8_t>, halves<uint16_t>, halves<float>, halves<double>},
            {value_range<uint8_t>, value_range<uint16_t>, value_range<float>, value_range<double>},
            {resize_columns<uint8_t>, resize_columns<uint16_t>, resize_columns<float>, resize_columns<double>},
            resize_rows,
            Vec<float>::lanes,
            kPickReach,
            gemm_kernels<float>(),
            gemm_kernels<double>(),
            add_doubled,
            add_rows<float>,
            add_rows<double>,
            near_row<float>,
            near_row<double>,
            squared_distance<float, float>,
            squared_distance<double, double>,
            squared_distance<float, double>,
            gaussian_row,
            gaussian_rest,
            ranking_kernels(),
            winograd_kernels(),
            lpips_layer,
            kUnitVecs * Vec<float>::lanes};
}
