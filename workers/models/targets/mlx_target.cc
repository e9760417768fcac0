// MLX: the folder that mlx_lm.convert writes (mlx-lm, mlx_lm/convert.py and utils.py), quantized or in a
// float type.
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "workers/models/targets/formats.h"
#include "workers/models/targets/huggingface_config.h"
#include "workers/models/targets/huggingface_folder.h"
#include "workers/quant/codec_list.h"

namespace quantd {
namespace {

using OrderedJson = nlohmann::ordered_json;
using quant::Codec;
using quant::FindCodec;

constexpr int64_t kDefaultGroup = 64;  // of affine quantization
constexpr int kDefaultBits = 4;

// Quantization to small floats. Each mode has one group size.
struct FloatMode {
  std::string_view name;
  int bits;
  int64_t group;
  std::string_view summary;
};
constexpr FloatMode kFloatModes[] = {
    {"mxfp4", 4, 32, "floats of 4 bits, a power of two as scale of 32"},
    {"mxfp8", 8, 32, "floats of 8 bits, a power of two as scale of 32"},
    {"nvfp4", 4, 16, "floats of 4 bits, a float of 8 bits as scale of 16"},
};

const FloatMode* FindFloatMode(const std::string& scheme) {
  for (const FloatMode& mode : kFloatModes) {
    if (mode.name == scheme) return &mode;
  }
  return nullptr;
}

struct MixedRecipe {
  std::string_view name;
  int low_bits;
  int high_bits;
};
constexpr MixedRecipe kMixed[] = {
    {"mixed_2_6", 2, 6}, {"mixed_3_4", 3, 4}, {"mixed_3_6", 3, 6}, {"mixed_4_6", 4, 6}};

const MixedRecipe* FindMixed(const std::string& scheme) {
  for (const MixedRecipe& recipe : kMixed) {
    if (recipe.name == scheme) return &recipe;
  }
  return nullptr;
}

// "int4" → 4; 0 for other schemes.
int UniformBits(const std::string& scheme) {
  return absl::StartsWith(scheme, "int") && scheme.size() == 4 ? scheme[3] - '0' : 0;
}

// Layers that mlx_lm's mixed recipes give more bits: the first and last eighth and every third between.
bool UsesMoreBits(int64_t layer, int64_t layers) {
  return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

int MixedBits(const MixedRecipe& recipe, const std::string& path, int64_t layer, int64_t layers) {
  // By name, as mlx_lm does: "qkv_proj" matches "v_proj" too.
  const bool sensitive = absl::StrContains(path, "v_proj") || absl::StrContains(path, "down_proj");
  if (sensitive && UsesMoreBits(std::max<int64_t>(layer, 0), layers)) return recipe.high_bits;
  return absl::StrContains(path, "lm_head") ? recipe.high_bits : recipe.low_bits;
}

class MlxPlanner {
 public:
  MlxPlanner(const Model& model, const TargetSpec& spec)
      : model_(model),
        spec_(spec),
        float_mode_(FindFloatMode(spec.scheme)),
        target_(std::make_unique<PlannedTarget>()) {}

  absl::StatusOr<std::unique_ptr<PlannedTarget>> Plan() {
    RETURN_IF_ERROR(ChooseGroup());
    const Codec* plain = PlainCodec(spec_.scheme);
    quantizes_ = plain == nullptr;
    ASSIGN_OR_RETURN(config_, HuggingFaceConfig(model_));
    if (!quantizes_ && !OptionOr(spec_, "group_size", "").empty())
      return InvalidField("options[group_size]", "means nothing without quantization");
    for (size_t i = 0; i < model_.tensors.size(); ++i) {
      const Codec& type = plain != nullptr ? *plain : ModelType(model_.tensors[i]);
      if (!quantizes_ || !AddQuantized(i, type)) AddPlainTensor(model_, i, type, target_->plan, entries_);
    }
    ASSIGN_OR_RETURN(target_->plan.sidecars, TokenizerSidecars(model_));
    ASSIGN_OR_RETURN(Json source, SourceConfig());
    target_->plan.sidecars.push_back({"config.json", MakeConfig(std::move(source), plain)});
    target_->writer = MakeSafetensorsWriter(target_->plan, std::move(entries_), "mlx");
    return std::move(target_);
  }

 private:
  absl::Status ChooseGroup() {
    group_ = float_mode_ != nullptr ? float_mode_->group : kDefaultGroup;
    const std::string given = OptionOr(spec_, "group_size", "");
    if (given.empty() || given == absl::StrCat(group_)) return absl::OkStatus();
    if (float_mode_ != nullptr) {
      return InvalidField("options[group_size]", absl::StrCat(spec_.scheme, " has groups of ", group_));
    }
    group_ = std::stoll(given);
    if (group_ < 32)
      return InvalidField("options[group_size]", absl::StrCat(spec_.scheme, " has no groups of ", given));
    return absl::OkStatus();
  }

  // mlx_lm converts every tensor to the type that config.json names; without one each keeps its own.
  const Codec& ModelType(const ModelTensor& tensor) const {
    auto type = config_.find("torch_dtype");
    if (type != config_.end()) {
      if (*type == "float16") return *FindCodec("F16");
      if (*type == "bfloat16") return *FindCodec("BF16");
      if (*type == "float32") return *FindCodec("F32");
    }
    return *tensor.source.codec;
  }

  bool AddQuantized(size_t index, const Codec& type) {
    const ModelTensor& tensor = model_.tensors[index];
    if (tensor.source.shape.size() < 2) return false;
    const std::string name = TensorName(tensor.rule->huggingface, tensor.layer);
    const std::string path = name.substr(0, name.size() - std::string_view(".weight").size());
    const int64_t rows = tensor.source.rows(), columns = tensor.source.columns();
    if (columns % group_ != 0) {
      Keep(name, type, absl::StrCat("its ", columns, " columns are no multiple of ", group_));
      return false;
    }
    if (float_mode_ != nullptr && rows % 2 != 0 && columns % 32 != 0) {
      Keep(name, type, absl::StrCat("MLX takes multiples of 32 weights for ", spec_.scheme));
      return false;
    }
    const int bits = BitsOf(path, tensor.layer);
    OutputTensor output;
    output.name = name;
    output.codec = FindCodec(CodecName(bits, type));
    output.shape = tensor.source.shape;
    TakeTensor(model_, index, output);
    if (&type != tensor.source.codec) output.cast = &type;
    const std::vector<int64_t> groups = {rows, columns / group_};
    std::vector<SafetensorsEntry> planes = {{name, "U32", {rows, columns * bits / 32}}};
    if (float_mode_ != nullptr) {
      planes.push_back({path + ".scales", "U8", groups});
    } else {
      planes.push_back({path + ".scales", std::string(type.name()), groups});
      planes.push_back({path + ".biases", std::string(type.name()), groups});
    }
    entries_.push_back(std::move(planes));
    target_->plan.tensors.push_back(std::move(output));
    return true;
  }

  void Keep(const std::string& name, const Codec& type, const std::string& reason) {
    target_->plan.notes.push_back(absl::StrCat(name, " stays ", std::string(type.name()), ": ", reason));
  }

  int BitsOf(const std::string& path, int64_t layer) {
    if (float_mode_ != nullptr) return float_mode_->bits;
    const MixedRecipe* mixed = FindMixed(spec_.scheme);
    if (mixed == nullptr) return UniformBits(spec_.scheme);
    return per_path_[path] = MixedBits(*mixed, path, layer, model_.parameters.layers);
  }

  std::string CodecName(int bits, const Codec& type) const {
    const std::string layout = float_mode_ != nullptr ? absl::AsciiStrToUpper(std::string(float_mode_->name))
                                                      : absl::StrCat("I", bits, "_G", group_);
    return absl::StrCat("MLX_", layout, "_", std::string(type.name()));
  }

  // The end-of-text tokens that generation stops at are generation_config.json's, where it names any.
  absl::StatusOr<Json> SourceConfig() const {
    Json config = config_;
    absl::StatusOr<Json> generation = model_.files->ReadJson("generation_config.json");
    if (absl::IsNotFound(generation.status())) return config;
    RETURN_IF_ERROR(generation.status());
    const Json end = generation->is_object() ? generation->value("eos_token_id", Json()) : Json();
    if (end.is_array() ? !end.empty() : end.is_number() && end != 0) config["eos_token_id"] = end;
    return config;
  }

  std::string MakeConfig(Json source, const Codec* plain) const {
    OrderedJson config;
    source.erase("_name_or_path");
    source.erase("vision_config");
    if (plain != nullptr) source[source.contains("dtype") ? "dtype" : "torch_dtype"] = TorchType(*plain);
    if (quantizes_) {
      source["quantization"] = nullptr;  // keeps their places in the order of the keys
      source["quantization_config"] = nullptr;
    }
    for (const auto& [key, value] : source.items()) {
      config[key] = quantizes_ && absl::StartsWith(key, "quantization") ? Quantization() : OrderedJson(value);
    }
    return config.dump(4);
  }

  OrderedJson Quantization() const {
    if (float_mode_ != nullptr) {
      return {{"group_size", group_}, {"bits", float_mode_->bits}, {"mode", std::string(float_mode_->name)}};
    }
    const int uniform = UniformBits(spec_.scheme);
    OrderedJson out = {
        {"group_size", group_}, {"bits", uniform != 0 ? uniform : kDefaultBits}, {"mode", "affine"}};
    for (const auto& [path, bits] : per_path_)
      out[path] = {{"group_size", group_}, {"bits", bits}, {"mode", "affine"}};
    return out;
  }

  const Model& model_;
  const TargetSpec& spec_;
  const FloatMode* const float_mode_;  // null for affine quantization and plain types
  Json config_;
  std::unique_ptr<PlannedTarget> target_;
  std::vector<std::vector<SafetensorsEntry>> entries_;
  std::map<std::string, int> per_path_;
  int64_t group_ = kDefaultGroup;
  bool quantizes_ = false;
};

}  // namespace

FormatInfo MlxFormatInfo() {
  FormatInfo info{.name = "mlx", .runtime = "mlx-lm", .schemes = {}, .options = {}};
  for (int bits : {2, 3, 4, 5, 6, 8}) {
    const Codec& codec = *FindCodec(absl::StrCat("MLX_I", bits, "_G64_BF16"));
    info.schemes.push_back(
        {absl::StrCat("int", bits), codec.BitsPerWeight(), "affine, one scale and bias a group"});
  }
  for (const FloatMode& mode : kFloatModes) {
    const Codec& codec =
        *FindCodec(absl::StrCat("MLX_", absl::AsciiStrToUpper(std::string(mode.name)), "_BF16"));
    info.schemes.push_back({std::string(mode.name), codec.BitsPerWeight(), std::string(mode.summary)});
  }
  for (const MixedRecipe& recipe : kMixed) {
    info.schemes.push_back({std::string(recipe.name), 0.0,
                            absl::StrCat("mlx_lm's recipe: ", recipe.low_bits, " bits, ", recipe.high_bits,
                                         " for lm_head and the sensitive layers")});
  }
  info.schemes.push_back({"fp16", 16.0, "IEEE half"});
  info.schemes.push_back({"bf16", 16.0, "bfloat16"});
  info.schemes.push_back({"fp32", 32.0, "IEEE single"});
  info.options = {{"group_size",
                   "weights that share a scale (default 64; of float modes their own)",
                   false,
                   {"16", "32", "64", "128"}}};
  return info;
}

absl::StatusOr<std::unique_ptr<PlannedTarget>> PlanMlx(const Model& model, const TargetSpec& spec) {
  return MlxPlanner(model, spec).Plan();
}

}  // namespace quantd
