// Ranking: the table of its kernels.

template <class K, class Signed, K Top, K Infinity>
constexpr PlacementKernels<K> placement_kernels() {
    return {scatter<K, same_keys<K>>,
            {scatter<K, integer_keys<K, K, 0>>, scatter<K, integer_keys<K, Signed, Top>>, scatter<K, float_keys<K, Infinity>>},
            key_bounds<K>,
            rank_sum<K>,
            count_ranks<K>};
}

constexpr RankingKernels ranking_kernels() {
    return {{integer_keys<uint16_t, uint8_t, 0>, integer_keys<uint16_t, int8_t, 0x8000>, integer_keys<uint16_t, uint16_t, 0>,
             integer_keys<uint16_t, int16_t, 0x8000>, float_keys<uint16_t, 0x7c00>, float_keys<uint16_t, 0x7f80>},
            {nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, integer_keys<uint32_t, uint32_t, 0>,
             integer_keys<uint32_t, int32_t, 0x80000000u>, float_keys<uint32_t, 0x7f800000u>},
            {nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, integer_keys<uint64_t, uint64_t, 0>,
             integer_keys<uint64_t, int64_t, 0x8000000000000000u>, float_keys<uint64_t, 0x7ff0000000000000u>},
            histogram16,
            histogram8,
            start_cells,
            occupied,
            select_points,
            curve_rates,
            {label_bits<uint8_t>, label_bits<uint16_t>, label_bits<uint32_t>, label_bits<uint64_t>},
            placement_kernels<uint32_t, int32_t, 0x80000000u, 0x7f800000u>(),
            placement_kernels<uint64_t, int64_t, 0x8000000000000000u, 0x7ff0000000000000u>()};
}
