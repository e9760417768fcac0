// Device memory with an owner and a limit.
#pragma once

#include <cuda_runtime_api.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace quantd::quant {

// What all buffers of one device may take together. Thread-safe.
class CudaMemoryBudget {
 public:
  CudaMemoryBudget(std::string device, int64_t limit) : device_(std::move(device)), limit_(limit) {}

  // RESOURCE_EXHAUSTED where the limit (0: none) would be passed.
  absl::Status Take(int64_t bytes);
  void GiveBack(int64_t bytes) { taken_ -= bytes; }
  const std::string& device() const { return device_; }

 private:
  std::string device_;
  int64_t limit_;
  std::atomic<int64_t> taken_ = 0;
};

// Grows and never shrinks. Not thread-safe; the budget outlives it.
class CudaBuffer {
 public:
  explicit CudaBuffer(CudaMemoryBudget& budget) : budget_(&budget) {}
  CudaBuffer(CudaBuffer&& other) noexcept;
  CudaBuffer(const CudaBuffer&) = delete;
  CudaBuffer& operator=(const CudaBuffer&) = delete;
  ~CudaBuffer() { Free(); }

  // Room for `bytes`; what was in the buffer is lost when it has to grow.
  absl::Status Reserve(int64_t bytes);
  template <typename T>
  T* As() const {
    return static_cast<T*>(data_);
  }

 private:
  void Free();

  CudaMemoryBudget* budget_;
  void* data_ = nullptr;
  int64_t size_ = 0;
};

// Page-locked host memory, which the GPU copies from and to at full speed beside other work. Grows, never
// shrinks.
class PinnedMemory {
 public:
  PinnedMemory() = default;
  PinnedMemory(PinnedMemory&& other) noexcept;
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;
  ~PinnedMemory();

  absl::Status Reserve(size_t bytes, const std::string& device);
  std::byte* data() const { return static_cast<std::byte*>(data_); }
  size_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace quantd::quant
