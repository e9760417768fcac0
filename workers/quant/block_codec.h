// A codec of one plane whose blocks are encoded and decoded each by itself, by kernels that are compiled for
// several CPU targets. One of its files is compiled once per target (hwy/foreach_target.h) and gives the
// target's BlockKernels; which target's is used is decided at run time (cpu_target.h).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "workers/quant/codec.h"

namespace quantd::quant {

struct BlockKernels {
  // As Codec::Encode and Codec::Decode, for the one plane.
  void (*encode)(const WeightRows& weights, const float* importance, std::byte* out);
  void (*decode)(const std::byte* blocks, int64_t count, float* weights);
};

class BlockCodec final : public Codec {
 public:
  // `kernels` gives those of the target in use.
  BlockCodec(std::string_view name, int64_t weights, int64_t bytes, ImportanceUse importance,
             BlockKernels (*kernels)())
      : name_(name), weights_(weights), plane_{"data", bytes}, importance_(importance), kernels_(kernels) {}

  std::string_view name() const override { return name_; }
  int64_t weights_per_block() const override { return weights_; }
  std::span<const PlaneSpec> planes() const override { return {&plane_, 1}; }
  ImportanceUse importance_use() const override { return importance_; }

  void Encode(const WeightRows& weights, const float* importance,
              std::span<std::byte* const> planes) const override {
    kernels_().encode(weights, importance_ == ImportanceUse::kIgnored ? nullptr : importance, planes[0]);
  }
  void Decode(std::span<const std::byte* const> planes, int64_t rows, int64_t columns,
              float* weights) const override {
    kernels_().decode(planes[0], rows * (columns / weights_), weights);
  }

 private:
  std::string_view name_;
  int64_t weights_;
  PlaneSpec plane_;
  ImportanceUse importance_;
  BlockKernels (*kernels_)();
};

}  // namespace quantd::quant
