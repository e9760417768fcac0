#include "workers/quant/cuda/cuda_grids.h"

#include <utility>

#include "workers/quant/cuda/cuda_error.h"

namespace quantd::quant {

absl::StatusOr<IqGrid> CudaGrids::Get(IqGridName name) {
  const IqGridArrays& arrays = IqGridOf(name);
  const absl::MutexLock lock(&mutex_);
  if (const auto known = grids_.find(name); known != grids_.end()) return known->second;
  IqGrid grid;
  absl::Status status = Copy(arrays.points, grid.points);
  if (status.ok()) status = Copy(arrays.cells, grid.cells);
  if (status.ok()) status = Copy(arrays.near_cells, grid.near_cells);
  if (status.ok()) status = Copy(arrays.lists, grid.lists);
  if (!status.ok()) return status;
  grids_[name] = grid;
  return grid;
}

absl::Status CudaGrids::Copy(const std::vector<int32_t>& from, const int32_t*& to) {
  const size_t bytes = from.size() * sizeof(int32_t);
  CudaBuffer buffer(budget_);
  if (absl::Status status = buffer.Reserve(static_cast<int64_t>(bytes)); !status.ok()) return status;
  const cudaError_t result = cudaMemcpy(buffer.As<void>(), from.data(), bytes, cudaMemcpyHostToDevice);
  if (result != cudaSuccess) return CudaStatus(result, budget_.device(), "copying a grid in");
  to = buffer.As<int32_t>();
  buffers_.push_back(std::move(buffer));
  return absl::OkStatus();
}

}  // namespace quantd::quant
