#include "base/relative_path.h"

#include <gtest/gtest.h>

#include <string>

namespace quantd {
namespace {

TEST(CheckRelativePath, TakesPathsBelowTheFolder) {
  for (const char* path : {"config.json", "a/b/c.safetensors", "..config", "a..b", "with space"}) {
    EXPECT_TRUE(CheckRelativePath(path).ok()) << path;
  }
}

TEST(CheckRelativePath, RefusesPathsThatClimbOrHide) {
  for (const char* path : {"", "/etc/passwd", "../x", "a/../b", "a/..", ".", "a//b", "a/", "a\\b", "a\nb"}) {
    EXPECT_EQ(CheckRelativePath(path).code(), absl::StatusCode::kInvalidArgument) << path;
  }
  EXPECT_FALSE(CheckRelativePath(std::string_view("a\0b", 3)).ok());
  EXPECT_FALSE(CheckRelativePath(std::string(1025, 'a')).ok());
}

}  // namespace
}  // namespace quantd
