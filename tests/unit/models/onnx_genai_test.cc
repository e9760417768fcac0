// genai_config.json and the tokenizer's files beside an ONNX model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/models/onnx_checkpoint.h"
#include "workers/models/targets/onnx/genai_files.h"

namespace quantd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class OnnxGenaiTest : public testing::Test {
 protected:
  absl::StatusOr<std::vector<SidecarFile>> TryMake() {
    const OnnxDecoder decoder = checkpoint_.Read();
    notes_.clear();
    return MakeGenaiFiles(checkpoint_.model, decoder, notes_);
  }
  std::map<std::string, std::string> Make() {
    absl::StatusOr<std::vector<SidecarFile>> files = TryMake();
    EXPECT_TRUE(files.ok()) << files.status();
    std::map<std::string, std::string> contents;
    if (!files.ok()) return contents;
    for (const SidecarFile& file : *files) contents[file.path] = file.content;
    return contents;
  }
  Json Config() { return Json::parse(Make()["genai_config.json"]); }
  Json TokenizerConfig() { return Json::parse(Make()["tokenizer_config.json"]); }
  void AddTokens(const Json& tokens) {
    Json tokenizer = Json::parse(checkpoint_.files["tokenizer.json"]);
    for (const Json& token : tokens) tokenizer["added_tokens"].push_back(token);
    checkpoint_.files["tokenizer.json"] = tokenizer.dump();
  }

  OnnxCheckpoint checkpoint_{.files = SmallLlama({})};
  std::vector<std::string> notes_;
};

TEST_F(OnnxGenaiTest, DescribesTheModelAsTheBuilderDoes) {
  EXPECT_EQ(Make()["genai_config.json"], R"({
    "model": {
        "bos_token_id": 0,
        "context_length": 128,
        "decoder": {
            "session_options": {
                "log_id": "onnxruntime-genai",
                "provider_options": []
            },
            "filename": "model.onnx",
            "head_size": 16,
            "hidden_size": 64,
            "inputs": {
                "input_ids": "input_ids",
                "attention_mask": "attention_mask",
                "past_key_names": "past_key_values.%d.key",
                "past_value_names": "past_key_values.%d.value"
            },
            "outputs": {
                "logits": "logits",
                "present_key_names": "present.%d.key",
                "present_value_names": "present.%d.value"
            },
            "num_attention_heads": 4,
            "num_hidden_layers": 2,
            "num_key_value_heads": 2
        },
        "eos_token_id": 1,
        "pad_token_id": 1,
        "type": "llama",
        "vocab_size": 40
    },
    "search": {
        "diversity_penalty": 0.0,
        "do_sample": false,
        "early_stopping": true,
        "length_penalty": 1.0,
        "max_length": 128,
        "min_length": 0,
        "no_repeat_ngram_size": 0,
        "num_beams": 1,
        "num_return_sequences": 1,
        "past_present_share_buffer": true,
        "repetition_penalty": 1.0,
        "temperature": 1.0,
        "top_k": 50,
        "top_p": 1.0
    }
})");
  EXPECT_THAT(notes_, IsEmpty());
}

TEST_F(OnnxGenaiTest, ProvidersHaveTheirOptions) {
  const auto options = [&](const char* ep) {
    checkpoint_.spec = {"onnx", "int4", {{"ep", ep}}};
    return Config()["model"]["decoder"]["session_options"]["provider_options"];
  };
  EXPECT_EQ(options("mobile"), Json::array());
  EXPECT_EQ(options("cuda"), Json::parse(R"([{"cuda": {"enable_cuda_graph": "0"}}])"));
  EXPECT_EQ(options("dml"), Json::parse(R"([{"dml": {"enable_graph_capture": "1"}}])"));
  EXPECT_EQ(Config()["model"]["decoder"]["inputs"]["position_ids"], "position_ids");
}

