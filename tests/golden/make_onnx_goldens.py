#!/usr/bin/env python3
"""Writes onnx/CASE.json: what the builder of onnxruntime-genai makes of the checkpoints of tests/conformance/onnx_cases.py.

Run it when a case is added or the reference version is raised on purpose, in an environment with onnxruntime-genai 0.18.0,
onnxruntime 1.32.0, onnx 1.23.2, onnx-ir 1.1.0, transformers 5.24.0, numpy 2.4.6 and torch 2.11.0 (on the CPU):

    tests/golden/make_onnx_goldens.py [CASE…]

and with --logits for onnx/phi3-longrope-logits.json.
"""
import contextlib
import os
import pathlib
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
import onnxruntime_genai  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "conformance"))
sys.path.insert(0, str(pathlib.Path(onnxruntime_genai.__file__).parent / "models"))
import builder  # noqa: E402
import onnx_cases  # noqa: E402
import onnx_description  # noqa: E402
import onnx_runtime  # noqa: E402
import synthetic  # noqa: E402

MIXED = {"last_matmul": "last_matmul:int8", "layers": "last_matmul:int8,mixed_layers:int8"}
NAMES = {"block_size": "block_size", "symmetric": "is_symmetric", "algorithm": "algo_config", "accuracy_level": "accuracy_level",
         "mixed": "matmul_mixed_precision"}


def build(checkpoint, out, target):
    scheme, options = onnx_cases.parse(target)
    ep = options.pop("ep")
    options["mixed"] = MIXED.get(options.get("mixed"))
    extra = [f"{NAMES[name]}={value}" for name, value in options.items() if value]
    arguments = "", str(checkpoint), str(out), scheme, ep, str(out / "cache")
    with contextlib.redirect_stdout(sys.stderr):
        builder.create_model(*arguments, **builder.parse_extra_options(*arguments, extra))
    return out


def write_case(name, work):
    case, targets = onnx_cases.CASES[name]
    checkpoint = synthetic.make(work / name, case)
    described = {}
    for target in targets:
        folder = build(checkpoint, work / target, target)
        described[target] = onnx_description.describe(folder)
    onnx_description.write_goldens(HERE / "onnx" / f"{name}.json", described)


def write_logits(work):
    model = onnx_runtime.Model(build(synthetic.make(work / "checkpoint", onnx_cases.LOGITS_CASE), work / "fp32", "fp32"))
    logits = {length: model.logits(onnx_cases.logits_tokens(length))[-1][:64] for length in onnx_cases.LOGITS_LENGTHS}
    rows = ",\n".join(f'"{length}": {[round(float(value), 5) for value in row]}' for length, row in logits.items())
    (HERE / "onnx" / "phi3-longrope-logits.json").write_text(f"{{\n{rows}\n}}\n")


def main():
    with tempfile.TemporaryDirectory() as work:
        if sys.argv[1:] == ["--logits"]:
            return write_logits(pathlib.Path(work))
        for name in sys.argv[1:] or onnx_cases.CASES:
            write_case(name, pathlib.Path(work))


main()
