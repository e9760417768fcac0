// What happens to tiles that a GPU cannot take, with a device that fails on purpose.
#include "workers/engine/device_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workers/quant/codec_list.h"

namespace quantd {
namespace {

using quant::TileOutput;
using testing::HasSubstr;

// Encodes as the CPU does, has kernels of Q8_0 only, and fails from tile `good_tiles` on.
class FailingDevice final : public quant::Device {
 public:
  FailingDevice(int good_tiles, absl::Status failure)
      : good_tiles_(good_tiles), failure_(std::move(failure)) {}

  std::string name() const override { return "cuda:0 test"; }
  bool Supports(const quant::Codec& codec) const override { return codec.name() == "Q8_0"; }
  absl::StatusOr<std::unique_ptr<quant::TileEncoder>> NewEncoder() override {
    return std::make_unique<Encoder>(*this);
  }
  absl::StatusOr<std::unique_ptr<quant::HostBuffer>> NewHostBuffer(size_t bytes) override {
    return cpu_->NewHostBuffer(bytes);
  }
  int tiles() const { return tiles_; }

 private:
  class Encoder final : public quant::TileEncoder {
   public:
    explicit Encoder(FailingDevice& device) : device_(device), cpu_(*device.cpu_->NewEncoder()) {}
    absl::StatusOr<std::optional<int64_t>> Encode(const quant::WeightRows& weights,
                                                  std::span<const TileOutput> outputs) override {
      if (device_.tiles_++ >= device_.good_tiles_) return device_.failure_;
      return cpu_->Encode(weights, outputs);
    }

   private:
    FailingDevice& device_;
    std::unique_ptr<quant::TileEncoder> cpu_;
  };

  std::unique_ptr<quant::Device> cpu_ = quant::OpenCpuDevice();
  int tiles_ = 0;
  int good_tiles_;
  absl::Status failure_;
};

class DevicePolicyTest : public testing::Test {
 protected:
  void Open(DeviceChoice choice, int good_tiles, absl::Status failure) {
    auto device = std::make_unique<FailingDevice>(good_tiles, std::move(failure));
    device_ = device.get();
    policy_ = std::make_unique<DevicePolicy>(choice, std::move(device));
    policy_->on_fallback = [this](const std::string& reason) { reasons_.push_back(reason); };
    encoder_ = *policy_->NewEncoder();
  }

  // The bytes of one tile, or the error.
  absl::StatusOr<std::vector<std::byte>> Encode(const char* codec) {
    const quant::Codec* type = quant::FindCodec(codec);
    std::vector<std::byte> plane(static_cast<size_t>(type->RowBytes(0, kColumns)));
    std::byte* planes[] = {plane.data()};
    const TileOutput output{type, nullptr, planes, nullptr, &encoded_on_};
    const auto bad = encoder_->Encode({quant::WeightType::kF32, weights_.data(), 1, kColumns}, {&output, 1});
    if (!bad.ok()) return bad.status();
    return plane;
  }

  static constexpr int64_t kColumns = 512;
  const std::vector<float> weights_ = std::vector<float>(kColumns, 0.25f);
  FailingDevice* device_ = nullptr;
  std::unique_ptr<DevicePolicy> policy_;
  std::unique_ptr<quant::TileEncoder> encoder_;
  std::vector<std::string> reasons_;
  std::string_view encoded_on_;
};

TEST_F(DevicePolicyTest, AutoGoesOnWithTheCpuAndSaysSoOnce) {
  Open(DeviceChoice::kAuto, 2, absl::UnavailableError("cuda:0 test: fell off the bus"));
  const auto first = Encode("Q8_0");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(encoded_on_, "cuda");
  EXPECT_EQ(policy_->devices().size(), 2u);
  for (int i = 0; i < 4; ++i) {
    const auto tile = Encode("Q8_0");
    ASSERT_TRUE(tile.ok()) << tile.status();
    EXPECT_EQ(*tile, *first);
  }
  EXPECT_EQ(encoded_on_, "cpu");
  EXPECT_EQ(policy_->devices().size(), 1u);
  EXPECT_EQ(device_->tiles(), 3) << "a lost device is not asked again";
  ASSERT_EQ(reasons_.size(), 1u);
  EXPECT_THAT(reasons_[0], HasSubstr("fell off the bus"));
  EXPECT_EQ(policy_->kind(), "cpu");
}

TEST_F(DevicePolicyTest, RunningOutOfMemoryIsForOneTileOnly) {
  Open(DeviceChoice::kAuto, 0, absl::ResourceExhaustedError("cuda:0 test: out of memory"));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Encode("Q8_0").ok());
  EXPECT_EQ(encoded_on_, "cpu");
  EXPECT_EQ(device_->tiles(), 3);
  EXPECT_EQ(reasons_.size(), 1u);
  EXPECT_EQ(policy_->kind(), "cuda");
}

TEST_F(DevicePolicyTest, CudaFailsTheTaskWhenTheGpuFails) {
  Open(DeviceChoice::kCuda, 1, absl::UnavailableError("cuda:0 test: fell off the bus"));
  EXPECT_TRUE(Encode("Q8_0").ok());
  const auto tile = Encode("Q8_0");
  EXPECT_EQ(tile.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(tile.status().message()), HasSubstr("--device auto"));
  EXPECT_TRUE(reasons_.empty());
}

TEST_F(DevicePolicyTest, CodecsWithoutAKernelAreTheCpus) {
  Open(DeviceChoice::kCuda, 0, absl::UnavailableError("not asked"));
  EXPECT_TRUE(Encode("F16").ok());
  EXPECT_EQ(encoded_on_, "cpu");
  EXPECT_EQ(device_->tiles(), 0);
}

TEST(DeviceChoice, IsOneOfThree) {
  EXPECT_EQ(*ParseDeviceChoice("auto"), DeviceChoice::kAuto);
  EXPECT_EQ(*ParseDeviceChoice("cpu"), DeviceChoice::kCpu);
  EXPECT_EQ(*ParseDeviceChoice("cuda"), DeviceChoice::kCuda);
  EXPECT_EQ(ParseDeviceChoice("tpu").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(DevicePolicy, CudaWithoutAGpuIsAnErrorAtOnce) {
  if (quant::CudaDeviceCount() > 0) GTEST_SKIP() << "there is a GPU";
  EXPECT_EQ(DevicePolicy::Open(DeviceChoice::kCuda, {}).status().code(), absl::StatusCode::kUnavailable);
  ASSERT_TRUE(DevicePolicy::Open(DeviceChoice::kAuto, {}).ok());
  EXPECT_EQ((*DevicePolicy::Open(DeviceChoice::kAuto, {}))->kind(), "cpu");
}

}  // namespace
}  // namespace quantd
