// What a codec's header promises about sizes and memory, for every codec.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "workers/quant/codec_list.h"
#include "workers/quant/cpu_target.h"
#include "workers/quant/half.h"

namespace quantd::quant {
namespace {

using Planes = std::vector<std::vector<std::byte>>;

constexpr std::byte kGuard{0xa5};
constexpr size_t kGuardBytes = 64;

// Room for the planes of `rows` rows with a guard behind each.
Planes GuardedPlanes(const Codec& codec, int64_t rows, int64_t columns) {
  Planes planes;
  for (size_t p = 0; p < codec.planes().size(); ++p) {
    planes.emplace_back(static_cast<size_t>(rows * codec.RowBytes(p, columns)) + kGuardBytes, kGuard);
  }
  return planes;
}

// An importance of one for each column, where the codec must have some.
std::vector<float> RequiredImportance(const Codec& codec, int64_t columns) {
  if (codec.importance_use() != ImportanceUse::kRequired) return {};
  return std::vector<float>(static_cast<size_t>(columns), 1.0f);
}

Planes Encode(const Codec& codec, const WeightRows& weights) {
  const auto [type, data, rows, columns] = weights;
  const std::vector<float> importance = RequiredImportance(codec, columns);
  Planes planes = GuardedPlanes(codec, rows, columns);
  std::vector<std::byte*> pointers;
  for (auto& plane : planes) pointers.push_back(plane.data());
  codec.Encode(weights, importance.empty() ? nullptr : importance.data(), pointers);
  for (auto& plane : planes) {
    for (size_t i = plane.size() - kGuardBytes; i < plane.size(); ++i) EXPECT_EQ(plane[i], kGuard);
    plane.erase(plane.end() - kGuardBytes, plane.end());
  }
  return planes;
}

Planes Encode(const Codec& codec, const std::vector<float>& weights, int64_t rows) {
  return Encode(codec, {WeightType::kF32, weights.data(), rows, static_cast<int64_t>(weights.size()) / rows});
}

std::vector<float> Decode(const Codec& codec, const Planes& planes, int64_t rows, int64_t columns) {
  std::vector<float> weights(static_cast<size_t>(rows * columns) + 1, 12345.0f);
  std::vector<const std::byte*> pointers;
  for (const auto& plane : planes) pointers.push_back(plane.data());
  codec.Decode(pointers, rows, columns, weights.data());
  EXPECT_EQ(weights.back(), 12345.0f) << "decoding wrote past its rows";
  weights.pop_back();
  return weights;
}

std::vector<float> RandomWeights(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> weights(static_cast<size_t>(count));
  for (float& weight : weights)
    weight = static_cast<float>(static_cast<int32_t>(random() % 20001) - 10000) / 5e4f;
  return weights;
}

TEST(CodecList, NamesAreUnique) {
  std::set<std::string_view> names;
  for (const Codec* codec : AllCodecs()) {
    EXPECT_TRUE(names.insert(codec->name()).second) << codec->name();
    EXPECT_EQ(FindCodec(codec->name()), codec);
  }
  EXPECT_EQ(FindCodec("q4_k"), nullptr) << "names are case-sensitive";
  EXPECT_EQ(FindCodec(""), nullptr);
}

// ggml's block sizes (ggml-common.h).
TEST(CodecList, GgmlTypesHaveGgmlsBlocks) {
  struct Block {
    int64_t weights;
    int64_t bytes;
  };
  const std::map<std::string_view, Block> blocks = {
      {"F32", {1, 4}},        {"F16", {1, 2}},        {"BF16", {1, 2}},      {"Q4_0", {32, 18}},
      {"Q4_1", {32, 20}},     {"Q5_0", {32, 22}},     {"Q5_1", {32, 24}},    {"Q8_0", {32, 34}},
      {"Q2_K", {256, 84}},    {"Q3_K", {256, 110}},   {"Q4_K", {256, 144}},  {"Q5_K", {256, 176}},
      {"Q6_K", {256, 210}},   {"IQ2_XXS", {256, 66}}, {"IQ2_XS", {256, 74}}, {"IQ2_S", {256, 82}},
      {"IQ3_XXS", {256, 98}}, {"IQ3_S", {256, 110}},  {"IQ1_S", {256, 50}},  {"IQ1_M", {256, 56}}};
  for (const auto& [name, block] : blocks) {
    const Codec* codec = FindCodec(name);
    ASSERT_NE(codec, nullptr) << name;
    EXPECT_EQ(codec->weights_per_block(), block.weights) << name;
    ASSERT_EQ(codec->planes().size(), 1u) << name;
    EXPECT_EQ(codec->planes()[0].bytes_per_block, block.bytes) << name;
    EXPECT_EQ(codec->RowBytes(0, 1024), 1024 / block.weights * block.bytes) << name;
  }
  EXPECT_DOUBLE_EQ(FindCodec("Q4_K")->BitsPerWeight(), 4.5);
  EXPECT_DOUBLE_EQ(FindCodec("Q6_K")->BitsPerWeight(), 6.5625);
}

TEST(CodecList, MlxFloatModesHaveAByteOfScaleAGroup) {
  struct Mode {
    int bits;
    int group;
  };
  for (const auto& [mode, layout] :
       std::map<std::string, Mode>{{"MXFP4", {4, 32}}, {"MXFP8", {8, 32}}, {"NVFP4", {4, 16}}}) {
    for (const char* type : {"F16", "BF16", "F32"}) {
      const Codec* codec = FindCodec("MLX_" + mode + "_" + type);
      ASSERT_NE(codec, nullptr) << mode;
      EXPECT_EQ(codec->weights_per_block(), layout.group);
      ASSERT_EQ(codec->planes().size(), 2u);
      EXPECT_EQ(codec->planes()[0].name, "weight");
      EXPECT_EQ(codec->planes()[0].bytes_per_block * 8, layout.group * layout.bits);
      EXPECT_EQ(codec->planes()[1].name, "scales");
      EXPECT_EQ(codec->planes()[1].bytes_per_block, 1);
    }
  }
}

TEST(CodecList, MlxTypesPackEveryWidthWithoutGaps) {
  for (int bits : {2, 3, 4, 5, 6, 8}) {
    for (int group : {32, 64, 128}) {
      for (const auto& [type, bytes] : std::map<std::string, int64_t>{{"F16", 2}, {"BF16", 2}, {"F32", 4}}) {
        const std::string name = "MLX_I" + std::to_string(bits) + "_G" + std::to_string(group) + "_" + type;
        const Codec* codec = FindCodec(name);
        ASSERT_NE(codec, nullptr) << name;
        EXPECT_EQ(codec->weights_per_block(), group);
        ASSERT_EQ(codec->planes().size(), 3u);
        EXPECT_EQ(codec->planes()[0].name, "weight");
        EXPECT_EQ(codec->planes()[0].bytes_per_block * 8, group * bits);
        EXPECT_EQ(codec->planes()[1].name, "scales");
        EXPECT_EQ(codec->planes()[1].bytes_per_block, bytes);
        EXPECT_EQ(codec->planes()[2].name, "biases");
        EXPECT_EQ(codec->planes()[2].bytes_per_block, bytes);
        EXPECT_DOUBLE_EQ(codec->BitsPerWeight(), bits + 16.0 * static_cast<double>(bytes) / group);
      }
    }
  }
}

// MatMulNBits: blocks that a row cuts short are stored whole; zero points of 4 bits share bytes within a row.
TEST(CodecList, OnnxRowsEndAnywhere) {
  const Codec& codec = *FindCodec("ONNX_I4_B32_ASYM_DEFAULT_F16");
  EXPECT_EQ(codec.weights_per_block(), 32);
  EXPECT_EQ(codec.column_multiple(), 1);
  ASSERT_EQ(codec.planes().size(), 3u);
  EXPECT_EQ(codec.planes()[0].name, "packed");
  EXPECT_EQ(codec.planes()[1].name, "scales");
  EXPECT_EQ(codec.planes()[2].name, "zero_points");
  for (int64_t columns : {1, 32, 33, 64, 65, 1000}) {
    const int64_t blocks = (columns + 31) / 32;
    EXPECT_EQ(codec.RowBytes(0, columns), blocks * 16);
    EXPECT_EQ(codec.RowBytes(1, columns), blocks * 2);
    EXPECT_EQ(codec.RowBytes(2, columns), (blocks + 1) / 2);
  }
  EXPECT_DOUBLE_EQ(codec.BitsPerWeight(), 4.0 + 16.0 / 32 + 4.0 / 32);
  const Codec& symmetric = *FindCodec("ONNX_I8_B128_SYM_RTN_F32");
  EXPECT_EQ(symmetric.planes().size(), 2u);
  EXPECT_EQ(symmetric.RowBytes(0, 130), 256);
  EXPECT_EQ(symmetric.RowBytes(1, 130), 8);
}

TEST(CodecList, OpenVinoGroupsAreOfOneRow) {
  const Codec& groups = *FindCodec("OPENVINO_I4_G64_ASYM");
  EXPECT_EQ(groups.weights_per_block(), 64);
  EXPECT_EQ(groups.column_multiple(), 64);
  EXPECT_EQ(groups.RowBytes(0, 576), 288);
  EXPECT_EQ(groups.RowBytes(1, 576), 18);
  EXPECT_EQ(groups.RowBytes(2, 576), 9) << "one byte a group: the writer packs them";
  const Codec& rows = *FindCodec("OPENVINO_I8_ROW_SYM");
  EXPECT_EQ(rows.weights_per_block(), kWholeRow);
  EXPECT_EQ(rows.column_multiple(), 1);
  EXPECT_EQ(rows.planes().size(), 2u);
  EXPECT_EQ(rows.RowBytes(0, 577), 577);
  EXPECT_EQ(rows.RowBytes(1, 577), 2);
  EXPECT_EQ(FindCodec("OPENVINO_I4_ROW_SYM")->column_multiple(), 2);
}

class EveryCodec : public testing::TestWithParam<const Codec*> {
 protected:
  const Codec& codec_ = *GetParam();
  const int64_t block_ = codec_.weights_per_block() == kWholeRow ? 40 : codec_.weights_per_block();
};

TEST_P(EveryCodec, WritesExactlyItsPlanes) {
  const std::vector<float> weights = RandomWeights(3 * 2 * block_, 1);
  const Planes planes = Encode(codec_, weights, 3);
  Decode(codec_, planes, 3, 2 * block_);
}

TEST_P(EveryCodec, EncodesAndDecodesNoRows) {
  const Planes planes = Encode(codec_, RandomWeights(block_, 2), 1);
  std::vector<std::byte*> to;
  std::vector<const std::byte*> from;
  Planes untouched = GuardedPlanes(codec_, 0, block_);
  for (auto& plane : untouched) to.push_back(plane.data());
  for (const auto& plane : planes) from.push_back(plane.data());
  const float weight = 1.0f;
  const std::vector<float> importance = RequiredImportance(codec_, block_);
  codec_.Encode({WeightType::kF32, &weight, 0, block_}, importance.empty() ? nullptr : importance.data(), to);
  float decoded = 7.0f;
  codec_.Decode(from, 0, block_, &decoded);
  EXPECT_EQ(decoded, 7.0f);
  EXPECT_EQ(untouched, GuardedPlanes(codec_, 0, block_));
}

TEST_P(EveryCodec, ZerosComeBackAsZeros) {
  const std::vector<float> zeros(static_cast<size_t>(2 * block_), 0.0f);
  for (float weight : Decode(codec_, Encode(codec_, zeros, 1), 1, 2 * block_)) EXPECT_EQ(weight, 0.0f);
}

// Blocks are independent: the engine cuts tensors into tiles of rows, and the tiles' bytes must join.
TEST_P(EveryCodec, RowsEncodeTheSameAloneAndTogether) {
  const int64_t columns = 2 * block_;
  const std::vector<float> weights = RandomWeights(3 * columns, 3);
  const Planes together = Encode(codec_, weights, 3);
  for (int64_t row = 0; row < 3; ++row) {
    const std::vector<float> one(weights.begin() + row * columns, weights.begin() + (row + 1) * columns);
    const Planes alone = Encode(codec_, one, 1);
    for (size_t p = 0; p < alone.size(); ++p) {
      ASSERT_EQ(std::memcmp(alone[p].data(), together[p].data() + row * codec_.RowBytes(p, columns),
                            alone[p].size()),
                0);
    }
  }
}

// Rows of 16-bit weights are read by kernels of their own.
TEST_P(EveryCodec, SixteenBitRowsEncodeAsTheirFloats) {
  constexpr int64_t kRows = 3;
  const int64_t columns = 7 * block_;
  std::vector<float> weights = RandomWeights(kRows * columns, 6);
  for (const std::string& target : CpuTargets()) {
    ASSERT_TRUE(SetCpuTarget(target).ok());
    for (WeightType type : {WeightType::kF16, WeightType::kBf16}) {
      std::vector<uint16_t> stored;
      for (float& weight : weights) {
        stored.push_back(type == WeightType::kF16 ? FloatToHalf(weight) : FloatToBf16(weight));
        weight = type == WeightType::kF16 ? HalfToFloat(stored.back()) : Bf16ToFloat(stored.back());
      }
      EXPECT_EQ(Encode(codec_, {type, stored.data(), kRows, columns}), Encode(codec_, weights, kRows))
          << target;
    }
  }
}

// Every half, subnormal ones too.
TEST_P(EveryCodec, ReadsEveryFiniteHalf) {
  std::vector<uint16_t> halves;
  std::vector<float> floats;
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    halves.push_back(static_cast<uint16_t>((bits & 0x7c00) == 0x7c00 ? 0 : bits));
    floats.push_back(HalfToFloat(halves.back()));
  }
  for (const std::string& target : CpuTargets()) {
    ASSERT_TRUE(SetCpuTarget(target).ok());
    EXPECT_EQ(Encode(codec_, {WeightType::kF16, halves.data(), 64, 1024}), Encode(codec_, floats, 64))
        << target;
  }
}

// A stranger's file may hold anything; the contract is that no memory outside the planes is touched. (The
// sanitizers' build watches.)
TEST_P(EveryCodec, SurvivesWeightsThatAreNotFinite) {
  std::vector<float> weights = RandomWeights(4 * block_, 4);
  weights[0] = std::numeric_limits<float>::quiet_NaN();
  weights[static_cast<size_t>(block_)] = std::numeric_limits<float>::infinity();
  weights[static_cast<size_t>(2 * block_)] = -std::numeric_limits<float>::infinity();
  weights[static_cast<size_t>(3 * block_)] = std::numeric_limits<float>::max();
  Decode(codec_, Encode(codec_, weights, 2), 2, 2 * block_);
}

TEST_P(EveryCodec, DecodesArbitraryBytes) {
  std::mt19937 random(5);
  for (int round = 0; round < 50; ++round) {
    Planes planes = GuardedPlanes(codec_, 2, block_);
    for (auto& plane : planes) {
      for (std::byte& byte : plane) byte = static_cast<std::byte>(random());
    }
    Decode(codec_, planes, 2, block_);
  }
}

INSTANTIATE_TEST_SUITE_P(Codecs, EveryCodec, testing::ValuesIn(AllCodecs().begin(), AllCodecs().end()),
                         [](const auto& tested) { return std::string(tested.param->name()); });

}  // namespace
}  // namespace quantd::quant
