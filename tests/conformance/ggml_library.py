"""ggml's own quantizer, from the library that llama-cpp-python carries."""
import ctypes
import pathlib

import llama_cpp
import numpy as np

# ggml's numbers of its types (ggml.h).
GGML_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7, "Q8_0": 8, "Q2_K": 10, "Q3_K": 11, "Q4_K": 12,
              "Q5_K": 13, "Q6_K": 14, "BF16": 30}


def load():
    library = ctypes.CDLL(str(pathlib.Path(llama_cpp.__file__).parent / "lib" / "libggml-base.so"))
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
                                            ctypes.c_int64, ctypes.c_void_p]
    return library


def quantize(library, name, weights):
    """The bytes of a matrix of float32 in that type."""
    out = np.zeros(weights.nbytes, np.uint8)
    size = library.ggml_quantize_chunk(GGML_TYPES[name], weights.ctypes.data, out.ctypes.data, 0, *weights.shape, None)
    return out[:size].tobytes()
