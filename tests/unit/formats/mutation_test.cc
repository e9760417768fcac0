// Damaged files: thousands of seeded mutations of small valid checkpoints. Whatever a file says, opening and
// planning end in a model or in a status that blames the input. (The sanitizers' build runs this as well.)
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/support/checkpoint_builder.h"
#include "tests/support/memory_sink.h"
#include "workers/models/model.h"
#include "workers/models/targets/target.h"

namespace quantd {
namespace {

constexpr int kMutations = 3000;

// One SentencePiece piece of normal type.
std::string Piece(const std::string& text) {
  std::string piece = "\x0a" + std::string(1, static_cast<char>(text.size())) + text;
  piece += std::string("\x15\0\0\x80\xbf\x18\x01", 7);
  return "\x0a" + std::string(1, static_cast<char>(piece.size())) + piece;
}

std::map<std::string, std::string> WithSentencePiece(std::map<std::string, std::string> files) {
  std::string pieces;
  for (int i = 0; i < 30; ++i) pieces += Piece("piece" + std::to_string(i));
  files["tokenizer.model"] = pieces;
  files["tokenizer_config.json"] =
      R"({"added_tokens_decoder": {"30": {"content": "<|a|>", "special": true}}, "bos_token": "<s>",)"
      R"( "chat_template": "{{ x }}", "add_bos_token": true, "tokenizer_class": "LlamaTokenizer"})";
  files["added_tokens.json"] = R"({"<b>": 31})";
  return files;
}

class Mutator {
 public:
  explicit Mutator(uint32_t seed) : random_(seed) {}

  std::string Mutate(std::string text) {
    for (size_t edits = 1 + Below(3); edits > 0; --edits) Edit(text);
    return text;
  }

 private:
  size_t Below(size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  void Edit(std::string& text) {
    const size_t at = Below(text.size());
    switch (Below(7)) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(text[at] ^ (1 << Below(8)));
        break;
      case 1:
        text.resize(at);
        break;
      case 2:
        text.erase(at, 1 + Below(16));
        break;
      case 3:
        text.insert(at, text.substr(Below(text.size() + 1), Below(64)));
        break;
      case 4:
        text.insert(at, std::string(1 + Below(200), "[{\"0,\xff"[Below(6)]));
        break;
      default:
        ReplaceNumber(text, at);
    }
  }

  // The next number after `at` becomes one that programs trip over.
  void ReplaceNumber(std::string& text, size_t at) {
    static constexpr const char* kHostile[] = {"0",
                                               "-1",
                                               "1",
                                               "4294967296",
                                               "9223372036854775807",
                                               "9223372036854775808",
                                               "18446744073709551615",
                                               "1e308",
                                               "1e999",
                                               "0.5",
                                               "null",
                                               "\"7\"",
                                               "[]",
                                               "{}",
                                               "true",
                                               "-0",
                                               "2147483648",
                                               "1000000000000"};
    const size_t begin = text.find_first_of("0123456789", at);
    if (begin == std::string::npos) return;
    const size_t end = text.find_first_not_of("0123456789.e-", begin);
    text.replace(begin, (end == std::string::npos ? text.size() : end) - begin,
                 kHostile[Below(std::size(kHostile))]);
  }

