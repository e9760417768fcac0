// The ONNX graph of a Llama-like decoder, as onnxruntime-genai's model builder writes it. docs/formats/onnx.md
// says where it differs.
#pragma once

#include <onnx/onnx_pb.h>

#include "workers/models/targets/onnx/decoder.h"

namespace quantd {

// The whole model but for its weights. Initializers have name, type and dimensions, in the builder's order
// for a model of floats (embedding; a layer: norm, qkv, [caches], o, norm, gate, up, down; final norm;
// lm_head; planes in the codec's order); where their bytes lie (data_location, external_data) is left to the
// caller. Initializers are: kOnnxEmbeddingWeight unless embeddings are tied, MatrixInitializers of
// DecoderMatrices, the norms, and RotaryCaches.
onnx::ModelProto BuildDecoderGraph(const OnnxDecoder& decoder);

}  // namespace quantd
