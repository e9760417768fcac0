// What Q4_K and Q5_K share: eight sub-blocks of 32 weights with a scale and a minimum each.
#pragma once

#include <cstdint>

#include "workers/quant/codecs/k_blocks.h"
#include "workers/quant/codecs/scale_search.h"

namespace quantd::quant {

// Searches the scales of one super-block, writes them (packed, and the F16 scales of the super-block), then
// rounds every weight against the scales as stored. levels: 256 values of 0…grid.top_level.
void EncodeWithPackedScales(const float* weights, const ScaleGrid& grid, uint16_t* scale, uint16_t* minimum,
                            uint8_t* packed, uint8_t* levels);

// The inverse, from 256 levels.
void DecodeWithPackedScales(uint16_t scale, uint16_t minimum, const uint8_t* packed, const uint8_t* levels,
                            float* weights);

}  // namespace quantd::quant
