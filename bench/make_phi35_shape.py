#!/usr/bin/env python3
"""make_phi35_shape.py FOLDER [--layers N]: a checkpoint with the shape of Phi-3.5-mini-instruct, of random weights.

32 layers are 3.8 G weights, 7.6 GB of BF16 in two shards, LongRoPE. Written tensor by tensor, so that it needs little memory.
"""
import argparse
import json
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "conformance"))
import checkpoints  # noqa: E402
import synthetic  # noqa: E402


def shape(layers):
    return checkpoints.Shape(family="phi3", layers=layers, hidden=3072, wide=8192, heads=32, key_value_heads=32, vocabulary=32064,
                             dtype="BF16", shards=2, rope_scaling="longrope")


def write_tensor(file, rng, dimensions):
    """Rows in portions: Gaussian with a few columns of outliers, as in trained models."""
    if len(dimensions) == 1:
        return file.write(checkpoints.to_bfloat16(np.ones(dimensions)).tobytes())
    rows, columns = dimensions
    for first in range(0, rows, 1024):
        values = rng.standard_normal((min(1024, rows - first), columns), dtype=np.float32) * np.float32(0.02)
        values[:, ::columns // 7] *= 6
        file.write(checkpoints.to_bfloat16(values).tobytes())


def write_shard(path, rng, tensors):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, dimensions in tensors:
        size = 2 * int(np.prod(dimensions))
        header[name] = {"dtype": "BF16", "shape": list(dimensions), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, dimensions in tensors:
            write_tensor(file, rng, dimensions)
    return offset


def make(folder, layers=32):
    folder.mkdir(parents=True, exist_ok=True)
    s, rng = shape(layers), np.random.default_rng(7)
    tensors, where, total = list(checkpoints.tensor_shapes(s)), {}, 0
    for shard, part in enumerate((tensors[:len(tensors) // 2], tensors[len(tensors) // 2:]), 1):
        path = f"model-{shard:05d}-of-00002.safetensors"
        total += write_shard(folder / path, rng, part)
        where |= {name: path for name, _ in part}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": where}))
    checkpoints.write_configuration(folder, s)
    # llama.cpp's converter recognizes a byte-level tokenizer by its real vocabulary only: a SentencePiece one, as the model's own.
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.model").write_bytes(synthetic.sentencepiece_model(32000))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>"}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--layers", type=int, default=32)
    arguments = parser.parse_args()
    make(arguments.folder, arguments.layers)