  std::mt19937 random_;
};

void ExpectBlamesTheInput(const absl::Status& status) {
  EXPECT_TRUE(status.code() == absl::StatusCode::kInvalidArgument ||
              status.code() == absl::StatusCode::kFailedPrecondition)
      << status;
  EXPECT_FALSE(status.message().empty());
}

// True when the checkpoint opened.
bool OpenAndPlan(const std::map<std::string, std::string>& files) {
  const CheckpointFiles checkpoint = OpenCheckpoint(files);
  const absl::StatusOr<Model> model = OpenModel(checkpoint, "mutant");
  if (!model.ok()) {
    ExpectBlamesTheInput(model.status());
    return false;
  }
  for (const TargetSpec& spec : {TargetSpec{"gguf", "Q4_K_M", {}}, TargetSpec{"mlx", "mixed_3_6", {}}}) {
    const auto planned = PlanTarget(*model, spec);
    if (!planned.ok()) ExpectBlamesTheInput(planned.status());
  }
  return true;
}

struct Subject {
  const char* name;
  std::map<std::string, std::string> (*files)();
  const char* path;
};

std::map<std::string, std::string> Llama() { return SmallLlama({.layers = 1}); }
std::map<std::string, std::string> Phi() { return WithSentencePiece(SmallPhi3({.layers = 1})); }
std::map<std::string, std::string> LlamaWithPieces() { return WithSentencePiece(SmallLlama({.layers = 1})); }
std::map<std::string, std::string> Sharded() {
  std::map<std::string, std::string> files = Llama();
  Json weight_map;
  const CheckpointFiles checkpoint = OpenCheckpoint(files);
  const absl::StatusOr<Model> model = OpenModel(checkpoint, "whole");
  for (const ModelTensor& tensor : model->tensors) weight_map[tensor.source.name] = "model.safetensors";
  files["model.safetensors.index.json"] = Json{{"weight_map", weight_map}}.dump();
  return files;
}

// A GGUF file whose weights are zeros: what a parser minds is before them.
std::map<std::string, std::string> AsGguf(const std::map<std::string, std::string>& source) {
  const CheckpointFiles checkpoint = OpenCheckpoint(source);
  const absl::StatusOr<Model> model = OpenModel(checkpoint, "whole");
  EXPECT_TRUE(model.ok()) << model.status();
  const auto planned = PlanTarget(*model, {"gguf", "F16", {}});
  EXPECT_TRUE(planned.ok()) << planned.status();
  MemorySink sink;
  EXPECT_TRUE((*planned)->writer->Begin(sink).ok());
  for (size_t i = 0; i < (*planned)->plan.tensors.size(); ++i) {
    const std::vector<std::byte> zeros(static_cast<size_t>((*planned)->plan.tensors[i].bytes()));
    EXPECT_TRUE((*planned)->writer->Append(i, 0, zeros).ok());
  }
  EXPECT_TRUE((*planned)->writer->Finish().ok());
  return {{"model.gguf", sink.files().begin()->second}};
}

size_t GgufHeaderEnd(const std::map<std::string, std::string>& files) {
  const CheckpointFiles checkpoint = OpenCheckpoint(files);
  const absl::StatusOr<Model> model = OpenModel(checkpoint, "whole");
  EXPECT_TRUE(model.ok()) << model.status();
  return model->tensors[0].source.offset;
}

// Bits, lengths and counts of the header; the weights stay.
TEST(GgufMutationTest, EndsInAModelOrAStatus) {
  for (const auto& source : {Llama(), Phi(), LlamaWithPieces()}) {
    std::map<std::string, std::string> files = AsGguf(source);
    const std::string whole = files["model.gguf"];
    const size_t header_end = GgufHeaderEnd(files);
    Mutator mutator(9);
    for (int i = 0; i < kMutations && !testing::Test::HasFailure(); ++i) {
      files["model.gguf"] = mutator.Mutate(whole.substr(0, header_end)) + whole.substr(header_end);
      OpenAndPlan(files);
    }
  }
}

class MutationTest : public testing::TestWithParam<Subject> {};

TEST_P(MutationTest, EndsInAModelOrAStatus) {
  const Subject& subject = GetParam();
  std::map<std::string, std::string> files = subject.files();
  ASSERT_TRUE(OpenAndPlan(files));
  const std::string whole = files.at(subject.path);
  Mutator mutator(20240607);
  int opened = 0;
  for (int i = 0; i < kMutations && !testing::Test::HasFailure(); ++i) {
    files[subject.path] = mutator.Mutate(whole);
    opened += OpenAndPlan(files) ? 1 : 0;
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "mutation " << i << ": "
                    << testing::PrintToString(files[subject.path].substr(0, 3000));
    }
  }
  RecordProperty("opened", opened);
}

// The weights after the header are of no interest to a parser, so that only the header is damaged.
TEST(HeaderMutationTest, EndsInAModelOrAStatus) {
  std::map<std::string, std::string> files = Llama();
  const std::string whole = files["model.safetensors"];
  const size_t header_end = whole.find("}}") + 2;
  Mutator mutator(7);
  for (int i = 0; i < kMutations && !testing::Test::HasFailure(); ++i) {
    files["model.safetensors"] = mutator.Mutate(whole.substr(0, header_end)) + whole.substr(header_end);
    OpenAndPlan(files);
  }
}

// The same with a length prefix that is right, so that more mutants get past it.
TEST(HeaderMutationTest, EndsInAModelOrAStatusWhenItsLengthIsRight) {
  std::map<std::string, std::string> files = Llama();
  const std::string whole = files["model.safetensors"];
  const size_t header_end = whole.find("}}") + 2;
  Mutator mutator(8);
  for (int i = 0; i < kMutations && !testing::Test::HasFailure(); ++i) {
    const std::string header = mutator.Mutate(whole.substr(8, header_end - 8));
    std::string bytes;
    for (int shift = 0; shift < 64; shift += 8)
      bytes += static_cast<char>(uint64_t{header.size()} >> shift & 255);
    files["model.safetensors"] = bytes + header + whole.substr(header_end);
    OpenAndPlan(files);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Files, MutationTest,
    testing::Values(Subject{"Config", Llama, "config.json"}, Subject{"PhiConfig", Phi, "config.json"},
                    Subject{"Tokenizer", Llama, "tokenizer.json"},
                    Subject{"TokenizerConfig", Llama, "tokenizer_config.json"},
                    Subject{"PhiTokenizer", Phi, "tokenizer.json"},
                    Subject{"PhiTokenizerConfig", Phi, "tokenizer_config.json"},
                    Subject{"LlamaTokenizerConfig", LlamaWithPieces, "tokenizer_config.json"},
                    Subject{"SentencePiece", LlamaWithPieces, "tokenizer.model"},
                    Subject{"AddedTokens", LlamaWithPieces, "added_tokens.json"},
                    Subject{"Index", Sharded, "model.safetensors.index.json"}),
    [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace quantd
