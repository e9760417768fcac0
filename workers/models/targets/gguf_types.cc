#include "workers/models/targets/gguf_types.h"

#include <re2/re2.h>

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "workers/models/targets/gguf_type_rules.h"
#include "workers/quant/codec_list.h"

namespace quantd {
namespace {

using quant::Codec;
using quant::FindCodec;

// Tensor names have about 30 bytes; compiling an expression may take the square of its length.
constexpr size_t kLongestExpression = 4096;

bool IsMatrix(const ModelTensor& tensor) { return tensor.source.shape.size() >= 2; }

// What a tensor's columns force where a block does not divide them.
const Codec* Fallback(const Codec* wanted, int64_t columns) {
  if (columns % wanted->weights_per_block() == 0) return wanted;
  const Codec* smaller = FindCodec(TypeOfSmallerBlocks(wanted->name()));
  return columns % smaller->weights_per_block() == 0 ? smaller : FindCodec("F16");
}

// Models of 70 G weights are Llama 2 and 3 with 80 layers; the first Llama, of 65 G, shares no value heads.
bool Is70b(const Model& model) {
  const HyperParameters& p = model.parameters;
  return model.architecture->gguf_name == "llama" && p.layers == 80 && p.heads != p.key_value_heads;
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

  absl::Status CheckImportance(const ModelTensor& tensor, const Codec& codec) const {
    if (&codec == tensor.source.codec) return absl::OkStatus();  // its rows are copied
    const std::string name = GgufName(tensor);
    // No calibration measures the embedding, and not every one the output.
    const bool is_embedding = tensor.role == TensorRole::kTokenEmbedding;
    const bool is_measured = !is_embedding && tensor.role != TensorRole::kOutput;
    if (const std::optional<int64_t> columns = ImportanceColumns(name)) {
      if (*columns == tensor.source.columns()) return absl::OkStatus();
      if (!is_embedding && codec.IsQuantized()) {
        return InvalidField("options[imatrix]", absl::StrCat("has ", *columns, " columns for ", name,
                                                             ", which has ", tensor.source.columns()));
      }
    }
    const bool needs_it = codec.importance_use() == quant::ImportanceUse::kRequired ||
                          (is_measured && IsUselessWithoutImportance(file_type_, codec.name()));
    if (!needs_it) return absl::OkStatus();
    return InvalidField("options[imatrix]",
                        absl::StrCat("is needed: ", name, " would be ", std::string(codec.name()),
                                     ", which is useless without the importance of its columns"));
  }

  // How many columns the importance matrix has for that tensor.
  std::optional<int64_t> ImportanceColumns(const std::string& name) const {
    if (options_.importance == nullptr) return std::nullopt;
    const auto found = options_.importance->columns.find(name);
    if (found == options_.importance->columns.end()) return std::nullopt;
    return static_cast<int64_t>(found->second->size());
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
    if (!default_->IsQuantized()) return default_;
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
    MatrixPlace place;
    place.role = RoleInMix(tensor.role, tied_);
    if (place.role == TensorRole::kOutput && options_.output != nullptr) return options_.output;
    place.index = counts_[place.role]++;
    place.is_whole_blocks = tensor.source.columns() % default_->weights_per_block() == 0;
    place.layers = model_.parameters.layers;
    place.queries_per_value = model_.parameters.heads / model_.parameters.key_value_heads;
    place.is_70b = Is70b(model_);
    place.has_importance = options_.importance != nullptr;
    return FindCodec(TypeInMix(file_type_, place));
  }

  const Model& model_;
  const GgufFileType& file_type_;
  const GgufTypeOptions& options_;
  const Codec* default_;
  bool tied_;
  std::vector<Pattern> patterns_;
  std::map<TensorRole, int64_t> counts_;  // of matrices that the rules were asked for
};

}  // namespace

absl::StatusOr<GgufTypes> ChooseGgufTypes(const Model& model, const GgufFileType& file_type,
                                          const GgufTypeOptions& options) {
  return TypeChooser(model, file_type, options).Choose();
}

}  // namespace quantd
