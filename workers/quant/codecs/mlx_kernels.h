// One CPU target's kernels of an MLX codec.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "workers/quant/codec.h"

namespace quantd::quant {

// `group` weights share a scale; `stored` is the model's type.
struct MlxAffineKernels {
  void (*encode)(const WeightRows& weights, int group, WeightType stored, std::span<std::byte* const> planes);
  void (*decode)(std::span<const std::byte* const> planes, int64_t groups, int group, WeightType stored,
                 float* weights);
};

struct MlxFloatKernels {
  void (*encode)(const WeightRows& weights, WeightType model_type, std::span<std::byte* const> planes);
  void (*decode)(std::span<const std::byte* const> planes, int64_t groups, float* weights);
};

// As codecs' names have it.
constexpr const char* NameOf(WeightType type) {
  return type == WeightType::kF16 ? "F16" : type == WeightType::kBf16 ? "BF16" : "F32";
}

}  // namespace quantd::quant
