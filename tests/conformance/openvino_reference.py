"""What NNCF (nncf.compress_weights) stores for a matrix of weights, as the planes of our OpenVINO codecs."""
import numpy as np

FORMS = [(bits, group, symmetric) for symmetric in (True, False) for bits, group in ((4, -1), (4, 32), (4, 64), (4, 128), (8, -1))]


def codec_name(bits, group, symmetric):
    return f"OPENVINO_I{bits}_{'ROW' if group == -1 else f'G{group}'}_{'SYM' if symmetric else 'ASYM'}"


def quantize(weights, bits, group, symmetric):
    """Planes weight, scale (F16) and, of asymmetric types, zero points of one byte."""
    from nncf.parameters import CompressWeightsMode
    from nncf.quantization.algorithms.weight_compression.config import WeightCompressionConfig
    from nncf.quantization.algorithms.weight_compression.weight_lowering import compress_weight
    from nncf.tensor import Tensor
    mode = CompressWeightsMode[f"INT{bits}_{'SYM' if symmetric else 'ASYM'}"]
    stored = compress_weight(Tensor(weights.copy()), 1, WeightCompressionConfig(mode, group))
    levels = stored.tensor.data.reshape(weights.shape).view(np.uint8)
    if bits == 4:
        levels = (levels[:, ::2] & 15) | (levels[:, 1::2] << 4)
    with np.errstate(over="ignore"):
        planes = [levels.tobytes(), stored.scale.data.astype(np.float16).tobytes()]
    return planes if symmetric else [*planes, stored.zero_point.data.astype(np.uint8).tobytes()]


FLOAT_FORMS = [("nf4", 32), ("nf4", 64), ("nf4", 128), ("mxfp4", 32)]
E2M1 = [0, 0.5, 1, 1.5, 2, 3, 4, 6]


def float_codec_name(kind, group):
    return f"OPENVINO_NF4_G{group}" if kind == "nf4" else "OPENVINO_MXFP4"


def quantize_floats(weights, kind, group):
    """Planes weight and scale (F16, or a power of two's exponent). NNCF leaves the codes of the elements to OpenVINO: that of a NF4 element
    is its place, that of an E2M1 element has the sign of the weight in its highest bit."""
    from nncf.common.utils.backend import is_openvino_available
    from nncf.parameters import CompressWeightsMode
    from nncf.quantization.algorithms.weight_compression.config import WeightCompressionConfig
    from nncf.quantization.algorithms.weight_compression.constants import NF4_QUANTILES
    from nncf.quantization.algorithms.weight_compression.weight_lowering import do_float_quantization
    from nncf.tensor import Tensor
    config = WeightCompressionConfig(CompressWeightsMode[kind.upper()], group)
    scale = None
    if kind == "mxfp4" and not is_openvino_available():
        # Matrices of more than 10 000 weights are quantized by OpenVINO where it is installed, with another smallest scale.
        largest = np.abs(weights.reshape(len(weights), -1, group)).max(2, keepdims=True)
        scale = Tensor(np.float32(2) ** np.ceil(np.log2(np.maximum(largest, np.finfo(np.float32).eps) / np.float32(6))))
    stored = do_float_quantization(Tensor(weights.copy()), config, 1, scale)
    elements, scales = stored.tensor.data.reshape(weights.shape), (stored.scale if scale is None else scale).data
    if kind == "nf4":
        codes, scale_bytes = np.searchsorted(NF4_QUANTILES, elements), scales.astype(np.float16).tobytes()
    else:
        codes = np.searchsorted(E2M1, np.abs(elements)) | np.where(np.signbit(weights), 8, 0)
        scale_bytes = (np.log2(scales) + 127).astype(np.uint8).tobytes()
    codes = codes.astype(np.uint8)
    return [(codes[:, ::2] | codes[:, 1::2] << 4).tobytes(), scale_bytes]
