// Every codec of this engine, by name. An explicit list, not self-registration: linkers drop it, and a list
// is documentation.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "workers/quant/codec.h"

namespace quantd::quant {

// All codecs, in a fixed order. The objects live as long as the process.
std::span<const Codec* const> AllCodecs();

// The codec of that name, or null. Names are case-sensitive.
const Codec* FindCodec(std::string_view name);

// The type of the weights that a codec of plain floats stores; none for quantized types.
std::optional<WeightType> PlainType(const Codec& codec);

}  // namespace quantd::quant
