// A codec over one of ggml's block structs: a single plane of `Block`, each block encoded and decoded by
// itself.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "workers/quant/codec.h"
#include "workers/quant/widen.h"

namespace quantd::quant {

// Traits has: Block (a packed struct without padding, alignment 1 or 2), kName, kWeights,
// static void Encode(const float* weights, Block& block) and static void Decode(const Block& block, float*
// weights).
template <typename Traits>
class GgmlBlockCodec final : public Codec {
 public:
  using Block = typename Traits::Block;

  std::string_view name() const override { return Traits::kName; }
  int64_t weights_per_block() const override { return Traits::kWeights; }
  std::span<const PlaneSpec> planes() const override { return {&kPlane, 1}; }

  void Encode(const WeightRows& weights, const float*, std::span<std::byte* const> planes) const override {
    Block* blocks = reinterpret_cast<Block*>(planes[0]);
    const int64_t count = weights.rows * (weights.columns / Traits::kWeights);
    for (int64_t i = 0; i < count; ++i) {
      float block[Traits::kWeights];
      Widen(weights, i * Traits::kWeights, Traits::kWeights, block);
      Traits::Encode(block, blocks[i]);
    }
  }

  void Decode(std::span<const std::byte* const> planes, int64_t rows, int64_t columns,
              float* weights) const override {
    const Block* blocks = reinterpret_cast<const Block*>(planes[0]);
    const int64_t count = rows * (columns / Traits::kWeights);
    for (int64_t i = 0; i < count; ++i) Traits::Decode(blocks[i], weights + i * Traits::kWeights);
  }

 private:
  static constexpr PlaneSpec kPlane{"data", sizeof(Block)};
};

}  // namespace quantd::quant
