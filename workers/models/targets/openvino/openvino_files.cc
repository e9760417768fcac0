#include "workers/models/targets/openvino/openvino_files.h"

#include "base/json.h"
#include "base/status.h"
#include "workers/models/targets/huggingface_config.h"
#include "workers/models/targets/huggingface_folder.h"

namespace quantd {
namespace {

constexpr int kIndent = 2;

// What optimum-intel writes of how it quantized, so that its loader knows; the runtimes don't read it.
Json QuantizationConfig(const OpenVinoRecipe& recipe) {
  const bool has_4_bits = recipe.primary.has_4_bits();
  const std::string type = has_4_bits ? "int4" : "int8";
  Json quantization = {{"bits", has_4_bits ? 4 : 8},
                       {"dtype", type},
                       {"group_size", recipe.primary.group == quant::kWholeRow ? -1 : recipe.primary.group},
                       {"quant_method", "default"},
                       {"ratio", recipe.ratio},
                       {"sym", !recipe.primary.has_zero_points()},
                       {"weight_only", true}};
  if (has_4_bits) {
    quantization["all_layers"] = recipe.all_layers;
    quantization["backup_precision"] = "int8_asym";
    quantization["group_size_fallback"] = "adjust";
  }
  return {{"dtype", type}, {"quantization_config", quantization}};
}

}  // namespace

absl::StatusOr<std::vector<SidecarFile>> MakeOpenVinoFiles(const Model& model, const OpenVinoRecipe& recipe) {
  ASSIGN_OR_RETURN(std::vector<SidecarFile> files, TokenizerSidecars(model));
  ASSIGN_OR_RETURN(const Json config, HuggingFaceConfig(model));
  ASSIGN_OR_RETURN(std::string config_text, WriteJson(config, kIndent, "config.json"));
  files.push_back({"config.json", std::move(config_text)});
  if (!recipe.is_float()) {
    constexpr char kName[] = "openvino_config.json";
    ASSIGN_OR_RETURN(std::string text, WriteJson(QuantizationConfig(recipe), kIndent, kName));
    files.push_back({kName, std::move(text)});
  }
  return files;
}

}  // namespace quantd
