// The CPU as a Device, and what rides along with encoding: the check for non-finite weights and the error of
// what was stored. Works in chunks of whole rows that stay in the second-level cache. Compiled once for each
// CPU target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "workers/quant/cpu_device.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "workers/quant/cpu_target.h"
#include "workers/quant/device.h"
#include "workers/quant/widen.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// Whether any of `count` stored numbers has all bits of `exponent`. No early exit: it vectorises.
template <typename Bits>
bool AnyWithExponent(const Bits* stored, int64_t count, Bits exponent) {
  Bits found = 0;
  for (int64_t i = 0; i < count; ++i) found |= (stored[i] & exponent) == exponent ? Bits{1} : Bits{0};
  return found != 0;
}

bool AnyNonFinite(const WeightRows& weights, int64_t first, int64_t count) {
  switch (weights.type) {
    case WeightType::kF32:
      return AnyWithExponent<uint32_t>(static_cast<const uint32_t*>(weights.data) + first, count,
                                       0x7f800000u);
    case WeightType::kF16:
      return AnyWithExponent<uint16_t>(static_cast<const uint16_t*>(weights.data) + first, count, 0x7c00u);
    case WeightType::kBf16:
      return AnyWithExponent<uint16_t>(static_cast<const uint16_t*>(weights.data) + first, count, 0x7f80u);
  }
  return false;
}

void WidenRows(const WeightRows& weights, int64_t first, int64_t count, float* to) {
  Widen(weights, first, count, to);
}

// Sixteen partial sums whatever the target, so that every target finds the same error.
EncodingError ErrorOf(const float* source, const float* decoded, int64_t count) {
  constexpr int kPartial = 16;
  constexpr int64_t kBlock = 256;  // summed in float; blocks are added in double
  EncodingError error;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t end = std::min(begin + kBlock, count);
    float difference[kPartial] = {}, magnitude[kPartial] = {}, largest[kPartial] = {};
    int64_t i = begin;
    for (; i + kPartial <= end; i += kPartial) {
      for (int p = 0; p < kPartial; ++p) {
        const float delta = decoded[i + p] - source[i + p];
        difference[p] += delta * delta;
        magnitude[p] += source[i + p] * source[i + p];
        largest[p] = std::max(largest[p], std::fabs(delta));
      }
    }
    for (int p = 0; i < end; ++i, ++p) {
      const float delta = decoded[i] - source[i];
      difference[p] += delta * delta;
      magnitude[p] += source[i] * source[i];
      largest[p] = std::max(largest[p], std::fabs(delta));
    }
    EncodingError block;
    for (int p = 0; p < kPartial; ++p) {
      block.squared_difference += difference[p];
      block.squared_source += magnitude[p];
      block.largest = std::max(block.largest, double{largest[p]});
    }
    error.Add(block);
  }
  return error;
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::quant {

HWY_EXPORT(AnyNonFinite);
HWY_EXPORT(ErrorOf);
HWY_EXPORT(WidenRows);

namespace {

constexpr int64_t kChunkWeights = int64_t{1} << 15;

WeightRows Chunk(const WeightRows& weights, int64_t row, int64_t rows) {
  const auto* data =
      static_cast<const std::byte*>(weights.data) + row * weights.columns * BytesOf(weights.type);
  return {weights.type, data, rows, weights.columns};
}

int64_t ChunkRows(int64_t columns) {
  return std::max<int64_t>(1, kChunkWeights / std::max<int64_t>(1, columns));
}

class CpuEncoder final : public TileEncoder {
 public:
  absl::StatusOr<std::optional<int64_t>> Encode(const WeightRows& weights,
                                                std::span<const TileOutput> outputs) override {
    const int64_t step = ChunkRows(weights.columns);
    for (int64_t row = 0; row < weights.rows; row += step) {
      const WeightRows chunk = Chunk(weights, row, std::min(step, weights.rows - row));
      if (const std::optional<int64_t> bad = FirstNonFinite(chunk)) return row * weights.columns + *bad;
      for (const TileOutput& output : outputs) EncodeChunk(chunk, row, output);
    }
    return std::nullopt;
  }

 private:
  void EncodeChunk(const WeightRows& chunk, int64_t row, const TileOutput& output) {
    planes_.clear();
    for (size_t p = 0; p < output.planes.size(); ++p) {
      planes_.push_back(output.planes[p] + row * output.codec->RowBytes(p, chunk.columns));
    }
    output.codec->Encode(chunk, output.importance, planes_);
    if (output.error != nullptr && output.codec->weights_per_block() > 1) {
      stored_.assign(planes_.begin(), planes_.end());
      output.error->Add(meter_.Measure(chunk, *output.codec, stored_));
    }
  }

  std::vector<std::byte*> planes_;
  std::vector<const std::byte*> stored_;
  ErrorMeter meter_;
};

class CpuDevice final : public Device {
 public:
  std::string name() const override { return "cpu " + CpuTarget(); }
  bool Supports(const Codec&) const override { return true; }
  absl::StatusOr<std::unique_ptr<TileEncoder>> NewEncoder() override {
    return std::make_unique<CpuEncoder>();
  }
  absl::StatusOr<std::unique_ptr<HostBuffer>> NewHostBuffer(size_t bytes) override {
    return std::make_unique<PlainBuffer>(bytes);
  }

 private:
  class PlainBuffer final : public HostBuffer {
   public:
    explicit PlainBuffer(size_t bytes)
        : memory_(std::make_unique_for_overwrite<std::byte[]>(bytes)), bytes_(bytes) {}
    std::span<std::byte> bytes() override { return {memory_.get(), bytes_}; }

   private:
    std::unique_ptr<std::byte[]> memory_;
    size_t bytes_;
  };
};

}  // namespace

std::optional<int64_t> FirstNonFinite(const WeightRows& weights) {
  const int64_t count = weights.rows * weights.columns;
  if (!HWY_DYNAMIC_DISPATCH(AnyNonFinite)(weights, 0, count)) return std::nullopt;
  for (int64_t i = 0; i < count; ++i) {
    float weight;
    Widen(weights, i, 1, &weight);
    if (!std::isfinite(weight)) return i;
  }
  return std::nullopt;
}

EncodingError ErrorMeter::Measure(const WeightRows& source, const Codec& codec,
                                  std::span<const std::byte* const> planes) {
  EncodingError error;
  const int64_t step = ChunkRows(source.columns);
  std::vector<const std::byte*> part(planes.begin(), planes.end());
  for (int64_t row = 0; row < source.rows; row += step) {
    const WeightRows chunk = Chunk(source, row, std::min(step, source.rows - row));
    const int64_t count = chunk.rows * chunk.columns;
    decoded_.resize(static_cast<size_t>(std::max<int64_t>(count, static_cast<int64_t>(decoded_.size()))));
    codec.Decode(part, chunk.rows, chunk.columns, decoded_.data());
    const float* floats = static_cast<const float*>(chunk.data);
    if (chunk.type != WeightType::kF32) {
      widened_.resize(decoded_.size());
      HWY_DYNAMIC_DISPATCH(WidenRows)(chunk, 0, count, widened_.data());
      floats = widened_.data();
    }
    error.Add(HWY_DYNAMIC_DISPATCH(ErrorOf)(floats, decoded_.data(), count));
    for (size_t p = 0; p < part.size(); ++p) part[p] += chunk.rows * codec.RowBytes(p, chunk.columns);
  }
  return error;
}

std::unique_ptr<Device> OpenCpuDevice() { return std::make_unique<CpuDevice>(); }

}  // namespace quantd::quant
#endif
