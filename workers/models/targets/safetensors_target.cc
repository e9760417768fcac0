// A Hugging Face folder again, in another float type.
#include "base/status.h"
#include "workers/models/targets/formats.h"
#include "workers/models/targets/huggingface_config.h"
#include "workers/models/targets/huggingface_folder.h"

namespace quantd {

FormatInfo SafetensorsFormatInfo() {
  return {.name = "safetensors",
          .runtime = "transformers",
          .schemes = {{"fp16", 16.0, "IEEE half"}, {"bf16", 16.0, "bfloat16"}, {"fp32", 32.0, "IEEE single"}},
          .options = {}};
}

absl::StatusOr<std::unique_ptr<PlannedTarget>> PlanSafetensors(const Model& model, const TargetSpec& spec) {
  const quant::Codec& codec = *PlainCodec(spec.scheme);
  auto target = std::make_unique<PlannedTarget>();
  std::vector<std::vector<SafetensorsEntry>> entries;
  for (size_t i = 0; i < model.tensors.size(); ++i) AddPlainTensor(model, i, codec, target->plan, entries);
  ASSIGN_OR_RETURN(Json config, HuggingFaceConfig(model));
  // transformers 5 renamed the key; the one that the checkpoint has is kept.
  config[config.contains("dtype") ? "dtype" : "torch_dtype"] = TorchType(codec);
  ASSIGN_OR_RETURN(target->plan.sidecars, TokenizerSidecars(model));
  target->plan.sidecars.push_back({"config.json", config.dump(2)});
  target->writer = MakeSafetensorsWriter(target->plan, std::move(entries), "pt");
  return target;
}

}  // namespace quantd
