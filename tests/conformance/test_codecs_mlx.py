"""Every MLX codec against mx.quantize, byte for byte, on every CPU target that this machine can run."""
import functools

import mlx.core as mx
import numpy as np
import pytest

import distributions

TARGETS = ["scalar", "sse4", "avx2", "avx512"]
STORED = {"F16": mx.float16, "BF16": mx.bfloat16, "F32": mx.float32}
FLOAT_MODES = {"mxfp4": (4, 32), "mxfp8": (8, 32), "nvfp4": (4, 16)}
AFFINE = {f"MLX_I{bits}_G{group}_{stored}": ("affine", bits, group, stored)
          for bits in (2, 3, 4, 5, 6, 8) for group in (32, 64, 128) for stored in STORED}
FLOAT = {f"MLX_{mode.upper()}_{stored}": (mode, bits, group, stored)
         for mode, (bits, group) in FLOAT_MODES.items() for stored in STORED}
CODECS = AFFINE | FLOAT
ROWS, COLUMNS = 16, 1536  # of each distribution


def beyond_the_scale(rng, n):
    """Weights that nvfp4's scale is too small for: differences to the elements' values become equal."""
    return (rng.standard_normal(n) * 10.0 ** rng.integers(3, 30, n // 16).repeat(16)).astype(np.float32)


def next_to_powers_of_two(rng, n):
    """Largest magnitudes whose sixth (or 448th) part lies at a power of two or beside it."""
    weights = rng.uniform(-1, 1, n).astype(np.float32)
    largest = rng.choice([6.0, 448.0], n // 16) * 2.0 ** rng.integers(-20, 8, n // 16) * (1 + rng.integers(-2, 3, n // 16) * 2.0**-8)
    return (weights.reshape(-1, 16) * largest[:, None]).clip(-largest[:, None], largest[:, None]).astype(np.float32).reshape(n)


def subnormal_halves(rng, n):
    """Small multiples of binary16's smallest number: the scale loses half of its value to rounding."""
    return (rng.integers(-20, 21, n) >> rng.integers(0, 5, n // 16).repeat(16)).astype(np.float32) * np.float32(2.0**-24)


ALL = [*distributions.ALL, beyond_the_scale, next_to_powers_of_two, subnormal_halves]


def as_bytes(array):
    return np.array(array.view(mx.uint16) if array.dtype in (mx.bfloat16, mx.float16) else array).tobytes()


@functools.lru_cache
def model_weights(stored, columns=COLUMNS, rows=ROWS):
    """Rows of all distributions in the model's type. What the type cannot hold is brought into its range."""
    weights = np.concatenate([distribution(np.random.default_rng(1), rows * columns).reshape(rows, columns) for distribution in ALL])
    if stored == "F16":
        weights = weights.clip(-65504, 65504)
    return mx.array(weights).astype(STORED[stored])


def quantize(name, weights):
    mode, bits, group, _ = CODECS[name]
    return mx.quantize(weights, group_size=group, bits=bits, mode=mode, stream=mx.cpu)


def floats(weights):
    return np.array(weights.astype(mx.float32))


def differing(ours, planes):
    """Names of the distributions whose rows are not the same bytes."""
    different = []
    for plane in planes:
        theirs = as_bytes(plane)
        mine, ours = ours[:len(theirs)], ours[len(theirs):]
        size = len(theirs) // len(ALL)
        different += [distribution.__name__ for i, distribution in enumerate(ALL)
                      if mine[i * size:(i + 1) * size] != theirs[i * size:(i + 1) * size]]
    assert ours == b""
    return different


@functools.lru_cache
def mlx_planes(name):
    return quantize(name, model_weights(CODECS[name][3]))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", CODECS)
def test_bytes_equal_mlx(cpu_targets, encode, name, target):
    if target not in cpu_targets:
        pytest.skip(f"this processor has no {target}")
    ours = encode(name, floats(model_weights(CODECS[name][3])), target=target)
    assert differing(ours, mlx_planes(name)) == []


@pytest.mark.parametrize("groups", [1, 3, 17, 33])
@pytest.mark.parametrize("name", CODECS)
def test_any_number_of_groups_in_a_row(encode, name, groups):
    mode, _, group, stored = CODECS[name]
    rows = 6  # an even number: MLX wants 32 weights at least of nvfp4
    weights = distributions.gaussian(np.random.default_rng(2), rows * groups * group).reshape(rows, groups * group)
    weights = mx.array(weights).astype(STORED[stored])
    assert encode(name, floats(weights)) == b"".join(map(as_bytes, quantize(name, weights)))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", [name for name in CODECS if name.endswith("_F32")])
def test_decoded_weights_equal_mlx(cpu_targets, decode, name, target):
    """For models in float32; MLX rounds each operation to a 16-bit model's own type, Decode gives what is stored."""
    if target not in cpu_targets:
        pytest.skip(f"this processor has no {target}")
    mode, bits, group, _ = CODECS[name]
    planes = mlx_planes(name)
    expected = mx.dequantize(*planes, group_size=group, bits=bits, mode=mode, stream=mx.cpu, dtype=mx.float32)
    assert decode(name, b"".join(map(as_bytes, planes)), COLUMNS, target) == as_bytes(expected)
