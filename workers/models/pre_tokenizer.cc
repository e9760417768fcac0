#include "workers/models/pre_tokenizer.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace quantd {
namespace {

// The rules in order, one text each: "digits", "digits:3", "byte-level", "byte-level+regex", "split:REGEX".
std::string Signature(const Json& pre_tokenizer);

std::string SequenceSignature(const Json& steps) {
  std::vector<std::string> parts;
  for (const Json& step : steps) parts.push_back(Signature(step));
  return absl::StrJoin(parts, "\n");
}

std::string Signature(const Json& step) {
  if (!step.is_object()) return "none";
  const Json type = step.value("type", Json());
  if (type == "Sequence") return SequenceSignature(step.value("pretokenizers", Json::array()));
  if (type == "Digits") return step.value("individual_digits", Json(false)) == true ? "digits" : "digit runs";
  if (type == "ByteLevel")
    return step.value("use_regex", Json(true)) == false ? "byte-level" : "byte-level+regex";
  if (type == "Split") {
    const Json pattern = step.value("pattern", Json::object());
    const Json regex = pattern.is_object() ? pattern.value("Regex", Json()) : Json();
    if (regex.is_string()) return absl::StrCat("split:", regex.get<std::string>());
  }
  return absl::StrCat("other:", type.dump());
}

constexpr char kLlama3[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr char kQwen2[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr char kGpt4o[] =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

}  // namespace

absl::StatusOr<std::string> PreTokenizerName(const Json& tokenizer) {
  const std::string signature = Signature(tokenizer.value("pre_tokenizer", Json()));
  const auto split = [](const char* regex) { return absl::StrCat("split:", regex, "\nbyte-level"); };
  if (signature == "byte-level+regex") return "gpt-2";
  if (signature == "digits\nbyte-level+regex") return "smollm";
  if (signature == split(kQwen2)) return "qwen2";
  if (signature == split(kGpt4o)) return "gpt-4o";
  if (signature == split(kLlama3)) {
    // Llama 3 takes a word that is a token as it is, without merging; dbrx and Phi-4 split alike but always
    // merge.
    const Json model = tokenizer.value("model", Json::object());
    return model.is_object() && model.value("ignore_merges", Json(false)) == true ? "llama-bpe" : "dbrx";
  }
  std::string shown = signature.substr(0, 200);
  std::replace(shown.begin(), shown.end(), '\n', ' ');
  return absl::FailedPreconditionError(
      absl::StrCat("tokenizer.json: llama.cpp's name of this pre-tokenizer is not known: ", shown));
}

absl::StatusOr<Json> PreTokenizerSteps(const std::string& name) {
  const auto byte_level = [](bool use_regex) {
    return Json{
        {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
  };
  const auto sequence = [](Json steps) {
    return Json{{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
  };
  if (name == "gpt-2") return byte_level(true);
  if (name == "smollm")
    return sequence({{{"type", "Digits"}, {"individual_digits", true}}, byte_level(true)});
  for (const auto& [known, regex] :
       {std::pair("llama-bpe", kLlama3), {"dbrx", kLlama3}, {"qwen2", kQwen2}, {"gpt-4o", kGpt4o}}) {
    if (name != known) continue;
    return sequence(
        {{{"type", "Split"}, {"pattern", {{"Regex", regex}}}, {"behavior", "Isolated"}, {"invert", false}},
         byte_level(false)});
  }
  return absl::FailedPreconditionError(
      absl::StrCat("the metadata: tokenizer.ggml.pre \"", name, "\" can't be written as tokenizer.json"));
}

}  // namespace quantd
