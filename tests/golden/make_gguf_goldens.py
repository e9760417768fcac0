#!/usr/bin/env python3
"""Writes gguf/CASE.json: what llama.cpp's own converter and quantizer make of the checkpoints of tests/conformance.

Run it when a case is added or the reference version is raised on purpose. It needs llama.cpp's sources and its shared library of
the version in docs/formats/gguf.md (both come with llama-cpp-python 0.3.36), and an environment with torch 2.11.0, transformers
4.57.6, sentencepiece, protobuf<5, safetensors and numpy:

    tests/golden/make_gguf_goldens.py LLAMA_CPP_SOURCES LIBLLAMA [CASE…]

An argument FOLDER=NAME makes gguf/NAME.json of a checkpoint folder instead of a case.

The converter knows a pre-tokenizer by a hash over a real vocabulary, which small ones never match, so its answer for those is given
here, in PRE_TOKENIZERS.
"""
import ctypes
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "conformance"))
import gguf_cases  # noqa: E402
import gguf_file  # noqa: E402
import synthetic  # noqa: E402

PRE_TOKENIZERS = {"meta-llama3": "llama-bpe", "meta-llama3-parameters": "llama-bpe"}
CONVERT = """
import runpy, sys
sources, name = sys.argv[1:3]
sys.path[:0] = [sources, sources + "/gguf-py"]
from conversion.base import TextModel
if name:
    TextModel.get_vocab_base_pre = lambda self, tokenizer: name
sys.argv = ["convert_hf_to_gguf.py"] + sys.argv[3:]
runpy.run_path(sources + "/convert_hf_to_gguf.py", run_name="__main__")
"""
NO_TYPE = 1 << 20  # at least GGML_TYPE_COUNT: not chosen
GGML_NUMBERS = {name: number for number, (name, _, _) in gguf_file.TYPES.items()}


class Override(ctypes.Structure):
    _fields_ = [("pattern", ctypes.c_char_p), ("type", ctypes.c_int)]


class Parameters(ctypes.Structure):
    """llama_model_quantize_params (llama.h)."""
    _fields_ = [("nthread", ctypes.c_int32), ("ftype", ctypes.c_int), ("output_tensor_type", ctypes.c_int),
                ("token_embedding_type", ctypes.c_int), ("allow_requantize", ctypes.c_bool), ("quantize_output_tensor", ctypes.c_bool),
                ("only_copy", ctypes.c_bool), ("pure", ctypes.c_bool), ("keep_split", ctypes.c_bool), ("dry_run", ctypes.c_bool),
                ("imatrix", ctypes.c_void_p), ("kv_overrides", ctypes.c_void_p), ("tt_overrides", ctypes.POINTER(Override)),
                ("prune_layers", ctypes.c_void_p), ("max_buf_size", ctypes.c_size_t)]


def load_library(path):
    library = ctypes.CDLL(path)
    library.llama_model_quantize_default_params.restype = Parameters
    library.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(Parameters)]
    library.llama_model_quantize.restype = ctypes.c_uint32
    return library


def quantize(library, source, target, out):
    scheme, *options = target.split(",")
    parameters = library.llama_model_quantize_default_params()
    parameters.nthread, parameters.ftype = 2, gguf_cases.FILE_TYPES[scheme]
    overrides = []
    for option in options:
        name, value = option.split("=", 1)
        if name == "tensor_type":
            pattern, kind = value.rsplit("=", 1)
            overrides.append(Override(pattern.encode(), GGML_NUMBERS[kind]))
        elif name == "pure":
            parameters.pure = True
        elif name == "leave_output_tensor":
            parameters.quantize_output_tensor = False
        else:
            setattr(parameters, name, GGML_NUMBERS[value])
    if overrides:
        parameters.tt_overrides = (Override * (len(overrides) + 1))(*overrides, Override(None, 0))
    assert library.llama_model_quantize(str(source).encode(), str(out).encode(), ctypes.byref(parameters)) == 0, target


def convert(sources, folder, out, outtype, pre_tokenizer):
    command = [sys.executable, "-c", CONVERT, sources, pre_tokenizer, folder, "--outfile", out, "--outtype", outtype]
    subprocess.run(command, check=True, env=os.environ | {"NO_LOCAL_GGUF": ""}, stderr=subprocess.PIPE)


def golden(sources, library, folder, pre_tokenizer, float_type, targets, work):
    """`float_type` is the checkpoint's own, from which llama-quantize then starts."""
    float_file = work / "float.gguf"
    convert(sources, folder, float_file, float_type.lower(), pre_tokenizer)
    described = gguf_file.GgufFile(float_file)
    result = {"metadata": gguf_file.describe_metadata(described), "targets": {float_type: gguf_file.describe_tensors(described)}}
    for target in targets:
        out = work / "quantized.gguf"
        quantize(library, float_file, target, out)
        result["targets"][target] = gguf_file.describe_tensors(gguf_file.GgufFile(out))
        if target in gguf_cases.FILE_TYPES and target not in ("F32", "F16", "BF16"):
            result["metadata"] = gguf_file.describe_metadata(gguf_file.GgufFile(out))
    return result


def write(name, result):
    lines = [f'"metadata": {{\n' + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in result["metadata"].items()) + "\n}"]
    lines.append('"targets": {\n' + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in result["targets"].items()) + "\n}")
    (HERE / "gguf").mkdir(exist_ok=True)
    (HERE / "gguf" / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main():
    sources, library, chosen = sys.argv[1], load_library(sys.argv[2]), sys.argv[3:]
    cases = {name: (case, targets) for name, (case, targets) in gguf_cases.WEIGHTS.items()}
    cases |= {name: (case, []) for name, case in gguf_cases.METADATA.items()}
    folders = dict(reversed(choice.split("=")) for choice in chosen if "=" in choice)
    for name, folder in folders.items():
        with tempfile.TemporaryDirectory() as work:
            write(name, golden(sources, library, folder, "", "F16", gguf_cases.SMOLLM2, pathlib.Path(work)))
    for name, (case, targets) in cases.items():
        if chosen and name not in chosen:
            continue
        with tempfile.TemporaryDirectory() as work:
            folder = synthetic.make(pathlib.Path(work) / name.removeprefix("meta-"), case)
            pre = PRE_TOKENIZERS.get(name, "smollm")
            try:
                write(name, golden(sources, library, folder, pre, case["dtype"], targets, pathlib.Path(work)))
            except subprocess.CalledProcessError as error:
                print(f"{name}: the converter refuses it: {error.stderr.decode().strip().splitlines()[-1]}", file=sys.stderr)


main()
