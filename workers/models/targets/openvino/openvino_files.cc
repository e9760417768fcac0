#include "workers/models/targets/openvino/openvino_files.h"

#include "base/json.h"
#include "base/status.h"
#include "workers/models/targets/huggingface_config.h"
#include "workers/models/targets/huggingface_folder.h"

namespace quantd {
namespace {

constexpr int kIndent = 2;

// What optimum-intel writes of how it quantized, so that its loader knows; the runtimes don't read it.
Json QuantizationConfig(const std::string& scheme, const OpenVinoRecipe& recipe) {
  const bool has_4_bits = !recipe.primary.has_8_bits();
  Json quantization = {{"bits", has_4_bits ? 4 : 8},
                       {"dtype", scheme},
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
  return {{"dtype", scheme}, {"quantization_config", quantization}};
}

}  // namespace

absl::StatusOr<std::vector<SidecarFile>> MakeOpenVinoFiles(const Model& model, const std::string& scheme,
                                                           const OpenVinoRecipe& recipe) {
  ASSIGN_OR_RETURN(std::vector<SidecarFile> files, TokenizerSidecars(model));
  ASSIGN_OR_RETURN(const Json config, HuggingFaceConfig(model));
  ASSIGN_OR_RETURN(std::string config_text, WriteJson(config, kIndent, "config.json"));
  files.push_back({"config.json", std::move(config_text)});
  if (!recipe.is_float()) {
    constexpr char kName[] = "openvino_config.json";
    ASSIGN_OR_RETURN(std::string text, WriteJson(QuantizationConfig(scheme, recipe), kIndent, kName));
    files.push_back({kName, std::move(text)});
  }
  return files;
}

}  // namespace quantd
