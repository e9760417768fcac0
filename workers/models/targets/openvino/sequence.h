// What all layers of an OpenVINO decoder take from the positions of its tokens.
#pragma once

#include "workers/models/targets/openvino/decoder.h"
#include "workers/models/targets/openvino/ir_builder.h"

namespace quantd {

// The model's inputs.
struct OpenVinoInputs {
  IrPort tokens;     // "input_ids", I64 [batch, new tokens]
  IrPort mask;       // "attention_mask", I64 [batch, past and new tokens]
  IrPort positions;  // "position_ids", I64 [batch, new tokens]
  IrPort beams;      // "beam_idx", I32 [batch]: whose keys and values each sequence goes on with
};

OpenVinoInputs AddInputs(IrBuilder& ir);

struct RotaryAngles {
  IrPort cosines;  // F32 [batch, 1, new tokens, rotated dimensions]
  IrPort sines;
};

// LongRoPE takes its factors by the largest position of the call, so that keys which were kept before the
// switch have the short ones.
RotaryAngles AddRotaryAngles(const OpenVinoDecoder& decoder, IrPort positions, IrBuilder& ir);

// F32 [batch, 1, new tokens, past and new tokens]: 0 where a token sees another, a large negative number
// elsewhere.
IrPort AddAttentionMask(const OpenVinoDecoder& decoder, const OpenVinoInputs& inputs, IrBuilder& ir);

}  // namespace quantd
