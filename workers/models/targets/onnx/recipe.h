// What a target of ONNX Runtime GenAI asks for: the type of everything that is computed, and how each matrix
// is stored.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/models/model.h"
#include "workers/models/targets/target.h"
#include "workers/quant/codec.h"
#include "workers/quant/codecs/onnx_nbits.h"

namespace quantd {

// Where the model will run ("execution provider").
enum class OnnxProvider { kCpu, kCuda, kDml, kMobile };

// The type of activations, norms, caches and logits. Scales have the same: MatMulNBits takes no other.
using OnnxFloat = quant::OnnxScale;

// Which matrices of an int4 model get 8 bits.
enum class OnnxMixed {
  kNone,
  kLastMatmul,  // lm_head
  kLayers,      // lm_head, and the attention inputs and mlp outputs of the sensitive layers
};

// A matrix of the graph. Query, key and value are one, or three for providers whose attention takes them
// apart.
enum class OnnxMatrix {
  kQueryKeyValue,
  kQuery,
  kKey,
  kValue,
  kAttentionOutput,
  kGate,
  kUp,
  kDown,
  kOutput,  // lm_head
};

struct OnnxRecipe {
  OnnxProvider provider = OnnxProvider::kCpu;
  OnnxFloat io_type = OnnxFloat::kF32;
  std::optional<quant::OnnxNbits> blocks;  // what the scheme quantizes to; unset for float schemes
  OnnxMixed mixed = OnnxMixed::kNone;
  int accuracy_level = 0;             // MatMulNBits' attribute; 0: not written
  std::optional<int64_t> max_length;  // genai_config's search.max_length; unset: the context

  // DirectML's attention neither splits a joined projection nor rotates.
  bool joins_query_key_value() const { return provider != OnnxProvider::kDml; }
  bool rotates_in_attention() const { return provider != OnnxProvider::kDml; }

  // How a matrix of layer `layer` (-1 for lm_head) of `layers` is stored; unset: as floats of `io_type`.
  std::optional<quant::OnnxNbits> FormOf(OnnxMatrix matrix, int64_t layer, int64_t layers) const;
};

// The codec of a matrix in that form, and the one of floats.
const quant::Codec& CodecOf(const quant::OnnxNbits& form);
const quant::Codec& CodecOf(OnnxFloat type);

// Reads scheme and options, which have been checked against the lists below. INVALID_ARGUMENT names the field
// of an option that means nothing for the scheme, lies out of the model's range, or is a provider that can't
// compute in the scheme's type.
absl::StatusOr<OnnxRecipe> ReadOnnxRecipe(const TargetSpec& spec, const Model& model);

std::vector<SchemeInfo> OnnxSchemes();
std::vector<OptionInfo> OnnxOptions();

}  // namespace quantd
