#include "client/text.h"

#include <gtest/gtest.h>

namespace quantd {
namespace {

TEST(Text, SizesHaveBinaryUnits) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1024), "1.0 KiB");
  EXPECT_EQ(FormatBytes(int64_t{3} << 29), "1.5 GiB");
}

TEST(Text, TimesNameTheirUnits) {
  EXPECT_EQ(FormatSeconds(5), "5 s");
  EXPECT_EQ(FormatSeconds(125), "2 min 05 s");
  EXPECT_EQ(FormatSeconds(3720), "1 h 02 min");
}

TEST(Text, CountsAreGroupedByThousands) {
  EXPECT_EQ(FormatCount(7), "7");
  EXPECT_EQ(FormatCount(1000), "1 000");
  EXPECT_EQ(FormatCount(134515008), "134 515 008");
}

TEST(Text, ColumnsOfATableAreAligned) {
  EXPECT_EQ(FormatTable({{"NAME", "SIZE"}, {"a", "12"}, {"longer", ""}}),
            "NAME    SIZE\na       12\nlonger\n");
}

}  // namespace
}  // namespace quantd
