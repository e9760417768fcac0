// MLX's codecs of float modes, for models of every type. Two planes: `weight`, the packed elements, and
// `scales`, a byte a group. Compiled once for each CPU target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "workers/quant/codecs/mlx_float.cc"
#include <hwy/foreach_target.h>

#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "workers/quant/codecs/codecs.h"
#include "workers/quant/codecs/mlx_float-inl.h"
#include "workers/quant/codecs/mlx_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

MlxFloatKernels KernelsMxfp4() { return {EncodeFloat<Mxfp4Mode>, DecodeFloat<Mxfp4Mode>}; }
MlxFloatKernels KernelsMxfp8() { return {EncodeFloat<Mxfp8Mode>, DecodeFloat<Mxfp8Mode>}; }
MlxFloatKernels KernelsNvfp4() { return {EncodeFloat<Nvfp4Mode>, DecodeFloat<Nvfp4Mode>}; }

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::quant {

HWY_EXPORT(KernelsMxfp4);
HWY_EXPORT(KernelsMxfp8);
HWY_EXPORT(KernelsNvfp4);

namespace {

struct Mode {
  std::string_view name;
  int bits;
  int group;
  MlxFloatKernels (*kernels)();  // of the target in use
};
constexpr Mode kModes[] = {
    {"MXFP4", 4, 32, [] { return HWY_DYNAMIC_DISPATCH(KernelsMxfp4)(); }},
    {"MXFP8", 8, 32, [] { return HWY_DYNAMIC_DISPATCH(KernelsMxfp8)(); }},
    {"NVFP4", 4, 16, [] { return HWY_DYNAMIC_DISPATCH(KernelsNvfp4)(); }},
};

class MlxFloatCodec final : public Codec {
 public:
  MlxFloatCodec(const Mode& mode, WeightType model_type)
      : name_(absl::StrCat("MLX_", std::string(mode.name), "_", NameOf(model_type))),
        mode_(mode),
        model_type_(model_type),
        planes_{PlaneSpec{"weight", mode.group * mode.bits / 8}, PlaneSpec{"scales", 1}} {}

  std::string_view name() const override { return name_; }
  int64_t weights_per_block() const override { return mode_.group; }
  std::span<const PlaneSpec> planes() const override { return planes_; }

  void Encode(const WeightRows& weights, const float*, std::span<std::byte* const> planes) const override {
    mode_.kernels().encode(weights, model_type_, planes);
  }
  void Decode(std::span<const std::byte* const> planes, int64_t rows, int64_t columns,
              float* weights) const override {
    mode_.kernels().decode(planes, rows * (columns / mode_.group), weights);
  }

 private:
  std::string name_;
  const Mode& mode_;
  WeightType model_type_;
  std::array<PlaneSpec, 2> planes_;
};

}  // namespace

const std::vector<std::unique_ptr<const Codec>>& MlxFloatCodecs() {
  static const auto& list = *[] {
    auto* all = new std::vector<std::unique_ptr<const Codec>>;
    for (WeightType model_type : {WeightType::kF16, WeightType::kBf16, WeightType::kF32}) {
      for (const Mode& mode : kModes) all->push_back(std::make_unique<MlxFloatCodec>(mode, model_type));
    }
    return all;
  }();
  return list;
}

}  // namespace quantd::quant
#endif
