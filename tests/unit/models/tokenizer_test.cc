// Byte-level BPE vocabularies (tokenizer.json).
#include "workers/models/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/support/checkpoint_builder.h"

namespace quantd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class TokenizerTest : public testing::Test {
 protected:
  void Edit(const std::string& file, const std::function<void(Json&)>& edit) {
    Json json = Json::parse(files_[file]);
    edit(json);
    files_[file] = json.dump();
  }
  void EditTokenizer(const std::function<void(Json&)>& edit) { Edit("tokenizer.json", edit); }

  absl::StatusOr<Tokenizer> Read() const {
    const CheckpointFiles checkpoint = OpenCheckpoint(files_);
    const absl::StatusOr<Model> model = OpenModel(checkpoint, "test");
    EXPECT_TRUE(model.ok()) << model.status();
    return ReadTokenizer(*model);
  }
  Tokenizer Vocabulary() const {
    absl::StatusOr<Tokenizer> tokenizer = Read();
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
    return tokenizer.value_or(Tokenizer());
  }
  std::string Error(absl::StatusCode code) const {
    const absl::Status status = Read().status();
    EXPECT_EQ(status.code(), code) << status;
    return std::string(status.message());
  }

  std::map<std::string, std::string> files_ = SmallLlama({});  // 40 tokens, of which the last two are unnamed
};

TEST_F(TokenizerTest, HasATokenForEveryRowOfTheEmbedding) {
  const Tokenizer tokenizer = Vocabulary();
  EXPECT_EQ(tokenizer.model, "gpt2");
  EXPECT_EQ(tokenizer.pre_tokenizer, "gpt-2");
  ASSERT_EQ(tokenizer.tokens.size(), 40u);
  ASSERT_EQ(tokenizer.types.size(), 40u);
  EXPECT_TRUE(tokenizer.scores.empty());
  EXPECT_EQ(tokenizer.tokens[0], "<s>");
  EXPECT_EQ(tokenizer.types[0], TokenType::kControl);
  EXPECT_EQ(tokenizer.tokens[2], "ab");
  EXPECT_EQ(tokenizer.types[2], TokenType::kNormal);
  EXPECT_EQ(tokenizer.tokens[38], "[PAD38]");
  EXPECT_EQ(tokenizer.types[39], TokenType::kUnused);
  EXPECT_THAT(tokenizer.merges, ElementsAre("a b"));
}

TEST_F(TokenizerTest, TakesMergesAsPairs) {
  EditTokenizer([](Json& json) {
    json["model"]["merges"] = Json::array({Json::array({"a", "b"}), Json::array({"c d", "e"})});
  });
  EXPECT_THAT(Vocabulary().merges, ElementsAre("a b",
                                               "c\xc4\xa0"
                                               "d e"));
}

TEST_F(TokenizerTest, TellsControlTokensFromUserDefinedOnes) {
  EditTokenizer([](Json& json) {
    json["added_tokens"].push_back({{"id", 38}, {"content", "<|assistant|>"}, {"special", false}});
    json["added_tokens"].push_back({{"id", 39}, {"content", "\xe2\x96\x81\xe2\x96\x81"}, {"special", false}});
  });
  const Tokenizer tokenizer = Vocabulary();
  EXPECT_EQ(tokenizer.types[38], TokenType::kControl) << "by its looks";
  EXPECT_EQ(tokenizer.types[39], TokenType::kUserDefined);
  EXPECT_EQ(tokenizer.tokens[39], "  ") << "SentencePiece's spaces become spaces again";
}

TEST_F(TokenizerTest, PrefersTheTemplateInTheTokenizersConfiguration) {
  files_["chat_template.json"] = R"({"chat_template": "from json"})";
  EXPECT_EQ(Vocabulary().chat_template, "from json");
  files_["chat_template.jinja"] = "from jinja";
  EXPECT_EQ(Vocabulary().chat_template, "from jinja");
  Edit("tokenizer_config.json", [](Json& json) { json["chat_template"] = "from config"; });
  EXPECT_EQ(Vocabulary().chat_template, "from config");
}

TEST_F(TokenizerTest, HasNoTemplateWhereThereIsNone) { EXPECT_EQ(Vocabulary().chat_template, std::nullopt); }

