"""Hugging Face checkpoints of random weights, of any shape that a test needs."""
import dataclasses
import json

import numpy as np


@dataclasses.dataclass(frozen=True)
class Shape:
    family: str = "llama"  # or "phi3"
    layers: int = 2
    hidden: int = 256
    wide: int = 512
    heads: int = 4
    key_value_heads: int = 2
    vocabulary: int = 300
    tied: bool = False
    dtype: str = "F16"
    shards: int = 1
    rope_scaling: str = ""  # "llama3" or "longrope"
    seed: int = 1


TORCH_TYPES = {"F16": "float16", "BF16": "bfloat16", "F32": "float32"}


def to_bfloat16(values):
    """Bits of the nearest bfloat16, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def tensor_shapes(s):
    """Names and shapes in the order of the file."""
    head = s.hidden // s.heads
    key_value = head * s.key_value_heads
    yield "model.embed_tokens.weight", (s.vocabulary, s.hidden)
    for layer in range(s.layers):
        prefix = f"model.layers.{layer}."
        yield prefix + "input_layernorm.weight", (s.hidden,)
        if s.family == "phi3":
            yield prefix + "self_attn.qkv_proj.weight", (s.hidden + 2 * key_value, s.hidden)
            yield prefix + "mlp.gate_up_proj.weight", (2 * s.wide, s.hidden)
        else:
            yield prefix + "self_attn.q_proj.weight", (s.hidden, s.hidden)
            yield prefix + "self_attn.k_proj.weight", (key_value, s.hidden)
            yield prefix + "self_attn.v_proj.weight", (key_value, s.hidden)
            yield prefix + "mlp.gate_proj.weight", (s.wide, s.hidden)
            yield prefix + "mlp.up_proj.weight", (s.wide, s.hidden)
        yield prefix + "self_attn.o_proj.weight", (s.hidden, s.hidden)
        yield prefix + "post_attention_layernorm.weight", (s.hidden,)
        yield prefix + "mlp.down_proj.weight", (s.hidden, s.wide)
    yield "model.norm.weight", (s.hidden,)
    if not s.tied:
        yield "lm_head.weight", (s.vocabulary, s.hidden)


def weights(s):
    """Stored bytes by name: bfloat16 as uint16."""
    rng = np.random.default_rng(s.seed)
    out = {}
    for name, shape in tensor_shapes(s):
        values = (rng.standard_normal(shape) * 0.05 + (1.0 if len(shape) == 1 else 0.0)).astype(np.float32)
        if len(shape) == 2:
            values[:, :: max(1, shape[1] // 7)] *= 6  # outlier columns
        out[name] = to_bfloat16(values) if s.dtype == "BF16" else values.astype({"F16": np.float16, "F32": np.float32}[s.dtype])
    return out


def write_safetensors(path, dtype, arrays):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(array.tobytes() for array in arrays.values()))


def write_weights(folder, s, arrays):
    if s.shards == 1:
        return write_safetensors(folder / "model.safetensors", s.dtype, arrays)
    names, where = list(arrays), {}
    for shard in range(s.shards):
        path = f"model-{shard + 1:05d}-of-{s.shards:05d}.safetensors"
        part = names[len(names) * shard // s.shards:len(names) * (shard + 1) // s.shards]
        write_safetensors(folder / path, s.dtype, {name: arrays[name] for name in part})
        where |= {name: path for name in part}
    total = sum(array.nbytes for array in arrays.values())
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": where}))


def rope_scaling(s):
    pairs = s.hidden // s.heads // 2
    if s.rope_scaling == "llama3":
        return {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8192}
    if s.rope_scaling == "longrope":
        return {"type": "longrope", "short_factor": [round(1.0 + 0.02 * i, 2) for i in range(pairs)],
                "long_factor": [round(1.0 + 0.9 * i, 2) for i in range(pairs)]}
    return None


def config(s):
    out = {"architectures": ["Phi3ForCausalLM" if s.family == "phi3" else "LlamaForCausalLM"], "model_type": s.family,
           "hidden_size": s.hidden, "intermediate_size": s.wide, "num_hidden_layers": s.layers, "num_attention_heads": s.heads,
           "num_key_value_heads": s.key_value_heads, "vocab_size": s.vocabulary, "rms_norm_eps": 1e-5,
           "max_position_embeddings": 131072 if s.rope_scaling else 4096, "rope_theta": 500000.0 if s.family == "llama" else 10000.0,
           "tie_word_embeddings": s.tied, "torch_dtype": TORCH_TYPES[s.dtype], "bos_token_id": 0, "eos_token_id": 1,
           "hidden_act": "silu", "rope_scaling": rope_scaling(s)}
    if s.family == "phi3":
        out |= {"original_max_position_embeddings": 4096, "sliding_window": 2048, "pad_token_id": 1}
    return out


def tokenizer(s):
    vocab = {"<s>": 0, "</s>": 1} | {chr(0x100 + i): i for i in range(2, 258)}
    merges = []
    for id in range(258, s.vocabulary):
        left, right = chr(0x102 + (id - 258) // 256), chr(0x102 + (id - 258) % 256)
        merges.append(f"{left} {right}")
        vocab[left + right] = id
    return {"version": "1.0", "truncation": None, "padding": None, "normalizer": None, "post_processor": None,
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "vocab": vocab, "merges": merges},
            "added_tokens": [{"id": i, "content": c, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                              "special": True} for i, c in ((0, "<s>"), (1, "</s>"))],
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}}


def write_configuration(folder, s):
    (folder / "config.json").write_text(json.dumps(config(s), indent=2))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(s)))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}))


def make(folder, shape=Shape()):
    """Writes the checkpoint and returns its weights by name."""
    folder.mkdir(parents=True)
    arrays = weights(shape)
    write_weights(folder, shape, arrays)
    write_configuration(folder, shape)
    return arrays
