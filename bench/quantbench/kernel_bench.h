// Measures one codec: our kernels, memcpy and ggml's quantizer in alternating runs.
#pragma once

#include <optional>
#include <string>

#include "bench/quantbench/ggml_peer.h"
#include "workers/quant/codec.h"

namespace quantd::bench {

struct KernelFigures {
  std::string type;
  bool importance = false;
  double bf16_weights_per_second = 0.0;
  double f32_weights_per_second = 0.0;
  double bytes_per_second = 0.0;         // read and written, from BF16
  double memcpy_bytes_per_second = 0.0;  // read and written
  double memcpy_share = 0.0;             // median of the rounds' bytes_per_second / memcpy_bytes_per_second
  std::optional<double> peer_weights_per_second;
  std::optional<double> ratio;  // median of the rounds' ratios to the peer
};

// `peer` may be null. Every figure is the median of several rounds; in each round everything is measured
// once, one after the other, on `threads` threads that each have rows of their own.
KernelFigures MeasureKernel(const quant::Codec& codec, bool importance, int threads, const GgmlPeer* peer);

}  // namespace quantd::bench
