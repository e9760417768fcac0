"""Every GGUF file equals what llama-quantize makes of the unquantized one: types, bytes and metadata."""
import pytest

import checkpoints
import llama_cpp_reference as reference
from checkpoints import Shape
from gguf_cases import QUANTIZED

pytestmark = pytest.mark.slow

# Each covers another rule of the choice of types.
SHAPES = {
    "llama": Shape(),
    "llama-tied": Shape(tied=True),
    "llama-many-layers": Shape(layers=33, hidden=256, wide=256, heads=8, key_value_heads=1),
    "llama-no-sharing": Shape(layers=9, heads=4, key_value_heads=4, dtype="BF16"),
    "llama-no-block-divides": Shape(layers=3, hidden=192, wide=352, heads=3, key_value_heads=3, dtype="BF16"),
    "llama-no-small-block-divides": Shape(hidden=72, wide=80, heads=3, key_value_heads=3, dtype="F32"),
    "llama-70b": Shape(layers=80, hidden=256, wide=256, heads=8, key_value_heads=1),
    "llama3-rope": Shape(rope_scaling="llama3", dtype="BF16", shards=3),
    "phi3": Shape(family="phi3", layers=5, dtype="BF16"),
    "phi3-longrope": Shape(family="phi3", layers=17, rope_scaling="longrope", key_value_heads=4, dtype="BF16"),
}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("gguf")


@pytest.fixture(scope="module", params=SHAPES)
def shape(request, work, run_engine):
    """Our files of one shape, of every type, by scheme; made in one pass as a job does."""
    name = request.param
    checkpoints.make(work / name, SHAPES[name])
    plain = SHAPES[name].dtype
    artifacts = run_engine(work / name, [f"gguf:{scheme}" for scheme in [plain] + QUANTIZED])
    return name, artifacts[f"gguf-{plain}"], artifacts


@pytest.mark.parametrize("scheme", QUANTIZED)
def test_equals_llama_quantize(shape, scheme, work):
    name, plain, artifacts = shape
    expected = work / f"{name}-{scheme}.gguf"
    if scheme == "Q1_0" and "divides" in name:
        assert not reference.quantize(plain, expected, scheme), "llama-quantize has no type to fall back to; ours takes F16"
        return
    assert reference.quantize(plain, expected, scheme)
    assert reference.contents(artifacts[f"gguf-{scheme}"]) == reference.contents(expected)


OPTIONS = {
    "pure": ("Q4_K_M", "pure=true", {"pure": True}),
    "output_tensor_type": ("Q4_K_M", "output_tensor_type=Q5_0", {"output_tensor_type": 6}),
    "token_embedding_type": ("Q3_K_L", "token_embedding_type=q8_0", {"token_embedding_type": 8}),
    "leave_output_tensor": ("Q5_K_S", "leave_output_tensor=true", {"quantize_output_tensor": False}),
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("shape_name", ["llama", "llama-tied", "phi3"])
def test_options_equal_llama_quantize(shape_name, option, work, tmp_path, run_engine):
    scheme, ours, settings = OPTIONS[option]
    checkpoint = tmp_path / shape_name
    checkpoints.make(checkpoint, SHAPES[shape_name])
    plain = SHAPES[shape_name].dtype
    artifacts = run_engine(checkpoint, [f"gguf:{plain}", f"gguf:{scheme},{ours}"])
    assert reference.quantize(artifacts[f"gguf-{plain}"], tmp_path / "expected.gguf", scheme, **settings)
    assert reference.contents(artifacts[f"gguf-{scheme}"]) == reference.contents(tmp_path / "expected.gguf")
