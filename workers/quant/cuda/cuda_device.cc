// A GPU as a Device. Each encoder has a stream of its own and waits for it: copy in, kernels, copy out. Work
// overlaps because several threads encode: with three encoders one copies in while one computes and one
// copies out.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "workers/quant/cuda/cuda_codecs.h"
#include "workers/quant/cuda/cuda_error.h"
#include "workers/quant/cuda/cuda_grids.h"
#include "workers/quant/cuda/cuda_memory.h"
#include "workers/quant/device.h"
#include "workers/quant/widen.h"

namespace quantd::quant {
namespace {

class CudaEncoder final : public TileEncoder {
 public:
  CudaEncoder(int index, CudaMemoryBudget& budget, CudaGrids& grids)
      : index_(index),
        budget_(budget),
        grids_(grids),
        source_(budget),
        widened_(budget),
        importance_(budget),
        row_mean_squares_(budget),
        non_finite_(budget) {}
  ~CudaEncoder() override {
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
  }

  absl::Status Open() {
    if (absl::Status status = Check(cudaSetDevice(index_), "choosing the device"); !status.ok())
      return status;
    return Check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
  }

  absl::StatusOr<std::optional<int64_t>> Encode(const WeightRows& weights,
                                                std::span<const TileOutput> outputs) override {
    if (weights.rows == 0) return std::nullopt;
    absl::Status status = Check(cudaSetDevice(index_), "choosing the device");
    if (status.ok()) status = CopyIn(weights);
    size_t staged = 0;
    std::vector<Pending> pending;
    for (size_t i = 0; status.ok() && i < outputs.size(); ++i) {
      while (stored_.size() <= i) stored_.emplace_back(budget_);
      pending.push_back({&outputs[i], 0, 0, 0, 0});
      status = Start(weights, i, pending.back(), staged);
    }
    if (status.ok()) status = CopyOut(pending, staged);
    if (!status.ok()) return status;
    unsigned long long first;
    std::memcpy(&first, staging_.data(), sizeof(first));
    if (first != kNone) return static_cast<int64_t>(first);
    for (const Pending& output : pending) Deliver(output);
    return std::nullopt;
  }

 private:
  static constexpr unsigned long long kNone = std::numeric_limits<unsigned long long>::max();

  // One output between its kernels' start and its delivery.
  struct Pending {
    const TileOutput* output;
    size_t bytes;
    size_t sums;      // number of
    size_t bytes_at;  // offsets in the staging memory
    size_t sums_at;
  };

  absl::Status Check(cudaError_t result, const char* what) const {
    return CudaStatus(result, budget_.device(), what);
  }

  absl::Status CopyIn(const WeightRows& weights) {
    const int64_t count = weights.rows * weights.columns;
    const size_t bytes = static_cast<size_t>(count * BytesOf(weights.type));
    absl::Status status = source_.Reserve(static_cast<int64_t>(bytes));
    if (status.ok() && weights.type != WeightType::kF32) {
      status = widened_.Reserve(count * static_cast<int64_t>(sizeof(float)));
    }
    if (status.ok()) status = non_finite_.Reserve(sizeof(kNone));
    if (status.ok()) {
      status =
          Check(cudaMemcpyAsync(source_.As<void>(), weights.data, bytes, cudaMemcpyHostToDevice, stream_),
                "copying weights in");
    }
    auto* first = non_finite_.As<unsigned long long>();
    if (status.ok()) status = Check(cudaMemsetAsync(first, 0xff, sizeof(kNone), stream_), "clearing a flag");
    if (!status.ok()) return status;
    floats_ = weights.type == WeightType::kF32 ? source_.As<float>() : widened_.As<float>();
    LoadWeights(weights.type, source_.As<void>(), count, floats_, first, stream_);
    return Check(cudaGetLastError(), "starting to load weights");
  }

  // Starts the kernels of output `i` and gives it its places in the staging memory.
  absl::Status Start(const WeightRows& weights, size_t i, Pending& pending, size_t& staged) {
    const TileOutput& output = *pending.output;
    const CudaCodec* codec = FindCudaCodec(output.codec->name());
    if (codec == nullptr) {
      return absl::UnavailableError(
          absl::StrCat(budget_.device(), ": has no kernel of ", std::string(output.codec->name())));
    }
    CudaBlocks blocks;
    blocks.weights = floats_;
    blocks.blocks_per_row = weights.columns / output.codec->weights_per_block();
    blocks.blocks = weights.rows * blocks.blocks_per_row;
    pending.bytes = static_cast<size_t>(weights.rows * output.codec->RowBytes(0, weights.columns));
    if (absl::Status status = stored_[i].Reserve(static_cast<int64_t>(pending.bytes)); !status.ok())
      return status;
    blocks.stored = stored_[i].As<uint8_t>();
    if (codec->grid.has_value()) {
      const absl::StatusOr<IqGrid> grid = grids_.Get(*codec->grid);
      if (!grid.ok()) return grid.status();
      blocks.grid = *grid;
    }
    if (output.importance != nullptr && output.codec->importance_use() != ImportanceUse::kIgnored) {
      if (absl::Status status = CopyImportance(output.importance, weights.columns); !status.ok())
        return status;
      blocks.importance = importance_.As<float>();
      const int64_t row_bytes = weights.rows * static_cast<int64_t>(sizeof(float));
      if (absl::Status status = row_mean_squares_.Reserve(row_bytes); !status.ok()) return status;
      blocks.row_mean_squares = row_mean_squares_.As<float>();
    }
    codec->encode(blocks, stream_);
    if (staged == 0) staged = sizeof(kNone);
    pending.bytes_at = Stage(pending.bytes, staged);
    if (output.error != nullptr && output.codec->weights_per_block() > 1) {
      pending.sums = static_cast<size_t>((blocks.blocks + kBlocksPerSum - 1) / kBlocksPerSum);
      pending.sums_at = Stage(pending.sums * sizeof(CudaErrorSums), staged);
      if (absl::Status status = ReserveSums(i, pending.sums); !status.ok()) return status;
      codec->measure(blocks, sums_of_[i].As<CudaErrorSums>(), stream_);
    }
    return Check(cudaGetLastError(), "starting kernels");
  }

