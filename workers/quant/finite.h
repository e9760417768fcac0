// The check that rides along in the loader: weights must be finite.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace quantd::quant {

// Index of the first NaN or infinity, or nothing.
inline std::optional<size_t> FirstNonFinite(std::span<const float> weights) {
  const auto is_finite = [](float weight) {
    return (std::bit_cast<uint32_t>(weight) & 0x7f800000u) != 0x7f800000u;
  };
  // Chunks without an early exit vectorise; only a chunk that holds a bad weight is searched.
  constexpr size_t kChunk = 4096;
  for (size_t begin = 0; begin < weights.size(); begin += kChunk) {
    std::span<const float> chunk = weights.subspan(begin, std::min(kChunk, weights.size() - begin));
    uint32_t bad = 0;
    for (float weight : chunk) bad |= is_finite(weight) ? 0u : 1u;
    if (bad == 0) continue;
    for (size_t i = 0; i < chunk.size(); ++i) {
      if (!is_finite(chunk[i])) return begin + i;
    }
  }
  return std::nullopt;
}

}  // namespace quantd::quant
