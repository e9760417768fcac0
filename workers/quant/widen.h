// Weights of any source type as floats.
#pragma once

#include <cstring>

#include "workers/quant/codec.h"
#include "workers/quant/half.h"
#include "workers/quant/lanes/lane_function.h"

namespace quantd::quant {

constexpr int64_t BytesOf(WeightType type) { return type == WeightType::kF32 ? 4 : 2; }

// weights[first … first + count) as floats. Exact: every F16 and BF16 value is a float. Always inlined, so
// that its loops are compiled for the caller's target.
QUANTD_LANE void Widen(const WeightRows& weights, int64_t first, int64_t count, float* to) {
  const auto* from16 = static_cast<const uint16_t*>(weights.data) + first;
  switch (weights.type) {
    case WeightType::kF32:
      std::memcpy(to, static_cast<const float*>(weights.data) + first,
                  static_cast<size_t>(count) * sizeof(float));
      return;
    case WeightType::kF16:
      for (int64_t i = 0; i < count; ++i) to[i] = HalfToFloat(from16[i]);
      return;
    case WeightType::kBf16:
      for (int64_t i = 0; i < count; ++i) to[i] = Bf16ToFloat(from16[i]);
      return;
  }
}

}  // namespace quantd::quant
