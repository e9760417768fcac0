// What stands in the place of the CUDA device where the build has no nvcc.
#include "workers/quant/cuda/cuda_timing.h"
#include "workers/quant/device.h"

namespace quantd::quant {
namespace {

absl::Status NoCuda() {
  return absl::UnavailableError("this program was built without CUDA; use --device cpu");
}

}  // namespace

int CudaDeviceCount() { return 0; }

absl::StatusOr<std::unique_ptr<Device>> OpenCudaDevice(const CudaOptions&) { return NoCuda(); }

absl::StatusOr<double> TimeCudaKernel(int, const Codec&, const WeightRows&, const float*) { return NoCuda(); }

absl::StatusOr<double> PinnedCopyBandwidth(int, int64_t) { return NoCuda(); }

}  // namespace quantd::quant
