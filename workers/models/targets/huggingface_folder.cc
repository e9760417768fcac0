#include "workers/models/targets/huggingface_folder.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "workers/models/sentencepiece_model.pb.h"
#include "workers/models/targets/gguf_metadata.h"
#include "workers/models/targets/tokenizer_files.h"
#include "workers/quant/codec_list.h"

namespace quantd {
namespace {

constexpr char kSentencePiece[] = "tokenizer.model";

absl::Status CheckSentencePiece(const std::string& bytes) {
  sentencepiece::ModelProto proto;
  if (!proto.ParseFromString(bytes))
    return absl::InvalidArgumentError(absl::StrCat(kSentencePiece, ": is no SentencePiece model"));
  if (proto.trainer_spec().model_type() == sentencepiece::ModelProto::TrainerSpec::BPE)
    return absl::OkStatus();
  return PreconditionFailed(kSentencePiece,
                            "is not of SentencePiece's type BPE; no tokenizer.json is made of another");
}

}  // namespace

absl::StatusOr<std::vector<SidecarFile>> TokenizerSidecars(const Model& model) {
  if (model.from_gguf()) return MakeTokenizerFiles(*model.gguf_metadata);
  constexpr const char* kNames[] = {
      "tokenizer.json",    "tokenizer.model",     "tokenizer_config.json", "special_tokens_map.json",
      "added_tokens.json", "chat_template.jinja", "chat_template.json",    "generation_config.json",
      "vocab.json",        "merges.txt"};
  std::vector<SidecarFile> sidecars;
  for (const char* name : kNames) {
    if (model.files->Find(name) == nullptr) continue;
    ASSIGN_OR_RETURN(std::string content, model.files->ReadText(name));
    sidecars.push_back({name, std::move(content)});
  }
  return sidecars;
}

const SidecarFile* FindSidecar(const std::vector<SidecarFile>& files, std::string_view path) {
  for (const SidecarFile& file : files) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

bool HasNoTokenizer(const std::vector<SidecarFile>& files) {
  return FindSidecar(files, "tokenizer.json") == nullptr && FindSidecar(files, "vocab.json") == nullptr &&
         FindSidecar(files, kSentencePiece) == nullptr;
}

absl::StatusOr<std::vector<SidecarFile>> TokenizerJsonSidecars(const Model& model,
                                                               std::vector<std::string>& notes) {
  ASSIGN_OR_RETURN(std::vector<SidecarFile> files, TokenizerSidecars(model));
  const SidecarFile* sentencepiece = FindSidecar(files, kSentencePiece);
  if (FindSidecar(files, "tokenizer.json") != nullptr || sentencepiece == nullptr) return files;
  RETURN_IF_ERROR(CheckSentencePiece(sentencepiece->content));
  ASSIGN_OR_RETURN(GgufMetadata vocabulary, MakeGgufMetadata(model, *FindGgufFileType("F16")));
  ASSIGN_OR_RETURN(std::vector<SidecarFile> made, MakeTokenizerFiles(vocabulary));
  files.push_back(*FindSidecar(made, "tokenizer.json"));
  notes.push_back(absl::StrCat("tokenizer.json was made from ", kSentencePiece));
  return files;
}

const quant::Codec* PlainCodec(const std::string& scheme) {
  if (scheme == "fp16") return quant::FindCodec("F16");
  if (scheme == "bf16") return quant::FindCodec("BF16");
  if (scheme == "fp32") return quant::FindCodec("F32");
  return nullptr;
}

std::string TorchType(const quant::Codec& codec) {
  if (codec.name() == "F16") return "float16";
  return codec.name() == "BF16" ? "bfloat16" : "float32";
}

void TakeTensor(const Model& model, size_t index, OutputTensor& output) {
  const ModelTensor& tensor = model.tensors[index];
  SourceSlice slice{index, 0, tensor.source.rows()};
  if (model.from_gguf() && RowsDiffer(model, tensor.role)) {
    slice.row_order = RowOrder::kPairsToHalves;
    output.rows_per_head = model.parameters.head_size();
  }
  output.sources.push_back(slice);
}

void AddPlainTensor(const Model& model, size_t index, const quant::Codec& codec, OutputPlan& plan,
                    std::vector<std::vector<SafetensorsEntry>>& entries) {
  const ModelTensor& tensor = model.tensors[index];
  OutputTensor output;
  output.name = TensorName(tensor.rule->huggingface, tensor.layer);
  output.codec = &codec;
  output.shape = tensor.source.shape;
  TakeTensor(model, index, output);
  entries.push_back({{output.name, std::string(codec.name()), output.shape}});
  plan.tensors.push_back(std::move(output));
}

}  // namespace quantd
