// tokenizer.json as the steps of OpenVINO's tokenizer, and as the files that hold them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/support/checkpoint_builder.h"
#include "workers/models/sentencepiece_model.pb.h"
#include "workers/models/targets/huggingface_folder.h"
#include "workers/models/targets/openvino/read_tokenizer.h"
#include "workers/models/targets/openvino/tokenizer_ir.h"

namespace quantd {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::StartsWith;

constexpr int64_t kVocabulary = 300;

const Json kByteLevel = {{"type", "ByteLevel"}, {"use_regex", false}};

// Byte-level: "Ġ" is a space.
Json ByteLevelTokenizer() {
  return Json::parse(R"({
      "model": {"type": "BPE", "vocab": {"<s>": 0, "t": 1, "h": 2, "Ġ": 3, "th": 4, "Ġth": 5, "orphan": 6, "日": 7},
                "merges": ["t h", ["Ġ", "th"]]},
      "added_tokens": [{"id": 0, "content": "<s>", "special": true}, {"id": 9, "content": "<|user|>"}],
      "pre_tokenizer": {"type": "ByteLevel", "use_regex": false},
      "decoder": {"type": "ByteLevel"}})");
}

// Every byte and a few letters.
Json ByteFallbackTokenizer() {
  Json tokenizer = Json::parse(R"({
      "model": {"type": "BPE", "byte_fallback": true, "unk_token": "<unk>", "fuse_unk": true,
                "vocab": {"<unk>": 0, "▁": 1, "t": 2, "▁t": 3}, "merges": ["▁ t"]},
      "added_tokens": [{"id": 0, "content": "<unk>", "special": true}],
      "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
                     {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
      "decoder": {"type": "Sequence", "decoders": [
          {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
          {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}})");
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(byte));
    tokenizer["model"]["vocab"][name] = byte + 4;
  }
  return tokenizer;
}

absl::StatusOr<TokenizerSteps> Read(const Json& tokenizer, const Json& config = {}) {
  return ReadTokenizerSteps(Json::parse(tokenizer.dump()), config, kVocabulary);
}

TokenizerSteps Steps(const Json& tokenizer, const Json& config = {}) {
  absl::StatusOr<TokenizerSteps> steps = Read(tokenizer, config);
  EXPECT_TRUE(steps.ok()) << steps.status();
  return steps.ok() ? *std::move(steps) : TokenizerSteps{};
}

// The expressions of a pre-tokenizer's splits; those that drop what they match begin with "drop ".
std::vector<std::string> Splits(const Json& pre_tokenizer) {
  Json tokenizer = ByteLevelTokenizer();
  tokenizer["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {pre_tokenizer, kByteLevel}}};
  std::vector<std::string> out;
  for (const TextStep& step : Steps(tokenizer).pre_tokenizer) {
    const auto* split = std::get_if<Split>(&step);
    if (split == nullptr) continue;
    const char* dropped = split->keep == Split::kRest      ? "drop "
                          : split->keep == Split::kMatches ? "keep "
                                                           : "";
    out.push_back(dropped + split->pattern);
  }
  return out;
}

Json SplitBy(const Json& pattern, const char* behavior, bool invert = false) {
  return {{"type", "Split"}, {"pattern", pattern}, {"behavior", behavior}, {"invert", invert}};
}

TEST(OpenVinoTokenizer, TokensAreBytes) {
  const TokenizerSteps steps = Steps(ByteLevelTokenizer());
  EXPECT_THAT(steps.model.merges, ElementsAre(Pair("t", "h"), Pair(" ", "th")));
  EXPECT_THAT(steps.model.others, ElementsAre(Pair("<s>", 0), Pair("<|user|>", 9)));
  EXPECT_THAT(steps.decoder.texts,
              ElementsAre("<s>", "t", "h", " ", "th", " th", "orphan", "\xe6\x97\xa5", "", "<|user|>"));
  EXPECT_THAT(steps.decoder.special_ids, ElementsAre(0));
}

TEST(OpenVinoTokenizer, TokensThatNoMergeMakesAreNotFoundInText) {
  Json tokenizer = ByteLevelTokenizer();
  EXPECT_THAT(Steps(tokenizer).model.tokens, ElementsAre("", "t", "h", " ", "th", " th", "", "", "", ""));
  EXPECT_THAT(Steps(tokenizer).model.whole_pieces, IsEmpty());
  tokenizer["model"]["ignore_merges"] = true;
  EXPECT_THAT(Steps(tokenizer).model.whole_pieces,
              AllOf(Contains(Pair("orphan", 6)), Contains(Pair(" th", 5))));
}

TEST(OpenVinoTokenizer, CharactersWithoutATokenBecomeBytes) {
  const TokenizerSteps steps = Steps(ByteFallbackTokenizer());
  ASSERT_EQ(steps.decoder.texts.size(), 260u);
  EXPECT_THAT(steps.model.tokens, AllOf(Contains("\xe2\x96\x81t"), testing::Not(Contains("<0x41>"))));
  EXPECT_THAT(steps.model.others, AllOf(Contains(Pair("A", 4 + 'A')), Contains(Pair("\xff", 4 + 0xff))));
  EXPECT_EQ(steps.decoder.texts[3], " t");
  EXPECT_EQ(steps.decoder.texts[4 + 0xff], "\xff");
  ASSERT_EQ(steps.decoder.replacements.size(), 1u);
  EXPECT_EQ(steps.decoder.replacements[0].pattern, "\\A(?:\\ ){1,1}");
}

TEST(OpenVinoTokenizer, EachStepOfThePreTokenizerSplitsByItself) {
  EXPECT_THAT(Splits({{"type", "Digits"}, {"individual_digits", true}}), ElementsAre(R"(\p{N})"));
  EXPECT_THAT(Splits({{"type", "Digits"}, {"individual_digits", false}}), ElementsAre(R"(\p{N}+)"));
  EXPECT_THAT(Splits({{"type", "ByteLevel"}}), ElementsAre(StartsWith("'s|'t|")));
  EXPECT_THAT(Splits({{"type", "Metaspace"}, {"prepend_scheme", "never"}}),
              ElementsAre("\xe2\x96\x81[^\xe2\x96\x81]*"));
}

TEST(OpenVinoTokenizer, ExpressionsTakeInTheNeighboursThatABehaviorMerges) {
  const Json dot = {{"String", "."}}, letters = {{"Regex", "a|b"}};
  EXPECT_THAT(Splits(SplitBy(dot, "Isolated", true)), ElementsAre(R"(\.)"));
  EXPECT_THAT(Splits(SplitBy(letters, "Contiguous")), ElementsAre("(?:a|b)+"));
  EXPECT_THAT(Splits(SplitBy(letters, "Removed")), ElementsAre("drop a|b"));
  EXPECT_THAT(Splits(SplitBy(letters, "Removed", true)), ElementsAre("keep a|b"));
  EXPECT_THAT(Splits(SplitBy(letters, "MergedWithPrevious")),
              ElementsAre(R"((?:(?!a|b)[\s\S])*+(?:a|b|\z))"));
  EXPECT_THAT(Splits(SplitBy(letters, "MergedWithNext")), ElementsAre(R"((?:a|b)(?:(?!a|b)[\s\S])*+)"));
}

TEST(OpenVinoTokenizer, TheLongestAddedTokenIsLookedForFirst) {
  Json tokenizer = ByteLevelTokenizer();
  tokenizer["added_tokens"] = Json::parse(R"([{"id": 8, "content": "<a>"}, {"id": 9, "content": "<a>b"},
                                              {"id": 10, "content": "<c>", "lstrip": true, "rstrip": true}])");
  EXPECT_EQ(
      Steps(tokenizer).added_tokens,
      R"((?|(\<a\>b)|(\<a\>)|(?:\G|(?<![\t-\r \x{85}\p{Z}]))[\t-\r \x{85}\p{Z}]*+(\<c\>)[\t-\r \x{85}\p{Z}]*+))");
  EXPECT_EQ(Steps(tokenizer).all_added_tokens, "");
  tokenizer["added_tokens"] = Json::array();
  EXPECT_EQ(Steps(tokenizer).added_tokens, "(?!)");
}

TEST(OpenVinoTokenizer, NormalizedAddedTokensAreLookedForAsTheNormalizerWritesThem) {
  Json tokenizer = ByteFallbackTokenizer();
  tokenizer["added_tokens"].push_back({{"id", 280}, {"content", "a b"}, {"normalized", true}});
  const TokenizerSteps steps = Steps(tokenizer);
  EXPECT_EQ(steps.added_tokens, "(?|(\\<unk\\>))");
  EXPECT_EQ(steps.all_added_tokens,
            "(?|(\xe2\x96\x81"
            "a\xe2\x96\x81"
            "b)|(\\<unk\\>))");
  EXPECT_THAT(steps.model.others, Contains(Pair("\xe2\x96\x81"
                                                "a\xe2\x96\x81"
                                                "b",
                                                280)));
  EXPECT_EQ(steps.decoder.texts[280], "a b");
}

TEST(OpenVinoTokenizer, ThePrefixOfATextStandsBeforeNoAddedToken) {
  Json tokenizer = ByteFallbackTokenizer();
  tokenizer["normalizer"] = nullptr;
  tokenizer["pre_tokenizer"] = {{"type", "Metaspace"}, {"prepend_scheme", "first"}, {"split", false}};
  const TokenizerSteps steps = Steps(tokenizer);
  ASSERT_EQ(steps.whole_text.size(), 1u);
  EXPECT_EQ(steps.whole_text[0].pattern, "\\A(?!(?|(\\<unk\\>)))(?=[^ \xe2\x96\x81])");
  EXPECT_EQ(steps.whole_text[0].text, "\xe2\x96\x81");
}

TEST(OpenVinoTokenizer, TemplatesSurroundEveryText) {
  Json tokenizer = ByteLevelTokenizer();
  tokenizer["post_processor"] = Json::parse(R"({"type": "Sequence", "processors": [{"type": "ByteLevel"},
      {"type": "TemplateProcessing", "pair": [],
       "single": [{"SpecialToken": {"id": "B"}}, {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "E"}}],
       "special_tokens": {"B": {"id": "B", "ids": [5, 6]}, "E": {"id": "E", "ids": [0]}}}]})");
  EXPECT_THAT(Steps(tokenizer, {{"add_bos_token", true}, {"bos_token", "t"}}).prefix, ElementsAre(5, 6));
  EXPECT_THAT(Steps(tokenizer).suffix, ElementsAre(0));
}

