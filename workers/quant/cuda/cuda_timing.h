// What the GPU does alone, without copies, and the copies without it: for quantbench.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "workers/quant/codec.h"

namespace quantd::quant {

// Seconds that the kernel of `codec` takes for `weights` that are in device memory as floats: the median of
// several runs. Errors as OpenCudaDevice, and UNAVAILABLE where there is no kernel.
absl::StatusOr<double> TimeCudaKernel(int index, const Codec& codec, const WeightRows& weights,
                                      const float* importance);

// Bytes per second from page-locked memory to the device, `bytes` at a time: the median of several copies.
absl::StatusOr<double> PinnedCopyBandwidth(int index, int64_t bytes);

}  // namespace quantd::quant
