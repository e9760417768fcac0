// Measures the GPU: the kernel alone, and the whole way of weights through the device.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/quant/codec.h"

namespace quantd::bench {

struct CudaFigures {
  std::string type;
  bool importance = false;
  double kernel_weights_per_second = 0.0;  // weights in device memory
  double path_weights_per_second = 0.0;  // BF16 weights in page-locked memory to stored blocks in host memory
  double path_bytes_per_second = 0.0;    // of BF16 weights
  double copy_bytes_per_second = 0.0;    // page-locked memory to the device, nothing else
  double copy_share = 0.0;               // path_bytes_per_second / copy_bytes_per_second
};

// `threads` encoders share the GPU.
absl::StatusOr<CudaFigures> MeasureCuda(const quant::Codec& codec, bool importance, int threads);

// The codecs that the GPU has kernels of.
absl::StatusOr<std::vector<const quant::Codec*>> CudaCodecs();

}  // namespace quantd::bench
