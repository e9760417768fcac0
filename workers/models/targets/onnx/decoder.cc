#include "workers/models/targets/onnx/decoder.h"

#include <utility>

#include "workers/models/targets/onnx/names.h"
#include "workers/models/targets/rotary_frequencies.h"

namespace quantd {

int64_t OnnxDecoder::rotary_size() const { return RotatedDimensions(parameters); }

bool OnnxDecoder::has_long_rope() const { return HasLongRope(parameters); }

bool OnnxDecoder::has_two_rotary_ranges() const {
  return has_long_rope() && parameters.context > original_context();
}

DecoderMatrix MatrixOf(const OnnxDecoder& decoder, OnnxMatrix matrix, int64_t layer) {
  const HyperParameters& p = decoder.parameters;
  const int64_t queries = p.heads * p.head_size(), keys = p.key_value_heads * p.head_size();
  const auto [inputs, outputs] = [&]() -> std::pair<int64_t, int64_t> {
    switch (matrix) {
      case OnnxMatrix::kQueryKeyValue:
        return {p.hidden, queries + 2 * keys};
      case OnnxMatrix::kQuery:
        return {p.hidden, queries};
      case OnnxMatrix::kKey:
      case OnnxMatrix::kValue:
        return {p.hidden, keys};
      case OnnxMatrix::kAttentionOutput:
        return {queries, p.hidden};
      case OnnxMatrix::kGate:
      case OnnxMatrix::kUp:
        return {p.hidden, p.feed_forward};
      case OnnxMatrix::kDown:
        return {p.feed_forward, p.hidden};
      case OnnxMatrix::kOutput:
        break;
    }
    return {p.hidden, p.vocabulary};
  }();
  return {matrix, layer,   MatrixPath(matrix, layer),
          inputs, outputs, decoder.recipe.FormOf(matrix, layer, p.layers)};
}

std::vector<DecoderMatrix> DecoderMatrices(const OnnxDecoder& decoder) {
  std::vector<OnnxMatrix> of_layer = {OnnxMatrix::kQueryKeyValue};
  if (!decoder.recipe.joins_query_key_value())
    of_layer = {OnnxMatrix::kQuery, OnnxMatrix::kKey, OnnxMatrix::kValue};
  for (OnnxMatrix matrix :
       {OnnxMatrix::kAttentionOutput, OnnxMatrix::kGate, OnnxMatrix::kUp, OnnxMatrix::kDown})
    of_layer.push_back(matrix);
  std::vector<DecoderMatrix> matrices;
  for (int64_t layer = 0; layer < decoder.parameters.layers; ++layer) {
    for (OnnxMatrix matrix : of_layer) matrices.push_back(MatrixOf(decoder, matrix, layer));
  }
  matrices.push_back(MatrixOf(decoder, OnnxMatrix::kOutput, -1));
  return matrices;
}

}  // namespace quantd
