#include "workers/engine/tile_encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "workers/quant/codec_list.h"

namespace quantd {
namespace {

using testing::ElementsAre;

OutputTensor Output(const char* codec, const std::vector<int64_t>& shape) {
  OutputTensor output;
  output.name = "t";
  output.codec = quant::FindCodec(codec);
  output.shape = shape;
  return output;
}

std::vector<float> Floats(const std::vector<std::byte>& plane) {
  std::vector<float> values(plane.size() / sizeof(float));
  std::memcpy(values.data(), plane.data(), plane.size());
  return values;
}

std::vector<float> Counting(size_t count) {
  std::vector<float> weights(count);
  std::iota(weights.begin(), weights.end(), 0.0f);
  return weights;
}

// Rows of F32 weights, encoded by the CPU.
EncodedTile EncodeTile(const OutputTensor& output, const std::vector<float>& weights, int64_t rows,
                       RowOrder order = RowOrder::kAsSource) {
  const std::unique_ptr<quant::TileEncoder> cpu = *quant::OpenCpuDevice()->NewEncoder();
  const SourceRows source{quant::FindCodec("F32"), std::as_bytes(std::span(weights)), rows,
                          static_cast<int64_t>(weights.size()) / rows};
  const OutputRows outputs[] = {{&output, 0, order}};
  EncodedTile tiles[1];
  const auto bad = OutputEncoder(*cpu).Encode(source, outputs, tiles);
  EXPECT_TRUE(bad.ok() && !bad->has_value());
  return tiles[0];
}

TEST(EncodeTile, PlainFloatsAreCopiedAndHaveNoError) {
  const EncodedTile tile = EncodeTile(Output("F32", {2, 3}), Counting(6), 2);
  ASSERT_EQ(tile.planes.size(), 1u);
  EXPECT_THAT(Floats(tile.planes[0]), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(tile.error.Relative(), 0.0);
}

// llama.cpp pairs neighbours where Hugging Face pairs halves: rows 0 1 | 2 3 of a head become 0 2 1 3.
TEST(EncodeTile, ReordersTheRowsOfEveryHead) {
  OutputTensor output = Output("F32", {12, 1});
  output.rows_per_head = 6;
  EXPECT_THAT(Floats(EncodeTile(output, Counting(12), 12).planes[0]),
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  EXPECT_THAT(Floats(EncodeTile(output, Counting(12), 12, RowOrder::kHalvesToPairs).planes[0]),
              ElementsAre(0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11));
  EXPECT_THAT(Floats(EncodeTile(output, Counting(12), 12, RowOrder::kPairsToHalves).planes[0]),
              ElementsAre(0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11));
}

TEST(EncodeTile, PutsTheColumnsOfATransposedTensorFirst) {
  OutputTensor output = Output("F32", {2, 3});
  output.transposed = true;
  EXPECT_THAT(Floats(EncodeTile(output, Counting(6), 2).planes[0]), ElementsAre(0, 3, 1, 4, 2, 5));
}

TEST(EncodeComputed, AsksForTheRowsOfATile) {
  OutputTensor output = Output("F32", {4, 2});
  output.compute = [](int64_t first_row, int64_t rows, float* out) {
    for (int64_t i = 0; i < 2 * rows; ++i) out[i] = static_cast<float>(2 * first_row + i);
  };
  EXPECT_THAT(Floats(EncodeComputed(output, 1, 2).planes[0]), ElementsAre(2, 3, 4, 5));
}

TEST(EncodeTile, RoundsToTheCastsTypeFirst) {
  OutputTensor output = Output("F32", {1, 2});
  output.cast = quant::FindCodec("BF16");
  EXPECT_THAT(Floats(EncodeTile(output, std::vector<float>{1.0f, 1.001f}, 1).planes[0]),
              ElementsAre(1.0f, 1.0f));
}

TEST(EncodeTile, MeasuresTheErrorAgainstTheSource) {
  std::vector<float> weights(32, 1.0f);
  weights[0] = -8.0f;   // the scale is 1
  weights[1] = 0.375f;  // rounds to 0
  const EncodedTile tile = EncodeTile(Output("Q4_0", {1, 32}), weights, 1);
  EXPECT_DOUBLE_EQ(tile.error.largest, 0.375);
  EXPECT_DOUBLE_EQ(tile.error.squared_difference, 0.375 * 0.375);
  EXPECT_DOUBLE_EQ(tile.error.squared_source, 64.0 + 30.0 + 0.375 * 0.375);
}

TEST(EncodingError, AddsUpOverTiles) {
  quant::EncodingError sum;
  sum.Add({1.0, 50.0, 0.5});
  sum.Add({3.0, 350.0, 0.25});
  EXPECT_DOUBLE_EQ(sum.Relative(), 0.1);
  EXPECT_DOUBLE_EQ(sum.largest, 0.5);
}

TEST(EncodingError, IsZeroForASourceOfZeros) { EXPECT_EQ(quant::EncodingError().Relative(), 0.0); }

}  // namespace
}  // namespace quantd
