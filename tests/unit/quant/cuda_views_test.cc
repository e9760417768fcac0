// The views through which a GPU's thread sees its block, run on the CPU with the same one-lane code that the
// thread runs: what they read and write must be what the codec's own kernels do.
#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <random>
#include <vector>

#include "workers/quant/codec_list.h"
#include "workers/quant/codecs/iq1-inl.h"
#include "workers/quant/codecs/iq2-inl.h"
#include "workers/quant/codecs/iq3-inl.h"
#include "workers/quant/codecs/q4_k_q5_k-inl.h"
#include "workers/quant/cuda/block_views.cuh"

namespace quantd::quant {
namespace {

template <class Code>
std::vector<std::byte> EncodeThroughViews(const std::vector<float>& weights) {
  const size_t blocks = weights.size() / Code::kWeights;
  std::vector<std::byte> stored(blocks * Code::kBytes);
  for (size_t i = 0; i < blocks; ++i) {
    cuda::BlockWords<Code::kBytes, Code::kLead> words(reinterpret_cast<uint8_t*>(stored.data()) +
                                                      i * Code::kBytes);
    Code::Encode(cuda::BlockView(weights.data() + i * Code::kWeights), cuda::NoImportance(), words);
  }
  return stored;
}

// Codecs with a grid, as one row with importance.
template <class Code>
std::vector<std::byte> EncodeThroughViews(const std::vector<float>& weights,
                                          const std::vector<float>& importance) {
  const IqGrid grid = IqGridOf(Code::kGrid).view();
  const size_t blocks = weights.size() / Code::kWeights;
  std::vector<std::byte> stored(blocks * Code::kBytes);
  for (size_t i = 0; i < blocks; ++i) {
    cuda::BlockWords<Code::kBytes, Code::kLead> words(reinterpret_cast<uint8_t*>(stored.data()) +
                                                      i * Code::kBytes);
    Code::Encode(grid, cuda::BlockView(weights.data() + i * Code::kWeights),
                 cuda::ImportanceBlockView(importance.data() + i * Code::kWeights, 0.0f), words);
  }
  return stored;
}

std::vector<std::byte> EncodeByCodec(const Codec& codec, const std::vector<float>& weights,
                                     const float* importance = nullptr) {
  const int64_t columns = static_cast<int64_t>(weights.size());
  std::vector<std::byte> stored(static_cast<size_t>(codec.RowBytes(0, columns)));
  std::byte* plane = stored.data();
  codec.Encode({WeightType::kF32, weights.data(), 1, columns}, importance, {&plane, 1});
  return stored;
}

std::vector<float> Gaussian(size_t count) {
  std::mt19937 random(5);
  std::normal_distribution<float> bell(0.0f, 0.02f);
  std::vector<float> weights(count);
  for (float& weight : weights) weight = bell(random);
  return weights;
}

TEST(CudaViews, OneThreadABlockWritesTheCodecsBytes) {
  const std::vector<float> weights = Gaussian(256 * 33);
  EXPECT_EQ(EncodeThroughViews<HWY_NAMESPACE::Q4_K<OneLane>>(weights),
            EncodeByCodec(*FindCodec("Q4_K"), weights));
  EXPECT_EQ(EncodeThroughViews<HWY_NAMESPACE::Q5_K<OneLane>>(weights),
            EncodeByCodec(*FindCodec("Q5_K"), weights));
}

TEST(CudaViews, OneThreadABlockSearchesAGrid) {
  const std::vector<float> weights = Gaussian(256 * 17);
  std::vector<float> importance = Gaussian(weights.size());
  for (float& column : importance) column *= column;
  const auto expect_equal = [&](const std::vector<std::byte>& stored, const char* name) {
    EXPECT_EQ(stored, EncodeByCodec(*FindCodec(name), weights, importance.data())) << name;
  };
  expect_equal(EncodeThroughViews<HWY_NAMESPACE::Iq2Xxs<OneLane>>(weights, importance), "IQ2_XXS");
  expect_equal(EncodeThroughViews<HWY_NAMESPACE::Iq2Xs<OneLane>>(weights, importance), "IQ2_XS");
  expect_equal(EncodeThroughViews<HWY_NAMESPACE::Iq2S<OneLane>>(weights, importance), "IQ2_S");
  expect_equal(EncodeThroughViews<HWY_NAMESPACE::Iq3Xxs<OneLane>>(weights, importance), "IQ3_XXS");
  expect_equal(EncodeThroughViews<HWY_NAMESPACE::Iq3S<OneLane>>(weights, importance), "IQ3_S");
  expect_equal(EncodeThroughViews<HWY_NAMESPACE::Iq1S<OneLane>>(weights, importance), "IQ1_S");
  expect_equal(EncodeThroughViews<HWY_NAMESPACE::Iq1M<OneLane>>(weights, importance), "IQ1_M");
}

// Blocks whose size or first array is not a multiple of four bytes.
template <int kBytes, int kLead>
void ExpectWordsRoundTrip() {
  std::vector<uint8_t> memory(static_cast<size_t>(kBytes) + 2, 0xa5);
  cuda::BlockWords<kBytes, kLead> words(memory.data());
  constexpr int kWords = (kLead + kBytes + 3) / 4;
  for (int word = 0; word < kWords; ++word)
    words.Set(word, static_cast<int32_t>(0x03020100u + 0x04040404u * static_cast<uint32_t>(word)));
  for (int byte = 0; byte < kBytes; ++byte)
    EXPECT_EQ(memory[static_cast<size_t>(byte)], (byte + kLead) % 256) << byte;
  EXPECT_EQ(memory[kBytes], 0xa5) << "wrote past the block";
  for (int word = 1; word + 1 < kWords; ++word)
    EXPECT_EQ(words.Get(word), static_cast<int32_t>(0x03020100u + 0x04040404u * static_cast<uint32_t>(word)));
}

TEST(CudaViews, WordsFallOnTheBlocksBytes) {
  ExpectWordsRoundTrip<144, 0>();
  ExpectWordsRoundTrip<210, 0>();
  ExpectWordsRoundTrip<66, 2>();
  ExpectWordsRoundTrip<17, 3>();
}

}  // namespace
}  // namespace quantd::quant
