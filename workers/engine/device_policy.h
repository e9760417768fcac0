// Where a job encodes, and what happens when a GPU fails in the middle of it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/quant/device.h"

namespace quantd {

enum class DeviceChoice {
  kAuto,  // a GPU where there is one; tiles that it cannot take go to the CPU
  kCpu,
  kCuda,  // a GPU, or an error
};

// "auto", "cpu" or "cuda"; INVALID_ARGUMENT otherwise.
absl::StatusOr<DeviceChoice> ParseDeviceChoice(std::string_view name);

// Thread-safe. Lives as long as the worker.
class DevicePolicy {
 public:
  // `accelerator` may be null where `choice` is not kCuda.
  DevicePolicy(DeviceChoice choice, std::unique_ptr<quant::Device> accelerator);

  // Opens what the choice asks for. UNAVAILABLE where that is a GPU and there is none.
  static absl::StatusOr<std::unique_ptr<DevicePolicy>> Open(DeviceChoice choice,
                                                            const quant::CudaOptions& cuda);

  // "cuda" while the GPU is in use, else "cpu": the label of metrics.
  std::string kind() const;
  // The device's own name.
  std::string name() const;
  // What may encode: the GPU while it is in use, then the CPU, which takes what the GPU cannot.
  struct DeviceInfo {
    std::string kind;
    std::string name;
  };
  std::vector<DeviceInfo> devices() const;
  // Threads that encode at a time: a GPU wants several, so that copies and kernels overlap.
  int EncoderThreads(int worker_threads) const;

  // An encoder for one thread, which says which device encoded an output. Codecs without a kernel on the GPU
  // are encoded by the CPU, and so is, unless the choice is kCuda, what the GPU fails at; the first time,
  // `on_fallback` gets the reason.
  absl::StatusOr<std::unique_ptr<quant::TileEncoder>> NewEncoder();
  absl::StatusOr<std::unique_ptr<quant::HostBuffer>> NewHostBuffer(size_t bytes);

  // Set before the first encoder is made.
  std::function<void(const std::string& reason)> on_fallback;

 private:
  class Encoder;
  absl::Status Fail(const absl::Status& failure);  // OK where the CPU may take over
  bool UsesAccelerator() const;

  const DeviceChoice choice_;
  std::unique_ptr<quant::Device> cpu_;
  std::unique_ptr<quant::Device> accelerator_;
  mutable std::mutex mutex_;
  bool has_fallen_back_ = false;  // on_fallback was called
  bool is_lost_ = false;          // the GPU failed other than by running out of memory: it is not asked again
};

}  // namespace quantd