  absl::Status ReserveSums(size_t i, size_t count) {
    while (sums_of_.size() <= i) sums_of_.emplace_back(budget_);
    return sums_of_[i].Reserve(static_cast<int64_t>(count * sizeof(CudaErrorSums)));
  }

  static size_t Stage(size_t bytes, size_t& staged) {
    const size_t at = staged;
    staged += (bytes + 15) / 16 * 16;
    return at;
  }

  absl::Status CopyImportance(const float* importance, int64_t columns) {
    const size_t bytes = static_cast<size_t>(columns) * sizeof(float);
    if (absl::Status status = importance_.Reserve(static_cast<int64_t>(bytes)); !status.ok()) return status;
    return Check(cudaMemcpyAsync(importance_.As<void>(), importance, bytes, cudaMemcpyHostToDevice, stream_),
                 "copying importance in");
  }

  absl::Status CopyOut(const std::vector<Pending>& pending, size_t staged) {
    if (absl::Status status = staging_.Reserve(std::max(staged, sizeof(kNone)), budget_.device());
        !status.ok()) {
      return status;
    }
    const auto copy = [&](size_t to, const void* from, size_t bytes) {
      return cudaMemcpyAsync(staging_.data() + to, from, bytes, cudaMemcpyDeviceToHost, stream_);
    };
    cudaError_t result = copy(0, non_finite_.As<void>(), sizeof(kNone));
    for (size_t i = 0; result == cudaSuccess && i < pending.size(); ++i) {
      result = copy(pending[i].bytes_at, stored_[i].As<void>(), pending[i].bytes);
      if (result == cudaSuccess && pending[i].sums > 0) {
        result = copy(pending[i].sums_at, sums_of_[i].As<void>(), pending[i].sums * sizeof(CudaErrorSums));
      }
    }
    if (result == cudaSuccess) result = cudaStreamSynchronize(stream_);
    return Check(result, "encoding");
  }

  void Deliver(const Pending& pending) const {
    std::memcpy(pending.output->planes[0], staging_.data() + pending.bytes_at, pending.bytes);
    if (pending.sums == 0) return;
    EncodingError error;
    for (size_t i = 0; i < pending.sums; ++i) {
      CudaErrorSums sums;
      std::memcpy(&sums, staging_.data() + pending.sums_at + i * sizeof(sums), sizeof(sums));
      error.Add({sums.squared_difference, sums.squared_source, sums.largest});
    }
    pending.output->error->Add(error);
  }

  const int index_;
  CudaMemoryBudget& budget_;
  CudaGrids& grids_;
  cudaStream_t stream_ = nullptr;
  CudaBuffer source_;   // weights as they were given
  CudaBuffer widened_;  // the same as floats, unless they were
  float* floats_ = nullptr;
  CudaBuffer importance_;
  CudaBuffer row_mean_squares_;
  CudaBuffer non_finite_;
  std::vector<CudaBuffer> stored_;
  std::vector<CudaBuffer> sums_of_;
  PinnedMemory staging_;
};

class PinnedBuffer final : public HostBuffer {
 public:
  explicit PinnedBuffer(PinnedMemory memory, size_t bytes) : memory_(std::move(memory)), bytes_(bytes) {}
  std::span<std::byte> bytes() override { return {memory_.data(), bytes_}; }

 private:
  PinnedMemory memory_;
  size_t bytes_;
};

class CudaDevice final : public Device {
 public:
  CudaDevice(int index, std::string name, int64_t memory_limit)
      : index_(index), budget_(std::move(name), memory_limit) {}

  std::string name() const override { return budget_.device(); }
  bool Supports(const Codec& codec) const override { return FindCudaCodec(codec.name()) != nullptr; }
  absl::StatusOr<std::unique_ptr<TileEncoder>> NewEncoder() override {
    auto encoder = std::make_unique<CudaEncoder>(index_, budget_, grids_);
    if (absl::Status status = encoder->Open(); !status.ok()) return status;
    return encoder;
  }
  absl::StatusOr<std::unique_ptr<HostBuffer>> NewHostBuffer(size_t bytes) override {
    PinnedMemory memory;
    if (absl::Status status = memory.Reserve(std::max<size_t>(bytes, 1), name()); !status.ok()) return status;
    return std::make_unique<PinnedBuffer>(std::move(memory), bytes);
  }

 private:
  const int index_;
  CudaMemoryBudget budget_;
  CudaGrids grids_{budget_};
};

}  // namespace

int CudaDeviceCount() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

absl::StatusOr<std::unique_ptr<Device>> OpenCudaDevice(const CudaOptions& options) {
  const std::string name = absl::StrCat("cuda:", options.index);
  int count = 0;
  if (absl::Status status = CudaStatus(cudaGetDeviceCount(&count), name, "looking for GPUs"); !status.ok())
    return status;
  if (options.index < 0 || options.index >= count) {
    return absl::UnavailableError(absl::StrCat(name, ": there are ", count, " GPUs"));
  }
  cudaDeviceProp properties;
  if (absl::Status status =
          CudaStatus(cudaGetDeviceProperties(&properties, options.index), name, "asking for its properties");
      !status.ok()) {
    return status;
  }
  return std::make_unique<CudaDevice>(options.index, absl::StrCat(name, " ", properties.name),
                                      options.memory_limit);
}

}  // namespace quantd::quant
