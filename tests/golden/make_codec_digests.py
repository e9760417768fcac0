#!/usr/bin/env python3
"""Writes codec_digests.txt: SHA-256 of what ggml and MLX, not our codecs, make of golden_weights.py's weights.

Run it in an environment with tests/conformance/requirements.txt, from the repository's root, when a codec is added or the
reference versions are raised on purpose:

    build/venv/bin/python tests/golden/make_codec_digests.py > tests/golden/codec_digests.txt

Line: CODEC DISTRIBUTION DIGEST. The digest covers all planes of the codec, one after the other.
"""
import ctypes
import hashlib
import pathlib
from importlib import metadata

import llama_cpp
import mlx.core as mx
import numpy as np

from golden_weights import COLUMNS, DISTRIBUTIONS, ROWS

# ggml's numbers of its types (ggml.h).
GGML_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7, "Q8_0": 8, "Q2_K": 10, "Q3_K": 11, "Q4_K": 12,
              "Q5_K": 13, "Q6_K": 14, "BF16": 30}
STORED = {"F16": mx.float16, "BF16": mx.bfloat16, "F32": mx.float32}
MLX_CODECS = [(bits, 64, "BF16") for bits in (2, 3, 4, 5, 6, 8)] + [(4, 32, "BF16"), (4, 128, "BF16"), (4, 64, "F16"),
                                                                   (4, 64, "F32")]


def load_ggml():
    library = ctypes.CDLL(str(pathlib.Path(llama_cpp.__file__).parent / "lib" / "libggml-base.so"))
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
                                            ctypes.c_int64, ctypes.c_void_p]
    return library


def ggml_bytes(library, type_number, weights):
    out = np.zeros(weights.nbytes, np.uint8)
    size = library.ggml_quantize_chunk(type_number, weights.ctypes.data, out.ctypes.data, 0, ROWS, COLUMNS, None)
    return out[:size].tobytes()


def mlx_bytes(bits, group, stored, weights):
    planes = mx.quantize(mx.array(weights).astype(STORED[stored]), group_size=group, bits=bits, stream=mx.cpu)
    sixteen_bits = (mx.bfloat16, mx.float16)
    return b"".join(np.array(plane.view(mx.uint16) if plane.dtype in sixteen_bits else plane).tobytes() for plane in planes)


def main():
    library = load_ggml()
    print(f"# By make_codec_digests.py from llama-cpp-python {metadata.version('llama-cpp-python')} (ggml) and mlx {metadata.version('mlx')}.")
    for distribution, weights in DISTRIBUTIONS.items():
        weights = np.ascontiguousarray(weights.reshape(ROWS, COLUMNS))
        for name, number in GGML_TYPES.items():
            print(name, distribution, hashlib.sha256(ggml_bytes(library, number, weights)).hexdigest())
        for bits, group, stored in MLX_CODECS:
            digest = hashlib.sha256(mlx_bytes(bits, group, stored, weights)).hexdigest()
            print(f"MLX_I{bits}_G{group}_{stored}", distribution, digest)


if __name__ == "__main__":
    main()
