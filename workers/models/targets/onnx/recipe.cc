#include "workers/models/targets/onnx/recipe.h"

#include <cmath>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "workers/models/targets/formats.h"
#include "workers/quant/codec_list.h"

namespace quantd {
namespace {

constexpr int kIntegerAccuracy = 4;  // activations are quantized to 8 bits too

// Options that say how weights are quantized.
constexpr std::string_view kBlockOptions[] = {"block_size", "symmetric", "algorithm", "accuracy_level",
                                              "mixed"};

OnnxProvider ProviderOf(const TargetSpec& spec) {
  const std::string name = OptionOr(spec, "ep", spec.scheme == "bf16" ? "cuda" : "cpu");
  if (name == "cuda") return OnnxProvider::kCuda;
  if (name == "dml") return OnnxProvider::kDml;
  return name == "mobile" ? OnnxProvider::kMobile : OnnxProvider::kCpu;
}

quant::OnnxAlgorithm AlgorithmOf(const TargetSpec& spec) {
  const std::string name = OptionOr(spec, "algorithm", "default");
  if (name == "rtn") return quant::OnnxAlgorithm::kRtn;
  return name == "k_quant" ? quant::OnnxAlgorithm::kKQuant : quant::OnnxAlgorithm::kDefault;
}

bool IsOnCpu(OnnxProvider provider) {
  return provider == OnnxProvider::kCpu || provider == OnnxProvider::kMobile;
}

// Integers compute in the fastest float type of the provider.
OnnxFloat FloatOf(const std::string& scheme, OnnxProvider provider) {
  if (scheme == "fp32") return OnnxFloat::kF32;
  if (scheme == "bf16") return OnnxFloat::kBf16;
  if (scheme == "fp16") return OnnxFloat::kF16;
  return IsOnCpu(provider) ? OnnxFloat::kF32 : OnnxFloat::kF16;
}

absl::Status CheckProvider(OnnxFloat type, OnnxProvider provider) {
  if (type == OnnxFloat::kF32 && !IsOnCpu(provider)) {
    return InvalidField("options[ep]",
                        "the GPUs' attention takes no fp32: fp32 is for cpu and mobile; take fp16");
  }
  if (type == OnnxFloat::kBf16 && provider != OnnxProvider::kCuda)
    return InvalidField("options[ep]", "only cuda multiplies matrices in bf16; take fp16");
  return absl::OkStatus();
}

absl::Status CheckSymmetry(const TargetSpec& spec, quant::OnnxAlgorithm algorithm) {
  if (algorithm == quant::OnnxAlgorithm::kKQuant && OptionOr(spec, "symmetric", "false") == "true")
    return InvalidField("options[symmetric]", "k_quant always has zero points");
  return absl::OkStatus();
}

absl::StatusOr<OnnxMixed> ReadMixed(const TargetSpec& spec, int bits) {
  const std::string name = OptionOr(spec, "mixed", "none");
  if (name == "none") return OnnxMixed::kNone;
  if (bits == 8) return InvalidField("options[mixed]", "int8 has 8 bits everywhere already");
  return name == "layers" ? OnnxMixed::kLayers : OnnxMixed::kLastMatmul;
}

absl::Status ReadBlocks(const TargetSpec& spec, OnnxRecipe& recipe) {
  quant::OnnxNbits form;
  form.bits = spec.scheme == "int8" ? 8 : 4;
  form.block = std::stoi(OptionOr(spec, "block_size", "32"));
  form.algorithm = AlgorithmOf(spec);
  form.scale = recipe.io_type;
  RETURN_IF_ERROR(CheckSymmetry(spec, form.algorithm));
  form.symmetric =
      form.algorithm != quant::OnnxAlgorithm::kKQuant && OptionOr(spec, "symmetric", "true") == "true";
  ASSIGN_OR_RETURN(recipe.mixed, ReadMixed(spec, form.bits));
  const int usual = IsOnCpu(recipe.provider) ? kIntegerAccuracy : 0;
  recipe.accuracy_level = std::stoi(OptionOr(spec, "accuracy_level", absl::StrCat(usual)));
  recipe.blocks = form;
  return absl::OkStatus();
}

absl::Status RefuseBlockOptions(const TargetSpec& spec) {
  for (std::string_view option : kBlockOptions) {
    if (OptionOr(spec, std::string(option), "").empty()) continue;
    return InvalidField(absl::StrCat("options[", std::string(option), "]"),
                        "means nothing without quantization");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<int64_t>> ReadMaxLength(const TargetSpec& spec, const Model& model) {
  const std::string text = OptionOr(spec, "max_length", "");
  if (text.empty()) return std::nullopt;
  int64_t length = 0;
  if (!absl::SimpleAtoi(text, &length) || length < 1 || length > model.parameters.context) {
    return InvalidField("options[max_length]",
                        absl::StrCat("\"", text, "\" is no whole number from 1 to ", model.parameters.context,
                                     ", the model's context"));
  }
  return length;
}

// Layers whose errors hurt most: the first and last eighth and every third between, as the model builder
// chooses them.
bool IsSensitive(int64_t layer, int64_t layers) {
  if (8 * layer < layers || 8 * layer >= 7 * layers) return true;
  const int64_t eighth = std::llrint(static_cast<double>(layers) / 8.0);  // half to even
  return (layer - eighth) % 3 == 2;
}

}  // namespace

std::optional<quant::OnnxNbits> OnnxRecipe::FormOf(OnnxMatrix matrix, int64_t layer, int64_t layers) const {
  if (!blocks.has_value()) return std::nullopt;
  quant::OnnxNbits form = *blocks;
  switch (matrix) {
    case OnnxMatrix::kOutput:
      if (mixed != OnnxMixed::kNone) form.bits = 8;
      break;
    case OnnxMatrix::kQueryKeyValue:
    case OnnxMatrix::kValue:
    case OnnxMatrix::kDown:
      if (mixed == OnnxMixed::kLayers && IsSensitive(layer, layers)) form.bits = 8;
      break;
    default:
      break;
  }
  return form;
}

const quant::Codec& CodecOf(OnnxFloat type) {
  if (type == OnnxFloat::kF32) return *quant::FindCodec("F32");
  return *quant::FindCodec(type == OnnxFloat::kF16 ? "F16" : "BF16");
}

const quant::Codec& CodecOf(const quant::OnnxNbits& form) {
  const char* algorithm = form.algorithm == quant::OnnxAlgorithm::kDefault ? "DEFAULT"
                          : form.algorithm == quant::OnnxAlgorithm::kRtn   ? "RTN"
                                                                           : "KQUANT";
  return *quant::FindCodec(absl::StrCat("ONNX_I", form.bits, "_B", form.block,
                                        form.symmetric ? "_SYM_" : "_ASYM_", algorithm, "_",
                                        std::string(CodecOf(form.scale).name())));
}

absl::StatusOr<OnnxRecipe> ReadOnnxRecipe(const TargetSpec& spec, const Model& model) {
  OnnxRecipe recipe;
  recipe.provider = ProviderOf(spec);
  recipe.io_type = FloatOf(spec.scheme, recipe.provider);
  RETURN_IF_ERROR(CheckProvider(recipe.io_type, recipe.provider));
  if (spec.scheme == "int4" || spec.scheme == "int8") {
    RETURN_IF_ERROR(ReadBlocks(spec, recipe));
  } else {
    RETURN_IF_ERROR(RefuseBlockOptions(spec));
  }
  ASSIGN_OR_RETURN(recipe.max_length, ReadMaxLength(spec, model));
  return recipe;
}

std::vector<SchemeInfo> OnnxSchemes() {
  return {
      {"int4", CodecOf(quant::OnnxNbits{.bits = 4}).BitsPerWeight(), "blocks of 4-bit integers with a scale"},
      {"int8", CodecOf(quant::OnnxNbits{.bits = 8}).BitsPerWeight(), "blocks of 8-bit integers with a scale"},
      {"fp16", 16.0, "IEEE half"},
      {"bf16", 16.0, "bfloat16 (cuda)"},
      {"fp32", 32.0, "IEEE single (cpu, mobile)"}};
}

std::vector<OptionInfo> OnnxOptions() {
  return {
      {"ep", "where it will run (default cpu; of bf16 cuda)", false, {"cpu", "cuda", "dml", "mobile"}},
      {"block_size", "weights that share a scale (default 32)", false, {"16", "32", "64", "128", "256"}},
      {"symmetric", "no zero points (default true)", false, {"true", "false"}},
      {"algorithm",
       "how scales are chosen (default: onnxruntime's own; k_quant: ggml's search, with zero points)",
       false,
       {"default", "rtn", "k_quant"}},
      {"accuracy_level",
       "in what MatMulNBits computes (default 4, 8-bit integers, on cpu and mobile; elsewhere 0, unsaid)",
       false,
       {"0", "1", "2", "3", "4"}},
      {"mixed",
       "8 bits for lm_head (last_matmul), and for the sensitive layers too (layers); of int4",
       false,
       {"none", "last_matmul", "layers"}},
      {"max_length",
       "genai_config's search.max_length, for which memory is taken (default: the context)",
       false,
       {}},
  };
}

}  // namespace quantd
