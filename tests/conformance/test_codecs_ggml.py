"""Every GGUF codec against ggml's own quantizer, byte for byte."""
import ctypes

import numpy as np
import pytest

import distributions
import ggml_library
from ggml_library import GGML_TYPES

ROW_DECODERS = {"F16": "ggml_fp16_to_fp32_row", "BF16": "ggml_bf16_to_fp32_row",
                **{name: f"dequantize_row_{name[0].lower()}{name[1:]}" for name in GGML_TYPES if name[0] == "Q"}}
COLUMNS = 1536
ROWS = 24


@pytest.fixture(scope="session")
def ggml():
    return ggml_library.load()


@pytest.mark.parametrize("distribution", distributions.ALL, ids=lambda d: d.__name__)
@pytest.mark.parametrize("name", GGML_TYPES)
def test_bytes_equal_ggml(ggml, encode, name, distribution):
    weights = distribution(np.random.default_rng(1), ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    assert encode(name, weights) == ggml_library.quantize(ggml, name, weights)


@pytest.mark.parametrize("distribution", distributions.ALL, ids=lambda d: d.__name__)
@pytest.mark.parametrize("name", ROW_DECODERS)
def test_decoded_weights_equal_ggml(ggml, decode, name, distribution):
    weights = distribution(np.random.default_rng(4), ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    blocks = ggml_library.quantize(ggml, name, weights)
    expected = np.empty(weights.shape, np.float32)
    decode_row = getattr(ggml, ROW_DECODERS[name])
    decode_row.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int64]
    decode_row(blocks, expected.ctypes.data, weights.size)
    assert decode(name, blocks, COLUMNS) == expected.tobytes()


@pytest.mark.parametrize("columns", [32, 96, 4096, 2880])
@pytest.mark.parametrize("name", ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"])
def test_any_number_of_blocks_in_a_row(ggml, encode, name, columns):
    weights = distributions.gaussian(np.random.default_rng(2), 7 * columns).reshape(7, columns)
    assert encode(name, weights) == ggml_library.quantize(ggml, name, weights)


@pytest.mark.parametrize("name", ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"])
def test_a_million_gaussian_weights(ggml, encode, name):
    weights = distributions.gaussian(np.random.default_rng(3), 1 << 20).reshape(256, 4096)
    assert encode(name, weights) == ggml_library.quantize(ggml, name, weights)
