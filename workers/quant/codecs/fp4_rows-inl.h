// MXFP4 along the row: what vector targets run. (fp4-inl.h has it as lane code, for the scalar target and for
// CUDA. Exponents and scales come from there.)
#include <cstdint>

#include "workers/quant/codecs/fp4-inl.h"
#include "workers/quant/lanes/rows-inl.h"

#if defined(QUANTD_FP4_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_FP4_ROWS_INL_H_
#undef QUANTD_FP4_ROWS_INL_H_
#else
#define QUANTD_FP4_ROWS_INL_H_
#endif

#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

template <class Source>
class Mxfp4Rows {
 public:
  using Bits = typename Source::Bits;
  using Code = Mxfp4<Lanes>;
  static constexpr int kWeights = Code::kWeights, kBytes = Code::kBytes, kAtOnce = 1;

  QUANTD_LANE void Prepare(const Bits* x) {
    const LaneInt exponents = Code::ExponentOf(LargestMagnitudes<Source, kWeights>(x));
    Lanes::Store(exponents, exponents_);
    scales_.Set(Code::ScaleOf(exponents));
  }

  QUANTD_LANE void Store(int block, const Bits* x, uint8_t* out) const {
    const auto scale = scales_[block];
    const auto code_of = [=](FloatVector weights) { return CodeOf(weights, scale); };
    const ByteBlock codes = BytesOf32<uint8_t, Source>(x, code_of);
    const hn::Full128<uint16_t> wide;
    const auto upper = hn::BitCast(ByteTag(), hn::ShiftLeft<4>(hn::BitCast(wide, codes.second)));
    out[0] = static_cast<uint8_t>(exponents_[block]);
    hn::StoreU(hn::Or(codes.first, upper), ByteTag(), out + 1);
  }

 private:
  // As E2M1Thresholds::CodeOf: how many half-ways are below the magnitude.
  static QUANTD_LANE IntVector CodeOf(FloatVector weights, FloatVector scale) {
    const auto magnitude = hn::Abs(weights);
    auto code = hn::Zero(IntTag());
    const auto count = [&](float half_way) {
      const auto is_above = hn::Gt(magnitude, hn::Mul(hn::Set(FloatTag(), half_way), scale));
      code = hn::Sub(code, hn::VecFromMask(IntTag(), hn::RebindMask(IntTag(), is_above)));
    };
    count(0.5f);
    count(1.5f);
    count(2.5f);
    count(3.5f);
    count(5.0f);
    count(7.0f);
    count(10.0f);
    const auto is_negative = hn::RebindMask(IntTag(), hn::Lt(weights, hn::Zero(FloatTag())));
    const auto has_sign = hn::And(is_negative, hn::Gt(code, hn::Zero(IntTag())));
    return hn::Or(code, hn::IfThenElseZero(has_sign, hn::Set(IntTag(), 8)));
  }

  HWY_ALIGN uint32_t exponents_[Lanes::kCount];
  BlockFloats scales_;
};

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#else  // the scalar target has the lane code
HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

template <class Source>
class Mxfp4Rows;

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif
