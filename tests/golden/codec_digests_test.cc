// Every codec's bytes against digests of what ggml and MLX wrote (make_codec_digests.py), and onnxruntime and
// NNCF (make_integer_digests.py): the check of byte equality that needs none of them.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "tests/golden/golden_weights.h"
#include "workers/quant/codec_list.h"
#include "workers/quant/cpu_target.h"

namespace quantd::quant {
namespace {

struct Golden {
  std::string codec;
  std::string importance;  // "none" or "columns"
  std::string distribution;
  std::string digest;
};

std::vector<Golden> ReadGoldens(const std::string& name) {
  std::ifstream file(std::string(QUANTD_GOLDEN_DIR) + "/" + name);
  std::vector<Golden> goldens;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) continue;
    Golden golden;
    std::istringstream(line) >> golden.codec >> golden.importance >> golden.distribution >> golden.digest;
    goldens.push_back(golden);
  }
  return goldens;
}

std::string Encode(const Codec& codec, const std::vector<float>& weights, const float* importance = nullptr) {
  std::vector<std::string> planes;
  for (size_t p = 0; p < codec.planes().size(); ++p) {
    planes.emplace_back(static_cast<size_t>(kGoldenRows * codec.RowBytes(p, kGoldenColumns)), '\0');
  }
  std::vector<std::byte*> pointers;
  for (std::string& plane : planes) pointers.push_back(reinterpret_cast<std::byte*>(plane.data()));
  codec.Encode({quantd::quant::WeightType::kF32, weights.data(), kGoldenRows, kGoldenColumns}, importance,
               pointers);
  std::string all;
  for (const std::string& plane : planes) all += plane;
  return all;
}

// MLX and onnxruntime quantize weights of the type in which they store scales: the last part of the codec's
// name.
std::vector<float> AsModelType(const std::string& codec, std::vector<float> weights) {
  if (!codec.starts_with("MLX_") && !codec.starts_with("ONNX_")) return weights;
  const Codec* type = FindCodec(codec.substr(codec.rfind('_') + 1));
  const std::string stored = Encode(*type, weights);
  const std::byte* plane = reinterpret_cast<const std::byte*>(stored.data());
  type->Decode({&plane, 1}, kGoldenRows, kGoldenColumns, weights.data());
  return weights;
}

class CodecDigests : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { ASSERT_TRUE(SetCpuTarget(GetParam()).ok()); }
};

void CheckDigests(const std::string& file) {
  const std::vector<Golden> goldens = ReadGoldens(file);
  ASSERT_FALSE(goldens.empty());
  const std::vector<float> importance = GoldenImportance();
  for (const Golden& golden : goldens) {
    SCOPED_TRACE(golden.codec + ", importance " + golden.importance + ", of " + golden.distribution);
    const Codec* codec = FindCodec(golden.codec);
    ASSERT_NE(codec, nullptr);
    const std::vector<float> weights = GoldenWeights(golden.distribution);
    ASSERT_FALSE(weights.empty());
    const float* matrix = golden.importance == "none" ? nullptr : importance.data();
    EXPECT_EQ(Sha256Hex(Encode(*codec, AsModelType(golden.codec, weights), matrix)), golden.digest);
  }
}

TEST_P(CodecDigests, EqualTheBytesOfGgmlAndMlx) { CheckDigests("codec_digests.txt"); }
TEST_P(CodecDigests, EqualTheBytesOfOnnxRuntimeAndNncf) { CheckDigests("integer_digests.txt"); }

INSTANTIATE_TEST_SUITE_P(EveryCpuTarget, CodecDigests, testing::ValuesIn(CpuTargets()),
                         [](const auto& target) { return target.param; });

}  // namespace
}  // namespace quantd::quant
