#include "workers/models/targets/gguf_types.h"

#include <re2/re2.h>

#include <algorithm>
#include <memory>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "workers/quant/codec_list.h"

namespace quantd {
namespace {

using quant::Codec;
using quant::FindCodec;

constexpr GgufFileType kFileTypes[] = {
    {"Q2_K_S", 21, "Q2_K"}, {"F32", 0, "F32"},      {"F16", 1, "F16"},          {"BF16", 32, "BF16"},
    {"Q4_0", 2, "Q4_0"},    {"Q4_1", 3, "Q4_1"},    {"Q5_0", 8, "Q5_0"},        {"Q5_1", 9, "Q5_1"},
    {"Q8_0", 7, "Q8_0"},    {"Q2_K", 10, "Q2_K"},   {"Q3_K_S", 11, "Q3_K"},     {"Q3_K_M", 12, "Q3_K"},
    {"Q3_K_L", 13, "Q3_K"}, {"Q4_K_S", 14, "Q4_K"}, {"Q4_K_M", 15, "Q4_K"},     {"Q5_K_S", 16, "Q5_K"},
    {"Q5_K_M", 17, "Q5_K"}, {"Q6_K", 18, "Q6_K"},   {"IQ4_NL", 25, "IQ4_NL"},   {"IQ4_XS", 30, "IQ4_XS"},
    {"TQ1_0", 36, "TQ1_0"}, {"TQ2_0", 37, "TQ2_0"}, {"MXFP4_MOE", 38, "MXFP4"}, {"Q1_0", 40, "Q1_0"},
    {"Q2_0", 41, "Q2_0"},
};

// Tensor names have about 30 bytes; compiling an expression may take the square of its length.
constexpr size_t kLongestExpression = 4096;

bool IsQuantized(const Codec& codec) { return codec.weights_per_block() > 1; }

bool IsMatrix(const ModelTensor& tensor) { return tensor.source.shape.size() >= 2; }

bool IsValueClass(TensorRole role) {
  return role == TensorRole::kAttentionValue || role == TensorRole::kAttentionQueryKeyValue;
}

// llama.cpp's rule for the layers that matter most: the first and last eighth, and every third between.
bool UsesMoreBits(int64_t layer, int64_t layers) {
  return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

// What a tensor's columns force where a block does not divide them.
const Codec* Fallback(const Codec* wanted, int64_t columns) {
  if (columns % wanted->weights_per_block() == 0) return wanted;
  const std::string_view name = wanted->name();
  const Codec* next = wanted;
  if (name == "Q2_K" || name == "Q3_K" || name == "TQ1_0" || name == "TQ2_0" || name == "Q2_0")
    next = FindCodec("Q4_0");
  if (name == "IQ4_XS") next = FindCodec("IQ4_NL");
  if (name == "Q4_K") next = FindCodec("Q5_0");
  if (name == "Q5_K") next = FindCodec("Q5_1");
  if (name == "Q6_K") next = FindCodec("Q8_0");
  return columns % next->weights_per_block() == 0 ? next : FindCodec("F16");
}

class TypeChooser {
 public:
  TypeChooser(const Model& model, const GgufFileType& file_type, const GgufTypeOptions& options)
      : model_(model), file_type_(file_type), options_(options), default_(FindCodec(file_type.codec)) {
    tied_ = std::none_of(model.tensors.begin(), model.tensors.end(),
                         [](const ModelTensor& tensor) { return tensor.role == TensorRole::kOutput; });
  }

  absl::StatusOr<GgufTypes> Choose() {
    for (const auto& [expression, codec] : options_.tensor_types)
      RETURN_IF_ERROR(AddPattern(expression, codec));
    GgufTypes types;
    types.codecs.resize(model_.tensors.size());
    for (size_t index : LlamaOrder()) {
      const ModelTensor& tensor = model_.tensors[index];
      const Codec* wanted = ChooseOne(tensor);
      const Codec* codec = IsMatrix(tensor) ? Fallback(wanted, tensor.source.columns()) : wanted;
      if (codec != wanted) {
        types.notes.push_back(absl::StrCat(
            GgufName(tensor), " is ", std::string(codec->name()), " instead of ", std::string(wanted->name()),
            ": its ", tensor.source.columns(), " columns are no multiple of ", wanted->weights_per_block()));
      }
      types.codecs[index] = codec;
      RETURN_IF_ERROR(CheckImportance(tensor, *codec));
    }
    for (const Pattern& pattern : patterns_) {
      if (pattern.matched) continue;
      return InvalidField("options[tensor_type]", absl::StrCat("\"", pattern.text, "\" matches no tensor"));
    }
    return types;
  }

 private:
  struct Pattern {
    std::string text;
    std::unique_ptr<RE2> regex;
    const Codec* codec;
    bool matched = false;
  };

  static std::string GgufName(const ModelTensor& tensor) {
    return TensorName(tensor.rule->gguf, tensor.layer);
  }

  absl::Status AddPattern(const std::string& text, const Codec* codec) {
    if (text.size() > kLongestExpression) {
      return InvalidField("options[tensor_type]",
                          absl::StrCat("is longer than ", kLongestExpression, " bytes"));
    }
    auto regex = std::make_unique<RE2>(text, RE2::Quiet);
    if (!regex->ok()) {
      return InvalidField("options[tensor_type]",
                          absl::StrCat("\"", text, "\" is no regular expression: ", regex->error()));
    }
    patterns_.push_back({text, std::move(regex), codec});
    return absl::OkStatus();
  }

  // llama-quantize's rule: what would be garbage without an importance matrix is refused, but for the
  // embedding and the output, which no calibration measures.
  absl::Status CheckImportance(const ModelTensor& tensor, const Codec& codec) const {
    if (tensor.role == TensorRole::kTokenEmbedding || tensor.role == TensorRole::kOutput)
      return absl::OkStatus();
    const std::string name = GgufName(tensor);
    if (options_.importance != nullptr) {
      const auto found = options_.importance->columns.find(name);
      if (found != options_.importance->columns.end()) {
        const auto columns = static_cast<int64_t>(found->second->size());
        if (columns == tensor.source.columns() || !IsQuantized(codec)) return absl::OkStatus();
        return InvalidField("options[imatrix]", absl::StrCat("has ", columns, " columns for ", name,
                                                             ", which has ", tensor.source.columns()));
      }
    }
    const bool needs_it = codec.importance_use() == quant::ImportanceUse::kRequired ||
                          (file_type_.name == "Q2_K_S" && codec.name() == "Q2_K");
    if (!needs_it) return absl::OkStatus();
    return InvalidField("options[imatrix]",
                        absl::StrCat("is needed: ", name, " would be ", std::string(codec.name()),
                                     ", which is useless without the importance of its columns"));
  }

  // Some rules count tensors ("the first four"), so the order is part of the result: by layer, then by name.
  std::vector<size_t> LlamaOrder() const {
    std::vector<size_t> order(model_.tensors.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      const ModelTensor &left = model_.tensors[a], &right = model_.tensors[b];
      if (left.layer != right.layer) return left.layer < right.layer;
      return GgufName(left) < GgufName(right);
    });
    return order;
  }

  const Codec* ChooseOne(const ModelTensor& tensor) {
    // The converter widens vectors; the quantizer, which a GGUF file meets, leaves them.
    if (!IsMatrix(tensor)) return model_.from_gguf() ? tensor.source.codec : FindCodec("F32");
    if (options_.leave_output && tensor.role == TensorRole::kOutput) return tensor.source.codec;
    if (options_.token_embedding != nullptr && tensor.role == TensorRole::kTokenEmbedding)
      return options_.token_embedding;
    if (options_.output != nullptr && tensor.role == TensorRole::kOutput) return options_.output;
    if (!IsQuantized(*default_)) return default_;
    const std::string name = GgufName(tensor);
    const Codec* asked = nullptr;
    for (Pattern& pattern : patterns_) {
      if (!RE2::PartialMatch(name, *pattern.regex)) continue;
      pattern.matched = true;  // also where an earlier one decides
      if (asked == nullptr) asked = pattern.codec;
    }
    if (asked != nullptr) return asked;
    return options_.pure ? default_ : ChooseByRole(tensor);
  }

  const Codec* ChooseByRole(const ModelTensor& tensor) {
    if (tensor.role == TensorRole::kOutput || (tied_ && tensor.role == TensorRole::kTokenEmbedding)) {
      return ChooseOutput(tensor);
    }
    // Experts would be MXFP4; the families here have none.
    if (file_type_.name == "MXFP4_MOE") return FindCodec("Q8_0");
    if (tensor.role == TensorRole::kTokenEmbedding) return ChooseEmbedding();
    if (IsValueClass(tensor.role)) return ChooseValue(values_++);
    if (tensor.role == TensorRole::kFeedForwardDown) return ChooseDown(downs_++);
    if (tensor.role == TensorRole::kAttentionOutput) return ChooseAttentionOutput();
    return default_;
  }

  const Codec* ChooseOutput(const ModelTensor& tensor) const {
    if (options_.output != nullptr) return options_.output;
    if (file_type_.name == "MXFP4_MOE") return FindCodec("Q8_0");
    if (tensor.source.columns() % default_->weights_per_block() != 0) return FindCodec("Q8_0");
    return default_->name() == "Q8_0" ? default_ : FindCodec("Q6_K");
  }

  // Ternary rows would lose what distinguishes tokens.
  const Codec* ChooseEmbedding() const {
    const std::string_view type = file_type_.name;
    return type == "TQ1_0" || type == "TQ2_0" || type == "Q2_0" ? FindCodec("Q4_K") : default_;
  }

  const Codec* ChooseValue(int64_t index) const {
    const Codec* codec = ChooseValueBySize(index);
    // Llama 2 and 3 of 70 G weights share a value head among eight queries: more bits cost little there.
    const HyperParameters& p = model_.parameters;
    const bool is_70b =
        model_.architecture->gguf_name == "llama" && p.layers == 80 && p.heads != p.key_value_heads;
    if (is_70b && (codec->name() == "Q3_K" || codec->name() == "Q4_K")) return FindCodec("Q5_K");
    return codec;
  }

  const Codec* ChooseValueBySize(int64_t index) const {
    const std::string_view type = file_type_.name;
    const HyperParameters& p = model_.parameters;
    if (type == "Q2_K") return FindCodec(p.heads / p.key_value_heads >= 4 ? "Q4_K" : "Q3_K");
    if (type == "Q2_K_S" && p.heads / p.key_value_heads >= 4) return FindCodec("Q4_K");
    if (type == "Q3_K_M") return FindCodec(index < 2 ? "Q5_K" : "Q4_K");
    if (type == "Q3_K_L") return FindCodec("Q5_K");
    if ((type == "Q4_K_M" || type == "Q5_K_M") && UsesMoreBits(index, p.layers)) return FindCodec("Q6_K");
    if (type == "Q4_K_S" && index < 4) return FindCodec("Q5_K");
    if (IsIq4() && p.heads / p.key_value_heads >= 4) return FindCodec("Q5_K");
    return default_;
  }

  const Codec* ChooseDown(int64_t index) const {
    const std::string_view type = file_type_.name;
    const int64_t layers = model_.parameters.layers;
    if (type == "Q2_K") return FindCodec("Q3_K");
    if (type == "Q3_K_M") return FindCodec(index < layers / 16 ? "Q5_K" : "Q4_K");
    if (type == "Q3_K_L") return FindCodec("Q5_K");
    if ((type == "Q4_K_M" || type == "Q5_K_M") && UsesMoreBits(index, layers)) return FindCodec("Q6_K");
    const bool has_importance = options_.importance != nullptr;
    if (index < layers / 8) {
      if (type == "Q4_K_S" || (IsIq4() && !has_importance)) return FindCodec("Q5_K");
      if (type == "Q2_K_S") return FindCodec("Q4_K");
      if (type == "Q4_0" && has_importance) return FindCodec("Q4_1");
      if (type == "Q5_0" && has_importance) return FindCodec("Q5_1");
    }
    return default_;
  }

  bool IsIq4() const { return file_type_.name == "IQ4_NL" || file_type_.name == "IQ4_XS"; }

  const Codec* ChooseAttentionOutput() const {
    const std::string_view type = file_type_.name;
    if (type == "Q2_K") return FindCodec("Q3_K");
    if (type == "Q3_K_M") return FindCodec("Q4_K");
    if (type == "Q3_K_L") return FindCodec("Q5_K");
    return default_;
  }

  const Model& model_;
  const GgufFileType& file_type_;
  const GgufTypeOptions& options_;
  const Codec* default_;
  bool tied_;
  std::vector<Pattern> patterns_;
  int64_t values_ = 0;
  int64_t downs_ = 0;
};

}  // namespace

std::span<const GgufFileType> AllGgufFileTypes() { return kFileTypes; }

const GgufFileType* FindGgufFileType(std::string_view scheme) {
  constexpr std::pair<std::string_view, std::string_view> kShort[] = {
      {"int4", "Q4_K_M"}, {"int8", "Q8_0"},   {"fp16", "F16"},    {"bf16", "BF16"},
      {"fp32", "F32"},    {"Q3_K", "Q3_K_M"}, {"Q4_K", "Q4_K_M"}, {"Q5_K", "Q5_K_M"}};
  for (const auto& [name, meaning] : kShort) {
    if (name == scheme) scheme = meaning;
  }
  for (const GgufFileType& type : kFileTypes) {
    if (type.name == scheme) return &type;
  }
  return nullptr;
}

absl::StatusOr<GgufTypes> ChooseGgufTypes(const Model& model, const GgufFileType& file_type,
                                          const GgufTypeOptions& options) {
  return TypeChooser(model, file_type, options).Choose();
}

}  // namespace quantd
