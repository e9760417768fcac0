#!/usr/bin/env python3
"""Writes what optimum-intel 2.2.0 and NNCF 3.4.0 make of the checkpoints of tests/conformance:

    openvino/figures.json          of SmolLM2 under each target of openvino_cases.EXPORTS: the mean negative log-likelihood of
                                   eval_text.txt, and the greedy text that LLMPipeline goes on with
    openvino/longrope-logits.json  of phi3-longrope, below and above its original context
    openvino/phi3-NAME.json        type, shape and SHA-256 of the constants of three exports

Run it when a case is added or the reference version is raised on purpose: with the Python of build/venv, and optimum-cli in the
environment that `bench/peers.sh openvino` makes.

    build/venv/bin/python tests/golden/make_openvino_goldens.py
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import openvino_genai
import tokenizers

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "conformance"))
import openvino_cases  # noqa: E402
import openvino_runtime  # noqa: E402
import synthetic  # noqa: E402

OPTIMUM = ROOT / "build" / "openvino-venv" / "bin" / "optimum-cli"


def export(checkpoint, folder, options):
    subprocess.run([OPTIMUM, "export", "openvino", "-m", checkpoint, "--task", "text-generation-with-past", *options, folder], check=True,
                   stdout=sys.stderr, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    return folder


def write(name, rows):
    (HERE / "openvino" / f"{name}.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")


def figures_of(folder, tokens):
    pipeline = openvino_genai.LLMPipeline(str(folder), "CPU", **openvino_runtime.EXACT)
    text = pipeline.generate(openvino_cases.PROMPT, max_new_tokens=openvino_cases.NEW_TOKENS, apply_chat_template=False)
    likelihood = openvino_runtime.mean_negative_log_likelihood(openvino_runtime.Model(folder), tokens)
    return {"negative_log_likelihood": round(likelihood, 6), "text": str(text)}


def write_smollm2(work):
    rows, llama = [], work / "smollm2"
    subprocess.run([sys.executable, ROOT / "tests" / "support" / "make_smollm2.py", llama], check=True)
    for family, checkpoint in {"llama": llama, "phi3": openvino_cases.smollm2_phi3(work)}.items():
        tokens = tokenizers.Tokenizer.from_file(str(checkpoint / "tokenizer.json")).encode(openvino_runtime.EVAL_TEXT).ids
        for target, options in openvino_cases.EXPORTS.items():
            folder = export(checkpoint, work / "export", options)
            rows.append(f"{json.dumps(f'{family} {target}')}: {json.dumps(figures_of(folder, tokens))}")
            print(rows[-1], flush=True)
            if family == "phi3" and target in openvino_cases.STORED:
                constants = openvino_runtime.constants(folder)
                write(openvino_cases.STORED[target], [f"{json.dumps(name)}: {json.dumps(constants[name])}"
                                                      for name in sorted(constants) if "_openvino_orig_weight" in name])
            shutil.rmtree(folder)
    write("figures", rows)


def write_longrope(work):
    checkpoint = synthetic.make(work / "longrope", openvino_cases.CASES["phi3-longrope"])
    model = openvino_runtime.Model(export(checkpoint, work / "export", ["--weight-format", "fp32", "--disable-convert-tokenizer"]))
    logits = {length: model.logits(openvino_cases.TOKENS[:length])[-1][:64] for length in openvino_cases.LONGROPE_LENGTHS}
    write("longrope-logits", [f'"{length}": {[round(float(value), 5) for value in row]}' for length, row in logits.items()])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        write_longrope(pathlib.Path(scratch))
        write_smollm2(pathlib.Path(scratch))
