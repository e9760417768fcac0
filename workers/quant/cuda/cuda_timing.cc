#include "workers/quant/cuda/cuda_timing.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "workers/quant/cuda/cuda_codecs.h"
#include "workers/quant/cuda/cuda_error.h"
#include "workers/quant/cuda/cuda_grids.h"
#include "workers/quant/cuda/cuda_memory.h"
#include "workers/quant/widen.h"

namespace quantd::quant {
namespace {

constexpr int kRuns = 7;

// Seconds of what `start` puts on the stream, by the device's own clock.
absl::StatusOr<double> MedianSeconds(const std::string& device,
                                     const std::function<void(cudaStream_t)>& start) {
  cudaStream_t stream;
  cudaEvent_t begin, end;
  cudaError_t result = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  if (result == cudaSuccess) result = cudaEventCreate(&begin);
  if (result == cudaSuccess) result = cudaEventCreate(&end);
  std::vector<float> milliseconds(kRuns);
  for (float& run : milliseconds) {
    if (result != cudaSuccess) return CudaStatus(result, device, "timing");
    cudaEventRecord(begin, stream);
    start(stream);
    cudaEventRecord(end, stream);
    result = cudaStreamSynchronize(stream);
    if (result == cudaSuccess) result = cudaEventElapsedTime(&run, begin, end);
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  cudaStreamDestroy(stream);
  std::sort(milliseconds.begin(), milliseconds.end());
  return milliseconds[kRuns / 2] / 1e3;
}

}  // namespace

absl::StatusOr<double> TimeCudaKernel(int index, const Codec& codec, const WeightRows& weights,
                                      const float* importance) {
  CudaMemoryBudget budget(absl::StrCat("cuda:", index), 0);
  const CudaCodec* kernel = FindCudaCodec(codec.name());
  if (kernel == nullptr)
    return absl::UnavailableError(absl::StrCat("no kernel of ", std::string(codec.name())));
  if (absl::Status status = CudaStatus(cudaSetDevice(index), budget.device(), "choosing the device");
      !status.ok()) {
    return status;
  }
  const int64_t count = weights.rows * weights.columns;
  std::vector<float> floats(static_cast<size_t>(count));
  Widen(weights, 0, count, floats.data());
  CudaBuffer source(budget), columns(budget), row_mean_squares(budget), stored(budget);
  absl::Status status = source.Reserve(count * static_cast<int64_t>(sizeof(float)));
  if (status.ok()) status = columns.Reserve(weights.columns * static_cast<int64_t>(sizeof(float)));
  if (status.ok()) status = row_mean_squares.Reserve(weights.rows * static_cast<int64_t>(sizeof(float)));
  if (status.ok()) status = stored.Reserve(weights.rows * codec.RowBytes(0, weights.columns));
  if (!status.ok()) return status;
  cudaMemcpy(source.As<void>(), floats.data(), floats.size() * sizeof(float), cudaMemcpyHostToDevice);
  CudaBlocks blocks;
  blocks.weights = source.As<float>();
  blocks.blocks_per_row = weights.columns / codec.weights_per_block();
  blocks.blocks = weights.rows * blocks.blocks_per_row;
  blocks.stored = stored.As<uint8_t>();
  CudaGrids grids(budget);
  if (kernel->grid.has_value()) {
    const absl::StatusOr<IqGrid> grid = grids.Get(*kernel->grid);
    if (!grid.ok()) return grid.status();
    blocks.grid = *grid;
  }
  if (importance != nullptr) {
    cudaMemcpy(columns.As<void>(), importance, static_cast<size_t>(weights.columns) * sizeof(float),
               cudaMemcpyHostToDevice);
    blocks.importance = columns.As<float>();
    blocks.row_mean_squares = row_mean_squares.As<float>();
  }
  return MedianSeconds(budget.device(), [&](cudaStream_t stream) { kernel->encode(blocks, stream); });
}

absl::StatusOr<double> PinnedCopyBandwidth(int index, int64_t bytes) {
  CudaMemoryBudget budget(absl::StrCat("cuda:", index), 0);
  if (absl::Status status = CudaStatus(cudaSetDevice(index), budget.device(), "choosing the device");
      !status.ok()) {
    return status;
  }
  CudaBuffer to(budget);
  PinnedMemory from;
  absl::Status status = to.Reserve(bytes);
  if (status.ok()) status = from.Reserve(static_cast<size_t>(bytes), budget.device());
  if (!status.ok()) return status;
  absl::StatusOr<double> seconds = MedianSeconds(budget.device(), [&](cudaStream_t stream) {
    cudaMemcpyAsync(to.As<void>(), from.data(), static_cast<size_t>(bytes), cudaMemcpyHostToDevice, stream);
  });
  if (!seconds.ok()) return seconds.status();
  return static_cast<double>(bytes) / *seconds;
}

}  // namespace quantd::quant