TEST(OpenVinoTokenizer, WithoutATemplateTheConfigurationSaysWhatIsAdded) {
  const Json config = {{"add_bos_token", true},
                       {"bos_token", {{"content", "<s>"}}},
                       {"add_eos_token", true},
                       {"eos_token", "th"}};
  EXPECT_THAT(Steps(ByteLevelTokenizer(), config).prefix, ElementsAre(0));
  EXPECT_THAT(Steps(ByteLevelTokenizer(), config).suffix, ElementsAre(4));
  EXPECT_THAT(Steps(ByteLevelTokenizer(), {{"bos_token", "<s>"}}).prefix, IsEmpty());
}

TEST(OpenVinoTokenizer, WithoutADecoderThereAreSpacesBetweenTokens) {
  Json tokenizer = ByteLevelTokenizer();
  tokenizer.erase("decoder");
  EXPECT_EQ(Steps(tokenizer).decoder.texts[4], "th ");
  EXPECT_EQ(Steps(tokenizer).decoder.replacements[0].pattern, " {1,1}\\z");
}

struct Refusal {
  const char* patch;  // of the byte-level tokenizer
  const char* reason;
};

TEST(OpenVinoTokenizer, RefusesWhatTheOperationsCannotDo) {
  const Refusal refusals[] = {
      {R"({"model": {"type": "Unigram", "vocab": [["a", 0.5]]}})", "a model of type \"Unigram\""},
      {R"({"model": {"merges": null}})", "no merges"},
      {R"({"model": {"unk_token": "t"}})", "a token for unknown characters"},
      {R"({"model": {"byte_fallback": true, "vocab": {"<0x00>": 8}}, "pre_tokenizer": null})",
       "unknown characters"},
      {R"({"model": {"end_of_word_suffix": "</w>"}})", "end_of_word_suffix"},
      {R"({"normalizer": {"type": "Lowercase"}})", "the normalizer \"Lowercase\""},
      {R"({"normalizer": {"type": "Replace", "pattern": {"String": "a"}, "content": "abcde"}})",
       "much longer"},
      {R"({"normalizer": {"type": "Replace", "pattern": {"String": "a"}, "content": "\\1"}})", "replaces by"},
      {R"({"pre_tokenizer": {"type": "UnicodeScripts"}})", "the pre-tokenizer \"UnicodeScripts\""},
      {R"({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\h"}, "behavior": "Isolated"}})",
       "has \"\\\\h\" at 0"},
      {R"({"pre_tokenizer": {"type": "Split", "pattern": {"String": "a"}, "behavior": "Odd"}})",
       "behavior \"Odd\""},
      {R"({"post_processor": {"type": "RobertaProcessing"}})", "the post-processor \"RobertaProcessing\""},
      {R"({"decoder": {"type": "WordPiece"}})", "the decoder \"WordPiece\""},
      {R"({"added_tokens": [{"id": 8, "content": "x", "single_word": true}]})", "a single word"},
      {R"({"added_tokens": [{"id": 8, "content": " "}, {"id": 9, "content": "x", "lstrip": true}]})",
       "strip"},
      {R"({"added_tokens": [{"id": 8, "content": "é", "normalized": true}], "normalizer": {"type": "NFC"}})",
       "looked for in normalized text"},
  };
  for (const auto& [patch, reason] : refusals) {
    Json tokenizer = ByteLevelTokenizer();
    tokenizer.merge_patch(Json::parse(patch));
    const absl::Status status = Read(tokenizer).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << patch;
    EXPECT_THAT(std::string(status.message()), HasSubstr(reason));
  }
}

