#include "workers/models/pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantd {
namespace {

using testing::HasSubstr;

constexpr char kLlama3[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

const Json kByteLevel = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
const Json kPlainByteLevel = {{"type", "ByteLevel"}, {"use_regex", false}};

Json Sequence(const Json& steps) { return {{"type", "Sequence"}, {"pretokenizers", steps}}; }
Json Split(const std::string& regex) {
  return {{"type", "Split"}, {"pattern", {{"Regex", regex}}}, {"behavior", "Isolated"}};
}

std::string NameOf(const Json& pre_tokenizer, const Json& model = Json::object()) {
  const auto name = PreTokenizerName({{"pre_tokenizer", pre_tokenizer}, {"model", model}});
  if (name.ok()) return *name;
  EXPECT_EQ(name.status().code(), absl::StatusCode::kFailedPrecondition);
  return "refused: " + std::string(name.status().message());
}

TEST(PreTokenizer, KnowsTheByteLevelOnes) {
  EXPECT_EQ(NameOf(kByteLevel), "gpt-2");
  EXPECT_EQ(NameOf({{"type", "ByteLevel"}}), "gpt-2") << "use_regex is true unless the file says otherwise";
  EXPECT_EQ(NameOf(Sequence({{{"type", "Digits"}, {"individual_digits", true}}, kByteLevel})), "smollm");
}

TEST(PreTokenizer, TellsLlama3FromThoseThatSplitAlikeByItsMerging) {
  const Json steps = Sequence({Split(kLlama3), kPlainByteLevel});
  EXPECT_EQ(NameOf(steps, {{"ignore_merges", true}}), "llama-bpe");
  EXPECT_EQ(NameOf(steps, {{"ignore_merges", false}}), "dbrx");
}

TEST(PreTokenizer, LooksThroughNestedSequences) {
  EXPECT_EQ(NameOf(Sequence({Sequence({{{"type", "Digits"}, {"individual_digits", true}}}), kByteLevel})),
            "smollm");
}

// A wrong name would load and be silently worse.
TEST(PreTokenizer, RefusesWhatDiffersInAnyRule) {
  std::string other = kLlama3;
  other.replace(other.find("{1,3}"), 5, "{1,2}");
  EXPECT_THAT(NameOf(Sequence({Split(other), kPlainByteLevel})), HasSubstr("refused: tokenizer.json"));
  EXPECT_THAT(NameOf(Sequence({Split(kLlama3), kByteLevel})), HasSubstr("refused"));
  EXPECT_THAT(NameOf(Sequence({{{"type", "Digits"}, {"individual_digits", false}}, kByteLevel})),
              HasSubstr("digit runs"));
  EXPECT_THAT(NameOf({{"type", "Metaspace"}}), HasSubstr("Metaspace"));
}

TEST(PreTokenizer, RefusesWhatIsNoPreTokenizer) {
  for (const Json& broken :
       {Json(), Json(7), Json("ByteLevel"), Json::array({kByteLevel}), Json{{"type", 1}},
        Json{{"type", "Sequence"}, {"pretokenizers", 3}},
        Json{{"type", "Split"}, {"pattern", {{"Regex", 5}}}}, Json{{"type", "Split"}, {"pattern", "text"}}}) {
    EXPECT_THAT(NameOf(broken), HasSubstr("refused")) << broken;
  }
  EXPECT_FALSE(PreTokenizerName(Json::object()).ok());
}

TEST(PreTokenizer, ShortensALongRule) { EXPECT_LT(NameOf(Split(std::string(1'000'000, 'x'))).size(), 400u); }

}  // namespace
}  // namespace quantd
