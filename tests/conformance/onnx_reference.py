"""What onnxruntime's three MatMulNBits quantizers write for rows of weights (an output channel a row), as planes of bytes."""
import numpy as np

ALGORITHMS = {"DEFAULT": (True, False), "RTN": (True, False), "KQUANT": (False,)}  # symmetric or not


def codec_name(bits, block, symmetric, algorithm, stored):
    return f"ONNX_I{bits}_B{block}_{'SYM' if symmetric else 'ASYM'}_{algorithm}_{stored}"


def quantize(weights, bits, block, symmetric, algorithm):
    """Planes packed, scales and, of asymmetric types, zero points; the scales have the type of the weights."""
    planes = default(weights, bits, block, symmetric) if algorithm == "DEFAULT" else in_numpy(weights, bits, block, symmetric, algorithm)
    return planes[:2] if symmetric else planes


def blocks_of(columns, block):
    return -(-columns // block)


def default(weights, bits, block, symmetric):
    from onnxruntime.capi import _pybind_state
    rows, columns = weights.shape
    blocks = blocks_of(columns, block)
    packed = np.zeros((rows, blocks, block * bits // 8), np.uint8)
    scales = np.zeros((rows, blocks), weights.dtype)
    zero_points = np.zeros((rows, (blocks * bits + 7) // 8), np.uint8)
    run = {4: _pybind_state.quantize_matmul_4bits, 8: _pybind_state.quantize_matmul_8bits}[bits]
    run(packed, np.ascontiguousarray(weights.T), scales, zero_points, block, rows, columns, symmetric)
    return [packed.tobytes(), scales.tobytes(), zero_points.tobytes()]


def in_numpy(weights, bits, block, symmetric, algorithm):
    from onnxruntime.quantization.neural_compressor import weight_only
    rows, columns = weights.shape
    blocks = blocks_of(columns, block)
    padded = np.pad(weights, ((0, 0), (0, blocks * block - columns)))
    with np.errstate(all="ignore"):  # of groups too small for a scale
        if algorithm == "KQUANT":
            levels, scales, zero_points = weight_only.quant_tensor_k_quant_cpu(padded, bits, block)
        else:
            levels, scales, zero_points = weight_only.quant_tensor(padded, bits, block, "sym" if symmetric else "asym", "uint")
        levels, scales = levels.astype(np.uint8), scales.astype(weights.dtype)
    zero_points = zero_points.astype(np.uint8).reshape(rows, blocks)
    if bits == 4:
        levels = pack_nibbles(levels)
        # The peer packs the zero points of all rows together, which only works for even numbers of blocks: row by row is the same.
        unused = np.full((rows, blocks % 2), 8, np.uint8)
        zero_points = pack_nibbles(np.concatenate([zero_points, unused], axis=1))
    return [levels.tobytes(), scales.tobytes(), zero_points.tobytes()]


def pack_nibbles(levels):
    return (levels[..., ::2] & 15) | (levels[..., 1::2] << 4)
