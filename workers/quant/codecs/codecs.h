// The codecs that codec_list.cc lists. Each function returns an object that lives as long as the process.
#pragma once

#include <memory>
#include <vector>

#include "workers/quant/codec.h"

namespace quantd::quant {

// plain_floats.cc
const Codec& CodecF32();
const Codec& CodecF16();
const Codec& CodecBf16();

// small_blocks.cc
const Codec& CodecQ4_0();
const Codec& CodecQ4_1();
const Codec& CodecQ5_0();
const Codec& CodecQ5_1();
const Codec& CodecQ8_0();

// k_quants.cc
const Codec& CodecQ2_K();
const Codec& CodecQ3_K();
const Codec& CodecQ4_K();
const Codec& CodecQ5_K();
const Codec& CodecQ6_K();

// iq1.cc
const Codec& CodecIQ1_S();
const Codec& CodecIQ1_M();

// iq2.cc
const Codec& CodecIQ2_XXS();
const Codec& CodecIQ2_XS();
const Codec& CodecIQ2_S();

// iq3.cc
const Codec& CodecIQ3_XXS();
const Codec& CodecIQ3_S();

// iq4.cc
const Codec& CodecIQ4_NL();
const Codec& CodecIQ4_XS();

// ternary.cc
const Codec& CodecTQ1_0();
const Codec& CodecTQ2_0();
const Codec& CodecQ1_0();
const Codec& CodecQ2_0();

// fp4.cc
const Codec& CodecMXFP4();
const Codec& CodecNVFP4();

// mlx_affine.cc: every width, group size and stored type.
const std::vector<std::unique_ptr<const Codec>>& MlxAffineCodecs();

// mlx_float.cc: every mode and model type.
const std::vector<std::unique_ptr<const Codec>>& MlxFloatCodecs();

// onnx_nbits.cc: every width, block size, algorithm and type of scales.
const std::vector<std::unique_ptr<const Codec>>& OnnxNbitsCodecs();

// openvino_integers.cc: every width and group size.
const std::vector<std::unique_ptr<const Codec>>& OpenVinoIntegerCodecs();

// openvino_floats.cc: NF4 in every group size, MXFP4.
const std::vector<std::unique_ptr<const Codec>>& OpenVinoFloatCodecs();

}  // namespace quantd::quant
