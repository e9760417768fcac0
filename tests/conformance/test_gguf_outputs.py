"""GGUF files against llama.cpp's converter and quantizer: every tensor and every metadata value (tests/golden/gguf)."""
import json

import pytest

import gguf_cases
import gguf_file
import synthetic
from repository import ROOT

pytestmark = pytest.mark.slow


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
def test_tensors_equal_llama_quantize(name, run_engine, tmp_path):
    case, targets = gguf_cases.WEIGHTS[name]
    folder = synthetic.make(tmp_path / name, case)
    targets = [case["dtype"], *targets]
    out = run_engine.folders(folder, [f"gguf:{target}" for target in targets], name)
    check(name, {target: next(folder.glob("*.gguf")) for target, folder in zip(targets, out, strict=True)})


@pytest.mark.parametrize("name", gguf_cases.METADATA)
def test_metadata_equals_the_converter(name, run_engine, tmp_path):
    case = gguf_cases.METADATA[name]
    stem = name.removeprefix("meta-")
    [out] = run_engine.folders(synthetic.make(tmp_path / stem, case), [f"gguf:{case['dtype']}"])
    check(name, {case["dtype"]: next(out.glob("*.gguf"))})


def test_smollm2_in_every_file_type(smollm2, run_engine):
    targets = ["F16", *gguf_cases.SMOLLM2]
    out = run_engine.folders(smollm2, [f"gguf:{target}" for target in targets])
    check(smollm2.name, {target: next(folder.glob("*.gguf")) for target, folder in zip(targets, out, strict=True)})
