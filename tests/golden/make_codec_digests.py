#!/usr/bin/env python3
"""Writes codec_digests.txt: SHA-256 of what ggml and MLX, not our codecs, make of golden_weights.py's weights.

Run it in an environment with tests/conformance/requirements.txt, from the repository's root, when a codec is added or the
reference versions are raised on purpose:

    build/venv/bin/python tests/golden/make_codec_digests.py > tests/golden/codec_digests.txt

Line: CODEC IMPORTANCE DISTRIBUTION DIGEST. IMPORTANCE is `none`, or `columns` where golden_weights.py's importance of columns was
given. The digest covers all planes of the codec, one after the other.
"""
import hashlib
import pathlib
import sys
from importlib import metadata

import mlx.core as mx
import numpy as np

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "conformance"))
import ggml_library  # noqa: E402
from golden_weights import COLUMNS, DISTRIBUTIONS, IMPORTANCE, ROWS

STORED = {"F16": mx.float16, "BF16": mx.bfloat16, "F32": mx.float32}
MLX_CODECS = [(bits, 64, "BF16") for bits in (2, 3, 4, 5, 6, 8)] + [(4, 32, "BF16"), (4, 128, "BF16"), (4, 64, "F16"),
                                                                   (4, 64, "F32")]
MLX_FLOAT_CODECS = [("mxfp4", 32, 4), ("mxfp8", 32, 8), ("nvfp4", 16, 4)]


def mlx_bytes(bits, group, stored, weights, mode="affine"):
    planes = mx.quantize(mx.array(weights).astype(STORED[stored]), group_size=group, bits=bits, mode=mode, stream=mx.cpu)
    sixteen_bits = (mx.bfloat16, mx.float16)
    return b"".join(np.array(plane.view(mx.uint16) if plane.dtype in sixteen_bits else plane).tobytes() for plane in planes)


def print_line(codec, importance, distribution, data):
    print(codec, importance, distribution, hashlib.sha256(data).hexdigest())


def main():
    library = ggml_library.load()
    print(f"# By make_codec_digests.py from llama-cpp-python {metadata.version('llama-cpp-python')} (ggml) and mlx {metadata.version('mlx')}.")
    for distribution, weights in DISTRIBUTIONS.items():
        weights = np.ascontiguousarray(weights.reshape(ROWS, COLUMNS))
        for name in ggml_library.GGML_TYPES:
            if name not in ggml_library.REQUIRES_IMPORTANCE:
                print_line(name, "none", distribution, ggml_library.quantize(library, name, weights))
            if name in ggml_library.USES_IMPORTANCE:
                print_line(name, "columns", distribution, ggml_library.quantize(library, name, weights, IMPORTANCE))
        for bits, group, stored in MLX_CODECS:
            print_line(f"MLX_I{bits}_G{group}_{stored}", "none", distribution, mlx_bytes(bits, group, stored, weights))
        for mode, group, bits in MLX_FLOAT_CODECS:
            for stored in STORED:
                name = f"MLX_{mode.upper()}_{stored}"
                print_line(name, "none", distribution, mlx_bytes(bits, group, stored, weights, mode))


if __name__ == "__main__":
    main()
