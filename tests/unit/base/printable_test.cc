#include "base/printable.h"

#include <gtest/gtest.h>

namespace quantd {
namespace {

TEST(PrintableLine, KeepsTextInAnyLanguage) {
  EXPECT_EQ(PrintableLine("model.layers.0 · größer 模型 🦙", 100),
            "model.layers.0 · größer 模型 🦙");
  EXPECT_EQ(PrintableLine("", 100), "");
}

TEST(PrintableLine, IsOneLine) { EXPECT_EQ(PrintableLine("a\nb\tc\x7f\x1b[2J", 100), "a?b?c??[2J"); }

TEST(PrintableLine, ReplacesBytesThatAreNoUtf8) {
  EXPECT_EQ(PrintableLine("a\xff"
                          "b",
                          100),
            "a?b");
  EXPECT_EQ(PrintableLine("cut off \xe6\xa8", 100), "cut off ??");
  EXPECT_EQ(PrintableLine("overlong \xc0\xaf", 100), "overlong ??");
  EXPECT_EQ(PrintableLine("surrogate \xed\xa0\x80", 100), "surrogate ???");
  EXPECT_EQ(PrintableLine("beyond \xf4\x90\x80\x80", 100), "beyond ????");
}

TEST(PrintableLine, CutsBetweenCharacters) {
  EXPECT_EQ(PrintableLine("abcdef", 6), "abcdef");
  EXPECT_EQ(PrintableLine("abcdef", 5), "abcde…");
  EXPECT_EQ(PrintableLine("aöö", 4), "aö…");
}

}  // namespace
}  // namespace quantd
