// Scales and biases in the model's type.
#include <cstdint>
#include <cstring>

#include "workers/quant/codec.h"
#include "workers/quant/half.h"
#include "workers/quant/lanes/even_odd-inl.h"
#include "workers/quant/lanes/half-inl.h"
#include "workers/quant/widen.h"

#if defined(QUANTD_MLX_STORED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_MLX_STORED_INL_H_
#undef QUANTD_MLX_STORED_INL_H_
#else
#define QUANTD_MLX_STORED_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// Writes the first `count` lanes.
inline void StoreNarrowed(WeightType type, Lanes::Float values, int count, std::byte* to) {
  if (type == WeightType::kF32) {
    alignas(64) float floats[Lanes::kCount];
    Lanes::Store(values, floats);
    std::memcpy(to, floats, static_cast<size_t>(count) * sizeof(float));
  } else {
    uint16_t halves[Lanes::kCount];
    StoreHalves(type == WeightType::kF16 ? ToHalf<Lanes>(values) : ToBf16<Lanes>(values), halves);
    std::memcpy(to, halves, static_cast<size_t>(count) * sizeof(uint16_t));
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
