// The codecs that the GPU has kernels of. An explicit list, as codec_list.h.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "workers/quant/codec.h"
#include "workers/quant/codecs/iq_grid.h"

namespace quantd::quant {

// Error sums of kBlocksPerSum blocks, as a kernel leaves them in device memory.
struct CudaErrorSums {
  double squared_difference;
  double squared_source;
  float largest;
};
inline constexpr int64_t kBlocksPerSum = 128;

// Blocks in device memory that follow each other; all pointers are device pointers.
struct CudaBlocks {
  const float* weights = nullptr;
  int64_t blocks = 0;
  int64_t blocks_per_row = 0;
  const float* importance = nullptr;  // null, or one number for each column
  float* row_mean_squares = nullptr;  // where there is importance: room for one number for each row
  uint8_t* stored = nullptr;
  IqGrid grid = {};  // the codec's grid, where it has one
};

struct CudaCodec {
  std::string_view name;
  std::optional<IqGridName> grid;
  // Start kernels on the stream. `measure` writes one sum for every kBlocksPerSum blocks, the last one for
  // fewer.
  void (*encode)(const CudaBlocks& blocks, cudaStream_t stream);
  void (*measure)(const CudaBlocks& blocks, CudaErrorSums* sums, cudaStream_t stream);
};

// Null where the GPU has no kernel of that codec.
const CudaCodec* FindCudaCodec(std::string_view name);

// Starts the widening of `count` stored weights and the search for those that are not finite: *first is
// lowered to the first one's index. All are device pointers; F32 weights are only searched, and `weights` is
// not written.
void LoadWeights(WeightType type, const void* stored, int64_t count, float* weights,
                 unsigned long long* first, cudaStream_t stream);

}  // namespace quantd::quant
