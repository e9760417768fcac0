// Scales and biases in the model's type.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "workers/quant/codec.h"
#include "workers/quant/half.h"
#include "workers/quant/lanes/half-inl.h"
#include "workers/quant/lanes/lanes-inl.h"
#include "workers/quant/widen.h"

#if defined(QUANTD_MLX_STORED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_MLX_STORED_INL_H_
#undef QUANTD_MLX_STORED_INL_H_
#else
#define QUANTD_MLX_STORED_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// All lanes.
inline void StoreNarrowed(WeightType type, Lanes::Float values, std::byte* to) {
  if (type == WeightType::kF32) {
    alignas(64) float floats[Lanes::kCount];
    Lanes::Store(values, floats);
    std::memcpy(to, floats, sizeof(floats));
  } else {
    alignas(64) uint32_t narrowed[Lanes::kCount];
    Lanes::Store(type == WeightType::kF16 ? ToHalf<Lanes>(values) : ToBf16<Lanes>(values), narrowed);
    uint16_t halves[Lanes::kCount];
    std::copy_n(narrowed, Lanes::kCount, halves);
    std::memcpy(to, halves, sizeof(halves));
  }
}

// Number `index` of a plane.
inline float Widened(WeightType type, const std::byte* plane, int64_t index) {
  if (type == WeightType::kF32) return reinterpret_cast<const float*>(plane)[index];
  const uint16_t stored = reinterpret_cast<const uint16_t*>(plane)[index];
  return type == WeightType::kF16 ? HalfToFloat(stored) : Bf16ToFloat(stored);
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
