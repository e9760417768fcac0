"""Every codec of OpenVINO's integers and 4-bit floats against NNCF, byte for byte."""
import functools

import numpy as np
import pytest

import distributions
import openvino_reference
from openvino_reference import FLOAT_FORMS, FORMS, codec_name, float_codec_name

TARGETS = ["scalar", "sse4", "avx2", "avx512"]
ROWS = 6  # of each distribution


@functools.lru_cache
def all_distributions(columns):
    return np.concatenate([distribution(np.random.default_rng(1), ROWS * columns // 256 * 256 + 1536)[:ROWS * columns].reshape(ROWS, columns)
                           for distribution in distributions.ALL])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: codec_name(*form))
def test_bytes_equal_nncf(cpu_targets, encode, form, target):
    if target not in cpu_targets:
        pytest.skip(f"this processor has no {target}")
    weights = all_distributions(1536)
    assert encode(codec_name(*form), weights, target=target) == b"".join(openvino_reference.quantize(weights, *form))


@pytest.mark.parametrize("columns", [2, 38, 2048, 4100])
@pytest.mark.parametrize("form", [form for form in FORMS if form[1] == -1], ids=lambda form: codec_name(*form))
def test_whole_rows_of_any_length(encode, form, columns):
    weights = all_distributions(columns)
    assert encode(codec_name(*form), weights) == b"".join(openvino_reference.quantize(weights, *form))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("form", FLOAT_FORMS, ids=lambda form: float_codec_name(*form))
def test_bytes_of_floats_equal_nncf(cpu_targets, encode, form, target):
    if target not in cpu_targets:
        pytest.skip(f"this processor has no {target}")
    weights = all_distributions(1536)
    assert encode(float_codec_name(*form), weights, target=target) == b"".join(openvino_reference.quantize_floats(weights, *form))
