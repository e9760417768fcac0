"""llama.cpp itself, through its C library: the quantizer, and what a model thinks of a text."""
import contextlib
import ctypes
import hashlib
import os

import llama_cpp
import numpy as np
from gguf import GGUFReader

FILE_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10, "Q3_K_S": 11, "Q3_K_M": 12,
              "Q3_K_L": 13, "Q4_K_S": 14, "Q4_K_M": 15, "Q5_K_S": 16, "Q5_K_M": 17, "Q6_K": 18, "BF16": 32}

llama_cpp.llama_backend_init()


@llama_cpp.llama_log_callback
def _no_log(level, text, data):
    pass


llama_cpp.llama_log_set(_no_log, None)


def quantize(source, target, file_type, **settings):
    """llama-quantize: False when llama.cpp refuses. `settings` are fields of llama_model_quantize_params."""
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = FILE_TYPES[file_type]
    parameters.nthread = 2
    for name, value in settings.items():
        setattr(parameters, name, value)
    # The library prints its table of tensors straight to standard output.
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        return llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(parameters)) == 0


def contents(path):
    """Tensors (type, shape, digest) by name, and metadata (types, value) as an ordered list."""
    reader = GGUFReader(path)
    tensors = {t.name: (t.tensor_type.name, tuple(int(n) for n in t.shape), hashlib.sha256(t.data.tobytes()).hexdigest())
               for t in reader.tensors}
    metadata = [(name, field.types, field.contents()) for name, field in reader.fields.items() if not name.startswith("GGUF.")]
    return tensors, metadata


def mean_negative_log_likelihood(path, text, tokens=256):
    model = llama_cpp.Llama(str(path), n_ctx=tokens, n_batch=tokens, n_threads=2, n_threads_batch=2, logits_all=True, verbose=False)
    ids = model.tokenize(text.encode())[:tokens]
    model.eval(ids)
    logits = np.array(model.scores[:len(ids) - 1], np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    log_probability = logits[np.arange(len(ids) - 1), ids[1:]] - np.log(np.exp(logits).sum(axis=1))
    return -log_probability.mean()


def complete(path, prompt, tokens):
    model = llama_cpp.Llama(str(path), n_ctx=256, n_threads=2, verbose=False)
    return model.create_completion(prompt, max_tokens=tokens, temperature=0.0)["choices"][0]["text"]
