// Spans of time in flags.
#include "base/lifetime.h"

#include <gtest/gtest.h>

namespace quantd {
namespace {

TEST(Lifetime, ANumberAndAUnit) {
  EXPECT_EQ(*ParseLifetime("45s"), absl::Seconds(45));
  EXPECT_EQ(*ParseLifetime("30m"), absl::Minutes(30));
  EXPECT_EQ(*ParseLifetime("12h"), absl::Hours(12));
  EXPECT_EQ(*ParseLifetime("90d"), absl::Hours(90 * 24));
}

TEST(Lifetime, OtherTextsAreRefused) {
  for (const char* text :
       {"", "d", "90", "0d", "-1d", "1.5h", "1w", "9999999999999999999d", "40000d", "1 d", "d90"})
    EXPECT_TRUE(absl::IsInvalidArgument(ParseLifetime(text).status())) << text;
}

}  // namespace
}  // namespace quantd
