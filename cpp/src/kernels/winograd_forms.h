// The matrices of Winograd's minimal filtering, F(m, r): m outputs of an r-tap filter along one axis from m + r - 1 products,
// by interpolation at 0, 1, -1, 1/2, -2 and infinity; F(2, 7) at 0, +-1, +-2, +-1/2 and infinity. Those of the input and of
// the output are exact in float32; the filters' is applied in float64. Included, like
// vec.h, inside the namespace of whoever uses it: external linkage would let an ISA unit share them.
#pragma once

template <int M, int R>
struct WinogradForm;

template <>
struct WinogradForm<1, 1> {
    static constexpr int points = 1;
    static constexpr float input[1][1] = {{1}};
    static constexpr float output[1][1] = {{1}};
    static constexpr double filter[1][1] = {{1}};
};

template <>
struct WinogradForm<2, 3> {
    static constexpr int points = 4;
    static constexpr float input[4][4] = {{-1, 0, 1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, -1, 0, 1}};
    static constexpr float output[2][4] = {{1, 1, 1, 0}, {0, 1, -1, 1}};
    static constexpr double filter[4][3] = {{-1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}};
};

template <>
struct WinogradForm<3, 3> {
    static constexpr int points = 5;
    static constexpr float input[5][5] = {
        {.5F, -1, -.5F, 1, 0}, {0, -.5F, .5F, 1, 0}, {0, .5F, -1.5F, 1, 0}, {0, -1, 0, 1, 0}, {0, .5F, -1, -.5F, 1}};
    static constexpr float output[3][5] = {{1, 1, 1, 1, 0}, {0, 1, -1, .5F, 0}, {0, 1, 1, .25F, 1}};
    static constexpr double filter[5][3] = {{2, 0, 0}, {1, 1, 1}, {-1. / 3, 1. / 3, -1. / 3}, {-8. / 3, -4. / 3, -2. / 3}, {0, 0, 1}};
};

// Six points serve m + r = 7 alike.
struct WinogradSix {
    static constexpr int points = 6;
    static constexpr float input[6][6] = {{1, -1.5F, -2, 1.5F, 1, 0}, {0, -1, .5F, 2.5F, 1, 0}, {0, 1, -2.5F, .5F, 1, 0},
                                          {0, -2, -1, 2, 1, 0},       {0, .5F, -1, -.5F, 1, 0}, {0, 1, -1.5F, -2, 1.5F, 1}};
};

template <>
struct WinogradForm<4, 3> : WinogradSix {
    static constexpr float output[4][6] = {{1, 1, 1, 1, 1, 0}, {0, 1, -1, .5F, -2, 0}, {0, 1, 1, .25F, 4, 0}, {0, 1, -1, .125F, -8, 1}};
    static constexpr double filter[6][3] = {
        {1, 0, 0}, {1. / 3, 1. / 3, 1. / 3}, {-1. / 3, 1. / 3, -1. / 3}, {-16. / 15, -8. / 15, -4. / 15}, {1. / 15, -2. / 15, 4. / 15},
        {0, 0, 1}};
};

template <>
struct WinogradForm<2, 5> : WinogradSix {
    static constexpr float output[2][6] = {{1, 1, 1, 1, 1, 0}, {0, 1, -1, .5F, -2, 1}};
    static constexpr double filter[6][5] = {{1, 0, 0, 0, 0},
                                            {1. / 3, 1. / 3, 1. / 3, 1. / 3, 1. / 3},
                                            {-1. / 3, 1. / 3, -1. / 3, 1. / 3, -1. / 3},
                                            {-16. / 15, -8. / 15, -4. / 15, -2. / 15, -1. / 15},
                                            {1. / 15, -2. / 15, 4. / 15, -8. / 15, 16. / 15},
                                            {0, 0, 0, 0, 1}};
};

template <>
struct WinogradForm<2, 7> {
    static constexpr int points = 8;
    static constexpr float input[8][8] = {{-1, 0, 5.25F, 0, -5.25F, 0, 1, 0},      {0, 1, 1, -4.25F, -4.25F, 1, 1, 0},
                                          {0, -1, 1, 4.25F, -4.25F, -1, 1, 0},     {0, .5F, .25F, -2.5F, -1.25F, 2, 1, 0},
                                          {0, -.5F, .25F, 2.5F, -1.25F, -2, 1, 0}, {0, 2, 4, -2.5F, -5, .5F, 1, 0},
                                          {0, -2, 4, 2.5F, -5, -.5F, 1, 0},        {0, -1, 0, 5.25F, 0, -5.25F, 0, 1}};
    static constexpr float output[2][8] = {{1, 1, 1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, .5F, -.5F, 1}};
    static constexpr double filter[8][7] = {{-1, 0, 0, 0, 0, 0, 0},
                                            {-2. / 9, -2. / 9, -2. / 9, -2. / 9, -2. / 9, -2. / 9, -2. / 9},
                                            {-2. / 9, 2. / 9, -2. / 9, 2. / 9, -2. / 9, 2. / 9, -2. / 9},
                                            {1. / 90, 1. / 45, 2. / 45, 4. / 45, 8. / 45, 16. / 45, 32. / 45},
                                            {1. / 90, -1. / 45, 2. / 45, -4. / 45, 8. / 45, -16. / 45, 32. / 45},
                                            {32. / 45, 16. / 45, 8. / 45, 4. / 45, 2. / 45, 1. / 45, 1. / 90},
                                            {32. / 45, -16. / 45, 8. / 45, -4. / 45, 2. / 45, -1. / 45, 1. / 90},
                                            {0, 0, 0, 0, 0, 0, 1}};
};
