// MLX's affine codecs, every width, group size and stored type. Three planes: `weight`, the packed levels;
// `scales` and `biases`, one number a group. Compiled once for each CPU target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "workers/quant/codecs/mlx_affine.cc"
#include <hwy/foreach_target.h>

#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "workers/quant/codecs/codecs.h"
#include "workers/quant/codecs/mlx_affine-inl.h"
#include "workers/quant/codecs/mlx_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

MlxAffineKernels KernelsMlxAffine(int bits) {
  switch (bits) {
    case 2:
      return {EncodeAffine<2>, DecodeAffine<2>};
    case 3:
      return {EncodeAffine<3>, DecodeAffine<3>};
    case 4:
      return {EncodeAffine<4>, DecodeAffine<4>};
    case 5:
      return {EncodeAffine<5>, DecodeAffine<5>};
    case 6:
      return {EncodeAffine<6>, DecodeAffine<6>};
    default:
      return {EncodeAffine<8>, DecodeAffine<8>};
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::quant {

HWY_EXPORT(KernelsMlxAffine);

namespace {

class MlxAffineCodec final : public Codec {
 public:
  MlxAffineCodec(int bits, int group, WeightType stored)
      : name_(absl::StrCat("MLX_I", bits, "_G", group, "_", NameOf(stored))),
        bits_(bits),
        group_(group),
        stored_(stored),
        planes_{PlaneSpec{"weight", group * bits / 8}, PlaneSpec{"scales", BytesOf(stored)},
                PlaneSpec{"biases", BytesOf(stored)}} {}

  std::string_view name() const override { return name_; }
  int64_t weights_per_block() const override { return group_; }
  std::span<const PlaneSpec> planes() const override { return planes_; }

  void Encode(const WeightRows& weights, const float*, std::span<std::byte* const> planes) const override {
    HWY_DYNAMIC_DISPATCH(KernelsMlxAffine)(bits_).encode(weights, group_, stored_, planes);
  }
  void Decode(std::span<const std::byte* const> planes, int64_t rows, int64_t columns,
              float* weights) const override {
    HWY_DYNAMIC_DISPATCH(KernelsMlxAffine)
    (bits_).decode(planes, rows * (columns / group_), group_, stored_, weights);
  }

 private:
  std::string name_;
  int bits_;
  int group_;
  WeightType stored_;
  std::array<PlaneSpec, 3> planes_;
};

}  // namespace

const std::vector<std::unique_ptr<const Codec>>& MlxAffineCodecs() {
  static const auto& list = *[] {
    auto* all = new std::vector<std::unique_ptr<const Codec>>;
    for (WeightType stored : {WeightType::kF16, WeightType::kBf16, WeightType::kF32}) {
      for (int group : {32, 64, 128}) {
        for (int bits : {2, 3, 4, 5, 6, 8})
          all->push_back(std::make_unique<MlxAffineCodec>(bits, group, stored));
      }
    }
    return all;
  }();
  return list;
}

}  // namespace quantd::quant
#endif
