// What OpenModel refuses, and how it says so: every case is one edit of a checkpoint that opens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "absl/strings/match.h"
#include "tests/support/checkpoint_builder.h"
#include "workers/models/model.h"

namespace quantd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
constexpr absl::StatusCode kUnsupported = absl::StatusCode::kFailedPrecondition;

class OpenModelTest : public testing::Test {
 protected:
  void EditConfig(const std::function<void(Json&)>& edit) {
    Json config = Json::parse(files_["config.json"]);
    edit(config);
    files_["config.json"] = config.dump();
  }

  // The message, after checking the code.
  std::string Error(absl::StatusCode code) const {
    const CheckpointFiles checkpoint = OpenCheckpoint(files_);
    const absl::StatusOr<Model> model = OpenModel(checkpoint, "test");
    EXPECT_EQ(model.status().code(), code) << model.status();
    return std::string(model.status().message());
  }

  std::map<std::string, std::string> files_ = SmallLlama({});
};

TEST_F(OpenModelTest, OpensWholeModels) {
  for (bool tied : {false, true}) {
    for (const auto& files : {SmallLlama({.tied = tied}), SmallPhi3({.tied = tied})}) {
      const CheckpointFiles checkpoint = OpenCheckpoint(files);
      const absl::StatusOr<Model> model = OpenModel(checkpoint, "test");
      ASSERT_TRUE(model.ok()) << model.status();
      EXPECT_EQ(model->display_name, "test");
      EXPECT_EQ(model->parameters.layers, 2);
    }
  }
}

TEST_F(OpenModelTest, ListsTensorsInTheOrderOfTheFile) {
  const CheckpointFiles checkpoint = OpenCheckpoint(files_);
  const absl::StatusOr<Model> model = OpenModel(checkpoint, "test");
  ASSERT_TRUE(model.ok());
  ASSERT_EQ(model->tensors.size(), 21u);
  EXPECT_EQ(model->tensors.front().role, TensorRole::kTokenEmbedding);
  EXPECT_EQ(model->tensors[1].role, TensorRole::kAttentionNorm);
  EXPECT_EQ(model->tensors[1].layer, 0);
  EXPECT_EQ(model->tensors.back().role, TensorRole::kOutput);
  for (size_t i = 1; i < model->tensors.size(); ++i)
    EXPECT_GT(model->tensors[i].source.offset, model->tensors[i - 1].source.offset);
}

// A file in order of names has key, output, query, value.
TEST_F(OpenModelTest, JoinsQueryKeyAndValueOfALayer) {
  const std::string& file = files_["model.safetensors"];
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file.data(), sizeof(header_bytes));
  const Json header = Json::parse(file.substr(8, header_bytes));
  SafetensorsBuilder by_name;
  for (const auto& [name, tensor] : header.items()) {
    if (name != "__metadata__")
      by_name.Add(name, tensor["dtype"], tensor["shape"].get<std::vector<int64_t>>());
  }
  files_["model.safetensors"] = by_name.Build();
  const CheckpointFiles checkpoint = OpenCheckpoint(files_);
  const absl::StatusOr<Model> model = OpenModel(checkpoint, "test");
  ASSERT_TRUE(model.ok()) << model.status();
  std::vector<std::string> attention;
  for (const ModelTensor& tensor : model->tensors) {
    if (tensor.layer == 1 && absl::StrContains(tensor.source.name, "self_attn"))
      attention.push_back(tensor.source.name.substr(std::string_view("model.layers.1.self_attn.").size()));
  }
  EXPECT_THAT(attention, ElementsAre("q_proj.weight", "k_proj.weight", "v_proj.weight", "o_proj.weight"));
}

TEST_F(OpenModelTest, NeedsItsFiles) {
  files_.erase("config.json");
  EXPECT_THAT(Error(kInvalid), HasSubstr("config.json"));
  files_ = SmallLlama({});
  files_.erase("model.safetensors");
  EXPECT_THAT(Error(kInvalid), HasSubstr("*.safetensors"));
}

TEST_F(OpenModelTest, RefusesAConfigurationThatIsNoObject) {
  for (const char* text : {"", "[]", "7", "\"text\"", "{", "{\"a\":1}}", "\xff\xfe"}) {
    files_["config.json"] = text;
    EXPECT_THAT(Error(kInvalid), HasSubstr("config.json")) << text;
  }
}

TEST_F(OpenModelTest, RefusesJsonThatNestsTooDeep) {
  files_["config.json"] = "{\"a\":" + std::string(1'000'000, '[') + std::string(1'000'000, ']') + "}";
  EXPECT_THAT(Error(kInvalid), AllOf(HasSubstr("config.json"), HasSubstr("nests deeper than 64")));
}

TEST_F(OpenModelTest, SaysWhichArchitecturesAreKnown) {
  EditConfig([](Json& config) { config["architectures"] = {"MambaForCausalLM"}; });
  EXPECT_THAT(Error(kUnsupported), AllOf(HasSubstr("MambaForCausalLM"), HasSubstr("LlamaForCausalLM"),
                                         HasSubstr("Phi3ForCausalLM")));
}

TEST_F(OpenModelTest, NeedsAnArchitecture) {
  for (const Json& value : {Json(), Json::array(), Json("LlamaForCausalLM"), Json{1}, Json::object()}) {
    EditConfig([&](Json& config) { config["architectures"] = value; });
    EXPECT_THAT(Error(kInvalid), HasSubstr("config.json: architectures")) << value;
  }
}

TEST_F(OpenModelTest, NamesTheConfigurationsBadNumber) {
  for (const char* key : {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                          "num_key_value_heads", "vocab_size", "max_position_embeddings"}) {
    for (const Json& value : {Json(0), Json(-1), Json(1.5), Json("64"), Json(true), Json::array({64}),
                              Json(1'000'000'000'000), Json(UINT64_MAX), Json(INT64_MIN), Json(1e300)}) {
      files_ = SmallLlama({});
      EditConfig([&](Json& config) { config[key] = value; });
      EXPECT_THAT(Error(kInvalid), HasSubstr("config.json: " + std::string(key))) << value;
    }
  }
}

TEST_F(OpenModelTest, RefusesHugeNumbersBeforeAnythingIsMadeOfThem) {
  EditConfig([](Json& config) { config["num_hidden_layers"] = 1'000'000'000; });
  EXPECT_THAT(Error(kInvalid), AllOf(HasSubstr("num_hidden_layers is 1000000000"), HasSubstr("21 tensors")));
}

TEST_F(OpenModelTest, RefusesDimensionsWhoseProductsWouldOverflow) {
  for (const auto& files : {SmallLlama({}), SmallPhi3({})}) {
    files_ = files;
    EditConfig([](Json& config) {
      for (const char* key :
           {"num_attention_heads", "num_key_value_heads", "head_dim", "hidden_size", "intermediate_size"}) {
        config[key] = 1 << 30;
      }
    });
    EXPECT_THAT(Error(kInvalid), HasSubstr("shape"));
  }
}

TEST_F(OpenModelTest, RefusesHeadsThatDoNotDivide) {
  EditConfig([](Json& config) { config["num_attention_heads"] = 5, config["num_key_value_heads"] = 5; });
  EXPECT_THAT(Error(kInvalid), HasSubstr("num_attention_heads"));
  EditConfig([](Json& config) { config["num_attention_heads"] = 4, config["num_key_value_heads"] = 3; });
  EXPECT_THAT(Error(kInvalid), HasSubstr("num_key_value_heads"));
}

TEST_F(OpenModelTest, NamesTheTensorWhoseShapeDisagrees) {
  EditConfig([](Json& config) { config["vocab_size"] = 41; });
  EXPECT_THAT(Error(kInvalid), AllOf(HasSubstr("model.safetensors: tensor model.embed_tokens.weight"),
                                     HasSubstr("[40, 64]"), HasSubstr("[41, 64]")));
  files_ = SmallLlama({});
  EditConfig([](Json& config) { config["num_key_value_heads"] = 4; });
  EXPECT_THAT(Error(kInvalid), HasSubstr("layers.0.self_attn.k_proj.weight"));
}

TEST_F(OpenModelTest, NamesATensorThatIsMissing) {
  EditConfig([](Json& config) { config["num_hidden_layers"] = 3; });
  EXPECT_THAT(Error(kInvalid), AllOf(HasSubstr("lacks the tensor model.layers.2."), HasSubstr("and 8 more")));
}

TEST_F(OpenModelTest, NamesATensorThatIsOneTooMany) {
  EditConfig([](Json& config) { config["num_hidden_layers"] = 1; });
  EXPECT_THAT(Error(kInvalid), AllOf(HasSubstr("model.safetensors: tensor model.layers.1."),
                                     HasSubstr("no part of a LlamaForCausalLM with 1 layers")));
}

TEST_F(OpenModelTest, UntiedModelsNeedTheirOutput) {
  files_ = SmallLlama({.tied = true});
  EditConfig([](Json& config) { config["tie_word_embeddings"] = false; });
  EXPECT_THAT(Error(kInvalid), HasSubstr("lacks the tensor lm_head.weight"));
}

// transformers writes both names of tied weights into some checkpoints.
TEST_F(OpenModelTest, TiedModelsMayHaveTheirOutputTwice) {
  EditConfig([](Json& config) { config["tie_word_embeddings"] = true; });
  const CheckpointFiles checkpoint = OpenCheckpoint(files_);
  const absl::StatusOr<Model> model = OpenModel(checkpoint, "test");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->tensors.size(), 20u);
}

TEST_F(OpenModelTest, NamesTheShardThatIsMissing) {
  files_["model.safetensors.index.json"] =
      R"({"weight_map": {"model.norm.weight": "model-00002-of-00002.safetensors"}})";
  EXPECT_THAT(Error(kInvalid), AllOf(HasSubstr("model.safetensors.index.json"),
                                     HasSubstr("model-00002-of-00002.safetensors"), HasSubstr("missing")));
}

TEST_F(OpenModelTest, NamesATensorThatOnlyTheIndexHas) {
  files_["model.safetensors.index.json"] = R"({"weight_map": {"extra.weight": "model.safetensors"}})";
  EXPECT_THAT(Error(kInvalid), AllOf(HasSubstr("index.json"), HasSubstr("extra.weight")));
}

TEST_F(OpenModelTest, RefusesAnIndexThatClimbsOutOfTheFolder) {
  for (const char* path :
       {"../secret.safetensors", "/etc/passwd", "a/../../b.safetensors", "a\\\\b", "", "./a"}) {
    files_["model.safetensors.index.json"] =
        R"({"weight_map": {"model.norm.weight": ")" + std::string(path) + "\"}}";
    EXPECT_THAT(Error(kInvalid), AllOf(HasSubstr("index.json"), HasSubstr("path"))) << path;
  }
}

TEST_F(OpenModelTest, RefusesABrokenIndex) {
  for (const char* text : {"[]", "{}", R"({"weight_map": 1})", R"({"weight_map": {"a": 1}})", "{"}) {
    files_["model.safetensors.index.json"] = text;
    EXPECT_THAT(Error(kInvalid), HasSubstr("model.safetensors.index.json")) << text;
  }
}

TEST_F(OpenModelTest, RefusesAFileThatWasCutOff) {
  const std::string whole = files_["model.safetensors"];
  for (size_t size : {size_t{0}, size_t{7}, size_t{100}, whole.size() - 1}) {
    files_["model.safetensors"] = whole.substr(0, size);
    EXPECT_THAT(Error(kInvalid), HasSubstr("model.safetensors")) << size;
  }
}

TEST_F(OpenModelTest, RefusesAHeaderLongerThanTheFile) {
  for (char last : {'\x00', '\x7f', '\xff'}) {
    files_["model.safetensors"].replace(0, 8, std::string(7, '\xff') + last);
    EXPECT_THAT(Error(kInvalid),
                AllOf(HasSubstr("model.safetensors"), HasSubstr("passes the end of the file")));
  }
}

}  // namespace
}  // namespace quantd
