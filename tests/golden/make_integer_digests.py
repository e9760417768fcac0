#!/usr/bin/env python3
"""Writes integer_digests.txt: SHA-256 of what onnxruntime's and NNCF's quantizers make of golden_weights.py's weights.

NNCF is not in tests/conformance/requirements.txt, because it brings much with it. Its numpy path runs without torch and OpenVINO,
in an environment of its own, when a codec is added or the reference versions are raised on purpose (from the repository's root):

    python3 -m venv /tmp/integers
    /tmp/integers/bin/pip install --no-deps onnxruntime==1.32.0 onnx==1.23.2 onnx-ir==1.1.0 nncf==3.4.0 numpy==2.4.6 protobuf==7.36.2 \\
        ml_dtypes sympy mpmath packaging natsort networkx jsonschema attrs jsonschema-specifications referencing rpds-py rich psutil pydot \\
        scipy scikit-learn tabulate pandas pyparsing pygments typing_extensions safetensors
    /tmp/integers/bin/python tests/golden/make_integer_digests.py > tests/golden/integer_digests.txt

The lines are those of make_codec_digests.py. Codecs of ONNX with F16 scales get weights that were rounded to F16.
"""
import hashlib
import pathlib
import sys
from importlib import metadata

import numpy as np

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "conformance"))
import onnx_reference  # noqa: E402
import openvino_reference  # noqa: E402
from golden_weights import COLUMNS, DISTRIBUTIONS, ROWS  # noqa: E402

TYPES = {"F32": np.float32, "F16": np.float16}
BLOCKS = {"DEFAULT": (16, 32, 64, 128, 256), "RTN": (32, 128), "KQUANT": (32, 128, 256)}


def onnx_forms():
    for algorithm, kinds in onnx_reference.ALGORITHMS.items():
        for block in BLOCKS[algorithm]:
            for bits in (4, 8):
                for symmetric in kinds:
                    for stored in TYPES if block == 32 else ("F32",):
                        yield bits, block, symmetric, algorithm, stored


def print_line(codec, distribution, planes):
    print(codec, "none", distribution, hashlib.sha256(b"".join(planes)).hexdigest())


def main():
    print("# By make_integer_digests.py from", ", ".join(f"{name} {metadata.version(name)}" for name in ("onnxruntime", "nncf", "numpy")) + ".")
    for distribution, weights in DISTRIBUTIONS.items():
        weights = np.ascontiguousarray(weights.reshape(ROWS, COLUMNS))
        for bits, block, symmetric, algorithm, stored in onnx_forms():
            planes = onnx_reference.quantize(weights.astype(TYPES[stored]), bits, block, symmetric, algorithm)
            print_line(onnx_reference.codec_name(bits, block, symmetric, algorithm, stored), distribution, planes)
        for form in openvino_reference.FORMS:
            print_line(openvino_reference.codec_name(*form), distribution, openvino_reference.quantize(weights, *form))
        for form in openvino_reference.FLOAT_FORMS:
            print_line(openvino_reference.float_codec_name(*form), distribution, openvino_reference.quantize_floats(weights, *form))


if __name__ == "__main__":
    main()