TEST_F(OnnxGenaiTest, SearchTakesWhatTheModelsMakersAdvise) {
  checkpoint_.Set({{"do_sample", true}, {"temperature", 0.6}, {"top_k", nullptr}, {"top_p", 0.9}},
                  "generation_config.json");
  checkpoint_.Set({{"repetition_penalty", 1.1}});
  checkpoint_.spec.options = {{"max_length", "64"}};
  const Json search = Config()["search"];
  EXPECT_EQ(search["do_sample"], true);
  EXPECT_EQ(search["temperature"], 0.6);
  EXPECT_EQ(search["top_k"], 50);
  EXPECT_EQ(search["top_p"], 0.9);
  EXPECT_EQ(search["repetition_penalty"], 1.1);
  EXPECT_EQ(search["max_length"], 64);
  EXPECT_EQ(Config()["model"]["context_length"], 128);
}

TEST_F(OnnxGenaiTest, EndsOfTextComeFromGenerationConfigAndTokenizer) {
  checkpoint_.Set({{"eos_token_id", {5, 1}}, {"pad_token_id", 7}}, "generation_config.json");
  EXPECT_EQ(Config()["model"]["eos_token_id"], (Json{5, 1}));
  EXPECT_EQ(Config()["model"]["pad_token_id"], 7);
  checkpoint_.Set({{"eos_token_id", 5}}, "generation_config.json");
  EXPECT_EQ(Config()["model"]["eos_token_id"], (Json{1, 5})) << "the tokenizer's ends each turn of a chat";
}

