#include "workers/models/targets/openvino/recipe.h"

#include <span>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "workers/models/targets/formats.h"
#include "workers/models/targets/openvino/presets.h"

namespace quantd {
namespace {

constexpr int64_t kUsualGroup = 128;

constexpr int64_t kMxfp4Group = 32;

// Options that choose among 4-bit forms.
constexpr std::string_view kFourBitOptions[] = {"group_size", "ratio", "all_layers", "preset"};
constexpr std::string_view kPresetOptions[] = {"group_size", "symmetric", "ratio", "all_layers"};

bool IsGiven(const TargetSpec& spec, std::string_view option) {
  return !OptionOr(spec, std::string(option), "").empty();
}

std::string Field(std::string_view option) { return absl::StrCat("options[", std::string(option), "]"); }

absl::Status Refuse(const TargetSpec& spec, std::span<const std::string_view> options,
                    const std::string& why) {
  for (std::string_view option : options) {
    if (IsGiven(spec, option)) return InvalidField(Field(option), why);
  }
  return absl::OkStatus();
}

absl::StatusOr<double> ReadRatio(const TargetSpec& spec) {
  const std::string text = OptionOr(spec, "ratio", "1");
  double ratio = 0.0;
  // Comparisons with NaN are false.
  if (absl::SimpleAtod(text, &ratio) && ratio >= 0.0 && ratio <= 1.0) return ratio;
  return InvalidField(Field("ratio"), absl::StrCat("\"", text, "\" is no number from 0 to 1"));
}

WeightForm FourBits(bool is_symmetric, int64_t group) {
  return {is_symmetric ? IrType::kI4 : IrType::kU4, group};
}

void ApplyPreset(const Model& model, OpenVinoRecipe& recipe, std::vector<std::string>& notes) {
  const OpenVinoPreset* preset = FindOpenVinoPreset(model);
  if (preset == nullptr) {
    notes.push_back(absl::StrCat("optimum-intel has no settings of its own for ", model.display_name,
                                 ": it is stored as int4 without a preset"));
    return;
  }
  recipe.primary = FourBits(preset->symmetric, preset->group);
  recipe.ratio = preset->ratio;
  recipe.all_layers = preset->all_layers;
  notes.push_back(absl::StrCat("settings of ", std::string(preset->model), ": ", Describe(recipe.primary),
                               ", ratio ", recipe.ratio,
                               recipe.all_layers ? ", embedding and lm_head too" : ""));
  if (preset->is_data_aware)
    notes.push_back(
        "optimum-intel also changes this model's weights by AWQ or scale estimation; quantd does not");
}

absl::Status ReadInt4(const TargetSpec& spec, const Model& model, OpenVinoRecipe& recipe,
                      std::vector<std::string>& notes) {
  recipe.primary = FourBits(OptionOr(spec, "symmetric", "false") == "true", recipe.primary.group);
  if (!IsGiven(spec, "preset")) return absl::OkStatus();
  RETURN_IF_ERROR(Refuse(spec, kPresetOptions, "is the preset's to choose"));
  ApplyPreset(model, recipe, notes);
  return absl::OkStatus();
}

// nf4 and mxfp4.
absl::Status ReadFloats(const TargetSpec& spec, OpenVinoRecipe& recipe) {
  constexpr std::string_view kIntegerOptions[] = {"symmetric", "preset"};
  RETURN_IF_ERROR(Refuse(spec, kIntegerOptions, absl::StrCat("means nothing for ", spec.scheme)));
  if (spec.scheme == "mxfp4") {
    if (IsGiven(spec, "group_size")) return InvalidField(Field("group_size"), "mxfp4 has groups of 32");
    recipe.primary = {IrType::kF4e2m1, kMxfp4Group};
    return absl::OkStatus();
  }
  if (recipe.primary.group == quant::kWholeRow)
    return InvalidField(Field("group_size"), "nf4 has groups of 32, 64 or 128");
  recipe.primary.type = IrType::kNf4;
  return absl::OkStatus();
}

absl::Status ReadFourBits(const TargetSpec& spec, const Model& model, OpenVinoRecipe& recipe,
                          std::vector<std::string>& notes) {
  const int64_t group = std::stoll(OptionOr(spec, "group_size", absl::StrCat(kUsualGroup)));
  recipe.primary.group = group < 0 ? quant::kWholeRow : group;
  recipe.backup = {IrType::kU8};
  recipe.all_layers = OptionOr(spec, "all_layers", "false") == "true";
  ASSIGN_OR_RETURN(recipe.ratio, ReadRatio(spec));
  return spec.scheme == "int4" ? ReadInt4(spec, model, recipe, notes) : ReadFloats(spec, recipe);
}

}  // namespace

absl::StatusOr<OpenVinoRecipe> ReadOpenVinoRecipe(const TargetSpec& spec, const Model& model,
                                                  std::vector<std::string>& notes) {
  OpenVinoRecipe recipe;
  if (spec.scheme == "int4" || spec.scheme == "nf4" || spec.scheme == "mxfp4") {
    RETURN_IF_ERROR(ReadFourBits(spec, model, recipe, notes));
    return recipe;
  }
  RETURN_IF_ERROR(Refuse(spec, kFourBitOptions, "is an option of 4-bit schemes"));
  if (spec.scheme == "int8") {
    recipe.primary = {OptionOr(spec, "symmetric", "false") == "true" ? IrType::kI8 : IrType::kU8};
  } else {
    if (IsGiven(spec, "symmetric"))
      return InvalidField(Field("symmetric"), "means nothing without quantization");
    recipe.primary = {spec.scheme == "fp16" ? IrType::kF16 : IrType::kF32};
  }
  recipe.backup = recipe.primary;
  return recipe;
}

std::vector<SchemeInfo> OpenVinoSchemes() {
  return {
      {"int4", CodecOf(FourBits(false, kUsualGroup)).BitsPerWeight(),
       "groups of 4-bit integers with a scale; embedding and lm_head in 8 bits"},
      {"int8", CodecOf({IrType::kU8}).BitsPerWeight(), "8-bit integers, a scale a row"},
      {"nf4", CodecOf({IrType::kNf4, kUsualGroup}).BitsPerWeight(),
       "groups of 4-bit quantiles of the normal distribution with a scale; embedding and lm_head in 8 bits"},
      {"mxfp4", CodecOf({IrType::kF4e2m1, kMxfp4Group}).BitsPerWeight(),
       "4-bit floats, a power of two as scale of 32; embedding and lm_head in 8 bits"},
      {"fp16", 16.0, "IEEE half"},
      {"fp32", 32.0, "IEEE single"}};
}

std::vector<OptionInfo> OpenVinoOptions() {
  return {
      {"group_size",
       "weights that share a scale, -1 for a row (default 128); of int4 and nf4",
       false,
       {"32", "64", "128", "-1"}},
      {"symmetric", "no zero points (default false); of int4 and int8", false, {"true", "false"}},
      {"ratio",
       "share of the layers' weights in 4 bits, 0 to 1 (default 1), the others in 8; NNCF's choice of "
       "layers; "
       "of int4",
       false,
       {}},
      {"all_layers",
       "4 bits for embedding and lm_head too (default false); of 4-bit schemes",
       false,
       {"true", "false"}},
      {"preset", "optimum-intel's settings for this model, where it has some; of int4", false, {"default"}},
      {"tokenizer", "none: LLMPipeline then takes and gives token ids", false, {"none"}},
  };
}

}  // namespace quantd
