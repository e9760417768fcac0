// The fuzzer's check on seeded random inputs: the same ones every time.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/fuzz/encode_arbitrary.h"

namespace quantd::quant {
namespace {

TEST(CodecFuzz, RandomInputsStayInBoundsAndAllTargetsAgree) {
  constexpr int kInputs = 4000;
  std::mt19937 random(20261124);
  for (int i = 0; i < kInputs; ++i) {
    std::vector<uint8_t> input(64 + random() % 8192);
    for (uint8_t& byte : input) byte = static_cast<uint8_t>(random());
    ASSERT_EQ(EncodeArbitrary(input), "") << "input " << i;
  }
}

}  // namespace
}  // namespace quantd::quant
