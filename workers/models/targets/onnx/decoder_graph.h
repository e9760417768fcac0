// The ONNX graph of a Llama-like decoder, as onnxruntime-genai's model builder writes it.
// docs/formats/onnx.md says where it differs.
#pragma once

#include <onnx/onnx_pb.h>

#include "workers/models/targets/onnx/decoder.h"

namespace quantd {

// The whole model but for its weights. Initializers have name, type and dimensions and stand in the order of
// the nodes that take them; where their bytes lie (data_location, external_data) is left to the caller. They
// are: RotaryCaches, kOnnxEmbeddingWeight unless embeddings are tied, MatrixInitializers of DecoderMatrices,
// and the norms' weights.
onnx::ModelProto BuildDecoderGraph(const OnnxDecoder& decoder);

}  // namespace quantd
