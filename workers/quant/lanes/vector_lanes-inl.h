// The lane vocabulary over SIMD vectors (one_lane.h says what each name means). Two vectors are kept in
// flight, because the searches are chains of dependent sums: one vector's latency hides behind the other's.
#include <hwy/highway.h>

#include "workers/quant/lanes/lane_function.h"

#if defined(QUANTD_VECTOR_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_VECTOR_LANES_INL_H_
#undef QUANTD_VECTOR_LANES_INL_H_
#else
#define QUANTD_VECTOR_LANES_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using FloatTag = hn::ScalableTag<float>;
using IntTag = hn::ScalableTag<int32_t>;

struct LaneMask {
  hn::Mask<FloatTag> low, high;
};
QUANTD_LANE LaneMask operator&(LaneMask a, LaneMask b) {
  return {hn::And(a.low, b.low), hn::And(a.high, b.high)};
}
QUANTD_LANE LaneMask operator|(LaneMask a, LaneMask b) {
  return {hn::Or(a.low, b.low), hn::Or(a.high, b.high)};
}
QUANTD_LANE LaneMask operator!(LaneMask a) { return {hn::Not(a.low), hn::Not(a.high)}; }

struct LaneFloat {
  using V = hn::Vec<FloatTag>;
  V low, high;

  LaneFloat() = default;
  QUANTD_LANE LaneFloat(V l, V h) : low(l), high(h) {}
  QUANTD_LANE LaneFloat(float all) : low(hn::Set(FloatTag(), all)), high(low) {}
};
QUANTD_LANE LaneFloat operator+(LaneFloat a, LaneFloat b) {
  return {hn::Add(a.low, b.low), hn::Add(a.high, b.high)};
}
QUANTD_LANE LaneFloat operator-(LaneFloat a, LaneFloat b) {
  return {hn::Sub(a.low, b.low), hn::Sub(a.high, b.high)};
}
QUANTD_LANE LaneFloat operator*(LaneFloat a, LaneFloat b) {
  return {hn::Mul(a.low, b.low), hn::Mul(a.high, b.high)};
}
QUANTD_LANE LaneFloat operator/(LaneFloat a, LaneFloat b) {
  return {hn::Div(a.low, b.low), hn::Div(a.high, b.high)};
}
QUANTD_LANE LaneFloat operator-(LaneFloat a) { return {hn::Neg(a.low), hn::Neg(a.high)}; }
QUANTD_LANE LaneMask operator<(LaneFloat a, LaneFloat b) {
  return {hn::Lt(a.low, b.low), hn::Lt(a.high, b.high)};
}
QUANTD_LANE LaneMask operator>(LaneFloat a, LaneFloat b) { return b < a; }
QUANTD_LANE LaneMask operator<=(LaneFloat a, LaneFloat b) {
  return {hn::Le(a.low, b.low), hn::Le(a.high, b.high)};
}
QUANTD_LANE LaneMask operator>=(LaneFloat a, LaneFloat b) { return b <= a; }
QUANTD_LANE LaneMask operator==(LaneFloat a, LaneFloat b) {
  return {hn::Eq(a.low, b.low), hn::Eq(a.high, b.high)};
}

struct LaneInt {
  using V = hn::Vec<IntTag>;
  V low, high;

  LaneInt() = default;
  QUANTD_LANE LaneInt(V l, V h) : low(l), high(h) {}
  QUANTD_LANE LaneInt(int32_t all) : low(hn::Set(IntTag(), all)), high(low) {}
};
QUANTD_LANE LaneInt operator+(LaneInt a, LaneInt b) {
  return {hn::Add(a.low, b.low), hn::Add(a.high, b.high)};
}
QUANTD_LANE LaneInt operator-(LaneInt a, LaneInt b) {
  return {hn::Sub(a.low, b.low), hn::Sub(a.high, b.high)};
}
QUANTD_LANE LaneInt operator*(LaneInt a, LaneInt b) {
  return {hn::Mul(a.low, b.low), hn::Mul(a.high, b.high)};
}
QUANTD_LANE LaneInt operator&(LaneInt a, LaneInt b) {
  return {hn::And(a.low, b.low), hn::And(a.high, b.high)};
}
QUANTD_LANE LaneInt operator|(LaneInt a, LaneInt b) { return {hn::Or(a.low, b.low), hn::Or(a.high, b.high)}; }
QUANTD_LANE LaneInt operator^(LaneInt a, LaneInt b) {
  return {hn::Xor(a.low, b.low), hn::Xor(a.high, b.high)};
}
QUANTD_LANE LaneInt operator<<(LaneInt a, int bits) {
  return {hn::ShiftLeftSame(a.low, bits), hn::ShiftLeftSame(a.high, bits)};
}
QUANTD_LANE LaneInt operator>>(LaneInt a, int bits) {
  return {hn::ShiftRightSame(a.low, bits), hn::ShiftRightSame(a.high, bits)};
}
QUANTD_LANE LaneMask ToLaneMask(hn::Mask<IntTag> low, hn::Mask<IntTag> high) {
  return {hn::RebindMask(FloatTag(), low), hn::RebindMask(FloatTag(), high)};
}
QUANTD_LANE LaneMask operator<(LaneInt a, LaneInt b) {
  return ToLaneMask(hn::Lt(a.low, b.low), hn::Lt(a.high, b.high));
}
QUANTD_LANE LaneMask operator>(LaneInt a, LaneInt b) { return b < a; }
QUANTD_LANE LaneMask operator==(LaneInt a, LaneInt b) {
  return ToLaneMask(hn::Eq(a.low, b.low), hn::Eq(a.high, b.high));
}
QUANTD_LANE LaneMask operator<=(LaneInt a, LaneInt b) { return !(b < a); }
QUANTD_LANE LaneMask operator>=(LaneInt a, LaneInt b) { return !(a < b); }

