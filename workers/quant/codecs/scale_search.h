// The searches behind the K-quants: for one sub-block, the scale (and minimum) whose rounded levels have the
// least weighted squared error. They follow ggml's make_qx_quants, make_q3_quants and make_qkx2_quants
// (src/ggml-quants.c) operation by operation: the order of every float sum is part of the result.
#pragma once

#include <cstdint>
#include <span>

namespace quantd::quant {

// Sub-blocks whose largest magnitude is below this are all zero.
inline constexpr float kNegligible = 1e-15f;

// Finds `scale` with weights ≈ scale * level, level in [-half_range, half_range); an error counts as much as
// its weight's square. Writes level + half_range. Q6_K's search.
float SearchSymmetricScale(std::span<const float> weights, int half_range, int8_t* levels);

// The same by coordinate descent: after a first guess, each level in turn moves where the fit is best. Q3_K's
// search.
float RefineSymmetricLevels(std::span<const float> weights, int half_range, int8_t* levels);

// How a candidate's error is summed: weight * |difference| or weight * difference².
enum class ErrorNorm { kAbsolute, kSquared };

struct ScaleGrid {
  int top_level;  // levels are 0…top_level
  float first;    // candidates: (top_level + first + step * i) / (max - min), i = 0…steps
  float step;
  int steps;
  ErrorNorm norm;
};

struct ScaleAndMinimum {
  float scale;
  float minimum;  // ≥ 0: weights ≈ scale * level - minimum
};

// Grid search with a least-squares fit of scale and minimum for each candidate. `importance` has one positive
// factor per weight. At most 32 weights. Q2_K's, Q4_K's and Q5_K's search.
ScaleAndMinimum SearchScaleAndMinimum(std::span<const float> weights, const float* importance,
                                      const ScaleGrid& grid, uint8_t* levels);

}  // namespace quantd::quant
