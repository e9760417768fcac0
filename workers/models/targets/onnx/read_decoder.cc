// From a model to its decoder, and what no graph of this project or no runtime can do with it.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "workers/models/targets/huggingface_config.h"
#include "workers/models/targets/onnx/decoder.h"
#include "workers/models/targets/rotary_frequencies.h"

namespace quantd {
namespace {

constexpr int64_t kLargestCache = int64_t{1} << 30;  // bytes of all rotary caches
// GroupQueryAttention's kernels read rows of rotary caches in pieces of this many columns.
constexpr int64_t kCacheColumns = 8;
// onnxruntime-genai computes the keys of a phi3 anew when its length passes this number, whatever the model.
constexpr int64_t kGenaiSwitch = 4096;

absl::Status Impossible(const std::string& why) { return PreconditionFailed("the model", why); }

absl::Status CheckArchitecture(const Model& model) {
  const std::string_view type = model.architecture->model_type;
  if (type == "llama" || type == "phi3") return absl::OkStatus();
  return Impossible(absl::StrCat("onnx has no graph for ", std::string(model.architecture->name),
                                 "; it has LlamaForCausalLM's and Phi3ForCausalLM's"));
}

absl::Status CheckRotarySize(const OnnxDecoder& decoder) {
  const int64_t size = decoder.rotary_size();
  const int64_t multiple = decoder.recipe.rotates_in_attention() ? 2 * kCacheColumns : 2;
  if (size > 0 && size % multiple == 0) return absl::OkStatus();
  return Impossible(absl::StrCat("heads of ", decoder.head_size(), " of which ", size,
                                 " dimensions are rotated: onnxruntime rotates multiples of ", multiple));
}

absl::Status CheckRotaryCaches(const OnnxDecoder& decoder) {
  const int64_t rows =
      decoder.parameters.context + (decoder.has_two_rotary_ranges() ? decoder.original_context() : 0);
  const int64_t element = decoder.recipe.io_type == OnnxFloat::kF32 ? 4 : 2;
  if (rows <= kLargestCache / (decoder.rotary_size() * element)) return absl::OkStatus();
  return Impossible(absl::StrCat("a context of ", decoder.parameters.context,
                                 " positions would need rotary caches of more than 1 GiB"));
}

void AddNotes(const OnnxDecoder& decoder, std::vector<std::string>& notes) {
  if (decoder.has_two_rotary_ranges() && decoder.original_context() != kGenaiSwitch) {
    notes.push_back(absl::StrCat("onnxruntime-genai switches LongRoPE's factors at ", kGenaiSwitch,
                                 " tokens, this model at ", decoder.original_context(),
                                 ": a generation that crosses ", decoder.original_context(),
                                 " tokens goes wrong there; a prompt that is longer already is right"));
  }
  if (!decoder.recipe.max_length.has_value() && decoder.parameters.context > kGenaiSwitch) {
    notes.push_back(absl::StrCat("onnxruntime-genai takes memory for search.max_length tokens at once, here ",
                                 decoder.parameters.context, ": set max_length, or the generator's own"));
  }
}

}  // namespace

absl::StatusOr<OnnxDecoder> ReadOnnxDecoder(const TargetSpec& spec, const Model& model,
                                            std::vector<std::string>& notes) {
  OnnxDecoder decoder;
  ASSIGN_OR_RETURN(decoder.recipe, ReadOnnxRecipe(spec, model));
  RETURN_IF_ERROR(CheckArchitecture(model));
  decoder.model_type = std::string(model.architecture->model_type);
  // A GGUF file's parameters lack the settings of its rotary factors; a configuration has them.
  ASSIGN_OR_RETURN(Json config, HuggingFaceConfig(model));
  ASSIGN_OR_RETURN(decoder.parameters, ReadHyperParameters(config));
  const int64_t window = decoder.parameters.sliding_window.value_or(0);
  // Llama's implementations don't look at it.
  if (decoder.model_type == "phi3" && window > 0 && window < decoder.parameters.context)
    decoder.attention_window = window;
  RETURN_IF_ERROR(CheckRotarySize(decoder));
  RETURN_IF_ERROR(CheckRotaryCaches(decoder));
  RETURN_IF_ERROR(CheckLongRopeFactors(decoder.parameters));
  AddNotes(decoder, notes);
  return decoder;
}

}  // namespace quantd
