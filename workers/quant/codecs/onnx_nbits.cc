// The codecs of ONNX Runtime's MatMulNBits, their kernels compiled once for each CPU target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "workers/quant/codecs/onnx_nbits.cc"
#include <hwy/foreach_target.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "workers/quant/codecs/codecs.h"
#include "workers/quant/codecs/onnx_nbits-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

void EncodeOnnxNbits(const OnnxNbits& form, const WeightRows& rows, std::span<std::byte* const> planes) {
  switch (form.algorithm) {
    case OnnxAlgorithm::kDefault:
      return OnnxEncoder<OnnxDefault>(form, rows, planes).Run();
    case OnnxAlgorithm::kRtn:
      return OnnxEncoder<OnnxRtn>(form, rows, planes).Run();
    case OnnxAlgorithm::kKQuant:
      return OnnxEncoder<OnnxKQuant>(form, rows, planes).Run();
  }
}

void DecodeOnnxNbits(const OnnxNbits& form, std::span<const std::byte* const> planes, int64_t rows,
                     int64_t columns, float* weights) {
  OnnxDecoder(form, planes, columns).Run(rows, weights);
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::quant {

HWY_EXPORT(EncodeOnnxNbits);
HWY_EXPORT(DecodeOnnxNbits);

namespace {

constexpr std::string_view NameOf(OnnxAlgorithm algorithm) {
  switch (algorithm) {
    case OnnxAlgorithm::kDefault:
      return "DEFAULT";
    case OnnxAlgorithm::kRtn:
      return "RTN";
    case OnnxAlgorithm::kKQuant:
      return "KQUANT";
  }
  return "";
}

constexpr std::string_view NameOf(OnnxScale scale) {
  return scale == OnnxScale::kF32 ? "F32" : scale == OnnxScale::kF16 ? "F16" : "BF16";
}

class OnnxNbitsCodec final : public Codec {
 public:
  explicit OnnxNbitsCodec(const OnnxNbits& form)
      : form_(form),
        name_(absl::StrCat("ONNX_I", form.bits, "_B", form.block, form.symmetric ? "_SYM_" : "_ASYM_",
                           std::string(NameOf(form.algorithm)), "_", std::string(NameOf(form.scale)))),
        planes_{PlaneSpec{"packed", form.block * form.bits / 8}, PlaneSpec{"scales", ScaleBytes()}} {
    if (!form.symmetric) planes_.push_back({"zero_points", form.bits == 8 ? 1 : 0});
  }

  std::string_view name() const override { return name_; }
  int64_t weights_per_block() const override { return form_.block; }
  int64_t column_multiple() const override { return 1; }
  std::span<const PlaneSpec> planes() const override { return planes_; }

  int64_t RowBytes(size_t plane, int64_t columns) const override {
    return plane == 2 ? form_.ZeroPointBytes(columns)
                      : form_.BlocksOf(columns) * planes_[plane].bytes_per_block;
  }
  void Encode(const WeightRows& weights, const float*, std::span<std::byte* const> planes) const override {
    HWY_DYNAMIC_DISPATCH(EncodeOnnxNbits)(form_, weights, planes);
  }
  void Decode(std::span<const std::byte* const> planes, int64_t rows, int64_t columns,
              float* weights) const override {
    HWY_DYNAMIC_DISPATCH(DecodeOnnxNbits)(form_, planes, rows, columns, weights);
  }

 private:
  int64_t ScaleBytes() const { return form_.scale == OnnxScale::kF32 ? 4 : 2; }

  OnnxNbits form_;
  std::string name_;
  std::vector<PlaneSpec> planes_;
};

std::vector<std::unique_ptr<const Codec>> MakeAll() {
  std::vector<std::unique_ptr<const Codec>> list;
  for (OnnxAlgorithm algorithm : {OnnxAlgorithm::kDefault, OnnxAlgorithm::kRtn, OnnxAlgorithm::kKQuant}) {
    for (int bits : {4, 8}) {
      for (int block : {16, 32, 64, 128, 256}) {
        for (bool symmetric : {true, false}) {
          if (symmetric && algorithm == OnnxAlgorithm::kKQuant) continue;
          for (OnnxScale scale : {OnnxScale::kF32, OnnxScale::kF16, OnnxScale::kBf16}) {
            list.push_back(
                std::make_unique<OnnxNbitsCodec>(OnnxNbits{bits, block, symmetric, algorithm, scale}));
          }
        }
      }
    }
  }
  return list;
}

}  // namespace

const std::vector<std::unique_ptr<const Codec>>& OnnxNbitsCodecs() {
  static const auto& list = *new std::vector<std::unique_ptr<const Codec>>(MakeAll());
  return list;
}

}  // namespace quantd::quant
#endif
