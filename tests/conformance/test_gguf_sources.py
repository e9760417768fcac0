"""GGUF files as sources: to GGUF as llama-quantize would, to MLX as from the checkpoint that the file was made of."""
import json

import mlx.core as mx
import mlx_lm
import pytest

import checkpoints
import llama_cpp_reference as reference
import safetensors_files
from checkpoints import Shape

mx.set_default_device(mx.cpu)

LLAMA3 = Shape(rope_scaling="llama3", dtype="BF16", shards=3)
SOURCES = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K"]


@pytest.mark.parametrize("source", SOURCES)
def test_gguf_sources_equal_llama_quantize(source, tmp_path, run_engine):
    checkpoints.make(tmp_path / "llama", LLAMA3)
    first = run_engine(tmp_path / "llama", [f"gguf:{source}"])[f"gguf-{source}"]
    targets = ["Q4_K_M", "Q8_0", "F16", source]
    ours = run_engine(first.parent, [f"gguf:{target},allow_requantize=true" for target in dict.fromkeys(targets)])
    for target in targets:
        assert reference.quantize(first, tmp_path / "expected.gguf", target, allow_requantize=True)
        assert reference.contents(ours[f"gguf-{target}"]) == reference.contents(tmp_path / "expected.gguf"), target


def test_quantized_sources_need_a_word(tmp_path, run_engine):
    checkpoints.make(tmp_path / "llama")
    first = run_engine(tmp_path / "llama", ["gguf:Q8_0"])["gguf-Q8_0"]
    assert "allow_requantize" in run_engine.error(first.parent, ["gguf:Q4_0"])
    assert "allow_requantize" in run_engine.error(first.parent, ["mlx:int4"])
    run_engine(first.parent, ["gguf:Q8_0"])  # nothing is quantized again


SHAPES = {
    "llama": Shape(),
    "llama-tied": Shape(tied=True, dtype="BF16"),
    "llama-single": Shape(dtype="F32", layers=9),
    "llama3-rope": Shape(rope_scaling="llama3", dtype="BF16", shards=3),
    "llama-odd-columns": Shape(hidden=288, wide=352, heads=3, key_value_heads=3, dtype="BF16"),
    "phi3": Shape(family="phi3", dtype="BF16", layers=17),
    "phi3-longrope": Shape(family="phi3", rope_scaling="longrope", key_value_heads=4),
}


@pytest.mark.parametrize("name", SHAPES)
def test_mlx_through_gguf_has_the_same_weights_and_tokens(name, tmp_path, run_engine):
    """Through a GGUF file of the checkpoint's own type nothing is lost but the type of norms."""
    checkpoint, plain = tmp_path / name, SHAPES[name].dtype
    checkpoints.make(checkpoint, SHAPES[name])
    gguf = run_engine(checkpoint, [f"gguf:{plain}"])[f"gguf-{plain}"]
    direct, through = (run_engine(source, ["mlx:int4"])["mlx-int4"] for source in (checkpoint, gguf.parent))
    assert safetensors_files.read(direct) == safetensors_files.read(through)
    encode = [mlx_lm.load(str(folder))[1].encode for folder in (direct, through)]
    text = "Hello GGUF 123\n\tund mehr, n\u00e4mlich \u65e5\u672c."
    assert encode[0](text) == encode[1](text)
    configs = [json.loads((folder / "config.json").read_text()) for folder in (direct, through)]
    for key in ("rope_scaling", "rope_theta", "max_position_embeddings", "tie_word_embeddings", "quantization", "rms_norm_eps"):
        assert configs[0].get(key) == configs[1].get(key), key
