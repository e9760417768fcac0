#include "client/target_text.h"

#include <gtest/gtest.h>

namespace quantd {
namespace {

TEST(ParseTarget, ReadsFormatSchemeAndOptions) {
  const auto target = ParseTarget("gguf:Q4_K_M,pure=true,output_tensor_type=Q8_0");
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_EQ(target->format(), "gguf");
  EXPECT_EQ(target->scheme(), "Q4_K_M");
  ASSERT_EQ(target->options_size(), 2);
  EXPECT_EQ(target->options(1).name(), "output_tensor_type");
  EXPECT_EQ(target->options(1).value(), "Q8_0");
}

TEST(ParseTarget, KeepsEqualsSignsOfValuesAndRepeatedOptions) {
  const auto target = ParseTarget("gguf:Q4_0,tensor_type=ffn_.*=Q8_0,tensor_type=attn=Q6_K");
  ASSERT_TRUE(target.ok()) << target.status();
  ASSERT_EQ(target->options_size(), 2);
  EXPECT_EQ(target->options(0).value(), "ffn_.*=Q8_0");
}

TEST(ParseTarget, RefusesOtherForms) {
  for (const char* text : {"", "gguf", ":Q4_0", "gguf:", "gguf:Q4_0,", "gguf:Q4_0,pure", "gguf:Q4_0,=true"})
    EXPECT_EQ(ParseTarget(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
}

TEST(FormatTarget, IsTheInverse) {
  for (const char* text : {"mlx:int4", "gguf:Q4_0,tensor_type=ffn_.*=Q8_0,pure=true"})
    EXPECT_EQ(FormatTarget(*ParseTarget(text)), text);
}

}  // namespace
}  // namespace quantd
