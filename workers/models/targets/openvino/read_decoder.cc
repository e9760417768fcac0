// From a model to its decoder: the form of every matrix, and what no graph of this project can do.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "workers/models/targets/huggingface_config.h"
#include "workers/models/targets/openvino/decoder.h"
#include "workers/models/targets/openvino/equal_tensors.h"
#include "workers/models/targets/openvino/mixed_precision.h"
#include "workers/models/targets/rotary_frequencies.h"

namespace quantd {
namespace {

constexpr int64_t kSmallestFallback = 32;

absl::Status Impossible(const std::string& why) { return PreconditionFailed("config.json", why); }

absl::Status CheckArchitecture(const Model& model) {
  const std::string_view type = model.architecture->model_type;
  if (type == "llama" || type == "phi3") return absl::OkStatus();
  return Impossible(absl::StrCat("openvino has no graph for ", std::string(model.architecture->name),
                                 "; it has LlamaForCausalLM's and Phi3ForCausalLM's"));
}

absl::Status CheckRotation(const HyperParameters& parameters) {
  const int64_t rotated = RotatedDimensions(parameters);
  if (rotated < 2 || rotated % 2 != 0)
    return Impossible(absl::StrCat("of heads of ", parameters.head_size(), " dimensions ", rotated,
                                   " would be rotated: pairs are"));
  return CheckLongRopeFactors(parameters);
}

// Where the wanted group does not divide a row: the largest power of two that does, or 8 bits where that is
// small, as NNCF's group_size_fallback "adjust" does.
std::optional<WeightForm> FormThatFits(const WeightForm& wanted, int64_t columns) {
  if (wanted.group == quant::kWholeRow) {
    if (columns % CodecOf(wanted).column_multiple() != 0) return std::nullopt;
    return wanted;
  }
  if (columns % wanted.group == 0) return wanted;
  const int64_t group = columns & -columns;
  if (group < kSmallestFallback) return std::nullopt;
  return WeightForm{wanted.type, group};
}

class FormChooser {
 public:
  FormChooser(const OpenVinoRecipe& recipe, const Model& model, const PlanOptions& options,
              std::vector<std::string>& notes)
      : recipe_(recipe), model_(model), options_(options), notes_(notes) {}

  absl::StatusOr<std::map<std::string, WeightMatrix>> Choose() {
    std::map<std::string, WeightMatrix> matrices;
    for (const ModelTensor& tensor : model_.tensors) {
      if (tensor.source.shape.size() < 2) continue;
      const std::string name = NameOf(tensor);
      matrices[name] = {name, tensor.source.rows(), tensor.source.columns(), recipe_.backup};
    }
    if (recipe_.is_float()) return matrices;
    std::vector<size_t> counted = CountedTensors();
    std::erase_if(counted, [&](size_t index) { return !FormOf(index).has_value(); });
    ASSIGN_OR_RETURN(const std::vector<bool> chosen, ChooseAmong(counted));
    for (size_t i = 0; i < counted.size(); ++i) {
      if (chosen[i]) matrices[NameOf(model_.tensors[counted[i]])].form = *FormOf(counted[i]);
    }
    AddNotes(matrices);
    return matrices;
  }

 private:
  static std::string NameOf(const ModelTensor& tensor) {
    return TensorName(tensor.rule->huggingface, tensor.layer);
  }

  std::optional<WeightForm> FormOf(size_t index) const {
    return FormThatFits(recipe_.primary, model_.tensors[index].source.columns());
  }

  // Matrices that the ratio counts, in the order in which the graph uses them; a gather comes after all
  // products.
  std::vector<size_t> CountedTensors() const {
    std::vector<std::pair<std::pair<int64_t, int>, size_t>> keys;
    for (size_t i = 0; i < model_.tensors.size(); ++i) {
      const ModelTensor& tensor = model_.tensors[i];
      if (tensor.source.shape.size() < 2) continue;
      if (tensor.role == TensorRole::kOutput || tensor.role == TensorRole::kTokenEmbedding) {
        if (!recipe_.all_layers) continue;
        keys.push_back({{model_.parameters.layers, tensor.role == TensorRole::kOutput ? 0 : 1}, i});
      } else {
        // Roles are listed in the graph's order.
        keys.push_back({{tensor.layer, static_cast<int>(tensor.role)}, i});
      }
    }
    std::sort(keys.begin(), keys.end());
    std::vector<size_t> tensors;
    tensors.reserve(keys.size());
    for (const auto& [key, index] : keys) tensors.push_back(index);
    return tensors;
  }

