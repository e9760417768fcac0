"""ggml's own quantizer, from the library that llama-cpp-python carries."""
import ctypes
import pathlib

import llama_cpp
import numpy as np

# ggml's numbers of its types (ggml.h).
GGML_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7, "Q8_0": 8, "Q2_K": 10, "Q3_K": 11, "Q4_K": 12,
              "Q5_K": 13, "Q6_K": 14, "IQ2_XXS": 16, "IQ2_XS": 17, "IQ3_XXS": 18, "IQ1_S": 19, "IQ4_NL": 20, "IQ3_S": 21,
              "IQ2_S": 22, "IQ4_XS": 23, "IQ1_M": 29, "BF16": 30, "TQ1_0": 34, "TQ2_0": 35, "MXFP4": 39, "NVFP4": 40, "Q1_0": 41,
              "Q2_0": 42}
# Types whose search asks how important each column is.
USES_IMPORTANCE = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S",
                   "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "IQ1_M"}
REQUIRES_IMPORTANCE = {"IQ2_XXS", "IQ2_XS", "IQ1_S"}


def block_of(name):
    """Weights in a block of that type."""
    small = {"Q4_0": 32, "Q4_1": 32, "Q5_0": 32, "Q5_1": 32, "Q8_0": 32, "IQ4_NL": 32, "MXFP4": 32, "NVFP4": 64, "Q2_0": 64,
             "Q1_0": 128}
    return small.get(name, 256)


def load():
    library = ctypes.CDLL(str(pathlib.Path(llama_cpp.__file__).parent / "lib" / "libggml-base.so"))
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
                                            ctypes.c_int64, ctypes.c_void_p]
    return library


def quantize(library, name, weights, importance=None):
    """The bytes of a matrix of float32 in that type; importance is one float32 a column, or None."""
    library.ggml_quantize_init(GGML_TYPES[name])
    out = np.zeros(weights.nbytes + 1024, np.uint8)
    column_weights = None if importance is None else importance.ctypes.data
    size = library.ggml_quantize_chunk(GGML_TYPES[name], weights.ctypes.data, out.ctypes.data, 0, *weights.shape, column_weights)
    return out[:size].tobytes()
