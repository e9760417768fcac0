"""Writes a small LlamaForCausalLM checkpoint of random weights."""
import json

import numpy as np

LAYERS, HIDDEN, WIDE, HEADS, KEY_VALUE_HEADS, VOCABULARY = 2, 256, 512, 4, 2, 300


def tensors(rng):
    def matrix(*shape):
        return (rng.standard_normal(shape) * 0.05).astype(np.float16)

    out = {"model.embed_tokens.weight": matrix(VOCABULARY, HIDDEN)}
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        key_value = HIDDEN // HEADS * KEY_VALUE_HEADS
        for name, shape in [("self_attn.q_proj", (HIDDEN, HIDDEN)), ("self_attn.k_proj", (key_value, HIDDEN)),
                            ("self_attn.v_proj", (key_value, HIDDEN)), ("self_attn.o_proj", (HIDDEN, HIDDEN)),
                            ("mlp.gate_proj", (WIDE, HIDDEN)), ("mlp.up_proj", (WIDE, HIDDEN)),
                            ("mlp.down_proj", (HIDDEN, WIDE))]:
            out[prefix + name + ".weight"] = matrix(*shape)
        for name in ("input_layernorm", "post_attention_layernorm"):
            out[prefix + name + ".weight"] = np.ones(HIDDEN, np.float16)
    out["model.norm.weight"] = np.ones(HIDDEN, np.float16)
    out["lm_head.weight"] = matrix(VOCABULARY, HIDDEN)
    return out


def write_safetensors(path, arrays):
    header, offset = {}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F16", "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(array.tobytes() for array in arrays.values()))


def make(folder, seed=1):
    """Returns the weights by their Hugging Face names."""
    folder.mkdir(parents=True)
    arrays = tensors(np.random.default_rng(seed))
    write_safetensors(folder / "model.safetensors", arrays)
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN, "intermediate_size": WIDE,
              "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": KEY_VALUE_HEADS,
              "vocab_size": VOCABULARY, "max_position_embeddings": 128, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
              "tie_word_embeddings": False, "torch_dtype": "float16", "bos_token_id": 0, "eos_token_id": 1}
    (folder / "config.json").write_text(json.dumps(config))
    vocab = {"<s>": 0, "</s>": 1} | {chr(0x100 + i): i for i in range(2, 299)} | {"ĂĂ": 299}
    tokenizer = {"model": {"type": "BPE", "vocab": vocab, "merges": ["Ă Ă"]},
                 "added_tokens": [{"id": i, "content": c, "special": True, "normalized": False} for i, c in ((0, "<s>"), (1, "</s>"))],
                 "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer", "bos_token": "<s>", "eos_token": "</s>"}))
    return arrays
