"""Every MLX affine codec against mx.quantize, byte for byte."""
import numpy as np
import pytest

import distributions

mx = pytest.importorskip("mlx.core")

STORED = {"F16": mx.float16, "BF16": mx.bfloat16, "F32": mx.float32}
ROWS, COLUMNS = 16, 1536


def as_bytes(array):
    return np.array(array.view(mx.uint16) if array.dtype in (mx.bfloat16, mx.float16) else array).tobytes()


@pytest.mark.parametrize("distribution", distributions.ALL, ids=lambda d: d.__name__)
@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("group", [32, 64, 128])
@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
def test_bytes_equal_mlx(encode, bits, group, stored, distribution):
    weights = mx.array(distribution(np.random.default_rng(1), ROWS * COLUMNS).reshape(ROWS, COLUMNS)).astype(STORED[stored])
    planes = mx.quantize(weights, group_size=group, bits=bits, stream=mx.cpu)
    expected = b"".join(as_bytes(plane) for plane in planes)
    assert encode(f"MLX_I{bits}_G{group}_{stored}", np.array(weights.astype(mx.float32))) == expected


@pytest.mark.parametrize("distribution", distributions.ALL, ids=lambda d: d.__name__)
@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
def test_decoded_weights_equal_mlx(encode, decode, bits, distribution):
    """For models in float32; MLX rounds each operation to a 16-bit model's own type, Decode gives what is stored."""
    weights = mx.array(distribution(np.random.default_rng(4), ROWS * COLUMNS).reshape(ROWS, COLUMNS))
    planes = mx.quantize(weights, group_size=64, bits=bits, stream=mx.cpu)
    expected = mx.dequantize(*planes, group_size=64, bits=bits, stream=mx.cpu)
    name = f"MLX_I{bits}_G64_F32"
    assert decode(name, encode(name, np.array(weights)), COLUMNS) == as_bytes(expected)
