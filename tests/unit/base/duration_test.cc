#include "base/duration.h"

#include <gtest/gtest.h>

namespace quantd {
namespace {

TEST(ParseDurationTest, TakesNumbersWithAUnit) {
  EXPECT_EQ(*ParseDuration("0"), absl::ZeroDuration());
  EXPECT_EQ(*ParseDuration("90s"), absl::Seconds(90));
  EXPECT_EQ(*ParseDuration("15m"), absl::Minutes(15));
  EXPECT_EQ(*ParseDuration("12h"), absl::Hours(12));
  EXPECT_EQ(*ParseDuration("7d"), absl::Hours(7 * 24));
}

TEST(ParseDurationTest, RefusesEverythingElse) {
  for (const char* text : {"", "7", "d", "-1d", "1.5h", "1w", "7 d", "1d2h", "9223372036854775807d"})
    EXPECT_TRUE(absl::IsInvalidArgument(ParseDuration(text).status())) << text;
}

}  // namespace
}  // namespace quantd
