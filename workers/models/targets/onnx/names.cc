#include "workers/models/targets/onnx/names.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace quantd {
namespace {

const char* NameIn(OnnxMatrix matrix) {
  switch (matrix) {
    case OnnxMatrix::kQueryKeyValue:
      return "attn.qkv_proj";
    case OnnxMatrix::kQuery:
      return "attn.q_proj";
    case OnnxMatrix::kKey:
      return "attn.k_proj";
    case OnnxMatrix::kValue:
      return "attn.v_proj";
    case OnnxMatrix::kAttentionOutput:
      return "attn.o_proj";
    case OnnxMatrix::kGate:
      return "mlp.gate_proj";
    case OnnxMatrix::kUp:
      return "mlp.up_proj";
    case OnnxMatrix::kDown:
      return "mlp.down_proj";
    case OnnxMatrix::kOutput:
      break;
  }
  return "lm_head";
}

std::string OfLayer(int64_t layer, const char* name) {
  return absl::StrCat("model.layers.", layer, ".", name);
}

}  // namespace

std::string MatrixPath(OnnxMatrix matrix, int64_t layer) {
  return matrix == OnnxMatrix::kOutput ? NameIn(matrix) : OfLayer(layer, NameIn(matrix));
}

std::string MatrixNode(OnnxMatrix matrix, int64_t layer) {
  const std::string name = absl::StrReplaceAll(NameIn(matrix), {{".", "/"}});
  return matrix == OnnxMatrix::kOutput ? absl::StrCat("/", name, "/MatMul")
                                       : absl::StrCat("/model/layers.", layer, "/", name, "/MatMul");
}

std::vector<std::string> MatrixInitializers(const std::string& path,
                                            const std::optional<quant::OnnxNbits>& form) {
  const std::string weight = absl::StrCat(path, ".MatMul.weight");
  if (!form.has_value()) return {weight};
  const bool is_default = form->algorithm == quant::OnnxAlgorithm::kDefault;
  std::vector<std::string> names =
      is_default ? std::vector<std::string>{absl::StrCat(weight, "_Q", form->bits), weight + "_scales"}
                 : std::vector<std::string>{absl::StrCat(weight, "_Q", form->bits, "G", form->block),
                                            weight + "_scale"};
  if (!form->symmetric) names.push_back(weight + (is_default ? "_zero_points" : "_zp"));
  return names;
}

std::string InputNormWeight(int64_t layer) { return OfLayer(layer, "input_layernorm.weight"); }
std::string PostAttentionNormWeight(int64_t layer) {
  return OfLayer(layer, "post_attention_layernorm.weight");
}
std::string FinalNormWeight(int64_t layers) { return OfLayer(layers, "final_norm_layernorm.weight"); }

}  // namespace quantd
