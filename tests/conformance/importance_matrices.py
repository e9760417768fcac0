"""Importance matrices as llama-imatrix writes them, in its two forms, and as llama.cpp's library takes them."""
import ctypes
import struct

import gguf
import numpy as np
from llama_cpp.llama_cpp import llama_model_imatrix_data


def sums_of(plain):
    """Sums of squares for every matrix of a GGUF file but the embedding, which no calibration measures."""
    rng = np.random.default_rng(11)
    matrices = [tensor for tensor in gguf.GGUFReader(plain).tensors if len(tensor.shape) == 2]
    sums = {tensor.name: rng.standard_exponential(int(tensor.shape[0])).astype(np.float32) * np.float32(64) for tensor in matrices}
    return {name: values for name, values in sums.items() if name != "token_embd.weight"}


def write_legacy(path, sums, calls):
    with open(path, "wb") as file:
        file.write(struct.pack("<i", len(sums)))
        for name, values in sums.items():
            file.write(struct.pack("<i", len(name)) + name.encode() + struct.pack("<ii", calls, len(values)) + values.tobytes())
        dataset = b"calibration.txt"
        file.write(struct.pack("<ii", 100, len(dataset)) + dataset)


def write_gguf(path, sums, calls):
    writer = gguf.GGUFWriter(path, "none")
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", ["calibration.txt"])
    writer.add_uint32("imatrix.chunk_count", 100)
    writer.add_uint32("imatrix.chunk_size", 512)
    for name, values in sums.items():
        writer.add_tensor(f"{name}.in_sum2", values.reshape(1, -1))
        writer.add_tensor(f"{name}.counts", np.array([[calls]], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def entries(sums, calls):
    """For llama_model_quantize_params.imatrix."""
    means = {name: values / np.float32(calls) for name, values in sums.items()}
    array = (llama_model_imatrix_data * (len(means) + 1))(
        *[llama_model_imatrix_data(name.encode(), values.ctypes.data_as(ctypes.POINTER(ctypes.c_float)), values.size)
          for name, values in means.items()])
    array.means = means  # to which it points
    return array
