// The OpenVINO model of a Llama-like decoder that keeps its keys and values as states: operations in the
// patterns that the runtimes fuse (rotary embeddings, RMS norms, attention with its cache).
// docs/formats/openvino.md says how it differs from optimum-intel's.
#pragma once

#include "workers/models/targets/openvino/decoder.h"

namespace quantd {

// The whole model but for its weights: constants without bytes are PlaneConstants of the matrices (without
// lm_head where it is the embedding) and FloatConstantName of the norms' tensors.
IrModel BuildOpenVinoModel(const OpenVinoDecoder& decoder);

}  // namespace quantd