TEST(OpenVinoTokenizer, RefusesFilesThatContradictThemselves) {
  const Refusal refusals[] = {
      {R"({"model": {"vocab": {"far": 300}}})", "has the id 300, but the model has 300 tokens"},
      {R"({"model": {"vocab": {"odd": -1}}})", "has the id -1"},
      {R"({"model": {"vocab": {"twice": 4}}})", "have the same id 4"},
      {R"({"model": {"merges": ["t x"]}})", "is no token"},
      {R"({"model": {"merges": ["t"]}})", "a merge is neither"},
      {R"({"model": {"merges": [["t", 1]]}})", "a merge is neither"},
      {R"({"added_tokens": [{"id": 300, "content": "x"}]})", "has the id 300"},
      {R"({"added_tokens": [{"id": 8}]})", "has no content"},
      {R"({"added_tokens": {}})", "no list"},
      {R"({"pre_tokenizer": {"type": "Split", "pattern": {}, "behavior": "Isolated"}})",
       "neither a text nor"},
      {R"({"pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "odd"}})", "is not known"},
      {R"({"decoder": {"type": "Sequence", "decoders": [{"type": "Fuse"},
                       {"type": "Strip", "content": " ", "start": 5000, "stop": 0}]}})",
       "two small numbers"},
      {R"({"post_processor": {"type": "TemplateProcessing", "single": []}})", "leaves the text out"},
      {R"({"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "B"}}]}})",
       "has no ids"},
  };
  for (const auto& [patch, reason] : refusals) {
    Json tokenizer = ByteLevelTokenizer();
    tokenizer.merge_patch(Json::parse(patch));
    const absl::Status status = Read(tokenizer).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << patch;
    EXPECT_THAT(std::string(status.message()), HasSubstr(reason));
  }
}

