#include "workers/quant/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace quantd::quant {
namespace {

// The value of binary16 bits by the definition of IEEE 754, in double.
double HalfValue(uint32_t bits) {
  const double sign = bits & 0x8000u ? -1.0 : 1.0;
  const int exponent = static_cast<int>(bits >> 10 & 31u);
  const double mantissa = bits & 1023u;
  if (exponent == 31) return mantissa == 0.0 ? sign * std::numeric_limits<double>::infinity() : std::nan("");
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024.0 + mantissa, exponent - 25);
}

uint32_t Bits(float value) { return std::bit_cast<uint32_t>(value); }

TEST(Half, WidensEveryValueByItsDefinition) {
  for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const float value = HalfToFloat(static_cast<uint16_t>(bits));
    const double expected = HalfValue(bits);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << bits;
    } else {
      ASSERT_EQ(value, expected) << bits;
    }
    ASSERT_EQ(std::signbit(value), (bits & 0x8000u) != 0) << bits;
  }
}

TEST(Half, EveryValueComesBackUnchanged) {
  for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits);
    const uint16_t back = FloatToHalf(HalfToFloat(half));
    if (std::isnan(HalfValue(bits))) {
      ASSERT_EQ(back, (bits & 0x8000u) | 0x7e00u) << bits;  // a quiet NaN of the same sign
    } else {
      ASSERT_EQ(back, half) << bits;
    }
  }
}

// Between each value and the next: what lies below the middle goes down, above goes up, the middle itself to
// the even one. This covers every boundary between normal, subnormal, zero and infinity.
TEST(Half, RoundsToNearestTiesToEvenBetweenAllNeighbours) {
  for (uint32_t low = 0; low < 0x7c00; ++low) {
    // Infinity stands where the next value, 2^16, would be.
    const double next = low == 0x7bff ? 65536.0 : HalfValue(low + 1);
    const float middle = static_cast<float>((HalfValue(low) + next) / 2);
    const uint32_t even = low % 2 == 0 ? low : low + 1;
    for (uint32_t sign : {0u, 0x8000u}) {
      const auto narrow = [&](float value) { return FloatToHalf(sign == 0 ? value : -value); };
      ASSERT_EQ(narrow(middle), even | sign) << low;
      ASSERT_EQ(narrow(std::nextafter(middle, 0.0f)), low | sign) << low;
      ASSERT_EQ(narrow(std::nextafter(middle, 1e9f)), (low + 1) | sign) << low;
    }
  }
}

TEST(Half, SaturatesToInfinity) {
  EXPECT_EQ(FloatToHalf(65536.0f), 0x7c00);
  EXPECT_EQ(FloatToHalf(-std::numeric_limits<float>::max()), 0xfc00);
  EXPECT_EQ(FloatToHalf(std::numeric_limits<float>::infinity()), 0x7c00);
}

TEST(Half, TinyFloatsBecomeZeroOfTheirSign) {
  EXPECT_EQ(FloatToHalf(std::numeric_limits<float>::denorm_min()), 0x0000);
  EXPECT_EQ(FloatToHalf(-std::numeric_limits<float>::denorm_min()), 0x8000);
}

TEST(Bf16, IsTheUpperHalfOfAFloat) {
  for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const float value = Bf16ToFloat(static_cast<uint16_t>(bits));
    ASSERT_EQ(Bits(value), bits << 16);
    const uint16_t back = FloatToBf16(value);
    if (std::isnan(value)) {
      ASSERT_EQ(back, bits | 64u);  // quiet
    } else {
      ASSERT_EQ(back, bits);
    }
  }
}

TEST(Bf16, RoundsToNearestTiesToEvenBetweenAllNeighbours) {
  for (uint32_t low = 0; low < 0x7f80; ++low) {
    const uint32_t even = low % 2 == 0 ? low : low + 1;
    for (uint32_t sign : {0u, 0x8000u}) {
      const auto narrow = [&](uint32_t tail) {
        return FloatToBf16(std::bit_cast<float>((sign | low) << 16 | tail));
      };
      ASSERT_EQ(narrow(0x7fff), low | sign) << low;
      ASSERT_EQ(narrow(0x8000), even | sign) << low;
      ASSERT_EQ(narrow(0x8001), (low + 1) | sign) << low;
    }
  }
}

TEST(Bf16, KeepsANanWhosePayloadIsInTheLowerHalf) {
  const uint16_t bits = FloatToBf16(std::bit_cast<float>(0x7f800001u));
  EXPECT_TRUE(std::isnan(Bf16ToFloat(bits)));
}

}  // namespace
}  // namespace quantd::quant
