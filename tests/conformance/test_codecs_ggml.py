"""Every GGUF codec against ggml's own quantizer, byte for byte, on every CPU target that this machine can run."""
import ctypes
import functools

import numpy as np
import pytest

import distributions
import ggml_library
from ggml_library import GGML_TYPES, REQUIRES_IMPORTANCE, USES_IMPORTANCE

TARGETS = ["scalar", "sse4", "avx2", "avx512"]
ROW_DECODERS = {"F16": "ggml_fp16_to_fp32_row", "BF16": "ggml_bf16_to_fp32_row",
                **{name: f"dequantize_row_{name.lower()}".replace("_k", "_K") for name in GGML_TYPES
                   if name not in ("F32", "F16", "BF16")}}
COLUMNS = 1536
ROWS = 24  # of each distribution
CASES = [(name, importance) for name in GGML_TYPES for importance in ("none", "random", "sparse")
         if (importance == "none" and name not in REQUIRES_IMPORTANCE) or (importance != "none" and name in USES_IMPORTANCE)]


@pytest.fixture(scope="session")
def ggml():
    return ggml_library.load()


def importance_of(kind, columns):
    """One number a column: mean squares as a calibration run gives them; `sparse` has columns that were never active."""
    if kind == "none":
        return None
    importance = np.random.default_rng(5).standard_exponential(columns).astype(np.float32)
    if kind == "sparse":
        importance[np.random.default_rng(6).integers(0, 4, columns) == 0] = 0
    return importance


@functools.lru_cache
def all_distributions(seed):
    return np.concatenate([distribution(np.random.default_rng(seed), ROWS * COLUMNS).reshape(ROWS, COLUMNS)
                           for distribution in distributions.ALL])


@functools.lru_cache
def ggml_bytes(name, importance):
    return ggml_library.quantize(ggml_library.load(), name, all_distributions(1), importance_of(importance, COLUMNS))


def differing(ours, theirs):
    """Names of the distributions whose rows are not the same bytes."""
    assert len(ours) == len(theirs)
    size = len(theirs) // len(distributions.ALL)
    return [distribution.__name__ for i, distribution in enumerate(distributions.ALL)
            if ours[i * size:(i + 1) * size] != theirs[i * size:(i + 1) * size]]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name,importance", CASES)
def test_bytes_equal_ggml(cpu_targets, encode, name, importance, target):
    if target not in cpu_targets:
        pytest.skip(f"this processor has no {target}")
    ours = encode(name, all_distributions(1), importance_of(importance, COLUMNS), target)
    assert differing(ours, ggml_bytes(name, importance)) == []


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ROW_DECODERS)
def test_decoded_weights_equal_ggml(cpu_targets, ggml, decode, name, target):
    if target not in cpu_targets:
        pytest.skip(f"this processor has no {target}")
    weights = all_distributions(1)
    blocks = ggml_bytes(name, "random" if name in USES_IMPORTANCE else "none")
    expected = np.empty(weights.shape, np.float32)
    decode_row = getattr(ggml, ROW_DECODERS[name])
    decode_row.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int64]
    decode_row.restype = None
    decode_row(blocks, expected.ctypes.data, weights.size)
    assert decode(name, blocks, COLUMNS, target) == expected.tobytes()


@pytest.mark.parametrize("name", [name for name in ROW_DECODERS if name.startswith("IQ")])
def test_any_bytes_decode_as_ggml(ggml, decode, name):
    """Every index of the grids, and every sign and scale, stands for the same weights."""
    ggml.ggml_type_size.restype = ctypes.c_size_t
    size = ggml.ggml_type_size(GGML_TYPES[name])
    blocks = np.random.default_rng(4).integers(0, 256, 4096 * size).astype(np.uint8).tobytes()
    columns = 4096 * ggml_library.block_of(name)
    expected = np.empty(columns, np.float32)
    decode_row = getattr(ggml, ROW_DECODERS[name])
    decode_row.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int64]
    decode_row.restype = None
    decode_row(blocks, expected.ctypes.data, columns)
    decoded = np.frombuffer(decode(name, blocks, columns), np.float32)
    assert np.array_equal(decoded, expected, equal_nan=True)


@pytest.mark.parametrize("blocks", [1, 3, 11, 17, 45])
@pytest.mark.parametrize("name,importance", CASES)
def test_any_number_of_blocks_in_a_row(ggml, encode, name, importance, blocks):
    columns = blocks * ggml_library.block_of(name)
    weights = distributions.gaussian(np.random.default_rng(2), 7 * columns).reshape(7, columns)
    column_weights = importance_of(importance, columns)
    assert encode(name, weights, column_weights) == ggml_library.quantize(ggml, name, weights, column_weights)


@pytest.mark.parametrize("name,importance", CASES)
def test_a_million_gaussian_weights(ggml, encode, name, importance):
    weights = distributions.gaussian(np.random.default_rng(3), 1 << 20).reshape(256, 4096)
    column_weights = importance_of(importance, 4096)
    assert encode(name, weights, column_weights) == ggml_library.quantize(ggml, name, weights, column_weights)
