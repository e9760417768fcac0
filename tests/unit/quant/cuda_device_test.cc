// The GPU writes the bytes that the CPU writes, for every codec that it has a kernel of. Without a GPU only
// the refusal can be checked here; cuda_views_test.cc runs the kernels' views on the CPU.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "workers/quant/codec_list.h"
#include "workers/quant/device.h"
#include "workers/quant/half.h"

namespace quantd::quant {
namespace {

constexpr WeightType kTypes[] = {WeightType::kF32, WeightType::kF16, WeightType::kBf16};

TEST(CudaDeviceWithoutGpu, SaysWhyThereIsNone) {
  if (CudaDeviceCount() > 0) GTEST_SKIP() << "there is a GPU";
  const auto device = OpenCudaDevice({});
  EXPECT_EQ(device.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(device.status().message().empty());
}

// Kinds of weights on which quantizers differ.
float WeightOf(const std::string& kind, int64_t i, std::mt19937& random) {
  const float bell = std::normal_distribution<float>(0.0f, 0.02f)(random);
  if (kind == "gaussian") return bell;
  if (kind == "heavy tailed") return bell * bell * bell * 1e5f;
  if (kind == "zero") return 0.0f;
  if (kind == "constant") return 0.37f;
  if (kind == "one non-zero") return i % 256 == 77 ? -1.5f : 0.0f;
  if (kind == "alternating") return i % 2 == 0 ? 0.5f : -0.5f;
  if (kind == "ties") return static_cast<float>(static_cast<int>(random() % 17) - 8) / 8.0f;
  if (kind == "tiny") return bell * 1e-12f;
  if (kind == "subnormal") return bell * 1e-38f;
  return bell * 1e5f;  // huge
}

// Weights of a type, and their bits as that type stores them.
std::vector<std::byte> MakeWeights(WeightType type, const std::string& kind, int64_t count) {
  std::mt19937 random(7);
  const size_t size = type == WeightType::kF32 ? 4 : 2;
  std::vector<std::byte> bytes(static_cast<size_t>(count) * size);
  for (int64_t i = 0; i < count; ++i) {
    const float weight = WeightOf(kind, i, random);
    uint32_t bits = std::bit_cast<uint32_t>(weight);
    if (type == WeightType::kF16) bits = FloatToHalf(weight);
    if (type == WeightType::kBf16) bits = FloatToBf16(weight);
    std::memcpy(bytes.data() + static_cast<size_t>(i) * size, &bits, size);
  }
  return bytes;
}

class CudaDeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    if (CudaDeviceCount() == 0) GTEST_SKIP() << "no GPU here";
    auto device = OpenCudaDevice({});
    ASSERT_TRUE(device.ok()) << device.status();
    device_ = *std::move(device);
    auto encoder = device_->NewEncoder();
    ASSERT_TRUE(encoder.ok()) << encoder.status();
    encoder_ = *std::move(encoder);
  }

  std::vector<const Codec*> Supported() const {
    std::vector<const Codec*> codecs;
    for (const Codec* codec : AllCodecs()) {
      if (device_->Supports(*codec)) codecs.push_back(codec);
    }
    return codecs;
  }

  // The device's planes, one after the other.
  std::vector<std::byte> EncodeOnDevice(const Codec& codec, const WeightRows& weights,
                                        const float* importance, EncodingError* error = nullptr) {
    return Collect(codec, weights, [&](std::span<std::byte* const> planes) {
      const TileOutput output{&codec, importance, planes, error};
      const auto bad = encoder_->Encode(weights, {&output, 1});
      ASSERT_TRUE(bad.ok()) << bad.status();
      EXPECT_FALSE(bad->has_value());
    });
  }

  static std::vector<std::byte> EncodeOnCpu(const Codec& codec, const WeightRows& weights,
                                            const float* importance) {
    return Collect(codec, weights,
                   [&](std::span<std::byte* const> planes) { codec.Encode(weights, importance, planes); });
  }

  template <typename Encode>
  static std::vector<std::byte> Collect(const Codec& codec, const WeightRows& weights, Encode encode) {
    std::vector<size_t> sizes;
    size_t total = 0;
    for (size_t p = 0; p < codec.planes().size(); ++p) {
      sizes.push_back(static_cast<size_t>(weights.rows * codec.RowBytes(p, weights.columns)));
      total += sizes.back();
    }
    std::vector<std::byte> all(total);
    std::vector<std::byte*> planes;
    for (size_t p = 0, at = 0; p < sizes.size(); at += sizes[p++]) planes.push_back(all.data() + at);
    encode(planes);
    return all;
  }