class OpenVinoTokenizerFiles : public testing::Test {
 protected:
  absl::StatusOr<std::map<std::string, std::string>> TryMake() {
    const CheckpointFiles opened = OpenCheckpoint(files_);
    absl::StatusOr<Model> model = OpenModel(opened, "test");
    EXPECT_TRUE(model.ok()) << model.status();
    std::vector<std::string> notes;
    absl::StatusOr<std::vector<SidecarFile>> sources = TokenizerJsonSidecars(*model, notes);
    if (!sources.ok()) return sources.status();
    absl::StatusOr<std::vector<SidecarFile>> made = MakeTokenizerIr(*model, *sources);
    if (!made.ok()) return made.status();
    std::map<std::string, std::string> contents;
    for (const SidecarFile& file : *made) contents[file.path] = file.content;
    return contents;
  }
  std::map<std::string, std::string> Make() {
    auto made = TryMake();
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? *made : std::map<std::string, std::string>();
  }
  void Set(const Json& changes, const std::string& path) {
    Json json = Json::parse(files_[path]);
    json.update(changes);
    files_[path] = json.dump();
  }

  // Types of the layers that compute something, in order.
  static std::vector<std::string> Operations(const std::string& xml) {
    std::vector<std::string> types;
    for (size_t at = xml.find(" type=\""); at != std::string::npos; at = xml.find(" type=\"", at + 1)) {
      const size_t begin = at + 7;
      std::string type = xml.substr(begin, xml.find('"', begin) - begin);
      if (type != "Const") types.push_back(std::move(type));
    }
    return types;
  }

