#include "bench/quantbench/kernel_bench.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "workers/quant/half.h"

namespace quantd::bench {
namespace {

using quant::Codec;
using quant::WeightRows;
using quant::WeightType;

// Rows as wide as a language model's, and enough of them that they come from memory, not from a cache.
constexpr int64_t kColumns = 8192;
constexpr int64_t kRows = 8192;
constexpr int kRounds = 5;
constexpr double kLeastSeconds = 0.1;  // of one timed run

double Seconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Rows for one thread, in memory like that of a worker's buffers, and room for what is made of them.
struct Lot {
  static constexpr size_t kWeights = kRows * kColumns;
  template <class T>
  using Aligned = hwy::AlignedFreeUniquePtr<T[]>;

  Aligned<uint16_t> bf16 = hwy::AllocateAligned<uint16_t>(kWeights);
  Aligned<float> f32 = hwy::AllocateAligned<float>(kWeights);
  Aligned<uint16_t> copy = hwy::AllocateAligned<uint16_t>(kWeights);
  std::vector<std::vector<std::byte>> planes;

  Lot(const Codec& codec, uint32_t seed) {
    // Gaussian weights, one in a hundred far out, as in trained models; a row repeats with another sign
    // pattern.
    std::mt19937 random(seed);
    std::normal_distribution<float> gaussian(0.0f, 0.02f);
    std::vector<float> base(kColumns * 16);
    for (size_t i = 0; i < base.size(); ++i)
      base[i] = gaussian(random) * (random() % 100 == 0 ? 20.0f : 1.0f);
    for (size_t i = 0; i < kWeights; ++i) {
      const size_t row = i / kColumns;
      bf16[i] = quant::FloatToBf16(base[(i + row * 37) % base.size()]);
      f32[i] = quant::Bf16ToFloat(bf16[i]);
    }
    planes.reserve(codec.planes().size());
    for (size_t p = 0; p < codec.planes().size(); ++p) {
      planes.emplace_back(static_cast<size_t>(kRows * codec.RowBytes(p, kColumns)));
    }
  }

  void Encode(const Codec& codec, WeightType type, int64_t rows, const float* importance) {
    std::vector<std::byte*> pointers;
    for (auto& plane : planes) pointers.push_back(plane.data());
    const void* data = type == WeightType::kF32 ? static_cast<const void*>(f32.get()) : bf16.get();
    codec.Encode({type, data, rows, kColumns}, importance, pointers);
  }
};

// Something that is timed over a number of rows. Small first, to find how many rows make a run long enough.
class Timed {
 public:
  Timed(std::vector<Lot>& lots, std::function<void(Lot&, int64_t rows)> work)
      : lots_(lots), work_(std::move(work)) {
    double seconds = Run(rows_);
    while (seconds < kLeastSeconds && rows_ < kRows) {
      rows_ = std::min<int64_t>(
          kRows, rows_ * std::clamp<int64_t>(std::llround(1.5 * kLeastSeconds / seconds), 2, 64));
      seconds = Run(rows_);
    }
  }

  // Weights per second over all threads.
  double Measure() {
    return static_cast<double>(rows_ * kColumns) * static_cast<double>(lots_.size()) / Run(rows_);
  }

 private:
  double Run(int64_t rows) {
    return Seconds([&] {
      std::vector<std::jthread> others;
      for (size_t i = 1; i < lots_.size(); ++i) others.emplace_back([&, i] { work_(lots_[i], rows); });
      work_(lots_[0], rows);
    });
  }

  std::vector<Lot>& lots_;
  std::function<void(Lot&, int64_t)> work_;
  int64_t rows_ = 1;
};

}  // namespace

KernelFigures MeasureKernel(const Codec& codec, bool importance, int threads, const GgmlPeer* peer) {
  std::vector<Lot> lots;
  lots.reserve(static_cast<size_t>(threads));
  for (int i = 0; i < threads; ++i) lots.emplace_back(codec, static_cast<uint32_t>(i + 1));
  std::vector<float> column_importance(kColumns);
  for (size_t i = 0; i < kColumns; ++i)
    column_importance[i] = 0.01f + static_cast<float>(i * 7919 % 1009) / 1009.0f;
  const float* matrix = importance ? column_importance.data() : nullptr;

  Timed bf16(lots, [&](Lot& lot, int64_t rows) { lot.Encode(codec, WeightType::kBf16, rows, matrix); });
  Timed f32(lots, [&](Lot& lot, int64_t rows) { lot.Encode(codec, WeightType::kF32, rows, matrix); });
  Timed copy(lots, [&](Lot& lot, int64_t rows) {
    std::memcpy(lot.copy.get(), lot.bf16.get(), static_cast<size_t>(rows * kColumns * 2));
  });
  std::optional<Timed> ggml;
  const std::optional<int> type = GgmlPeer::TypeOf(codec.name());
  std::vector<std::byte> room;
  if (peer != nullptr && type.has_value()) {
    peer->Prepare(*type);
    ggml.emplace(lots, [&](Lot& lot, int64_t rows) {
      peer->Quantize(*type, lot.f32.get(), rows, kColumns, matrix, lot.planes[0].data());
    });
  }

  // Bytes read and written for one weight.
  const double bytes = 2.0 + codec.BitsPerWeight() / 8.0;
  std::vector<double> bf16_rates, f32_rates, copy_rates, shares, peer_rates, ratios;
  for (int round = 0; round < kRounds; ++round) {
    bf16_rates.push_back(bf16.Measure());
    copy_rates.push_back(copy.Measure() * 4.0);
    shares.push_back(bf16_rates.back() * bytes / copy_rates.back());
    if (ggml.has_value()) {
      peer_rates.push_back(ggml->Measure());
      ratios.push_back(bf16_rates.back() / peer_rates.back());
    }
    f32_rates.push_back(f32.Measure());
  }
  KernelFigures figures;
  figures.type = std::string(codec.name());
  figures.importance = importance;
  figures.bf16_weights_per_second = Median(bf16_rates);
  figures.f32_weights_per_second = Median(f32_rates);
  figures.bytes_per_second = figures.bf16_weights_per_second * bytes;
  figures.memcpy_bytes_per_second = Median(copy_rates);
  figures.memcpy_share = Median(shares);
  if (ggml.has_value()) {
    figures.peer_weights_per_second = Median(peer_rates);
    figures.ratio = Median(ratios);
  }
  return figures;
}

}  // namespace quantd::bench
