#include "workers/quant/cuda/cuda_memory.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "workers/quant/cuda/cuda_error.h"

namespace quantd::quant {

absl::Status CudaMemoryBudget::Take(int64_t bytes) {
  const int64_t taken = taken_ += bytes;
  if (limit_ == 0 || taken <= limit_) return absl::OkStatus();
  taken_ -= bytes;
  return absl::ResourceExhaustedError(
      absl::StrCat(device_, ": ", bytes, " more bytes would pass the memory limit of ", limit_, " bytes"));
}

CudaBuffer::CudaBuffer(CudaBuffer&& other) noexcept
    : budget_(other.budget_),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

absl::Status CudaBuffer::Reserve(int64_t bytes) {
  if (bytes <= size_) return absl::OkStatus();
  Free();
  if (absl::Status status = budget_->Take(bytes); !status.ok()) return status;
  if (cudaError_t result = cudaMalloc(&data_, static_cast<size_t>(bytes)); result != cudaSuccess) {
    budget_->GiveBack(bytes);
    data_ = nullptr;
    cudaGetLastError();  // running out of memory is not an error of the device: later calls may succeed
    return CudaStatus(result, budget_->device(), "allocating device memory");
  }
  size_ = bytes;
  return absl::OkStatus();
}

void CudaBuffer::Free() {
  if (data_ == nullptr) return;
  cudaFree(data_);
  budget_->GiveBack(size_);
  data_ = nullptr;
  size_ = 0;
}

PinnedMemory::PinnedMemory(PinnedMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

PinnedMemory::~PinnedMemory() {
  if (data_ != nullptr) cudaFreeHost(data_);
}

absl::Status PinnedMemory::Reserve(size_t bytes, const std::string& device) {
  if (bytes <= size_) return absl::OkStatus();
  if (data_ != nullptr) cudaFreeHost(data_);
  data_ = nullptr;
  size_ = 0;
  if (cudaError_t result = cudaHostAlloc(&data_, bytes, cudaHostAllocPortable); result != cudaSuccess) {
    data_ = nullptr;
    cudaGetLastError();
    return CudaStatus(result, device, "allocating page-locked memory");
  }
  size_ = bytes;
  return absl::OkStatus();
}

}  // namespace quantd::quant
