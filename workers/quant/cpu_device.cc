// The CPU as a Device, and what rides along with encoding: the check for non-finite weights and the error of
// what was stored. Works in chunks of whole rows that stay in the second-level cache. Compiled once for each
// CPU target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "workers/quant/cpu_device.cc"
#include <hwy/aligned_allocator.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
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

// Sixteen partial sums whatever the target, so that every target finds the same error. They are summed in
// float over 256 weights, and those sums in double.
class ErrorSums {
 public:
  static constexpr int kPartial = 16;
  static constexpr int kMost = 256;

  // `count` weights, kMost at most. Both are padded to a multiple of kPartial with zeros.
  void Add(const float* source, const float* decoded, int count) {
    namespace hn = hwy::HWY_NAMESPACE;
    const hn::CappedTag<float, kPartial> tag;
    alignas(64) float difference[kPartial], magnitude[kPartial], largest[kPartial];
    for (int p = 0; p < kPartial; p += static_cast<int>(hn::Lanes(tag))) {
      auto squares = hn::Zero(tag), source_squares = hn::Zero(tag), most = hn::Zero(tag);
      for (int i = p; i < count; i += kPartial) {
        const auto weight = hn::LoadU(tag, source + i);
        const auto delta = hn::Sub(hn::LoadU(tag, decoded + i), weight);
        squares = hn::Add(squares, hn::Mul(delta, delta));
        source_squares = hn::Add(source_squares, hn::Mul(weight, weight));
        most = hn::Max(most, hn::Abs(delta));
      }
      hn::Store(squares, tag, difference + p);
      hn::Store(source_squares, tag, magnitude + p);
      hn::Store(most, tag, largest + p);
    }
    for (int p = 0; p < kPartial; ++p) {
      difference_[p] += difference[p];
      magnitude_[p] += magnitude[p];
      largest_[p] = std::max(largest_[p], largest[p]);
    }
  }

  EncodingError Total() const {
    EncodingError total;
    for (int p = 0; p < kPartial; ++p) {
      total.squared_difference += difference_[p];
      total.squared_source += magnitude_[p];
      total.largest = std::max(total.largest, double{largest_[p]});
    }
    return total;
  }

 private:
  double difference_[kPartial] = {}, magnitude_[kPartial] = {};
  float largest_[kPartial] = {};
};

// Of weights first … first + count of the source; `decoded` may be written to behind them, up to a multiple
// of kPartial (kErrorPadding).
EncodingError ErrorOf(const WeightRows& source, int64_t first, float* decoded, int64_t count) {
  ErrorSums sums;
  std::fill_n(decoded + count, -count & (ErrorSums::kPartial - 1), 0.0f);
  for (int64_t at = 0; at < count; at += ErrorSums::kMost) {
    const int size = static_cast<int>(std::min<int64_t>(ErrorSums::kMost, count - at));
    alignas(64) float widened[ErrorSums::kMost];
    Widen(source, first + at, size, widened);
    std::fill_n(widened + size, -size & (ErrorSums::kPartial - 1), 0.0f);
    sums.Add(widened, decoded + at, size);
  }
  return sums.Total();
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::quant {

HWY_EXPORT(AnyNonFinite);
HWY_EXPORT(ErrorOf);

namespace {

constexpr int64_t kChunkWeights = int64_t{1} << 15;
constexpr int64_t kErrorPadding = 16;  // what ErrorOf may write behind its weights

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
    if (output.error != nullptr && output.codec->IsQuantized()) {
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
    auto memory = hwy::AllocateAligned<std::byte>(bytes);
    if (memory == nullptr)
      return absl::ResourceExhaustedError(absl::StrCat("no ", bytes, " bytes for weights"));
    return std::make_unique<AlignedBuffer>(std::move(memory), bytes);
  }

 private:
  class AlignedBuffer final : public HostBuffer {
   public:
    AlignedBuffer(hwy::AlignedFreeUniquePtr<std::byte[]> memory, size_t bytes)
        : memory_(std::move(memory)), bytes_(bytes) {}
    std::span<std::byte> bytes() override { return {memory_.get(), bytes_}; }

   private:
    hwy::AlignedFreeUniquePtr<std::byte[]> memory_;
    size_t bytes_;
  };
};

// Weights to decode at once. Where rows are whole blocks, a plane's blocks follow each other, whatever their
// rows: pieces stay in the first-level cache, and a multiple of four blocks keeps planes aligned to 4 bytes.
// Otherwise a row at a time.
int64_t PieceOf(const Codec& codec, int64_t columns) {
  const int64_t block = codec.weights_per_block();
  if (codec.column_multiple() != block) return std::max<int64_t>(1, columns);
  return std::max<int64_t>(1, 2048 / block / 4) * 4 * block;
}

}  // namespace

std::optional<int64_t> FirstNonFinite(const WeightRows& weights) {
  const int64_t count = weights.rows * weights.columns;
  if (!HWY_DYNAMIC_DISPATCH(AnyNonFinite)(weights, 0, count)) return std::nullopt;
  for (int64_t i = 0; i < count; ++i) {
    float weight = 0.0f;
    Widen(weights, i, 1, &weight);
    if (!std::isfinite(weight)) return i;
  }
  return std::nullopt;
}

EncodingError ErrorMeter::Measure(const WeightRows& source, const Codec& codec,
                                  std::span<const std::byte* const> planes) {
  const int64_t piece = PieceOf(codec, source.columns);
  decoded_.resize(static_cast<size_t>(piece + kErrorPadding));
  EncodingError error;
  std::vector<const std::byte*> part(planes.begin(), planes.end());
  const int64_t count = source.rows * source.columns;
  for (int64_t first = 0; first < count; first += piece) {
    const int64_t size = std::min(piece, count - first);
    codec.Decode(part, 1, size, decoded_.data());
    error.Add(HWY_DYNAMIC_DISPATCH(ErrorOf)(source, first, decoded_.data(), size));
    for (size_t p = 0; p < part.size(); ++p) part[p] += codec.RowBytes(p, size);
  }
  return error;
}

std::unique_ptr<Device> OpenCpuDevice() { return std::make_unique<CpuDevice>(); }

}  // namespace quantd::quant
#endif
