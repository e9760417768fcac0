// GGUF: what llama.cpp's converter and llama-quantize would write, in one step.
#include <cmath>
#include <numbers>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "workers/formats/gguf_writer.h"
#include "workers/models/targets/formats.h"
#include "workers/models/targets/gguf_metadata.h"
#include "workers/models/targets/gguf_types.h"
#include "workers/quant/codec_list.h"

namespace quantd {
namespace {

using quant::Codec;
using quant::FindCodec;

// Tensor types by llama.cpp's names, which users also write in lower case.
absl::StatusOr<const Codec*> TypeOption(const std::string& field, const std::string& value) {
  std::string name = value;
  for (char& c : name) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  const Codec* codec = FindCodec(name);
  if (codec == nullptr || absl::StartsWith(name, "MLX_")) {
    return InvalidField(
        field, absl::StrCat("\"", value,
                            "\" is no tensor type; known are F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, "
                            "Q8_0, Q2_K, Q3_K, Q4_K, Q5_K and Q6_K"));
  }
  return codec;
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

OutputTensor ComputedTensor(std::string name, const std::vector<double>& values) {
  OutputTensor tensor;
  tensor.name = std::move(name);
  tensor.codec = FindCodec("F32");
  tensor.shape = {static_cast<int64_t>(values.size())};
  tensor.values.assign(values.begin(), values.end());
  return tensor;
}

// How much Llama 3 slows each rotary frequency: not at all where a turn is short against the trained context,
// by `factor` where it is long, and in between by a mixture. In float and with reciprocals, as torch computes
// the converter's expressions, so that no last bit differs.
std::vector<double> Llama3RopeFactors(const HyperParameters& p) {
  const float factor = static_cast<float>(p.rope_scaling->factor.value_or(8.0));
  const double low = p.rope_scaling->low_freq_factor, high = p.rope_scaling->high_freq_factor;
  const double context = static_cast<double>(p.original_context.value_or(8192));
  const float base = static_cast<float>(p.rope_base.value_or(10000.0));
  std::vector<double> factors;
  for (int64_t i = 0; i < p.head_size(); i += 2) {
    const float frequency = 1.0f / std::pow(base, static_cast<float>(i) / static_cast<float>(p.head_size()));
    const float wave_length = 1.0f / frequency * static_cast<float>(2.0 * std::numbers::pi);
    if (wave_length < static_cast<float>(context / high)) {
      factors.push_back(1.0);
    } else if (wave_length > static_cast<float>(context / low)) {
      factors.push_back(factor);
    } else {
      const float turns = 1.0f / wave_length * static_cast<float>(context);
      const float smooth = (turns - static_cast<float>(low)) / static_cast<float>(high - low);
      factors.push_back(1.0f / ((1.0f - smooth) / factor + smooth));
    }
  }
  return factors;
}

void AddComputedTensors(const Model& model, OutputPlan& plan) {
  const HyperParameters& p = model.parameters;
  if (!p.rope_scaling.has_value()) return;
  if (p.rope_scaling->type == "llama3") {
    plan.tensors.push_back(ComputedTensor("rope_freqs.weight", Llama3RopeFactors(p)));
  } else if (!p.rope_scaling->long_factors.empty()) {
    plan.tensors.push_back(ComputedTensor("rope_factors_long.weight", p.rope_scaling->long_factors));
    plan.tensors.push_back(ComputedTensor("rope_factors_short.weight", p.rope_scaling->short_factors));
  }
}

bool IsRotated(const Model& model, TensorRole role) {
  return model.architecture->gguf_rotates_query_and_key &&
         (role == TensorRole::kAttentionQuery || role == TensorRole::kAttentionKey);
}

OutputPlan MakePlan(const Model& model, const GgufTypes& types) {
  OutputPlan plan;
  plan.notes = types.notes;
  AddComputedTensors(model, plan);
  for (size_t i = 0; i < model.tensors.size(); ++i) {
    const ModelTensor& tensor = model.tensors[i];
    OutputTensor output;
    output.name = TensorName(tensor.rule->gguf, tensor.layer);
    output.codec = types.codecs[i];
    output.shape = tensor.source.shape;
    output.source = i;
    if (IsRotated(model, tensor.role)) output.rows_per_head = model.parameters.head_size();
    plan.tensors.push_back(std::move(output));
  }
  return plan;
}

std::string FileName(const Model& model, const GgufFileType& file_type) {
  std::string stem;
  for (char c : model.display_name)
    stem += (c == '/' || c == ' ' || static_cast<unsigned char>(c) < 0x20) ? '-' : c;
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
  ASSIGN_OR_RETURN(GgufTypes types, ChooseGgufTypes(model, file_type, options));
  ASSIGN_OR_RETURN(GgufMetadata metadata, MakeGgufMetadata(model, file_type));
  auto target = std::make_unique<PlannedTarget>();
  target->plan = MakePlan(model, types);
  target->writer = MakeGgufWriter(target->plan, metadata, FileName(model, file_type));
  return target;
}

}  // namespace quantd
