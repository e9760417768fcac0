#include "workers/models/hyper_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class HyperParametersTest : public testing::Test {
 protected:
  HyperParameters Read() const {
    absl::StatusOr<HyperParameters> read = ReadHyperParameters(config_);
    EXPECT_TRUE(read.ok()) << read.status();
    return read.value_or(HyperParameters());
  }
  std::string Error() const {
    const absl::Status status = ReadHyperParameters(config_).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  }

  Json config_ = {{"hidden_size", 64},        {"intermediate_size", 96},        {"num_hidden_layers", 2},
                  {"num_attention_heads", 4}, {"max_position_embeddings", 128}, {"vocab_size", 40},
                  {"rms_norm_eps", 1e-5}};
};

TEST_F(HyperParametersTest, FillsInWhatConfigurationsLeaveOut) {
  const HyperParameters p = Read();
  EXPECT_EQ(p.key_value_heads, 4);
  EXPECT_EQ(p.head_size(), 16);
  EXPECT_EQ(p.rotary_size(), 16);
  EXPECT_EQ(p.explicit_head_size, std::nullopt);
  EXPECT_EQ(p.rope_base, std::nullopt);
  EXPECT_EQ(p.sliding_window, std::nullopt);
  EXPECT_FALSE(p.tied_embeddings);
  EXPECT_FALSE(p.rope_scaling.has_value());
}

TEST_F(HyperParametersTest, TakesNullAsAbsent) {
  config_["head_dim"] = nullptr;
  config_["sliding_window"] = nullptr;
  config_["rope_scaling"] = nullptr;
  config_["tie_word_embeddings"] = nullptr;
  EXPECT_EQ(Read().head_size(), 16);
}

TEST_F(HyperParametersTest, TakesAnExplicitHeadSize) {
  config_["head_dim"] = 24;
  config_["hidden_size"] = 70;  // no multiple of the heads, which then does not matter
  EXPECT_EQ(Read().head_size(), 24);
}

TEST_F(HyperParametersTest, RefusesOddHeads) {
  config_["head_dim"] = 15;
  EXPECT_THAT(Error(), HasSubstr("head_dim is odd"));
}

TEST_F(HyperParametersTest, NamesWhatIsMissing) {
  for (const char* key : {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                          "vocab_size", "max_position_embeddings", "rms_norm_eps"}) {
    const Json kept = config_[key];
    config_.erase(key);
    EXPECT_THAT(Error(), HasSubstr("config.json: " + std::string(key) + " is missing"));
    config_[key] = kept;
  }
}

TEST_F(HyperParametersTest, NamesAKeyOfTheWrongType) {
  const std::pair<const char*, Json> wrong[] = {{"rms_norm_eps", "1e-5"},
                                                {"rms_norm_eps", 0.0},
                                                {"rms_norm_eps", -1e-5},
                                                {"rms_norm_eps", 1e300},
                                                {"rope_theta", "10000"},
                                                {"rope_theta", 0},
                                                {"partial_rotary_factor", 1.5},
                                                {"partial_rotary_factor", -1},
                                                {"tie_word_embeddings", 1},
                                                {"tie_word_embeddings", "true"},
                                                {"attention_bias", "no"},
                                                {"sliding_window", -1},
                                                {"head_dim", 0},
                                                {"head_dim", "16"},
                                                {"rope_scaling", 7},
                                                {"original_max_position_embeddings", 0}};
  for (const auto& [key, value] : wrong) {
    const Json kept = config_;
    config_[key] = value;
    EXPECT_THAT(Error(), HasSubstr("config.json: " + std::string(key))) << value;
    config_ = kept;
  }
}

TEST_F(HyperParametersTest, ReadsLlama3ScalingInBothSpellings) {
  const Json scaling = {{"rope_type", "llama3"},
                        {"factor", 32.0},
                        {"low_freq_factor", 2.0},
                        {"high_freq_factor", 8.0},
                        {"original_max_position_embeddings", 64}};
  Json old = config_, renewed = config_;
  old["rope_theta"] = 500000.0;
  old["rope_scaling"] = scaling;
  renewed["rope_parameters"] = scaling;
  renewed["rope_parameters"]["rope_theta"] = 500000.0;
  for (const Json& config : {old, renewed}) {
    config_ = config;
    const HyperParameters p = Read();
    EXPECT_EQ(p.rope_base, 500000.0);
    EXPECT_EQ(p.original_context, 64);
    ASSERT_TRUE(p.rope_scaling.has_value());
    EXPECT_EQ(p.rope_scaling->type, "llama3");
    EXPECT_EQ(p.rope_scaling->factor, 32.0);
    EXPECT_EQ(p.rope_scaling->low_freq_factor, 2.0);
    EXPECT_EQ(p.rope_scaling->high_freq_factor, 8.0);
  }
}

TEST_F(HyperParametersTest, TheDefaultRopeTypeScalesNothing) {
  config_["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 1e6}};
  const HyperParameters p = Read();
  EXPECT_EQ(p.rope_base, 1e6);
  EXPECT_FALSE(p.rope_scaling.has_value());
}

TEST_F(HyperParametersTest, RefusesLlama3BandsThatAreEmpty) {
  config_["rope_scaling"] = {
      {"rope_type", "llama3"}, {"factor", 8.0}, {"low_freq_factor", 4.0}, {"high_freq_factor", 4.0}};
  EXPECT_THAT(Error(), HasSubstr("high_freq_factor"));
}

TEST_F(HyperParametersTest, ReadsLongRopesFactors) {
  config_["rope_scaling"] = {{"type", "longrope"}, {"short_factor", {1.0, 1}}, {"long_factor", {2.5, 3.0}}};
  const HyperParameters p = Read();
  EXPECT_EQ(p.rope_scaling->type, "longrope");
  EXPECT_THAT(p.rope_scaling->short_factors, ElementsAre(1.0, 1.0));
  EXPECT_THAT(p.rope_scaling->long_factors, ElementsAre(2.5, 3.0));
}

TEST_F(HyperParametersTest, RefusesFactorsThatAreNoFloats) {
  for (const Json& factors : {Json("1"), Json{"1"}, Json{1e300}, Json{nullptr}, Json::object()}) {
    config_["rope_scaling"] = {{"type", "longrope"}, {"long_factor", factors}};
    EXPECT_THAT(Error(), HasSubstr("long_factor")) << factors;
  }
}

TEST_F(HyperParametersTest, RotatesAPartOfAHead) {
  config_["partial_rotary_factor"] = 0.75;
  EXPECT_EQ(Read().rotary_size(), 12);
}

}  // namespace
}  // namespace quantd