struct VectorLanes {
  using Float = LaneFloat;
  using Int = LaneInt;
  using Mask = LaneMask;
  static constexpr int kPerVector = static_cast<int>(HWY_MAX_BYTES / sizeof(float));
  static constexpr int kCount = 2 * kPerVector;

  // Values that stay in memory between loops. (An array of LaneFloat does too, but GCC copies its elements
  // through the stack.)
  template <int N>
  class FloatArray {
   public:
    QUANTD_LANE LaneFloat operator[](int i) const { return Load(values_ + i * kCount); }
    QUANTD_LANE void Set(int i, LaneFloat value) {
      hn::Store(value.low, FloatTag(), values_ + i * kCount);
      hn::Store(value.high, FloatTag(), values_ + i * kCount + kPerVector);
    }
    // [i][lane]
    QUANTD_LANE const float* data() const { return values_; }

   private:
    HWY_ALIGN float values_[N * kCount];
  };

  static QUANTD_LANE LaneFloat Load(const float* from) {
    return {hn::Load(FloatTag(), from), hn::Load(FloatTag(), from + kPerVector)};
  }
  static QUANTD_LANE void Store(LaneFloat value, float* to) {
    hn::Store(value.low, FloatTag(), to);
    hn::Store(value.high, FloatTag(), to + kPerVector);
  }
  static QUANTD_LANE void Store(LaneInt value, uint32_t* to) {
    const hn::RebindToUnsigned<IntTag> tag;
    hn::Store(hn::BitCast(tag, value.low), tag, to);
    hn::Store(hn::BitCast(tag, value.high), tag, to + kPerVector);
  }
  static QUANTD_LANE LaneInt LoadInt(const uint32_t* from) {
    const hn::RebindToUnsigned<IntTag> tag;
    return {hn::BitCast(IntTag(), hn::Load(tag, from)),
            hn::BitCast(IntTag(), hn::Load(tag, from + kPerVector))};
  }

  static QUANTD_LANE LaneInt Bits(LaneFloat value) {
    return {hn::BitCast(IntTag(), value.low), hn::BitCast(IntTag(), value.high)};
  }
  static QUANTD_LANE LaneFloat FromBits(LaneInt bits) {
    return {hn::BitCast(FloatTag(), bits.low), hn::BitCast(FloatTag(), bits.high)};
  }

  static QUANTD_LANE LaneFloat Select(LaneMask mask, LaneFloat yes, LaneFloat no) {
    return {hn::IfThenElse(mask.low, yes.low, no.low), hn::IfThenElse(mask.high, yes.high, no.high)};
  }
  static QUANTD_LANE LaneInt Select(LaneMask mask, LaneInt yes, LaneInt no) {
    const IntTag tag;
    return {hn::IfThenElse(hn::RebindMask(tag, mask.low), yes.low, no.low),
            hn::IfThenElse(hn::RebindMask(tag, mask.high), yes.high, no.high)};
  }
  static QUANTD_LANE bool Any(LaneMask mask) {
    return !hn::AllFalse(FloatTag(), mask.low) || !hn::AllFalse(FloatTag(), mask.high);
  }

  static QUANTD_LANE LaneFloat Abs(LaneFloat value) { return {hn::Abs(value.low), hn::Abs(value.high)}; }
  static QUANTD_LANE LaneFloat Sqrt(LaneFloat value) { return {hn::Sqrt(value.low), hn::Sqrt(value.high)}; }
  static QUANTD_LANE LaneFloat Round(LaneFloat value) {
    return {hn::Round(value.low), hn::Round(value.high)};
  }
  // x86's instructions give the second operand where one is NaN, as asked for.
  static QUANTD_LANE LaneFloat Min(LaneFloat a, LaneFloat b) {
    return {hn::Min(a.low, b.low), hn::Min(a.high, b.high)};
  }
  static QUANTD_LANE LaneFloat Max(LaneFloat a, LaneFloat b) {
    return {hn::Max(a.low, b.low), hn::Max(a.high, b.high)};
  }
  static QUANTD_LANE LaneInt Min(LaneInt a, LaneInt b) {
    return {hn::Min(a.low, b.low), hn::Min(a.high, b.high)};
  }
  static QUANTD_LANE LaneInt Max(LaneInt a, LaneInt b) {
    return {hn::Max(a.low, b.low), hn::Max(a.high, b.high)};
  }

