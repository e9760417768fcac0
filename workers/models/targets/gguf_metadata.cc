#include "workers/models/targets/gguf_metadata.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "workers/models/targets/model_name.h"
#include "workers/models/tokenizer.h"

namespace quantd {
namespace {

constexpr char kQuantizationVersionKey[] = "general.quantization_version";
constexpr char kFileTypeKey[] = "general.file_type";
constexpr uint32_t kQuantizationVersion = 2;
constexpr double kLargestWhole = 2147483647.0;  // int32

class MetadataBuilder {
 public:
  explicit MetadataBuilder(const Model& model)
      : model_(model), prefix_(absl::StrCat(std::string(model.architecture->gguf_name), ".")) {}

  void Add(std::string key, GgufValue value) { out_.emplace_back(std::move(key), std::move(value)); }
  void AddOwn(const std::string& key, GgufValue value) { Add(prefix_ + key, std::move(value)); }
  void AddCount(const std::string& key, int64_t value) { AddOwn(key, static_cast<uint32_t>(value)); }
  void AddNumber(const std::string& key, double value) { AddOwn(key, static_cast<float>(value)); }

  void AddGeneral() {
    Add("general.architecture", std::string(model_.architecture->gguf_name));
    if (model_.architecture->model_type == "phi3" && model_.parameters.rope_scaling.has_value()) {
      AddNumber("rope.scaling.attn_factor", LongRopeAttentionFactor(model_.parameters));
    }
    Add("general.type", std::string("model"));
  }

  // A GGUF file's own metadata, but for what quantization changes.
  void AddKept() {
    for (const auto& [key, value] : *model_.gguf_metadata) {
      if (key != kQuantizationVersionKey && key != kFileTypeKey) Add(key, value);
    }
  }

  void AddQuantization(const GgufFileType& file_type) {
    Add(kQuantizationVersionKey, kQuantizationVersion);
    Add(kFileTypeKey, file_type.number);
  }

  // What the model's makers advise for sampling.
  absl::Status AddSampling() {
    absl::StatusOr<Json> config = model_.files->ReadJson("generation_config.json");
    if (absl::IsNotFound(config.status())) return absl::OkStatus();
    RETURN_IF_ERROR(config.status());
    if (!config->is_object()) return absl::InvalidArgumentError("generation_config.json: is not an object");
    struct Setting {
      const char* from;
      const char* to;
      bool whole;
    };
    constexpr Setting kSettings[] = {{"top_k", "top_k", true},
                                     {"top_p", "top_p", false},
                                     {"min_p", "min_p", false},
                                     {"xtc_probability", "xtc_probability", false},
                                     {"xtc_threshold", "xtc_threshold", false},
                                     {"temperature", "temp", false},
                                     {"penalty_last_n", "penalty_last_n", true},
                                     {"repetition_penalty", "penalty_repeat", false},
                                     {"mirostat", "mirostat", true},
                                     {"mirostat_tau", "mirostat_tau", false},
                                     {"mirostat_eta", "mirostat_eta", false}};
    for (const Setting& setting : kSettings) {
      auto value = config->find(setting.from);
      if (value == config->end() || !value->is_number()) continue;
      const std::string key = absl::StrCat("general.sampling.", setting.to);
      if (setting.whole) {
        if (std::fabs(value->get<double>()) > kLargestWhole) {
          return absl::InvalidArgumentError(
              absl::StrCat("generation_config.json: ", setting.from, " is out of range"));
        }
        Add(key, static_cast<int32_t>(value->get<double>()));
      } else {
        Add(key, static_cast<float>(value->get<double>()));
      }
    }
    return absl::OkStatus();
  }

  void AddName() {
    const int64_t parameters = model_.ParameterCount();
    ModelNameParts parts = SplitModelName(model_.display_name, parameters);
    // A published name in the configuration wins over the folder's.
    auto published = model_.config.find("_name_or_path");
    if (published != model_.config.end() && published->is_string() &&
        !published->get<std::string>().empty()) {
      MergePublished(SplitModelName(published->get<std::string>(), parameters), published->get<std::string>(),
                     parts);
    }
    if (parts.size_label.empty()) parts.size_label = SizeLabel(parameters);
    const std::pair<const char*, const std::string*> fields[] = {
        {"name", &parts.name},         {"version", &parts.version},   {"organization", &parts.organization},
        {"finetune", &parts.finetune}, {"basename", &parts.basename}, {"size_label", &parts.size_label}};
    for (const auto& [key, value] : fields) {
      if (!value->empty()) Add(absl::StrCat("general.", key), *value);
    }
  }

