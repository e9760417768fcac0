// The part of a decoder's graph that knows where tokens stand: rotary caches, positions and lengths.
#pragma once

#include <string>

#include "workers/models/targets/onnx/decoder.h"
#include "workers/models/targets/onnx/graph_builder.h"

namespace quantd {

// Names of values that every layer's attention takes.
struct SequenceInputs {
  std::string last_index;    // INT32 [batch_size]: of each sequence's last token
  std::string total_length;  // INT32 scalar: past and new tokens
  std::string positions;  // INT64 [batch_size, sequence_length]; for providers that rotate outside attention
};

inline constexpr char kCosineCache[] = "cos_cache";
inline constexpr char kSineCache[] = "sin_cache";

// Adds the rotary caches' initializers and the nodes that choose among them, so that kCosineCache and
// kSineCache exist, and those that compute the lengths from attention_mask. `type` is that of the caches.
SequenceInputs AddSequenceInputs(const OnnxDecoder& decoder, OnnxType type, GraphBuilder& graph);

}  // namespace quantd
