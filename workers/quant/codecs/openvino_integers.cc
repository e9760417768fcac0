// The codecs of OpenVINO's compressed weights, their kernels compiled once for each CPU target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "workers/quant/codecs/openvino_integers.cc"
#include <hwy/foreach_target.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "workers/quant/codecs/codecs.h"
#include "workers/quant/codecs/openvino_integers-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

void EncodeOpenVino(const OpenVinoIntegers& form, const WeightRows& rows,
                    std::span<std::byte* const> planes) {
  OpenVinoEncoder(form, rows, planes).Run();
}

void DecodeOpenVino(const OpenVinoIntegers& form, std::span<const std::byte* const> planes, int64_t rows,
                    int64_t columns, float* weights) {
  const uint16_t* scales = reinterpret_cast<const uint16_t*>(planes[1]);
  const int64_t size = form.GroupSize(columns);
  for (int64_t group = 0; group < rows * form.GroupsOf(columns); ++group) {
    const int zero_point = form.symmetric ? 0 : static_cast<int>(planes[2][group]);
    DecodeOpenVinoGroup(form, planes[0], group * size, size, HalfToFloat(scales[group]), zero_point,
                        weights + group * size);
  }
}

double WorstOpenVinoInt8Error(const WeightRows& rows) { return Int8ErrorMeter(rows).Worst(); }

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::quant {

HWY_EXPORT(EncodeOpenVino);
HWY_EXPORT(DecodeOpenVino);
HWY_EXPORT(WorstOpenVinoInt8Error);

namespace {

class OpenVinoIntegerCodec final : public Codec {
 public:
  explicit OpenVinoIntegerCodec(const OpenVinoIntegers& form)
      : form_(form),
        name_(absl::StrCat("OPENVINO_I", form.bits,
                           form.group == kWholeRow ? std::string("_ROW") : absl::StrCat("_G", form.group),
                           form.symmetric ? "_SYM" : "_ASYM")),
        planes_{PlaneSpec{"weight", form.group * form.bits / 8}, PlaneSpec{"scale", BytesOfOne(2)}} {
    if (!form.symmetric) planes_.push_back({"zero_point", BytesOfOne(1)});
  }

  std::string_view name() const override { return name_; }
  int64_t weights_per_block() const override { return form_.group; }
  int64_t column_multiple() const override { return form_.group == kWholeRow ? 8 / form_.bits : form_.group; }
  std::span<const PlaneSpec> planes() const override { return planes_; }

  int64_t RowBytes(size_t plane, int64_t columns) const override {
    if (plane == 0) return columns * form_.bits / 8;
    return form_.GroupsOf(columns) * (plane == 1 ? 2 : 1);
  }
  void Encode(const WeightRows& weights, const float*, std::span<std::byte* const> planes) const override {
    HWY_DYNAMIC_DISPATCH(EncodeOpenVino)(form_, weights, planes);
  }
  void Decode(std::span<const std::byte* const> planes, int64_t rows, int64_t columns,
              float* weights) const override {
    HWY_DYNAMIC_DISPATCH(DecodeOpenVino)(form_, planes, rows, columns, weights);
  }

 private:
  int64_t BytesOfOne(int64_t bytes) const { return form_.group == kWholeRow ? 0 : bytes; }

  OpenVinoIntegers form_;
  std::string name_;
  std::vector<PlaneSpec> planes_;
};

// 8 bits: whole rows only, as NNCF.
std::vector<std::unique_ptr<const Codec>> MakeAll() {
  std::vector<std::unique_ptr<const Codec>> list;
  for (bool symmetric : {true, false}) {
    for (int64_t group : {kWholeRow, int64_t{32}, int64_t{64}, int64_t{128}}) {
      list.push_back(std::make_unique<OpenVinoIntegerCodec>(OpenVinoIntegers{4, group, symmetric}));
    }
    list.push_back(std::make_unique<OpenVinoIntegerCodec>(OpenVinoIntegers{8, kWholeRow, symmetric}));
  }
  return list;
}

}  // namespace

double WorstInt8Error(const WeightRows& weights) {
  return HWY_DYNAMIC_DISPATCH(WorstOpenVinoInt8Error)(weights);
}

const std::vector<std::unique_ptr<const Codec>>& OpenVinoIntegerCodecs() {
  static const auto& list = *new std::vector<std::unique_ptr<const Codec>>(MakeAll());
  return list;
}

}  // namespace quantd::quant
#endif
