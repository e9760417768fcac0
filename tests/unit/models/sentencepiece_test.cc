// SentencePiece vocabularies (tokenizer.model), and what lies over them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "tests/support/checkpoint_builder.h"
#include "workers/models/tokenizer.h"

namespace quantd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// One piece as protobuf's wire format has it: ModelProto.pieces is field 1, its piece, score and type 1 to 3.
std::string Piece(const std::string& text, float score, char type) {
  std::string piece = "\x0a" + std::string(1, static_cast<char>(text.size())) + text + "\x15";
  char bits[sizeof(score)];
  std::memcpy(bits, &score, sizeof(score));
  piece.append(bits, sizeof(bits));
  piece += "\x18";
  piece += type;
  return "\x0a" + std::string(1, static_cast<char>(piece.size())) + piece;
}

enum : char { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

class SentencePieceTest : public testing::Test {
 protected:
  SentencePieceTest() { Use(SmallLlama({})); }

  void Use(std::map<std::string, std::string> files) {
    files_ = std::move(files);
    files_["tokenizer.model"] = Piece("<unk>", 0.0f, kUnknown) + Piece("<s>", 0.0f, kControl) +
                                Piece("<0x0A>", 0.0f, kByte) + Piece("\xe2\x96\x81the", -1.5f, kNormal) +
                                Piece("user", -2.0f, kUserDefined) + Piece("none", 0.0f, kUnused);
    files_["tokenizer_config.json"] = R"({"tokenizer_class": "LlamaTokenizer"})";
  }

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
  std::string Error() const {
    const absl::Status status = Read().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  }
  void SetDecoder(const Json& decoder) {
    files_["tokenizer_config.json"] = Json{{"added_tokens_decoder", decoder}}.dump();
  }

  std::map<std::string, std::string> files_;
};

TEST_F(SentencePieceTest, KeepsTextScoreAndType) {
  const Tokenizer tokenizer = Vocabulary();
  EXPECT_EQ(tokenizer.model, "llama");
  EXPECT_EQ(tokenizer.pre_tokenizer, "default");
  ASSERT_EQ(tokenizer.tokens.size(), 40u);
  EXPECT_EQ(tokenizer.types[0], TokenType::kUnknown);
  EXPECT_EQ(tokenizer.types[1], TokenType::kControl);
  EXPECT_EQ(tokenizer.types[2], TokenType::kByte);
  EXPECT_EQ(tokenizer.tokens[3], "\xe2\x96\x81the");
  EXPECT_EQ(tokenizer.scores[3], -1.5f);
  EXPECT_EQ(tokenizer.types[3], TokenType::kNormal);
  EXPECT_EQ(tokenizer.types[5], TokenType::kUnused);
  EXPECT_EQ(tokenizer.tokens[6], "[PAD6]");
  EXPECT_EQ(tokenizer.scores[6], -10000.0f);
  EXPECT_TRUE(tokenizer.merges.empty());
}

// The converter asks for the class with Phi-3 only; for others the file decides.
TEST_F(SentencePieceTest, APhi3TokenizerOfGpt2sClassIsReadFromItsJson) {
  files_["tokenizer_config.json"] = R"({"tokenizer_class": "GPT2Tokenizer"})";
  EXPECT_EQ(Vocabulary().model, "llama");
  Use(SmallPhi3({}));
  EXPECT_EQ(Vocabulary().model, "llama");
  files_["tokenizer_config.json"] = R"({"tokenizer_class": "GPT2Tokenizer"})";
  EXPECT_EQ(Vocabulary().model, "gpt2");
}

TEST_F(SentencePieceTest, PiecesBeyondTheEmbeddingAreLeftOut) {
  std::string pieces;
  for (int i = 0; i < 50; ++i) pieces += Piece("p" + std::to_string(i), 0.0f, kNormal);
  files_["tokenizer.model"] = pieces;
  const Tokenizer tokenizer = Vocabulary();
  EXPECT_EQ(tokenizer.tokens.size(), 40u);
  EXPECT_EQ(tokenizer.tokens.back(), "p39");
}

TEST_F(SentencePieceTest, AddedTokensLieOverThePieces) {
  files_["added_tokens.json"] = R"({"<tool>": 10, "<far>": 4000, "<bad>": "x"})";
  SetDecoder({{"11", {{"content", "<|end|>"}, {"special", false}}},
              {"12", {{"content", "\xe2\x96\x81two"}, {"special", false}}},
              {"4000", {{"content", "<far>"}, {"special", true}}}});
  const Tokenizer tokenizer = Vocabulary();
  EXPECT_EQ(tokenizer.tokens[10], "<tool>");
  EXPECT_EQ(tokenizer.types[10], TokenType::kUserDefined);
  EXPECT_EQ(tokenizer.scores[10], -1000.0f);
  EXPECT_EQ(tokenizer.types[11], TokenType::kControl);
  EXPECT_EQ(tokenizer.tokens[12], " two");
}

TEST_F(SentencePieceTest, Phi3AddsTheTokensOfItsJsonToo) {
  Use(SmallPhi3({}));
  Json json = Json::parse(files_["tokenizer.json"]);
  json["added_tokens"].push_back({{"id", 20}, {"content", "<|user|>"}, {"special", false}});
  files_["tokenizer.json"] = json.dump();
  const Tokenizer tokenizer = Vocabulary();
  EXPECT_EQ(tokenizer.tokens[20], "<|user|>");
  EXPECT_EQ(tokenizer.types[20], TokenType::kUserDefined);
}

TEST_F(SentencePieceTest, Phi3RefusesIdsOutsideTheVocabulary) {
  Use(SmallPhi3({}));
  for (const char* key : {"40", "-1", "x", "1e3", "99999999999999999999", ""}) {
    SetDecoder({{key, {{"content", "<far>"}}}});
    EXPECT_THAT(Error(), AllOf(HasSubstr("tokenizer_config.json"), HasSubstr("<far>"))) << key;
  }
}

TEST_F(SentencePieceTest, AKeyThatNestsDeeplyIsNoId) {
  Use(SmallPhi3({}));
  SetDecoder({{std::string(1'000'000, '[') + std::string(1'000'000, ']'), {{"content", "<far>"}}}});
  EXPECT_THAT(Error(), HasSubstr("<far>"));
}

TEST_F(SentencePieceTest, RefusesATokenWithoutContent) {
  for (const Json& token : {Json(1), Json(nullptr), Json::object(), Json{{"content", 3}}}) {
    SetDecoder({{"3", token}});
    EXPECT_THAT(Error(), AllOf(HasSubstr("tokenizer_config.json"), HasSubstr("content"))) << token;
  }
}

TEST_F(SentencePieceTest, RefusesAFileThatWasCutOff) {
  const std::string whole = files_["tokenizer.model"];
  files_["tokenizer.model"] = whole.substr(0, whole.size() - 3);
  EXPECT_THAT(Error(), HasSubstr("tokenizer.model"));
}

TEST_F(SentencePieceTest, RefusesBytesThatAreNoVocabulary) {
  for (const std::string& bytes : {std::string(), std::string("text"), std::string(100, '\xff')}) {
    files_["tokenizer.model"] = bytes;
    EXPECT_THAT(Error(), HasSubstr("tokenizer.model"));
  }
}

}  // namespace
}  // namespace quantd
