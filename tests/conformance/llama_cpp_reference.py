"""llama.cpp itself, through its C library: the quantizer, and what a model thinks of a text."""
import contextlib
import ctypes
import hashlib
import os
import re

import llama_cpp
import numpy as np
from gguf import GGUFReader

from gguf_cases import FILE_TYPES, NEEDS_IMPORTANCE

llama_cpp.llama_backend_init()


@llama_cpp.llama_log_callback
def _no_log(level, text, data):
    pass


llama_cpp.llama_log_set(_no_log, None)


def quantize(source, target, file_type, **settings):
    """llama-quantize: False when llama.cpp refuses. `settings` are fields of llama_model_quantize_params."""
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = {**FILE_TYPES, **NEEDS_IMPORTANCE}[file_type]
    parameters.nthread = 2
    for name, value in settings.items():
        setattr(parameters, name, value)
    # The library prints its table of tensors straight to standard output.
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        return llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(parameters)) == 0


def chosen_types(source, file_type, **settings):
    """The type of every tensor that llama-quantize would make, without making any: what its dry run tells the log."""
    lines = []

    @llama_cpp.llama_log_callback
    def collect(level, text, data):
        lines.append(text.decode())

    llama_cpp.llama_log_set(collect, None)
    try:
        assert quantize(source, os.devnull, file_type, dry_run=True, **settings)
    finally:
        llama_cpp.llama_log_set(_no_log, None)
    report = re.findall(r"\[ *\d+/ *\d+\] (\S+) +- \[.*?\], type = +(\S+), size = .*?MiB(?: -> .*?\((\S+)\))?\n", "".join(lines))
    return {name: (chosen or kept).upper() for name, kept, chosen in report}


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
