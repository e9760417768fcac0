#include "storage/objects/s3/writer.h"

#include <gtest/gtest.h>

namespace quantd::s3 {
namespace {

TEST(PartBytes, GrowSoThatLargeObjectsFit) {
  EXPECT_EQ(PartBytes(0), uint64_t{16} << 20);
  EXPECT_EQ(PartBytes(1999), uint64_t{16} << 20);
  EXPECT_EQ(PartBytes(2000), uint64_t{32} << 20);
  EXPECT_EQ(PartBytes(9999), uint64_t{256} << 20);
  uint64_t total = 0;
  for (size_t part = 0; part < 10000; ++part) total += PartBytes(part);
  EXPECT_EQ(total >> 30, 968u);
}

}  // namespace
}  // namespace quantd::s3
