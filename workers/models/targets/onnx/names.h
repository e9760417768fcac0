// Names of initializers. They are those of onnxruntime-genai's model builder, so that scripts that look for
// them find them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "workers/models/targets/onnx/recipe.h"

namespace quantd {

inline constexpr char kOnnxEmbeddingWeight[] = "model.embed_tokens.weight";

// "model.layers.3.attn.qkv_proj"; "lm_head", whatever the layer.
std::string MatrixPath(OnnxMatrix matrix, int64_t layer);

// The node that multiplies by it, without the mark of its bits: "/model/layers.3/attn/qkv_proj/MatMul".
std::string MatrixNode(OnnxMatrix matrix, int64_t layer);

// One name a plane of the matrix's codec, in the codec's order (packed, scales, zero points):
// "….MatMul.weight_Q4", "….MatMul.weight_scales", …; of a matrix of floats "….MatMul.weight".
std::vector<std::string> MatrixInitializers(const std::string& path,
                                            const std::optional<quant::OnnxNbits>& form);

std::string InputNormWeight(int64_t layer);          // before attention
std::string PostAttentionNormWeight(int64_t layer);  // before the mlp
std::string FinalNormWeight(int64_t layers);         // counted as if it were one more layer's

}  // namespace quantd