  void AddLlama() {
    const HyperParameters& p = model_.parameters;
    AddCount("block_count", p.layers);
    AddCount("context_length", p.context);
    AddCount("embedding_length", p.hidden);
    AddCount("feed_forward_length", p.feed_forward);
    AddCount("attention.head_count", p.heads);
    AddCount("attention.head_count_kv", p.key_value_heads);
    if (p.rope_scaling.has_value() && p.rope_scaling->type == "linear" &&
        p.rope_scaling->factor.has_value()) {
      AddOwn("rope.scaling.type", std::string("linear"));
      AddNumber("rope.scaling.factor", *p.rope_scaling->factor);
    }
    if (p.rope_base.has_value()) AddNumber("rope.freq_base", *p.rope_base);
    AddNumber("attention.layer_norm_rms_epsilon", p.norm_epsilon);
    AddCount("attention.key_length", p.head_size());
    AddCount("attention.value_length", p.head_size());
    AddCount("vocab_size", p.vocabulary);
    AddCount("rope.dimension_count", p.head_size());
  }

  void AddPhi3() {
    const HyperParameters& p = model_.parameters;
    AddCount("context_length", p.context);
    AddCount("rope.scaling.original_context_length", *p.original_context);
    AddCount("embedding_length", p.hidden);
    AddCount("feed_forward_length", p.feed_forward);
    AddCount("block_count", p.layers);
    AddCount("attention.head_count", p.heads);
    AddCount("attention.head_count_kv", p.key_value_heads);
    AddNumber("attention.layer_norm_rms_epsilon", p.norm_epsilon);
    AddCount("rope.dimension_count", p.rotary_size());
    AddNumber("rope.freq_base", *p.rope_base);
    AddCount("attention.sliding_window", p.sliding_window.value_or(0));
  }

  absl::Status AddTokenizer() {
    ASSIGN_OR_RETURN(Tokenizer tokenizer, ReadTokenizer(model_));
    RETURN_IF_ERROR(CheckDuplicates(tokenizer));
    if (model_.architecture->model_type == "llama") RETURN_IF_ERROR(AddSpacePrefix());
    Add("tokenizer.ggml.model", tokenizer.model);
    Add("tokenizer.ggml.pre", tokenizer.pre_tokenizer);
    Add("tokenizer.ggml.tokens", std::move(tokenizer.tokens));
    if (!tokenizer.scores.empty()) Add("tokenizer.ggml.scores", std::move(tokenizer.scores));
    std::vector<int32_t> types;
    for (TokenType type : tokenizer.types) types.push_back(static_cast<int32_t>(type));
    Add("tokenizer.ggml.token_type", std::move(types));
    if (!tokenizer.merges.empty()) Add("tokenizer.ggml.merges", std::move(tokenizer.merges));
    AddSpecialTokens(tokenizer);
    AddNamedChatTemplates(tokenizer);
    if (tokenizer.chat_template.has_value())
      Add("tokenizer.chat_template", *std::move(tokenizer.chat_template));
    // Code Llama's end of a filled-in middle is known by number only.
    if (IsCodeLlama()) Add("tokenizer.ggml.eot_token_id", uint32_t{32010});
    return absl::OkStatus();
  }

  GgufMetadata Take() { return std::move(out_); }

 private:
  static void MergePublished(const ModelNameParts& published, const std::string& text,
                             ModelNameParts& parts) {
    if (std::count(text.begin(), text.end(), '/') > 1) return;  // a path of somebody's computer
    const auto prefer = [](const std::string& first, std::string& second) {
      if (!first.empty()) second = first;
    };
    prefer(published.name, parts.name);
    prefer(published.organization, parts.organization);
    prefer(published.basename, parts.basename);
    prefer(published.finetune, parts.finetune);
    prefer(published.version, parts.version);
    prefer(published.size_label, parts.size_label);
  }