TEST_F(TokenizerTest, NeedsAVocabulary) {
  files_.erase("tokenizer.json");
  EXPECT_THAT(Error(absl::StatusCode::kFailedPrecondition), HasSubstr("tokenizer.json"));
}

TEST_F(TokenizerTest, RefusesIdsOutsideTheVocabulary) {
  for (const Json& id :
       {Json(40), Json(-1), Json(1.5), Json("3"), Json(nullptr), Json(UINT64_MAX), Json(1'000'000'000'000)}) {
    files_ = SmallLlama({});
    EditTokenizer([&](Json& json) { json["model"]["vocab"]["zz"] = id; });
    EXPECT_THAT(Error(absl::StatusCode::kInvalidArgument),
                AllOf(HasSubstr("tokenizer.json"), HasSubstr("\"zz\""), HasSubstr("vocab_size is 40")))
        << id;
    files_ = SmallLlama({});
    EditTokenizer([&](Json& json) { json["added_tokens"][0]["id"] = id; });
    EXPECT_THAT(Error(absl::StatusCode::kInvalidArgument),
                AllOf(HasSubstr("tokenizer.json"), HasSubstr("<s>")))
        << id;
  }
}

// Which of two tokens an id means would be a guess.
TEST_F(TokenizerTest, RefusesAnIdThatTwoTokensHave) {
  EditTokenizer([](Json& json) { json["model"]["vocab"]["zz"] = 2; });
  EXPECT_THAT(
      Error(absl::StatusCode::kInvalidArgument),
      AllOf(HasSubstr("tokenizer.json"), HasSubstr("same id 2"), HasSubstr("\"ab\""), HasSubstr("\"zz\"")));
}

TEST_F(TokenizerTest, FillsTheGapsOfASparseVocabulary) {
  EditTokenizer([](Json& json) { json["model"]["vocab"].erase("ab"); });
  const Tokenizer tokenizer = Vocabulary();
  EXPECT_EQ(tokenizer.tokens[2], "[PAD2]");
  EXPECT_EQ(tokenizer.types[2], TokenType::kUnused);
}

TEST_F(TokenizerTest, RefusesModelsThatGgufCannotHold) {
  for (const Json& model :
       {Json{{"type", "Unigram"}, {"vocab", Json::array()}}, Json{{"type", "WordPiece"}}, Json(nullptr),
        Json(7), Json{{"type", "BPE"}}, Json{{"type", "BPE"}, {"vocab", 1}}}) {
    EditTokenizer([&](Json& json) { json["model"] = model; });
    EXPECT_THAT(Error(absl::StatusCode::kFailedPrecondition), HasSubstr("tokenizer.json")) << model;
  }
}

TEST_F(TokenizerTest, RefusesBrokenMerges) {
  EditTokenizer([](Json& json) { json["model"].erase("merges"); });
  EXPECT_THAT(Error(absl::StatusCode::kFailedPrecondition), HasSubstr("merges"));
  for (const Json& merge : {Json(1), Json::array({"a"}), Json::array({"a", 1}), Json(nullptr)}) {
    EditTokenizer([&](Json& json) { json["model"]["merges"] = Json::array({merge}); });
    EXPECT_THAT(Error(absl::StatusCode::kInvalidArgument), HasSubstr("merge")) << merge;
  }
}

TEST_F(TokenizerTest, RefusesBrokenAddedTokens) {
  for (const Json& token : {Json(1), Json("<s>"), Json::object(), Json{{"id", 0}, {"content", 5}}}) {
    EditTokenizer([&](Json& json) { json["added_tokens"] = Json::array({token}); });
    EXPECT_THAT(Error(absl::StatusCode::kInvalidArgument), HasSubstr("tokenizer.json: an added token"))
        << token;
  }
}

TEST_F(TokenizerTest, RefusesTextThatIsNoJson) {
  for (const char* file : {"tokenizer.json", "tokenizer_config.json", "chat_template.json"}) {
    files_ = SmallLlama({});
    files_[file] = "{\"a\": ";
    EXPECT_THAT(Error(absl::StatusCode::kInvalidArgument), HasSubstr(file));
  }
}

}  // namespace
}  // namespace quantd
