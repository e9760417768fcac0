#include "base/json.h"

#include <gtest/gtest.h>

#include <string>

namespace quantd {
namespace {

TEST(ParseJson, ReadsWhatRfc8259Allows) {
  auto json = ParseJson(R"({"b": 1, "a": [true, null]})", "config.json");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(json->dump(), R"({"a":[true,null],"b":1})");
}

TEST(ParseJson, NamesTheFileOfBrokenText) {
  absl::Status status = ParseJson("{", "config.json").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "config.json: is not valid JSON");
}

TEST(ParseJson, RefusesDeepNestingBeforeItParses) {
  std::string deep(100000, '[');
  EXPECT_EQ(ParseJson(deep, "x").status().message(), "x: JSON nests deeper than 64");
  std::string allowed = std::string(64, '[') + std::string(64, ']');
  EXPECT_TRUE(ParseJson(allowed, "x").ok());
}

TEST(ParseJson, DoesNotCountBracketsInsideStrings) {
  EXPECT_TRUE(ParseJson("\"" + std::string(1000, '[') + "\\\"" + std::string(1000, '{') + "\"", "x").ok());
}

TEST(WriteJson, IndentsAndRefusesTextThatIsNoUtf8) {
  EXPECT_EQ(*WriteJson({{"a", 1}}, -1, "x"), R"({"a":1})");
  EXPECT_EQ(*WriteJson({{"a", 1}}, 2, "x"), "{\n  \"a\": 1\n}");
  EXPECT_EQ(WriteJson({{"a", "\xff"}}, 2, "tokenizer.json").status().message(),
            "tokenizer.json: holds a text that is no UTF-8");
}

}  // namespace
}  // namespace quantd
