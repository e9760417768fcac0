// OpenVINO's 4-bit floats, as NNCF makes them: groups of a row share a scale; weight = scale * element.
// Planes:
//   weight   elements of 4 bits, the even weight below;
//   scale    one a group: F16 of NF4, a power of two (E8M0, one byte) of MXFP4.
#pragma once

#include <cstdint>

#include "workers/quant/codec.h"

namespace quantd::quant {

struct OpenVinoFloats {
  // NF4: quantiles of the normal distribution, from -1 to 1. E2M1 with a power of two is MXFP4.
  enum class Element { kNf4, kE2M1 };

  Element element = Element::kNf4;
  int group = 64;  // 32, 64 or 128; 32 of MXFP4
};

}  // namespace quantd::quant
