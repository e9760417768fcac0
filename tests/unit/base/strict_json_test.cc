// JSON in which no key stands twice.
#include "base/strict_json.h"

#include <gtest/gtest.h>

namespace quantd {
namespace {

TEST(StrictJson, EqualKeysOfDifferentObjectsAreFine) {
  EXPECT_TRUE(ParseStrictJson(R"({"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]})", "x").ok());
}

TEST(StrictJson, AKeyTwiceIsRefusedAtAnyDepth) {
  for (const char* text : {R"({"a": 1, "a": 1})", R"({"b": [{"c": {"a": 1, "x": [], "a": 2}}]})",
                           R"({"a": {"b": 1}, "a": 1})", R"({"a": 1, "\u0061": 2})"}) {
    const absl::Status status = ParseStrictJson(text, "x").status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
  }
}

TEST(StrictJson, WhatIsNoJsonStaysRefused) { EXPECT_FALSE(ParseStrictJson("{", "x").ok()); }

}  // namespace
}  // namespace quantd