  std::map<std::string, std::string> files_ = SmallLlama({});
};

TEST_F(OpenVinoTokenizerFiles, AreTwoModels) {
  auto files = Make();
  EXPECT_THAT(
      files,
      ElementsAre(Pair("openvino_detokenizer.bin", testing::_), Pair("openvino_detokenizer.xml", testing::_),
                  Pair("openvino_tokenizer.bin", testing::_), Pair("openvino_tokenizer.xml", testing::_)));
  EXPECT_THAT(
      Operations(files["openvino_tokenizer.xml"]),
      ElementsAre("Parameter", "StringTensorUnpack", "ShapeOf", "Gather", "Range", "Add",
                  "SpecialTokensSplit", "RegexSplit", "BPETokenizer", "Truncate", "CombineSegments",
                  "Subtract", "ReduceMax", "RaggedToDense", "Convert", "Result", "Convert", "Result"));
  EXPECT_THAT(Operations(files["openvino_detokenizer.xml"]),
              ElementsAre("Parameter", "Convert", "VocabDecoder", "FuzeRagged", "UTF8Validate",
                          "RegexNormalization", "StringTensorPack", "Result"));
  EXPECT_EQ(files, Make()) << "the same bytes every time";
}

TEST_F(OpenVinoTokenizerFiles, SayWhatOpenVinoGenaiAsksFor) {
  Set({{"chat_template", "{{ \"a\" }}\n<b>"}, {"pad_token", "</s>"}}, "tokenizer_config.json");
  for (const auto& [path, content] : Make()) {
    if (!absl::EndsWith(path, ".xml")) continue;
    EXPECT_THAT(content,
                AllOf(HasSubstr("<openvino_tokenizers_version value=\"2026.4.1.0\"/>"),
                      HasSubstr("<bos_token_id value=\"0\"/>"), HasSubstr("<eos_token_id value=\"1\"/>"),
                      HasSubstr("<pad_token_id value=\"1\"/>"),
                      HasSubstr("<chat_template value=\"{{ &quot;a&quot; }}&#10;&lt;b&gt;\"/>")));
  }
}

TEST_F(OpenVinoTokenizerFiles, TemplatesOfTheirOwnFileComeFirst) {
  Set({{"chat_template", {{{"name", "tools"}, {"template", "T"}}, {{"name", "default"}, {"template", "D"}}}}},
      "tokenizer_config.json");
  EXPECT_THAT(Make()["openvino_tokenizer.xml"], HasSubstr("<chat_template value=\"D\"/>"));
  files_["chat_template.jinja"] = "J";
  EXPECT_THAT(Make()["openvino_tokenizer.xml"], HasSubstr("<chat_template value=\"J\"/>"));
  files_["chat_template.jinja"] = std::string("a\0b", 3);
  EXPECT_EQ(TryMake().status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(OpenVinoTokenizerFiles, WholePiecesAreLookedUp) {
  Json tokenizer = Json::parse(files_["tokenizer.json"]);
  tokenizer["model"]["ignore_merges"] = true;
  files_["tokenizer.json"] = tokenizer.dump();
  EXPECT_THAT(Operations(Make()["openvino_tokenizer.xml"]), Contains("VocabEncoder"));
}

TEST_F(OpenVinoTokenizerFiles, NeedAVocabulary) {
  files_["tokenizer.json"] = "[]";
  EXPECT_EQ(TryMake().status().code(), absl::StatusCode::kInvalidArgument);
  files_.erase("tokenizer.json");
  EXPECT_EQ(TryMake().status().code(), absl::StatusCode::kFailedPrecondition);
  files_["tokenizer.model"] = "odd";
  EXPECT_EQ(TryMake().status().code(), absl::StatusCode::kInvalidArgument);
  sentencepiece::ModelProto unigram;
  unigram.mutable_trainer_spec()->set_model_type(sentencepiece::ModelProto::TrainerSpec::UNIGRAM);
  files_["tokenizer.model"] = unigram.SerializeAsString();
  EXPECT_THAT(std::string(TryMake().status().message()), HasSubstr("type BPE"));
}

}  // namespace
}  // namespace quantd
