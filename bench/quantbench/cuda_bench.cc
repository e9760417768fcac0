#include "bench/quantbench/cuda_bench.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <mutex>
#include <random>
#include <thread>

#include "workers/quant/codec_list.h"
#include "workers/quant/cuda/cuda_timing.h"
#include "workers/quant/device.h"
#include "workers/quant/half.h"

namespace quantd::bench {
namespace {

using quant::Codec;
using quant::WeightRows;
using quant::WeightType;

constexpr int64_t kColumns = 8192;
constexpr int64_t kRows = 2048;
constexpr int64_t kBytes = kRows * kColumns * 2;  // of BF16
constexpr double kSeconds = 1.0;                  // of encoding by each thread

std::vector<uint16_t> MakeWeights() {
  std::mt19937 random(1);
  std::normal_distribution<float> bell(0.0f, 0.02f);
  std::vector<uint16_t> base(1 << 20);
  for (uint16_t& weight : base)
    weight = quant::FloatToBf16(bell(random) * (random() % 100 == 0 ? 20.0f : 1.0f));
  std::vector<uint16_t> weights(kRows * kColumns);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = base[(i + i / kColumns * 37) % base.size()];
  return weights;
}

// Encodes the same tile over and over; weights per second.
absl::StatusOr<double> EncodeForAWhile(quant::Device& device, const Codec& codec,
                                       const std::vector<uint16_t>& weights, const float* importance) {
  auto encoder = device.NewEncoder();
  if (!encoder.ok()) return encoder.status();
  auto buffer = device.NewHostBuffer(kBytes);
  if (!buffer.ok()) return buffer.status();
  std::memcpy((*buffer)->bytes().data(), weights.data(), kBytes);
  std::vector<std::byte> plane(static_cast<size_t>(kRows * codec.RowBytes(0, kColumns)));
  std::byte* planes[] = {plane.data()};
  const quant::TileOutput output{&codec, importance, planes, nullptr};
  const WeightRows rows{WeightType::kBf16, (*buffer)->bytes().data(), kRows, kColumns};
  if (const auto warm = (*encoder)->Encode(rows, {&output, 1}); !warm.ok()) return warm.status();
  int64_t tiles = 0;
  std::chrono::duration<double> elapsed{};
  const auto begin = std::chrono::steady_clock::now();
  for (; elapsed.count() < kSeconds; ++tiles) {
    const auto bad = (*encoder)->Encode(rows, {&output, 1});
    if (!bad.ok()) return bad.status();
    elapsed = std::chrono::steady_clock::now() - begin;
  }
  return static_cast<double>(tiles * kRows * kColumns) / elapsed.count();
}

absl::StatusOr<double> PathWeightsPerSecond(const Codec& codec, const std::vector<uint16_t>& weights,
                                            const float* importance, int threads) {
  auto device = quant::OpenCudaDevice({});
  if (!device.ok()) return device.status();
  std::mutex mutex;
  absl::Status failure;
  double rate = 0.0;
  {
    std::vector<std::jthread> encoders;
    encoders.reserve(static_cast<size_t>(threads));
    for (int i = 0; i < threads; ++i) {
      encoders.emplace_back([&] {
        const auto mine = EncodeForAWhile(**device, codec, weights, importance);
        std::lock_guard lock(mutex);
        if (mine.ok()) {
          rate += *mine;
        } else {
          failure = mine.status();
        }
      });
    }
  }
  if (!failure.ok()) return failure;
  return rate;
}

}  // namespace

absl::StatusOr<CudaFigures> MeasureCuda(const Codec& codec, bool importance, int threads) {
  static const auto& weights = *new std::vector<uint16_t>(MakeWeights());
  std::vector<float> columns(kColumns);
  for (size_t i = 0; i < kColumns; ++i) columns[i] = 0.01f + static_cast<float>(i * 7919 % 1009) / 1009.0f;
  const float* matrix = importance ? columns.data() : nullptr;
  const auto kernel =
      quant::TimeCudaKernel(0, codec, {WeightType::kBf16, weights.data(), kRows, kColumns}, matrix);
  if (!kernel.ok()) return kernel.status();
  const auto copy = quant::PinnedCopyBandwidth(0, kBytes);
  if (!copy.ok()) return copy.status();
  const auto path = PathWeightsPerSecond(codec, weights, matrix, threads);
  if (!path.ok()) return path.status();
  CudaFigures figures;
  figures.type = std::string(codec.name());
  figures.importance = importance;
  figures.kernel_weights_per_second = static_cast<double>(kRows * kColumns) / *kernel;
  figures.path_weights_per_second = *path;
  figures.path_bytes_per_second = *path * 2.0;
  figures.copy_bytes_per_second = *copy;
  figures.copy_share = figures.path_bytes_per_second / *copy;
  return figures;
}

absl::StatusOr<std::vector<const Codec*>> CudaCodecs() {
  const auto device = quant::OpenCudaDevice({});
  if (!device.ok()) return device.status();
  std::vector<const Codec*> codecs;
  for (const Codec* codec : quant::AllCodecs()) {
    if ((*device)->Supports(*codec)) codecs.push_back(codec);
  }
  return codecs;
}

}  // namespace quantd::bench
