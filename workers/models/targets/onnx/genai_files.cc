#include "workers/models/targets/onnx/genai_files.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "workers/models/targets/huggingface_config.h"
#include "workers/models/targets/huggingface_folder.h"
#include "workers/models/targets/onnx/genai_config.h"
#include "workers/models/targets/onnx/genai_tokenizer.h"

namespace quantd {
namespace {

constexpr char kTokenizer[] = "tokenizer.json";
constexpr char kTokenizerConfig[] = "tokenizer_config.json";
constexpr char kChatTemplate[] = "chat_template.jinja";

// An empty object where the file is missing.
absl::StatusOr<Json> ReadObject(const std::vector<SidecarFile>& files, const char* path) {
  const SidecarFile* file = FindSidecar(files, path);
  if (file == nullptr) return Json::object();
  ASSIGN_OR_RETURN(Json json, ParseJson(file->content, path));
  if (!json.is_object()) return absl::InvalidArgumentError(absl::StrCat(path, ": is not an object"));
  return json;
}

absl::Status CheckVocabulary(const Json& tokenizer, const OnnxDecoder& decoder) {
  const int64_t largest = GenaiVocabulary(tokenizer).largest_id();
  if (largest < decoder.parameters.vocabulary) return absl::OkStatus();
  return PreconditionFailed(
      kTokenizer, absl::StrCat("has a token with the id ", largest, ", but the model has logits for ",
                               decoder.parameters.vocabulary));
}

}  // namespace

absl::StatusOr<std::vector<SidecarFile>> MakeGenaiFiles(const Model& model, const OnnxDecoder& decoder,
                                                        std::vector<std::string>& notes) {
  ASSIGN_OR_RETURN(const std::vector<SidecarFile> sources, TokenizerJsonSidecars(model, notes));
  GenaiSources parsed;
  ASSIGN_OR_RETURN(parsed.config, HuggingFaceConfig(model));
  ASSIGN_OR_RETURN(parsed.generation, ReadObject(sources, "generation_config.json"));
  ASSIGN_OR_RETURN(parsed.tokenizer, ReadObject(sources, kTokenizer));
  ASSIGN_OR_RETURN(parsed.tokenizer_config, ReadObject(sources, kTokenizerConfig));
  std::vector<SidecarFile> files;
  ASSIGN_OR_RETURN(std::string genai_config, MakeGenaiConfig(parsed, decoder));
  files.push_back({"genai_config.json", std::move(genai_config)});
  const SidecarFile* tokenizer = FindSidecar(sources, kTokenizer);
  if (HasNoTokenizer(sources)) {
    notes.push_back("the checkpoint has no tokenizer: the folder takes and gives token ids only");
    return files;
  }
  if (tokenizer == nullptr)
    return PreconditionFailed(kTokenizer, "is missing; onnxruntime-genai reads no other vocabulary");
  RETURN_IF_ERROR(CheckGenaiTokenizer(parsed.tokenizer));
  RETURN_IF_ERROR(CheckVocabulary(parsed.tokenizer, decoder));
  files.push_back(*tokenizer);
  if (RepairTokenizerConfig(parsed.tokenizer, parsed.tokenizer_config, notes)) {
    ASSIGN_OR_RETURN(std::string text, WriteJson(parsed.tokenizer_config, 2, kTokenizerConfig));
    files.push_back({kTokenizerConfig, std::move(text)});
  } else {
    files.push_back(*FindSidecar(sources, kTokenizerConfig));  // a missing one would have lacked its class
  }
  if (const SidecarFile* chat = FindSidecar(sources, kChatTemplate)) files.push_back(*chat);
  return files;
}

}  // namespace quantd
