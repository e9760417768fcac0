// CUDA's results as absl::Status.
#pragma once

#include <cuda_runtime_api.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace quantd::quant {

// RESOURCE_EXHAUSTED where device memory ran out, UNAVAILABLE for everything else that is not a success.
inline absl::Status CudaStatus(cudaError_t result, const std::string& device, const char* what) {
  if (result == cudaSuccess) return absl::OkStatus();
  const std::string message = absl::StrCat(device, ": ", what, ": ", cudaGetErrorString(result));
  return result == cudaErrorMemoryAllocation ? absl::ResourceExhaustedError(message)
                                             : absl::UnavailableError(message);
}

}  // namespace quantd::quant