  static QUANTD_LANE LaneFloat ToFloat(LaneInt value) {
    return {hn::ConvertTo(FloatTag(), value.low), hn::ConvertTo(FloatTag(), value.high)};
  }
  static QUANTD_LANE LaneInt Truncate(LaneFloat value) {
    return {TruncateVector(value.low), TruncateVector(value.high)};
  }
  // x86's own conversion, which gives the smallest integer for what no integer holds. (Highway's saturates
  // large positive values, at the cost of three more instructions.)
  static QUANTD_LANE hn::Vec<IntTag> TruncateVector(hn::Vec<FloatTag> v) {
    using Ints [[gnu::vector_size(sizeof(v.raw))]] = int32_t;
    hn::Vec<IntTag> truncated;
    truncated.raw = reinterpret_cast<decltype(truncated.raw)>(__builtin_convertvector(v.raw, Ints));
    return truncated;
  }
  static QUANTD_LANE LaneInt ShiftDown(LaneInt value, int bits) {
    const hn::RebindToUnsigned<IntTag> tag;
    return {hn::BitCast(IntTag(), hn::ShiftRightSame(hn::BitCast(tag, value.low), bits)),
            hn::BitCast(IntTag(), hn::ShiftRightSame(hn::BitCast(tag, value.high), bits))};
  }
  static QUANTD_LANE LaneInt ShiftDownBy(LaneInt value, LaneInt bits) {
    const hn::RebindToUnsigned<IntTag> tag;
    return {hn::BitCast(IntTag(), hn::Shr(hn::BitCast(tag, value.low), hn::BitCast(tag, bits.low))),
            hn::BitCast(IntTag(), hn::Shr(hn::BitCast(tag, value.high), hn::BitCast(tag, bits.high)))};
  }
  static QUANTD_LANE LaneInt ShiftUpBy(LaneInt value, LaneInt bits) {
    return {hn::Shl(value.low, bits.low), hn::Shl(value.high, bits.high)};
  }
  static QUANTD_LANE LaneInt Gather(const int32_t* table, LaneInt index) {
    return {hn::GatherIndex(IntTag(), table, index.low), hn::GatherIndex(IntTag(), table, index.high)};
  }
  static QUANTD_LANE LaneFloat Gather(const float* table, LaneInt index) {
    return {hn::GatherIndex(FloatTag(), table, index.low), hn::GatherIndex(FloatTag(), table, index.high)};
  }

  static constexpr float kRoundingBias = 12582912.0f;
  static constexpr int32_t kBiasBits = 0x4b400000;  // of kRoundingBias

  static QUANTD_LANE LaneInt NearestInt(LaneFloat value) {
    return (Bits(value + LaneFloat(12582912.0f)) & LaneInt(0x007fffff)) - LaneInt(0x00400000);
  }
  // Floats are clamped as integers, which more units of a CPU can do: among floats of one sign the bits are
  // in order, and the other sign's are out of the way, as negative integers or as large unsigned ones.
  static QUANTD_LANE LaneFloat NearestLevelInRange(LaneFloat value, int low, int high) {
    const LaneFloat level =
        low == 0 ? NearestLevelFromZero(value) : NoLessThan(Round(value), LaneFloat(static_cast<float>(low)));
    return FromBits(Min(Bits(level), Bits(LaneFloat(static_cast<float>(high)))));
  }
  static QUANTD_LANE LaneFloat NearestLevelFromZero(LaneFloat value) {
    return FromBits(Max(Bits(Round(value)), LaneInt(0)));
  }
  // max(value, bound); bound < 0.
  static QUANTD_LANE LaneFloat NoLessThan(LaneFloat value, LaneFloat bound) {
    const hn::RebindToUnsigned<IntTag> tag;
    return {hn::BitCast(FloatTag(), hn::Min(hn::BitCast(tag, value.low), hn::BitCast(tag, bound.low))),
            hn::BitCast(FloatTag(), hn::Min(hn::BitCast(tag, value.high), hn::BitCast(tag, bound.high)))};
  }
  // With the exponent of 2^23 put above the 23 bits of the (possibly wrapped) integer, it is 1.5 * 2^23 plus
  // that integer as a float: positive, so that its bits can be clamped as integers, and one subtraction away.
  static QUANTD_LANE LaneFloat NearestLevel(LaneFloat value, int low, int high) {
    const LaneInt biased =
        (Bits(value + LaneFloat(kRoundingBias)) & LaneInt(0x007fffff)) | LaneInt(0x4b000000);
    return FromBits(Min(Max(biased, LaneInt(kBiasBits + low)), LaneInt(kBiasBits + high))) -
           LaneFloat(kRoundingBias);
  }
};

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