  // llama.cpp's loader aborts on a vocabulary that has a text twice.
  static absl::Status CheckDuplicates(const Tokenizer& tokenizer) {
    std::vector<std::string_view> sorted(tokenizer.tokens.begin(), tokenizer.tokens.end());
    std::sort(sorted.begin(), sorted.end());
    auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    if (twice == sorted.end()) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat("the vocabulary has the token \"", std::string(*twice),
                                                      "\" twice, which llama.cpp can't load"));
  }

  absl::Status AddSpacePrefix() {
    absl::StatusOr<Json> config = model_.files->ReadJson("tokenizer_config.json");
    if (absl::IsNotFound(config.status())) return absl::OkStatus();
    RETURN_IF_ERROR(config.status());
    if (config->is_object() && config->contains("add_prefix_space") &&
        (*config)["add_prefix_space"].is_boolean()) {
      Add("tokenizer.ggml.add_space_prefix", (*config)["add_prefix_space"].get<bool>());
    }
    return absl::OkStatus();
  }

  void AddSpecialTokens(const Tokenizer& tokenizer) {
    for (const auto& [type, id] : tokenizer.special_ids) {
      const std::string name = type == "unk"   ? "unknown"
                               : type == "sep" ? "seperator"
                               : type == "pad" ? "padding"
                                               : type;
      Add(absl::StrCat("tokenizer.ggml.", name, "_token_id"), id);
    }
    for (const auto& [type, add] : tokenizer.add_special) {
      // Granite's small models share this size of vocabulary; the converter turns the token off for all of
      // them.
      if (type == "bos" && IsSmallGranite()) continue;
      if (type == "bos" || type == "eos" || type == "sep")
        Add(absl::StrCat("tokenizer.ggml.add_", type, "_token"), add);
    }
    if (IsSmallGranite()) Add("tokenizer.ggml.add_bos_token", false);
  }

  void AddNamedChatTemplates(const Tokenizer& tokenizer) {
    if (tokenizer.named_chat_templates.empty()) return;
    std::vector<std::string> names;
    for (const auto& [name, text] : tokenizer.named_chat_templates) {
      Add(absl::StrCat("tokenizer.chat_template.", name), text);
      names.push_back(name);
    }
    Add("tokenizer.chat_templates", std::move(names));
  }

  bool IsCodeLlama() const {
    return model_.architecture->model_type == "llama" && model_.parameters.vocabulary == 32016;
  }

  bool IsSmallGranite() const {
    return model_.architecture->model_type == "llama" && model_.parameters.vocabulary == 49152;
  }

  const Model& model_;
  std::string prefix_;
  GgufMetadata out_;
};

}  // namespace

double LongRopeAttentionFactor(const HyperParameters& p) {
  const double original = static_cast<double>(p.original_context.value_or(p.context));
  const double scale = static_cast<double>(p.context) / original;
  return scale > 1.0 ? std::sqrt(1.0 + std::log(scale) / std::log(original)) : 1.0;
}

absl::StatusOr<GgufMetadata> MakeGgufMetadata(const Model& model, const GgufFileType& file_type) {
  MetadataBuilder builder(model);
  if (model.from_gguf()) {
    builder.AddKept();
    builder.AddQuantization(file_type);
    return builder.Take();
  }
  builder.AddGeneral();
  RETURN_IF_ERROR(builder.AddSampling());
  builder.AddName();
  if (model.architecture->model_type == "phi3") {
    builder.AddPhi3();
  } else {
    builder.AddLlama();
  }
  RETURN_IF_ERROR(builder.AddTokenizer());
  builder.AddQuantization(file_type);
  return builder.Take();
}

void AddImportanceMetadata(const std::string& path, const ImportanceMatrix& importance,
                           GgufMetadata& metadata) {
  constexpr size_t kLongest = 127;  // of a text that llama-quantize sets
  metadata.emplace_back("quantize.imatrix.file", path.substr(0, kLongest));
  if (!importance.datasets.empty()) {
    metadata.emplace_back("quantize.imatrix.dataset", importance.datasets[0].substr(0, kLongest));
  }
  metadata.emplace_back("quantize.imatrix.entries_count", static_cast<uint32_t>(importance.columns.size()));
  if (importance.chunks > 0) {
    metadata.emplace_back("quantize.imatrix.chunks_count", static_cast<uint32_t>(importance.chunks));
  }
}

}  // namespace quantd
