#include "workers/models/targets/openvino/tokenizer_ir.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "workers/formats/openvino_xml.h"
#include "workers/models/targets/huggingface_folder.h"
#include "workers/models/targets/openvino/read_tokenizer.h"
#include "workers/models/targets/openvino/tokenizer_graph.h"
#include "workers/models/targets/openvino/tokenizer_json.h"

namespace quantd {
namespace {

// What the operations are those of. The runtime lets callers leave special tokens out only where it finds a
// version.
constexpr char kTokenizersVersion[] = "2026.4.1.0";

constexpr size_t kAlignment = 64;

constexpr char kVocabulary[] = "tokenizer.json";

class TokenizerIr {
 public:
  TokenizerIr(const Model& model, const std::vector<SidecarFile>& sources)
      : model_(model), sources_(sources) {}

  absl::StatusOr<std::vector<SidecarFile>> Make() {
    ASSIGN_OR_RETURN(tokenizer_, ReadObject(kVocabulary));
    ASSIGN_OR_RETURN(config_, ReadObject("tokenizer_config.json"));
    ASSIGN_OR_RETURN(generation_, ReadObject("generation_config.json"));
    if (tokenizer_.is_null()) return PreconditionFailed(kVocabulary, "is missing");
    ASSIGN_OR_RETURN(const TokenizerSteps steps,
                     ReadTokenizerSteps(tokenizer_, config_, model_.parameters.vocabulary));
    const std::optional<int32_t> end = IdFor("eos");
    const int32_t padding = IdFor("pad").value_or(end.value_or(0));
    ASSIGN_OR_RETURN(IrModel tokenizer, MakeTokenizerGraph(steps, padding));
    ASSIGN_OR_RETURN(IrModel detokenizer, MakeDetokenizerGraph(steps.decoder));
    ASSIGN_OR_RETURN(const std::vector<IrInfo> info, MakeInfo());
    std::vector<SidecarFile> files;
    Write("openvino_tokenizer", info, std::move(tokenizer), files);
    Write("openvino_detokenizer", info, std::move(detokenizer), files);
    return files;
  }

 private:
  // Null where the file is missing.
  absl::StatusOr<Json> ReadObject(const char* path) const {
    const SidecarFile* file = FindSidecar(sources_, path);
    if (file == nullptr) return Json();
    ASSIGN_OR_RETURN(Json json, ParseJson(file->content, path));
    if (!json.is_object()) return absl::InvalidArgumentError(absl::StrCat(path, ": is not an object"));
    return json;
  }

  // "bos", "eos", "pad": the tokenizer's own, else the model's. Of several ends the first.
  std::optional<int32_t> IdFor(const char* purpose) const {
    const std::string token = absl::StrCat(purpose, "_token"), id = absl::StrCat(token, "_id");
    if (const auto found = FindToken(tokenizer_, Member(config_, token.c_str()))) return found;
    for (const Json* config : {&generation_, &model_.config}) {
      const Json& value = Member(*config, id.c_str());
      const Json& first = value.is_array() && !value.empty() ? value[0] : value;
      if (first.is_number_unsigned() &&
          first.get<uint64_t>() < static_cast<uint64_t>(model_.parameters.vocabulary))
        return first.get<int32_t>();
    }
    return std::nullopt;
  }

  // Of a list of templates for several purposes the default one.
  std::string ChatTemplate() const {
    if (const SidecarFile* file = FindSidecar(sources_, "chat_template.jinja")) return file->content;
    const Json& value = Member(config_, "chat_template");
    if (!value.is_array()) return TextOf(value);
    for (const Json& entry : value) {
      if (Member(entry, "name") == "default") return TextOf(Member(entry, "template"));
    }
    return "";
  }

  absl::StatusOr<std::vector<IrInfo>> MakeInfo() const {
    std::vector<IrInfo> info = {{"openvino_tokenizers_version", kTokenizersVersion}};
    for (const char* purpose : {"bos", "eos", "pad"}) {
      if (const auto id = IdFor(purpose))
        info.push_back({absl::StrCat(purpose, "_token_id"), absl::StrCat(*id)});
    }
    std::string chat = ChatTemplate();
    if (chat.find('\0') != std::string::npos)
      return absl::InvalidArgumentError("the chat template has a character that ends a text");
    if (!chat.empty()) info.push_back({"chat_template", std::move(chat)});
    return info;
  }

  static void Write(const char* name, const std::vector<IrInfo>& info, IrModel ir,
                    std::vector<SidecarFile>& files) {
    ir.name = name;
    ir.info = info;
    std::string constants = LayOut(ir);
    files.push_back({absl::StrCat(name, ".xml"), WriteOpenVinoXml(ir)});
    files.push_back({absl::StrCat(name, ".bin"), std::move(constants)});
  }

  // The bytes of all constants, equal ones once.
  static std::string LayOut(IrModel& ir) {
    std::string bytes;
    std::map<std::string_view, int64_t> offsets;
    for (IrLayer& layer : ir.layers) {
      if (!layer.constant.has_value()) continue;
      const size_t begin = (bytes.size() + kAlignment - 1) / kAlignment * kAlignment;
      const auto [known, is_new] = offsets.try_emplace(*layer.constant->bytes, static_cast<int64_t>(begin));
      layer.constant->offset = known->second;
      if (!is_new) continue;
      bytes.resize(begin);
      bytes += *layer.constant->bytes;
    }
    return bytes;
  }

  const Model& model_;
  const std::vector<SidecarFile>& sources_;
  Json tokenizer_, config_, generation_;
};

}  // namespace

absl::StatusOr<std::vector<SidecarFile>> MakeTokenizerIr(const Model& model,
                                                         const std::vector<SidecarFile>& sources) {
  return TokenizerIr(model, sources).Make();
}

}  // namespace quantd
