"""MLX folders against mlx_lm.convert: every tensor, the configuration, and that mlx-lm loads them."""
import json

import mlx.core as mx
import mlx_lm
import pytest

import safetensors_files
import synthetic
from gguf_cases import LLAMA3_SCALING, SAMPLING, longrope
from synthetic import byte_level_files, case

pytestmark = pytest.mark.slow


QUANTIZED = [f"int{bits},group_size={group}" for bits in (2, 3, 4, 5, 6, 8) for group in (32, 64, 128)]
MIXED = [f"{recipe},group_size={group}" for recipe in ("mixed_2_6", "mixed_3_4", "mixed_3_6", "mixed_4_6") for group in (32, 64)]
FLOAT_MODES = ["mxfp4", "mxfp8", "nvfp4"]
PLAIN = {"fp16": "float16", "bf16": "bfloat16", "fp32": "float32"}
ALL = [*QUANTIZED, *MIXED, *FLOAT_MODES, *PLAIN]
FEW = ["int4,group_size=64", "int3,group_size=128", "mixed_3_6,group_size=32", *FLOAT_MODES, *PLAIN]
CASES = {
    "llama-tied-f16": (case("llama", "F16", 3, 256, 384, 4, 2, tied=True), ALL),
    "llama-untied-bf16": (case("llama", "BF16", 2, 128, 256, 4, 4, shards=2), ALL),
    "llama-f32": (case("llama", "F32", 9, 128, 128, 4, 2), FEW),
    "llama-f16-named-bf16": (case("llama", "F16", 1, 128, 128, 4, 2, config={"torch_dtype": "bfloat16"}), FEW),
    "llama-bf16-named-by-dtype": (case("llama", "BF16", 1, 128, 128, 4, 2, config={"torch_dtype": None, "dtype": "bfloat16"}), FEW),
    "llama-3-scaling": (case("llama", "BF16", 2, 128, 128, 4, 2, byte_level_files() | SAMPLING,
                             config={"rope_scaling": LLAMA3_SCALING, "eos_token_id": 2}), FEW),
    "llama-columns": (case("llama", "F16", 2, 160, 96, 5, 1), FEW),
    "phi3-bf16": (case("phi3", "BF16", 3, 256, 384, 4, 4), ALL),
    "phi3-longrope": (case("phi3", "F16", 2, 128, 192, 2, 1, config={"rope_scaling": longrope(32), "_name_or_path": "a/b"}), FEW),
}


def convert(checkpoint, out, target):
    scheme, *group = target.split(",group_size=")
    options = {"dtype": PLAIN[scheme]} if scheme in PLAIN else {"quantize": True, "q_group_size": int(group[0]) if group else None}
    if scheme in FLOAT_MODES:
        options["q_mode"] = scheme
    if scheme.startswith("int"):
        options["q_bits"] = int(scheme[3:])
    if scheme.startswith("mixed"):
        options["quant_predicate"] = scheme
    mlx_lm.convert(str(checkpoint), str(out), **options)
    return out


def configuration(folder):
    return json.loads((folder / "config.json").read_text())


@pytest.fixture(autouse=True)
def on_the_cpu():
    mx.set_default_device(mx.cpu)


@pytest.mark.parametrize("name", CASES)
def test_equals_mlx_lm_convert(name, run_engine, tmp_path):
    case, targets = CASES[name]
    checkpoint = synthetic.make(tmp_path / name, case)
    for target, ours in zip(targets, run_engine.folders(checkpoint, [f"mlx:{target}" for target in targets]), strict=True):
        theirs = convert(checkpoint, tmp_path / f"mlx_lm-{target}", target)
        expected, actual = safetensors_files.read(theirs), safetensors_files.read(ours)
        assert sorted(actual) == sorted(expected), target
        assert [tensor for tensor in expected if actual[tensor] != expected[tensor]] == [], target
        written = configuration(theirs)
        if target in PLAIN:  # mlx_lm leaves the source's name of the type
            key = "dtype" if "dtype" in written else "torch_dtype"
            written[key] = PLAIN[target]
        assert configuration(ours) == written, target
        for file in checkpoint.iterdir():
            if file.name.startswith(("tokenizer", "generation", "special")):
                assert (ours / file.name).read_bytes() == file.read_bytes()


@pytest.mark.parametrize("scheme", ["int4", *FLOAT_MODES])
@pytest.mark.parametrize("name", ["llama-tied-f16", "phi3-longrope", "llama-columns"])
def test_mlx_lm_runs_the_folder(name, scheme, run_engine, tmp_path):
    checkpoint = synthetic.make(tmp_path / name, CASES[name][0])
    [ours] = run_engine.folders(checkpoint, [f"mlx:{scheme}"])
    tokens = mx.array([[1, 5, 9, 30, 60]])
    theirs = convert(checkpoint, tmp_path / "mlx_lm", scheme)
    logits = [mlx_lm.load(str(folder))[0](tokens) for folder in (ours, theirs)]
    assert mx.array_equal(*logits)