  std::unique_ptr<Device> device_;
  std::unique_ptr<TileEncoder> encoder_;
};

TEST_F(CudaDeviceTest, WritesTheCpusBytes) {
  ASSERT_FALSE(Supported().empty());
  for (const Codec* codec : Supported()) {
    const int64_t columns = codec->weights_per_block() * 11, rows = 37;
    std::vector<float> importance(static_cast<size_t>(columns));
    std::mt19937 random(3);
    for (float& column : importance)
      column = random() % 7 == 0 ? 0.0f : static_cast<float>(random() % 1000 + 1) / 1000.0f;
    for (WeightType type : kTypes) {
      for (const char* kind : {"gaussian", "heavy tailed", "zero", "constant", "one non-zero", "alternating",
                               "ties", "tiny", "subnormal", "huge"}) {
        const std::vector<std::byte> bytes = MakeWeights(type, kind, rows * columns);
        const WeightRows weights{type, bytes.data(), rows, columns};
        SCOPED_TRACE(std::string(codec->name()) + ", " + kind + ", type " +
                     std::to_string(static_cast<int>(type)));
        if (codec->importance_use() != ImportanceUse::kRequired) {
          EXPECT_TRUE(EncodeOnDevice(*codec, weights, nullptr) == EncodeOnCpu(*codec, weights, nullptr));
        }
        if (codec->importance_use() != ImportanceUse::kIgnored) {
          EXPECT_TRUE(EncodeOnDevice(*codec, weights, importance.data()) ==
                      EncodeOnCpu(*codec, weights, importance.data()))
              << "with importance";
        }
      }
    }
  }
}

TEST_F(CudaDeviceTest, MeasuresTheErrorOfWhatItStored) {
  for (const Codec* codec : Supported()) {
    if (codec->weights_per_block() == 1) continue;
    SCOPED_TRACE(codec->name());
    const int64_t columns = codec->weights_per_block() * 9, rows = 40;
    const std::vector<float> importance(static_cast<size_t>(columns), 1.0f);
    const std::vector<std::byte> bytes = MakeWeights(WeightType::kF32, "gaussian", rows * columns);
    const WeightRows weights{WeightType::kF32, bytes.data(), rows, columns};
    const float* matrix = codec->importance_use() == ImportanceUse::kRequired ? importance.data() : nullptr;
    EncodingError error;
    EncodeOnDevice(*codec, weights, matrix, &error);
    EncodingError expected;
    std::vector<std::byte> stored = EncodeOnCpu(*codec, weights, matrix);
    std::vector<float> decoded(static_cast<size_t>(rows * columns));
    const std::byte* plane = stored.data();
    codec->Decode({&plane, 1}, rows, columns, decoded.data());
    const auto* source = reinterpret_cast<const float*>(bytes.data());
    for (size_t i = 0; i < decoded.size(); ++i) {
      const double difference = decoded[i] - source[i];
      expected.Add({difference * difference, double{source[i]} * source[i], std::fabs(difference)});
    }
    EXPECT_NEAR(error.Relative(), expected.Relative(), expected.Relative() * 1e-4);
    EXPECT_NEAR(error.largest, expected.largest, expected.largest * 1e-5);
  }
}

TEST_F(CudaDeviceTest, TellsTheFirstWeightThatIsNotFinite) {
  const Codec* codec = Supported().front();
  const int64_t columns = codec->weights_per_block() * 4, rows = 64;
  for (WeightType type : kTypes) {
    std::vector<std::byte> bytes = MakeWeights(type, "gaussian", rows * columns);
    const size_t size = type == WeightType::kF32 ? 4 : 2;
    const uint32_t infinity = type == WeightType::kF32   ? 0xff800000u
                              : type == WeightType::kF16 ? 0x7c00u
                                                         : 0x7fc0u;
    for (size_t index : {size_t{5000}, size_t{777}})
      std::memcpy(bytes.data() + index * size, &infinity, size);
    const WeightRows weights{type, bytes.data(), rows, columns};
    std::vector<std::byte> plane(static_cast<size_t>(rows * codec->RowBytes(0, columns)));
    std::byte* planes[] = {plane.data()};
    const TileOutput output{codec, nullptr, planes, nullptr};
    const auto bad = encoder_->Encode(weights, {&output, 1});
    ASSERT_TRUE(bad.ok()) << bad.status();
    EXPECT_EQ(*bad, 777);
  }
}

TEST_F(CudaDeviceTest, RefusesToPassItsMemoryLimit) {
  const auto device = OpenCudaDevice({.index = 0, .memory_limit = 1 << 20});
  ASSERT_TRUE(device.ok()) << device.status();
  const auto encoder = (*device)->NewEncoder();
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  const Codec* codec = Supported().front();
  const int64_t columns = 4096, rows = 1024;
  const std::vector<std::byte> bytes = MakeWeights(WeightType::kBf16, "zero", rows * columns);
  std::vector<std::byte> plane(static_cast<size_t>(rows * codec->RowBytes(0, columns)));
  std::byte* planes[] = {plane.data()};
  const TileOutput output{codec, nullptr, planes, nullptr};
  const auto bad = (*encoder)->Encode({WeightType::kBf16, bytes.data(), rows, columns}, {&output, 1});
  EXPECT_EQ(bad.status().code(), absl::StatusCode::kResourceExhausted);
  // A tile that fits is encoded by the same encoder afterwards.
  const auto small = (*encoder)->Encode({WeightType::kBf16, bytes.data(), 8, columns}, {&output, 1});
  EXPECT_TRUE(small.ok()) << small.status();
}

}  // namespace
}  // namespace quantd::quant
