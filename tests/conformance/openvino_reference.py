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
