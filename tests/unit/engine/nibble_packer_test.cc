#include "workers/engine/nibble_packer.h"

#include <gtest/gtest.h>

#include <string>

namespace quantd {
namespace {

std::string Pack(NibblePacker& packer, const std::string& numbers, bool is_last) {
  const std::span<const std::byte> packed = packer.Pack(std::as_bytes(std::span(numbers)), is_last);
  return {reinterpret_cast<const char*>(packed.data()), packed.size()};
}

TEST(NibblePackerTest, TheFirstNumberIsTheLowHalf) {
  NibblePacker packer;
  EXPECT_EQ(Pack(packer, "\x1\x2\xf\x3", true), "\x21\x3f");
}

TEST(NibblePackerTest, AnOddNumberWaitsForTheNextTile) {
  NibblePacker packer;
  EXPECT_EQ(Pack(packer, "\x1\x2\x3", false), "\x21");
  EXPECT_EQ(Pack(packer, "\x4\x5\x6\x7", false), "\x43\x65");
  EXPECT_EQ(Pack(packer, "", true), "\x7");
  EXPECT_EQ(Pack(packer, "\x8", true), "\x8");
}

}  // namespace
}  // namespace quantd