  absl::StatusOr<std::vector<bool>> ChooseAmong(const std::vector<size_t>& counted) const {
    if (recipe_.ratio >= 1.0) return std::vector<bool>(counted.size(), true);
    ASSIGN_OR_RETURN(const std::vector<double> errors, MeasureInt8Errors(model_, counted, options_));
    std::vector<MixedCandidate> candidates;
    candidates.reserve(counted.size());
    for (size_t i = 0; i < counted.size(); ++i) {
      const SourceTensor& source = model_.tensors[counted[i]].source;
      candidates.push_back({source.elements(), errors[i], EpsilonOf(source)});
    }
    return ChooseFourBits(candidates, recipe_.ratio);
  }

  void AddNotes(const std::map<std::string, WeightMatrix>& matrices) const {
    for (size_t index : CountedTensors()) {
      const WeightMatrix& matrix = matrices.at(NameOf(model_.tensors[index]));
      const std::optional<WeightForm> fitting = FormOf(index);
      if (fitting == recipe_.primary || (fitting.has_value() && matrix.form != *fitting)) continue;
      notes_.push_back(absl::StrCat(matrix.name, " is ", Describe(matrix.form), ": ",
                                    Describe(recipe_.primary), " do not divide its rows of ",
                                    matrix.columns));
    }
  }

  const OpenVinoRecipe& recipe_;
  const Model& model_;
  const PlanOptions& options_;
  std::vector<std::string>& notes_;
};

// One constant serves both where they hold the same weights in the same form.
absl::StatusOr<bool> OutputIsEmbedding(const Model& model, const OpenVinoDecoder& decoder) {
  if (decoder.parameters.tied_embeddings) return true;
  const auto find = [&](TensorRole role) {
    return std::find_if(model.tensors.begin(), model.tensors.end(),
                        [&](const ModelTensor& tensor) { return tensor.role == role; });
  };
  const auto output = find(TensorRole::kOutput), embedding = find(TensorRole::kTokenEmbedding);
  if (output == model.tensors.end()) return true;
  if (decoder.matrices.at(kOutputName).form != decoder.matrices.at(kEmbeddingName).form) return false;
  return AreEqual(output->source, embedding->source);
}

}  // namespace

absl::StatusOr<OpenVinoDecoder> ReadOpenVinoDecoder(const OpenVinoRecipe& recipe, const Model& model,
                                                    const PlanOptions& options,
                                                    std::vector<std::string>& notes) {
  RETURN_IF_ERROR(CheckArchitecture(model));
  OpenVinoDecoder decoder;
  // A GGUF file's parameters lack the settings of its rotary factors; a configuration has them.
  ASSIGN_OR_RETURN(const Json config, HuggingFaceConfig(model));
  ASSIGN_OR_RETURN(decoder.parameters, ReadHyperParameters(config));
  RETURN_IF_ERROR(CheckRotation(decoder.parameters));
  decoder.has_fused_projections = model.architecture->model_type == "phi3";
  const int64_t window = decoder.parameters.sliding_window.value_or(0);
  // Llama's implementations don't look at it.
  if (decoder.has_fused_projections && window > 0 && window < decoder.parameters.context)
    decoder.attention_window = window;
  // Without quantization the runtime would quantize only keys and values.
  if (recipe.is_float()) decoder.cache_precision = "f16";
  ASSIGN_OR_RETURN(decoder.matrices, FormChooser(recipe, model, options, notes).Choose());
  ASSIGN_OR_RETURN(decoder.output_is_embedding, OutputIsEmbedding(model, decoder));
  return decoder;
}

}  // namespace quantd
