#include "workers/engine/device_policy.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd {

using quant::TileOutput;

absl::StatusOr<DeviceChoice> ParseDeviceChoice(std::string_view name) {
  if (name == "auto") return DeviceChoice::kAuto;
  if (name == "cpu") return DeviceChoice::kCpu;
  if (name == "cuda") return DeviceChoice::kCuda;
  return absl::InvalidArgumentError(
      absl::StrCat("device \"", std::string(name), "\" is not one of auto, cpu, cuda"));
}

namespace {

constexpr std::string_view kCpu = "cpu", kCuda = "cuda";

void SayDevice(std::span<const TileOutput> outputs, std::string_view device) {
  for (const TileOutput& output : outputs) {
    if (output.device != nullptr) *output.device = device;
  }
}

}  // namespace

class DevicePolicy::Encoder final : public quant::TileEncoder {
 public:
  Encoder(DevicePolicy& policy, std::unique_ptr<TileEncoder> cpu, std::unique_ptr<TileEncoder> accelerator)
      : policy_(policy), cpu_(std::move(cpu)), accelerator_(std::move(accelerator)) {}

  absl::StatusOr<std::optional<int64_t>> Encode(const quant::WeightRows& weights,
                                                std::span<const TileOutput> outputs) override {
    std::vector<TileOutput> for_cpu, for_accelerator;
    const bool use_accelerator = accelerator_ != nullptr && policy_.UsesAccelerator();
    for (const TileOutput& output : outputs) {
      const bool supported = use_accelerator && policy_.accelerator_->Supports(*output.codec);
      (supported ? for_accelerator : for_cpu).push_back(output);
    }
    if (!for_accelerator.empty()) {
      absl::StatusOr<std::optional<int64_t>> bad = accelerator_->Encode(weights, for_accelerator);
      if (bad.ok()) {
        SayDevice(for_accelerator, kCuda);
        if (bad->has_value() || for_cpu.empty()) return bad;
      } else {
        RETURN_IF_ERROR(policy_.Fail(bad.status()));
        for_cpu.assign(outputs.begin(), outputs.end());
      }
    }
    SayDevice(for_cpu, kCpu);
    return cpu_->Encode(weights, for_cpu);
  }

 private:
  DevicePolicy& policy_;
  std::unique_ptr<TileEncoder> cpu_;
  std::unique_ptr<TileEncoder> accelerator_;
};

DevicePolicy::DevicePolicy(DeviceChoice choice, std::unique_ptr<quant::Device> accelerator)
    : choice_(choice), cpu_(quant::OpenCpuDevice()), accelerator_(std::move(accelerator)) {}

absl::StatusOr<std::unique_ptr<DevicePolicy>> DevicePolicy::Open(DeviceChoice choice,
                                                                 const quant::CudaOptions& cuda) {
  std::unique_ptr<quant::Device> accelerator;
  if (choice == DeviceChoice::kCuda ||
      (choice == DeviceChoice::kAuto && quant::CudaDeviceCount() > cuda.index)) {
    absl::StatusOr<std::unique_ptr<quant::Device>> opened = quant::OpenCudaDevice(cuda);
    if (opened.ok()) {
      accelerator = *std::move(opened);
    } else if (choice == DeviceChoice::kCuda) {
      return opened.status();
    }
  }
  return std::make_unique<DevicePolicy>(choice, std::move(accelerator));
}

bool DevicePolicy::UsesAccelerator() const {
  std::lock_guard lock(mutex_);
  return accelerator_ != nullptr && !is_lost_;
}

std::string DevicePolicy::kind() const { return devices().front().kind; }

std::string DevicePolicy::name() const { return devices().front().name; }

std::vector<DevicePolicy::DeviceInfo> DevicePolicy::devices() const {
  std::vector<DeviceInfo> devices;
  if (UsesAccelerator()) devices.push_back({std::string(kCuda), accelerator_->name()});
  devices.push_back({std::string(kCpu), cpu_->name()});
  return devices;
}

int DevicePolicy::EncoderThreads(int worker_threads) const {
  constexpr int kCopiesAndKernel = 4;
  return UsesAccelerator() ? std::max(worker_threads, kCopiesAndKernel) : worker_threads;
}

absl::Status DevicePolicy::Fail(const absl::Status& failure) {
  if (choice_ == DeviceChoice::kCuda) {
    return absl::UnavailableError(
        absl::StrCat(std::string(failure.message()), "; --device auto would go on with the CPU"));
  }
  std::lock_guard lock(mutex_);
  is_lost_ |= failure.code() != absl::StatusCode::kResourceExhausted;
  if (!has_fallen_back_ && on_fallback) {
    on_fallback(absl::StrCat(std::string(failure.message()),
                             is_lost_ ? "; the CPU goes on" : "; the CPU encodes such tiles"));
  }
  has_fallen_back_ = true;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<quant::TileEncoder>> DevicePolicy::NewEncoder() {
  ASSIGN_OR_RETURN(std::unique_ptr<quant::TileEncoder> cpu, cpu_->NewEncoder());
  std::unique_ptr<quant::TileEncoder> accelerator;
  if (UsesAccelerator()) {
    absl::StatusOr<std::unique_ptr<quant::TileEncoder>> made = accelerator_->NewEncoder();
    if (made.ok()) {
      accelerator = *std::move(made);
    } else {
      RETURN_IF_ERROR(Fail(made.status()));
    }
  }
  return std::make_unique<Encoder>(*this, std::move(cpu), std::move(accelerator));
}

absl::StatusOr<std::unique_ptr<quant::HostBuffer>> DevicePolicy::NewHostBuffer(size_t bytes) {
  if (UsesAccelerator()) {
    absl::StatusOr<std::unique_ptr<quant::HostBuffer>> pinned = accelerator_->NewHostBuffer(bytes);
    if (pinned.ok()) return pinned;
    RETURN_IF_ERROR(Fail(pinned.status()));
  }
  return cpu_->NewHostBuffer(bytes);
}

}  // namespace quantd