TEST_F(OnnxGenaiTest, TheTokenizerNamesWhatTheConfigurationLeavesOut) {
  checkpoint_.Set({{"eos_token_id", nullptr}, {"bos_token_id", nullptr}});
  checkpoint_.Set({{"bos_token", {{"content", "ab"}}}, {"pad_token", "<s>"}}, "tokenizer_config.json");
  const Json model = Config()["model"];
  EXPECT_EQ(model["eos_token_id"], 1);
  EXPECT_EQ(model["bos_token_id"], 2);
  EXPECT_EQ(model["pad_token_id"], 0);
  checkpoint_.Set({{"eos_token", nullptr}}, "tokenizer_config.json");
  EXPECT_EQ(TryMake().status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(OnnxGenaiTest, MarksOfToolCallsAndThoughtsAreNamed) {
  AddTokens({{{"id", 38}, {"content", "<|tool_call|>"}}, {{"id", 39}, {"content", "</think>"}}});
  const Json model = Config()["model"];
  EXPECT_EQ(model["bot_token_id"], 38);
  EXPECT_EQ(model["eor_token_id"], 39);
  EXPECT_FALSE(model.contains("eot_token_id"));
}

TEST_F(OnnxGenaiTest, OnlyAWindowWithoutEffectIsMentioned) {
  checkpoint_.files = SmallPhi3({});
  checkpoint_.Set({{"sliding_window", 128}});
  const Json expected = {{"window_size", 128},
                         {"slide_key_value_cache", false},
                         {"slide_inputs", false},
                         {"layers", Json::array()},
                         {"cache_slack", 0}};
  EXPECT_EQ(Config()["model"]["decoder"]["sliding_window"], expected);
  EXPECT_EQ(Config()["model"]["type"], "phi3");
  checkpoint_.Set({{"sliding_window", 127}});
  EXPECT_FALSE(Config()["model"]["decoder"].contains("sliding_window"));
}

TEST_F(OnnxGenaiTest, TokenizerFilesAreCopied) {
  checkpoint_.files["chat_template.jinja"] = "{{ messages }}\n";
  checkpoint_.files["generation_config.json"] = "{}";
  checkpoint_.files["special_tokens_map.json"] = "{}";
  const std::map<std::string, std::string> files = Make();
  EXPECT_EQ(files.size(), 4u);
  for (const char* path : {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"})
    EXPECT_EQ(files.at(path), checkpoint_.files[path]);
}

TEST_F(OnnxGenaiTest, ClassesThatTheRuntimeKnowsStay) {
  for (const char* name : {"GPT2Tokenizer", "LlamaTokenizerFast", "PreTrainedTokenizerFast",
                           "TokenizersBackend", "Qwen2Tokenizer", "CodeGenTokenizer", "GemmaTokenizerFast"}) {
    checkpoint_.Set({{"tokenizer_class", name}}, "tokenizer_config.json");
    EXPECT_EQ(Make()["tokenizer_config.json"], checkpoint_.files["tokenizer_config.json"]);
    EXPECT_THAT(notes_, IsEmpty()) << name;
  }
}

TEST_F(OnnxGenaiTest, OtherClassesAreReplaced) {
  for (const Json& name : {Json("CohereTokenizerFast"), Json(""), Json()}) {
    checkpoint_.Set({{"tokenizer_class", name}}, "tokenizer_config.json");
    EXPECT_EQ(TokenizerConfig()["tokenizer_class"], "PreTrainedTokenizerFast");
    EXPECT_EQ(TokenizerConfig()["eos_token"], "</s>") << "the rest stays";
    EXPECT_THAT(notes_, ElementsAre(HasSubstr("; it is PreTrainedTokenizerFast now")));
  }
  checkpoint_.files.erase("tokenizer_config.json");
  EXPECT_EQ(TokenizerConfig(), (Json{{"tokenizer_class", "PreTrainedTokenizerFast"}}));
}

TEST_F(OnnxGenaiTest, OfSeveralChatTemplatesTheDefaultOneIsKept) {
  checkpoint_.Set({{"chat_template", Json::parse(R"([{"name": "tool_use", "template": "T"},
                                                     {"name": "default", "template": "D"}])")}},
                  "tokenizer_config.json");
  EXPECT_EQ(TokenizerConfig()["chat_template"], "D");
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("only the default one")));
}

TEST_F(OnnxGenaiTest, NullsThatTheRuntimeRefusesAreLeftOut) {
  checkpoint_.Set({{"model_max_length", nullptr}, {"chat_template", nullptr}, {"pad_token", nullptr}},
                  "tokenizer_config.json");
  const Json config = TokenizerConfig();
  EXPECT_FALSE(config.contains("model_max_length"));
  EXPECT_FALSE(config.contains("chat_template"));
  EXPECT_TRUE(config.contains("pad_token"));
  EXPECT_THAT(notes_, IsEmpty());
}

TEST_F(OnnxGenaiTest, UnigramVocabulariesHaveTheirOwnClasses) {
  Json pieces = Json::array();
  for (const char* text : {"<s>", "</s>", "a"}) pieces.push_back({text, -1.0});
  checkpoint_.files["tokenizer.json"] = Json{{"model", {{"type", "Unigram"}, {"vocab", pieces}}}}.dump();
  EXPECT_EQ(TokenizerConfig()["tokenizer_class"], "T5Tokenizer");
  EXPECT_EQ(Config()["model"]["eos_token_id"], 1);
  checkpoint_.Set({{"tokenizer_class", "XLMRobertaTokenizer"}}, "tokenizer_config.json");
  EXPECT_EQ(TokenizerConfig()["tokenizer_class"], "XLMRobertaTokenizer");
}

TEST_F(OnnxGenaiTest, RefusesTokenizersThatTheRuntimeCannotRead) {
  const auto refusal = [&] { return std::string(TryMake().status().message()); };
  AddTokens({{{"id", 40}, {"content", "<far>"}}});
  EXPECT_THAT(refusal(), HasSubstr("id 40, but the model has logits for 40"));
  checkpoint_.files["tokenizer.json"] = R"({"model": {"type": "WordPiece", "vocab": {}}})";
  EXPECT_THAT(refusal(), HasSubstr("not \"WordPiece\""));
  checkpoint_.files.erase("tokenizer.json");
  checkpoint_.files["vocab.json"] = "{}";
  EXPECT_THAT(refusal(), HasSubstr("tokenizer.json: is missing"));
}

TEST_F(OnnxGenaiTest, SaysThatThereIsNoTokenizer) {
  checkpoint_.files.erase("tokenizer.json");
  checkpoint_.files.erase("tokenizer_config.json");
  const auto files = TryMake();
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->size(), 1u) << "genai_config.json";
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("no tokenizer")));
}

}  // namespace
}  // namespace quantd
