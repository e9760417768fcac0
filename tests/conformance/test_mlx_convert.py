"""Every MLX folder equals what mlx_lm.convert makes: tensors byte for byte, and the configuration."""
import json

import mlx.core as mx
import mlx_lm
import pytest

import checkpoints
import safetensors_files
from checkpoints import Shape

mx.set_default_device(mx.cpu)

SHAPES = {
    "llama": Shape(),
    "llama-tied": Shape(tied=True, dtype="BF16"),
    "llama-single": Shape(dtype="F32", layers=9),
    "llama3-rope": Shape(rope_scaling="llama3", dtype="BF16", shards=3),
    "llama-odd-columns": Shape(hidden=288, wide=352, heads=3, key_value_heads=3, dtype="BF16"),
    "phi3": Shape(family="phi3", dtype="BF16", layers=17),
    "phi3-longrope": Shape(family="phi3", rope_scaling="longrope", key_value_heads=4),
}

UNIFORM = {f"int{bits}-g{group}": (f"mlx:int{bits},group_size={group}", dict(quantize=True, q_bits=bits, q_group_size=group))
           for bits in (2, 3, 4, 5, 6, 8) for group in (32, 64, 128)}
MIXED = {recipe: (f"mlx:{recipe}", dict(quantize=True, quant_predicate=recipe, q_group_size=64))
         for recipe in ("mixed_2_6", "mixed_3_4", "mixed_3_6", "mixed_4_6")}
PLAIN = {scheme: (f"mlx:{scheme}", dict(dtype=dtype))
         for scheme, dtype in (("fp16", "float16"), ("bf16", "bfloat16"), ("fp32", "float32"))}
DEFAULT = {"int4": ("mlx:int4", dict(quantize=True))}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("mlx")


@pytest.fixture(scope="module", params=SHAPES)
def checkpoint(request, work):
    checkpoints.make(work / request.param, SHAPES[request.param])
    return work / request.param


@pytest.mark.parametrize("recipe", UNIFORM | MIXED | PLAIN | DEFAULT)
def test_equals_mlx_lm_convert(checkpoint, recipe, tmp_path, run_engine, capfd):
    target, settings = (UNIFORM | MIXED | PLAIN | DEFAULT)[recipe]
    [ours] = run_engine(checkpoint, [target]).values()
    expected = tmp_path / "expected"
    mlx_lm.convert(str(checkpoint), str(expected), **settings)
    assert safetensors_files.read(ours) == safetensors_files.read(expected)
    config, expected_config = (json.loads((folder / "config.json").read_text()) for folder in (ours, expected))
    if "dtype" in settings:  # mlx_lm leaves the source's name there
        expected_config["torch_dtype"] = settings["dtype"]
    assert config == expected_config


def test_loads_and_predicts_like_the_converted(checkpoint, tmp_path, run_engine):
    if "odd" in checkpoint.name:
        pytest.skip("a head of 96 dimensions, which mlx's attention on the CPU takes long for")
    [ours] = run_engine(checkpoint, ["mlx:int8"]).values()
    expected = tmp_path / "expected"
    mlx_lm.convert(str(checkpoint), str(expected), quantize=True, q_bits=8)
    tokens = mx.array([[5, 6, 7, 8]])
    logits = [mlx_lm.load(str(folder))[0](tokens) for folder in (ours, expected)]
    assert mx.array_equal(*logits)


def test_gguf_sources_give_the_same_weights_and_tokens(checkpoint, run_engine):
    """Through a GGUF file of the checkpoint's own type nothing is lost but the type of norms."""
    plain = SHAPES[checkpoint.name].dtype
    gguf = run_engine(checkpoint, [f"gguf:{plain}"])[f"gguf-{plain}"]
    direct, through = (run_engine(source, ["mlx:int4"])["mlx-int4"] for source in (checkpoint, gguf.parent))
    assert safetensors_files.read(direct) == safetensors_files.read(through)
    encode = [mlx_lm.load(str(folder))[1].encode for folder in (direct, through)]
    text = "Hello GGUF 123\n\tund mehr, n\u00e4mlich \u65e5\u672c."
    assert encode[0](text) == encode[1](text)
    configs = [json.loads((folder / "config.json").read_text()) for folder in (direct, through)]
    for key in ("rope_scaling", "rope_theta", "max_position_embeddings", "tie_word_embeddings", "quantization", "rms_norm_eps"):
        assert configs[0].get(key) == configs[1].get(key), key
