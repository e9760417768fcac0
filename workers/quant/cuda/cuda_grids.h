// The grids of the IQ types in the memory of one GPU.
#pragma once

#include <map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "workers/quant/codecs/iq_grid.h"
#include "workers/quant/cuda/cuda_memory.h"

namespace quantd::quant {

// Thread-safe. The budget outlives it.
class CudaGrids {
 public:
  explicit CudaGrids(CudaMemoryBudget& budget) : budget_(budget) {}

  // Copies the grid to the GPU, the calling thread's current device, when it is first asked for. The pointers
  // are valid as long as this object.
  absl::StatusOr<IqGrid> Get(IqGridName name);

 private:
  absl::Status Copy(const std::vector<int32_t>& from, const int32_t*& to)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  CudaMemoryBudget& budget_;
  absl::Mutex mutex_;
  std::map<IqGridName, IqGrid> grids_ ABSL_GUARDED_BY(mutex_);
  std::vector<CudaBuffer> buffers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quantd::quant
