#include "workers/quant/codec_list.h"

#include <vector>

#include "workers/quant/codecs/codecs.h"

namespace quantd::quant {
namespace {

std::vector<const Codec*> MakeList() {
  std::vector<const Codec*> list = {
      &CodecF32(),    &CodecF16(),     &CodecBf16(),   &CodecQ4_0(),  &CodecQ4_1(),    &CodecQ5_0(),
      &CodecQ5_1(),   &CodecQ8_0(),    &CodecQ2_K(),   &CodecQ3_K(),  &CodecQ4_K(),    &CodecQ5_K(),
      &CodecQ6_K(),   &CodecIQ2_XXS(), &CodecIQ2_XS(), &CodecIQ2_S(), &CodecIQ3_XXS(), &CodecIQ3_S(),
      &CodecIQ4_NL(), &CodecIQ4_XS(),  &CodecTQ1_0(),  &CodecTQ2_0(), &CodecQ1_0(),    &CodecQ2_0(),
      &CodecMXFP4(),  &CodecNVFP4(),   &CodecIQ1_S(),  &CodecIQ1_M(),
  };
  for (const auto* family : {&MlxAffineCodecs(), &MlxFloatCodecs(), &OnnxNbitsCodecs(),
                             &OpenVinoIntegerCodecs(), &OpenVinoFloatCodecs()}) {
    for (const auto& codec : *family) list.push_back(codec.get());
  }
  return list;
}

}  // namespace

std::span<const Codec* const> AllCodecs() {
  static const auto& list = *new std::vector<const Codec*>(MakeList());
  return list;
}

const Codec* FindCodec(std::string_view name) {
  for (const Codec* codec : AllCodecs()) {
    if (codec->name() == name) return codec;
  }
  return nullptr;
}

std::optional<WeightType> PlainType(const Codec& codec) {
  if (&codec == &CodecF32()) return WeightType::kF32;
  if (&codec == &CodecF16()) return WeightType::kF16;
  if (&codec == &CodecBf16()) return WeightType::kBf16;
  return std::nullopt;
}

}  // namespace quantd::quant
