#include "workers/quant/codecs/scale_search.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "workers/quant/rounding.h"

namespace quantd::quant {
namespace {

// The weight of largest magnitude, with its sign; the first one where several are as large.
float SignedPeak(std::span<const float> weights) {
  float magnitude = 0.0f, peak = 0.0f;
  for (float weight : weights) {
    if (std::fabs(weight) > magnitude) {
      magnitude = std::fabs(weight);
      peak = weight;
    }
  }
  return peak;
}

// Sums of the least-squares fit of one scale: scale = weight_level / level_level.
struct Fit {
  float weight_level = 0.0f;
  float level_level = 0.0f;
};

Fit FitLevels(std::span<const float> weights, float inverse_scale, int half_range) {
  Fit fit;
  for (float weight : weights) {
    const float level =
        static_cast<float>(Clamp(NearestInt(inverse_scale * weight), -half_range, half_range - 1));
    const float importance = weight * weight;
    fit.weight_level += importance * weight * level;
    fit.level_level += importance * level * level;
  }
  return fit;
}

}  // namespace

float SearchSymmetricScale(std::span<const float> weights, int half_range, int8_t* levels) {
  const float peak = SignedPeak(weights);
  if (std::fabs(peak) < kNegligible) {
    std::memset(levels, 0, weights.size());
    return 0.0f;
  }
  float best_inverse = static_cast<float>(-half_range) / peak;
  Fit fit = FitLevels(weights, best_inverse, half_range);
  float scale = fit.level_level != 0.0f ? fit.weight_level / fit.level_level : 0.0f;
  float best = scale * fit.weight_level;
  for (int step = -9; step <= 9; ++step) {
    if (step == 0) continue;
    const float inverse = -(static_cast<float>(half_range) + 0.1f * static_cast<float>(step)) / peak;
    fit = FitLevels(weights, inverse, half_range);
    if (fit.level_level > 0.0f && fit.weight_level * fit.weight_level > best * fit.level_level) {
      best_inverse = inverse;
      scale = fit.weight_level / fit.level_level;
      best = scale * fit.weight_level;
    }
  }
  for (size_t i = 0; i < weights.size(); ++i) {
    const int level = Clamp(NearestInt(best_inverse * weights[i]), -half_range, half_range - 1);
    levels[i] = static_cast<int8_t>(level + half_range);
  }
  return scale;
}

float RefineSymmetricLevels(std::span<const float> weights, int half_range, int8_t* levels) {
  const float peak = SignedPeak(weights);
  if (std::fabs(peak) < kNegligible) {
    std::memset(levels, 0, weights.size());
    return 0.0f;
  }
  const float inverse = static_cast<float>(-half_range) / peak;
  Fit fit = FitLevels(weights, inverse, half_range);
  for (size_t i = 0; i < weights.size(); ++i) {
    levels[i] = static_cast<int8_t>(Clamp(NearestInt(inverse * weights[i]), -half_range, half_range - 1));
  }
  constexpr int kMostRounds = 5;
  for (int round = 0; round < kMostRounds; ++round) {
    bool changed = false;
    for (size_t i = 0; i < weights.size(); ++i) {
      const float weight = weights[i];
      const float importance = weight * weight;
      const float level = static_cast<float>(levels[i]);
      // The fit without this weight tells the level that suits it best.
      float weight_level = fit.weight_level - importance * weight * level;
      if (!(weight_level > 0.0f)) continue;
      float level_level = fit.level_level - importance * level * level;
      const int moved = Clamp(NearestInt(weight * level_level / weight_level), -half_range, half_range - 1);
      if (moved == levels[i]) continue;
      weight_level += importance * weight * static_cast<float>(moved);
      level_level += importance * static_cast<float>(moved) * static_cast<float>(moved);
      if (level_level > 0.0f &&
          weight_level * weight_level * fit.level_level > fit.weight_level * fit.weight_level * level_level) {
        levels[i] = static_cast<int8_t>(moved);
        fit = {weight_level, level_level};
        changed = true;
      }
    }
    if (!changed) break;
  }
  for (size_t i = 0; i < weights.size(); ++i) levels[i] = static_cast<int8_t>(levels[i] + half_range);
  return fit.level_level > 0.0f ? fit.weight_level / fit.level_level : 0.0f;
}

ScaleAndMinimum SearchScaleAndMinimum(std::span<const float> weights, const float* importance,
                                      const ScaleGrid& grid, uint8_t* levels) {
  const int count = static_cast<int>(weights.size());
  float low = weights[0], high = weights[0];
  float sum_w = importance[0];
  float sum_x = sum_w * weights[0];
  for (int i = 1; i < count; ++i) {
    low = weights[i] < low ? weights[i] : low;
    high = weights[i] > high ? weights[i] : high;
    sum_w += importance[i];
    sum_x += importance[i] * weights[i];
  }
  if (low > 0.0f) low = 0.0f;
  if (high == low) {
    std::memset(levels, 0, weights.size());
    return {0.0f, -low};
  }
  const auto cost = [&](float difference) {
    return grid.norm == ErrorNorm::kAbsolute ? std::fabs(difference) : difference * difference;
  };
  const float top = static_cast<float>(grid.top_level);
  const float first_inverse = top / (high - low);
  float scale = 1.0f / first_inverse;
  float best = 0.0f;
  for (int i = 0; i < count; ++i) {
    levels[i] =
        static_cast<uint8_t>(Clamp(NearestInt(first_inverse * (weights[i] - low)), 0, grid.top_level));
    best += importance[i] * cost(scale * static_cast<float>(levels[i]) + low - weights[i]);
  }
  for (int step = 0; step <= grid.steps; ++step) {
    // `low` moves when a candidate wins: later candidates are spread and rounded from the new minimum.
    const float inverse = (grid.first + grid.step * static_cast<float>(step) + top) / (high - low);
    uint8_t candidate[32];
    float sum_l = 0.0f, sum_l2 = 0.0f, sum_xl = 0.0f;
    for (int i = 0; i < count; ++i) {
      const int level = Clamp(NearestInt(inverse * (weights[i] - low)), 0, grid.top_level);
      candidate[i] = static_cast<uint8_t>(level);
      const float l = static_cast<float>(level);
      sum_l += importance[i] * l;
      sum_l2 += importance[i] * l * l;
      sum_xl += importance[i] * l * weights[i];
    }
    const float determinant = sum_w * sum_l2 - sum_l * sum_l;
    if (!(determinant > 0.0f)) continue;
    float fitted_scale = (sum_w * sum_xl - sum_x * sum_l) / determinant;
    float fitted_low = (sum_l2 * sum_x - sum_l * sum_xl) / determinant;
    if (fitted_low > 0.0f) {
      fitted_low = 0.0f;
      fitted_scale = sum_xl / sum_l2;
    }
    float error = 0.0f;
    for (int i = 0; i < count; ++i) {
      error +=
          importance[i] * cost(fitted_scale * static_cast<float>(candidate[i]) + fitted_low - weights[i]);
    }
    if (error < best) {
      std::memcpy(levels, candidate, weights.size());
      best = error;
      scale = fitted_scale;
      low = fitted_low;
    }
  }
  return {scale, -low};
}

}  // namespace quantd::quant
