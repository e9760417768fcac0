#include "workers/models/targets/openvino/presets.h"

#include <algorithm>
#include <string>

namespace quantd {
namespace {

// Those of architectures that this project reads.
constexpr OpenVinoPreset kPresets[] = {
    {"meta-llama/Llama-2-7b-hf", true, 128, 0.6, false, false},
    {"meta-llama/Llama-2-7b-chat-hf", true, 128, 1.0, false, true},
    {"meta-llama/Llama-2-13b-chat-hf", true, 64, 0.8, false, false},
    {"meta-llama/Meta-Llama-3.1-8B", false, 64, 0.8, false, true},
    {"meta-llama/Llama-3.1-8B", false, 64, 0.8, false, true},
    {"meta-llama/Meta-Llama-3.1-8B-Instruct", false, 64, 0.8, false, true},
    {"meta-llama/Llama-3.1-8B-Instruct", false, 64, 0.8, false, true},
    {"meta-llama/Llama-3.2-1B-Instruct", false, 128, 1.0, false, true},
    {"openlm-research/open_llama_3b", false, 64, 1.0, true, false},
    {"openlm-research/open_llama_3b_v2", false, 64, 1.0, false, true},
    {"psmathur/orca_mini_3b", true, 64, 1.0, true, false},
    {"lmsys/vicuna-7b-v1.5", false, 128, 1.0, false, false},
    {"lmsys/longchat-7b-16k", false, 128, 1.0, false, true},
    {"TinyLlama/TinyLlama-1.1B-Chat-v1.0", false, 64, 1.0, false, true},
    {"deepseek-ai/DeepSeek-R1-Distill-Llama-8B", false, 64, 0.8, false, true},
    {"microsoft/Phi-3-mini-4k-instruct", false, 64, 1.0, false, true},
    {"microsoft/Phi-3.5-mini-instruct", false, 64, 1.0, false, true},
    {"microsoft/Phi-4-mini-instruct", false, 64, 1.0, false, true},
    {"microsoft/Phi-4-reasoning", false, 64, 1.0, false, false},
};

std::string_view WithoutOwner(std::string_view name) { return name.substr(name.rfind('/') + 1); }

std::string OriginOf(const Model& model) {
  if (!model.config.is_object()) return "";
  const auto origin = model.config.find("_name_or_path");
  return origin != model.config.end() && origin->is_string() ? origin->get<std::string>() : "";
}

}  // namespace

const OpenVinoPreset* FindOpenVinoPreset(const Model& model) {
  for (const std::string& name : {OriginOf(model), model.display_name}) {
    const auto found =
        std::find_if(std::begin(kPresets), std::end(kPresets), [&](const OpenVinoPreset& preset) {
          return preset.model == name || WithoutOwner(preset.model) == WithoutOwner(name);
        });
    if (found != std::end(kPresets)) return found;
  }
  return nullptr;
}

}  // namespace quantd
