// GGUF: what llama.cpp's converter and llama-quantize would write, in one step.
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "workers/formats/gguf_writer.h"
#include "workers/formats/importance_matrix.h"
#include "workers/models/rope_factors.h"
#include "workers/models/targets/formats.h"
#include "workers/models/targets/gguf_metadata.h"
#include "workers/models/targets/gguf_types.h"
#include "workers/quant/codec_list.h"

namespace quantd {
namespace {

using quant::Codec;
using quant::FindCodec;

// Tensor types by llama.cpp's names, which users also write in lower case.
std::string GgufTypeNames() {
  std::vector<std::string> names;
  for (const Codec* codec : quant::AllCodecs()) {
    if (GgufTensorType(codec->name()) != kNoGgufTensorType) names.emplace_back(codec->name());
  }
  return absl::StrJoin(names, ", ");
}

absl::StatusOr<const Codec*> TypeOption(const std::string& field, const std::string& value) {
  std::string name = value;
  for (char& c : name) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  const Codec* codec = FindCodec(name);
  if (codec == nullptr || absl::StartsWith(name, "MLX_")) {
    return InvalidField(field,
                        absl::StrCat("\"", value, "\" is no tensor type; known are ", GgufTypeNames()));
  }
  return codec;
}

std::string ImportancePath(const TargetSpec& spec) {
  for (const auto& [name, value] : spec.options) {
    if (name == "imatrix") return value;
  }
  return "";
}

absl::StatusOr<GgufTypeOptions> ReadOptions(const TargetSpec& spec) {
  GgufTypeOptions options;
  for (const auto& [name, value] : spec.options) {
    const std::string field = absl::StrCat("options[", name, "]");
    if (name == "tensor_type") {
      const size_t equals = value.rfind('=');
      if (equals == std::string::npos || equals == 0)
        return InvalidField(field, "is not of the form REGEX=TYPE");
      ASSIGN_OR_RETURN(const Codec* codec, TypeOption(field, value.substr(equals + 1)));
      options.tensor_types.emplace_back(value.substr(0, equals), codec);
    } else if (name == "output_tensor_type") {
      ASSIGN_OR_RETURN(options.output, TypeOption(field, value));
    } else if (name == "token_embedding_type") {
      ASSIGN_OR_RETURN(options.token_embedding, TypeOption(field, value));
    } else if (name == "pure") {
      options.pure = value == "true";
    } else if (name == "leave_output_tensor") {
      options.leave_output = value == "true";
    }
  }
  return options;
}

template <typename T>
OutputTensor ComputedTensor(std::string name, const std::vector<T>& numbers) {
  OutputTensor tensor;
  tensor.name = std::move(name);
  tensor.codec = FindCodec("F32");
  tensor.shape = {static_cast<int64_t>(numbers.size())};
  tensor.compute = [values = std::vector<float>(numbers.begin(), numbers.end())](
                       int64_t, int64_t, float* out) { std::copy(values.begin(), values.end(), out); };
  return tensor;
}

void AddComputedTensors(const Model& model, OutputPlan& plan) {
  for (const FrequencyFactors& factors : model.frequency_factors)
    plan.tensors.push_back(ComputedTensor(factors.name, factors.values));
  const HyperParameters& p = model.parameters;
  if (!p.rope_scaling.has_value()) return;
  if (p.rope_scaling->type == "llama3") {
    plan.tensors.push_back(ComputedTensor(
        "rope_freqs.weight", Llama3RopeFactors(p, *p.rope_scaling, p.original_context.value_or(8192))));
  } else if (!p.rope_scaling->long_factors.empty()) {
    plan.tensors.push_back(ComputedTensor("rope_factors_long.weight", p.rope_scaling->long_factors));
    plan.tensors.push_back(ComputedTensor("rope_factors_short.weight", p.rope_scaling->short_factors));
  }
}

// The importance matrix that an option names: a file of the model's.
absl::StatusOr<std::optional<ImportanceMatrix>> ReadImportance(const Model& model, const std::string& path) {
  if (path.empty()) return std::nullopt;
  const RandomAccessFile* file = model.files->Find(path);
  if (file == nullptr) {
    return InvalidField("options[imatrix]",
                        absl::StrCat("the model has no file \"", path, "\"; upload it with the model"));
  }
  absl::StatusOr<ImportanceMatrix> importance = ReadImportanceMatrix(*file);
  if (!importance.ok()) {
    return InvalidField("options[imatrix]",
                        absl::StrCat(path, ": ", std::string(importance.status().message())));
  }
  return *std::move(importance);
}

OutputPlan MakePlan(const Model& model, const GgufTypes& types, const ImportanceMatrix* importance) {
  OutputPlan plan;
  plan.notes = types.notes;
  AddComputedTensors(model, plan);
  for (size_t i = 0; i < model.tensors.size(); ++i) {
    const ModelTensor& tensor = model.tensors[i];
    OutputTensor output;
    output.name = TensorName(tensor.rule->gguf, tensor.layer);
    output.codec = types.codecs[i];
    output.shape = tensor.source.shape;
    SourceSlice rows{i, 0, tensor.source.rows()};
    if (!model.from_gguf() && RowsDiffer(model, tensor.role)) {
      rows.row_order = RowOrder::kHalvesToPairs;
      output.rows_per_head = model.parameters.head_size();
    }
    output.sources = {rows};
    if (importance != nullptr && output.codec->importance_use() != quant::ImportanceUse::kIgnored) {
      const auto found = importance->columns.find(output.name);
      if (found != importance->columns.end() &&
          static_cast<int64_t>(found->second->size()) == tensor.source.columns()) {
        output.importance = found->second;
      }
    }
    plan.tensors.push_back(std::move(output));
  }
  return plan;
}

std::string FileName(const Model& model, const GgufFileType& file_type) {
  std::string stem;
  for (char c : model.display_name) {
    const bool plain =
        c != '/' && c != '\\' && c != ' ' && !absl::ascii_iscntrl(static_cast<unsigned char>(c));
    stem += plain ? c : '-';
  }
  return absl::StrCat(stem.empty() || stem[0] == '.' ? "model" : stem, "-", std::string(file_type.name),
                      ".gguf");
}

}  // namespace

FormatInfo GgufFormatInfo() {
  FormatInfo info{.name = "gguf", .runtime = "llama.cpp", .schemes = {}, .options = {}};
  const auto bits = [](const GgufFileType& type) { return FindCodec(type.codec)->BitsPerWeight(); };
  for (const GgufFileType& type : AllGgufFileTypes()) {
    info.schemes.push_back({std::string(type.name), bits(type), "llama.cpp's file type of this name"});
  }
  for (const char* name : {"int4", "int8", "fp16", "bf16", "fp32"}) {
    const GgufFileType& type = *FindGgufFileType(name);
    info.schemes.push_back({name, bits(type), absl::StrCat("= ", std::string(type.name))});
  }
  info.options = {
      {"imatrix",
       "PATH of an importance matrix among the model's files, as llama-imatrix writes it",
       false,
       {}},
      {"tensor_type",
       "REGEX=TYPE: the type of the tensors whose GGUF name matches; the first match wins",
       true,
       {}},
      {"output_tensor_type", "type of output.weight", false, {}},
      {"token_embedding_type", "type of token_embd.weight", false, {}},
      {"pure", "one type for all matrices (default false)", false, {"true", "false"}},
      {"leave_output_tensor",
       "output.weight keeps the source's type (default false)",
       false,
       {"true", "false"}},
  };
  return info;
}

absl::StatusOr<std::unique_ptr<PlannedTarget>> PlanGguf(const Model& model, const TargetSpec& spec) {
  const GgufFileType& file_type = *FindGgufFileType(spec.scheme);
  ASSIGN_OR_RETURN(GgufTypeOptions options, ReadOptions(spec));
  const std::string importance_path = ImportancePath(spec);
  ASSIGN_OR_RETURN(std::optional<ImportanceMatrix> importance, ReadImportance(model, importance_path));
  if (importance.has_value()) options.importance = &*importance;
  ASSIGN_OR_RETURN(GgufTypes types, ChooseGgufTypes(model, file_type, options));
  ASSIGN_OR_RETURN(GgufMetadata metadata, MakeGgufMetadata(model, file_type));
  if (importance.has_value()) AddImportanceMetadata(importance_path, *importance, metadata);
  auto target = std::make_unique<PlannedTarget>();
  target->plan = MakePlan(model, types, options.importance);
  target->writer = MakeGgufWriter(target->plan, metadata, FileName(model, file_type));
  return target;
}

}  // namespace quantd
