#include "workers/models/special_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class SpecialTokensTest : public testing::Test {
 protected:
  SpecialTokensTest() {
    tokenizer_["added_tokens"] = {{{"id", 0}, {"content", "<s>"}},
                                  {{"id", 1}, {"content", "</s>"}},
                                  {{"id", 2}, {"content", "<turn>"}},
                                  {{"id", 99}, {"content", "<outside>"}}};
    out_.tokens.resize(10);
  }

  static Json Special(const char* text) { return {{"SpecialToken", {{"id", text}, {"type_id", 0}}}}; }
  static Json Text(const char* id) { return {{"Sequence", {{"id", id}, {"type_id", 0}}}}; }
  void SetTemplate(const Json& single, const Json& pair = Json::array()) {
    tokenizer_["post_processor"] = {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}};
  }
  // As the files' text would give them: numbers that are not negative are unsigned there.
  static Json Parsed(const Json& json) { return Json::parse(json.dump()); }
  void Read() { ReadSpecialTokens(Parsed(tokenizer_), Parsed(tokenizer_config_), Parsed(config_), out_); }

  Json tokenizer_ = Json::object();
  Json tokenizer_config_ = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  Json config_ = Json::object();
  Tokenizer out_;
};

TEST_F(SpecialTokensTest, FindsIdsByTextThenInTheConfiguration) {
  config_ = {{"bos_token_id", 7}, {"pad_token_id", 5}};
  Read();
  EXPECT_THAT(out_.special_ids, ElementsAre(Pair("bos", 0u), Pair("eos", 1u), Pair("pad", 5u)));
  EXPECT_THAT(out_.add_special, IsEmpty());
}

TEST_F(SpecialTokensTest, TakesTokensThatAreObjects) {
  tokenizer_config_ = {{"bos_token", {{"content", "<s>"}, {"lstrip", false}}}};
  Read();
  EXPECT_THAT(out_.special_ids, ElementsAre(Pair("bos", 0u)));
}

TEST_F(SpecialTokensTest, TakesWhatIsAddedFromTheTokenizersConfiguration) {
  tokenizer_config_["add_bos_token"] = true;
  tokenizer_config_["add_eos_token"] = false;
  tokenizer_config_["add_sep_token"] = "yes";
  Read();
  EXPECT_THAT(out_.add_special, ElementsAre(Pair("bos", true), Pair("eos", false)));
}

TEST_F(SpecialTokensTest, ATemplateThatBeginsWithTheFirstTokenAddsIt) {
  SetTemplate({Special("<s>"), Text("A")});
  Read();
  EXPECT_THAT(out_.add_special, ElementsAre(Pair("bos", true)));
}

TEST_F(SpecialTokensTest, TheTemplateOverrulesTheTokenizersConfiguration) {
  SetTemplate({Special("<s>"), Text("A"), Special("</s>")});
  tokenizer_config_["add_bos_token"] = false;
  tokenizer_config_["add_eos_token"] = false;
  Read();
  EXPECT_THAT(out_.add_special, ElementsAre(Pair("bos", true), Pair("eos", true)));
}

TEST_F(SpecialTokensTest, ATemplateThatEndsOtherwiseMakesTheOldEndTheEndOfATurn) {
  tokenizer_config_["eos_token"] = "<turn>";
  SetTemplate({Special("<s>"), Text("A"), Special("</s>")});
  Read();
  EXPECT_THAT(out_.special_ids, ElementsAre(Pair("bos", 0u), Pair("eos", 1u), Pair("eot", 2u)));
}

TEST_F(SpecialTokensTest, AByteLevelPostProcessorAddsNothing) {
  tokenizer_["post_processor"] = {{"type", "ByteLevel"}};
  Read();
  EXPECT_THAT(out_.add_special, ElementsAre(Pair("bos", false), Pair("eos", false)));
}

TEST_F(SpecialTokensTest, ReadsEveryStepOfASequence) {
  tokenizer_["post_processor"] = {
      {"type", "Sequence"},
      {"processors",
       {{{"type", "ByteLevel"}},
        {{"type", "TemplateProcessing"}, {"single", {Special("<s>"), Text("A")}}, {"pair", Json::array()}}}}};
  Read();
  EXPECT_THAT(out_.add_special, ElementsAre(Pair("bos", true), Pair("eos", false)));
}

TEST_F(SpecialTokensTest, LeavesOutIdsThatAreNoneOfTheVocabulary) {
  tokenizer_config_ = {{"bos_token", "<outside>"}, {"eos_token", "<nowhere>"}};
  for (const Json& id : {Json(10), Json(-1), Json(1.5), Json("1"), Json::array({1, 2}), Json(UINT64_MAX),
                         Json(uint64_t{1} << 32)}) {
    config_ = {{"eos_token_id", id}};
    Read();
    EXPECT_THAT(out_.special_ids, IsEmpty()) << id;
  }
}

TEST_F(SpecialTokensTest, IgnoresWhatHasAnotherForm) {
  const Json broken[] = {nullptr, 7, "text", Json::array(), Json::object(), Json::array({1, nullptr, "a"})};
  for (const Json& value : broken) {
    for (const char* key : {"single", "pair", "processors", "type"}) {
      tokenizer_["post_processor"] = {{"type", "TemplateProcessing"}};
      tokenizer_["post_processor"][key] = value;
      Read();
    }
    tokenizer_["post_processor"] = value;
    tokenizer_["added_tokens"] = value;
    tokenizer_config_ = {{"bos_token", value}, {"eos_token", {{"content", value}}}};
    out_.special_ids.clear();
    Read();
    EXPECT_THAT(out_.special_ids, IsEmpty()) << value;
  }
}

}  // namespace
}  // namespace quantd
