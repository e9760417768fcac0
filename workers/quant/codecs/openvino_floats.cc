// The codecs of OpenVINO's 4-bit floats, their kernels compiled once for each CPU target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "workers/quant/codecs/openvino_floats.cc"
#include <hwy/foreach_target.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "workers/quant/codecs/codecs.h"
#include "workers/quant/codecs/openvino_floats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

void EncodeOpenVinoFloats(const OpenVinoFloats& form, const WeightRows& rows,
                          std::span<std::byte* const> planes) {
  OpenVinoFloatEncoder(form, rows, planes).Run();
}

void DecodeOpenVinoFloats(const OpenVinoFloats& form, std::span<const std::byte* const> planes, int64_t rows,
                          int64_t columns, float* weights) {
  const float* elements = form.element == OpenVinoFloats::Element::kNf4 ? kNf4 : kE2M1;
  for (int64_t group = 0; group < rows * (columns / form.group); ++group) {
    DecodeFloatGroup(elements, planes[0] + group * form.group / 2, form.group,
                     ScaleOf(form, planes[1], group), weights + group * form.group);
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::quant {

HWY_EXPORT(EncodeOpenVinoFloats);
HWY_EXPORT(DecodeOpenVinoFloats);

namespace {

class OpenVinoFloatCodec final : public Codec {
 public:
  explicit OpenVinoFloatCodec(const OpenVinoFloats& form)
      : form_(form),
        is_nf4_(form.element == OpenVinoFloats::Element::kNf4),
        name_(is_nf4_ ? absl::StrCat("OPENVINO_NF4_G", form.group) : "OPENVINO_MXFP4"),
        planes_{PlaneSpec{"weight", form.group / 2}, PlaneSpec{"scale", is_nf4_ ? 2 : 1}} {}

  std::string_view name() const override { return name_; }
  int64_t weights_per_block() const override { return form_.group; }
  std::span<const PlaneSpec> planes() const override { return planes_; }

  void Encode(const WeightRows& weights, const float*, std::span<std::byte* const> planes) const override {
    HWY_DYNAMIC_DISPATCH(EncodeOpenVinoFloats)(form_, weights, planes);
  }
  void Decode(std::span<const std::byte* const> planes, int64_t rows, int64_t columns,
              float* weights) const override {
    HWY_DYNAMIC_DISPATCH(DecodeOpenVinoFloats)(form_, planes, rows, columns, weights);
  }

 private:
  OpenVinoFloats form_;
  bool is_nf4_;
  std::string name_;
  std::vector<PlaneSpec> planes_;
};

std::vector<std::unique_ptr<const Codec>> MakeAll() {
  std::vector<std::unique_ptr<const Codec>> list;
  for (int group : {32, 64, 128})
    list.push_back(
        std::make_unique<OpenVinoFloatCodec>(OpenVinoFloats{OpenVinoFloats::Element::kNf4, group}));
  list.push_back(std::make_unique<OpenVinoFloatCodec>(OpenVinoFloats{OpenVinoFloats::Element::kE2M1, 32}));
  return list;
}

}  // namespace

const std::vector<std::unique_ptr<const Codec>>& OpenVinoFloatCodecs() {
  static const auto& list = *new std::vector<std::unique_ptr<const Codec>>(MakeAll());
  return list;
}

}  // namespace quantd::quant
#endif
