"""Writes small checkpoints of random weights: the shapes, types, rotary settings and tokenizers that change what is written.

Everything is a function of the case, on any machine: the weights come from a bit generator whose stream is guaranteed.
"""
import json
import zlib

import numpy as np

import checkpoints

VOCABULARY = 320


def gaussian(name, shape, scale=0.05):
    """Sums of sixteen-bit parts of raw words: near enough to a normal distribution, and exact in float32."""
    count = int(np.prod(shape))
    words = np.random.PCG64(zlib.crc32(name.encode())).random_raw(count).view(np.uint16).reshape(count, 4)
    sums = words.astype(np.int64).sum(1) - 2 * 65535
    return (sums.astype(np.float32) * np.float32(scale / 37837)).reshape(shape)


def to_dtype(array, dtype):
    if dtype == "BF16":
        return checkpoints.to_bfloat16(array)
    return array.astype(np.float16) if dtype == "F16" else array


def shapes(case):
    hidden, wide, heads, key_value = case["hidden"], case["wide"], case["heads"], case["key_value_heads"]
    head = case.get("head_dim") or hidden // heads
    vocabulary = case.get("vocabulary", VOCABULARY)
    out = {"model.embed_tokens.weight": (vocabulary, hidden)}
    for layer in range(case["layers"]):
        prefix = f"model.layers.{layer}."
        out[prefix + "input_layernorm.weight"] = (hidden,)
        if case["family"] == "llama":
            out[prefix + "self_attn.q_proj.weight"] = (heads * head, hidden)
            out[prefix + "self_attn.k_proj.weight"] = (key_value * head, hidden)
            out[prefix + "self_attn.v_proj.weight"] = (key_value * head, hidden)
            out[prefix + "mlp.gate_proj.weight"] = (wide, hidden)
            out[prefix + "mlp.up_proj.weight"] = (wide, hidden)
        else:
            out[prefix + "self_attn.qkv_proj.weight"] = ((heads + 2 * key_value) * head, hidden)
            out[prefix + "mlp.gate_up_proj.weight"] = (2 * wide, hidden)
        out[prefix + "self_attn.o_proj.weight"] = (hidden, heads * head)
        out[prefix + "mlp.down_proj.weight"] = (hidden, wide)
        out[prefix + "post_attention_layernorm.weight"] = (hidden,)
    out["model.norm.weight"] = (hidden,)
    if not case.get("tied"):
        out["lm_head.weight"] = (vocabulary, hidden)
    return out


def config(case):
    llama = case["family"] == "llama"
    out = {"architectures": ["LlamaForCausalLM" if llama else "Phi3ForCausalLM"], "model_type": case["family"], "attention_bias": False,
           "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": case["hidden"], "intermediate_size": case["wide"],
           "max_position_embeddings": 256, "num_attention_heads": case["heads"], "num_hidden_layers": case["layers"],
           "num_key_value_heads": case["key_value_heads"], "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
           "tie_word_embeddings": case.get("tied", False), "torch_dtype": checkpoints.TORCH_TYPES[case["dtype"]],
           "vocab_size": case.get("vocabulary", VOCABULARY)}
    if not llama:
        out |= {"original_max_position_embeddings": 128, "pad_token_id": 2, "sliding_window": 64, "embd_pdrop": 0.0, "resid_pdrop": 0.0}
    if case.get("head_dim"):
        out["head_dim"] = case["head_dim"]
    return out | case.get("config", {})


def byte_symbols():
    """The printable characters by which byte-level BPE writes bytes."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [chr(b) for b in plain] + [chr(256 + n) for n in range(256 - len(plain))]


def added(token_id, content, special=True, **more):
    return {"id": token_id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": special} | more


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
SMOLLM = {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, BYTE_LEVEL]}
LLAMA3_REGEX = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": LLAMA3_REGEX}, "behavior": "Isolated", "invert": False},
                                                BYTE_LEVEL | {"use_regex": False}]}


def template(first=None, last=None):
    single = [{"Sequence": {"id": "A", "type_id": 0}}]
    pair = [*single, {"Sequence": {"id": "B", "type_id": 1}}]
    used = {}
    for token, index in ((first, 0), (last, 10)):
        if token:
            step = {"SpecialToken": {"id": token, "type_id": 0}}
            single.insert(index, step)
            pair.insert(index, step)
            used[token] = {"id": token, "ids": [1 if token == "<s>" else 2], "tokens": [token]}
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": used}


def byte_level_tokenizer(pre_tokenizer=SMOLLM, post_processor=None, pair_merges=False, ignore_merges=False, more=()):
    """Ids 0 to 2 are special, then all bytes, three merges, a token that is not special; the last ids stay free."""
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2} | {symbol: i + 3 for i, symbol in enumerate(byte_symbols())}
    merges = [("t", "h"), ("Ġ", "th"), ("Ġth", "e")]
    for left, right in merges:
        vocab[left + right] = len(vocab)
    tokens = [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>"), added(len(vocab), "<|user|>", special=False),
              added(len(vocab) + 1, "two words", special=False), *more]
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
             "fuse_unk": False, "byte_fallback": False, "ignore_merges": ignore_merges, "vocab": vocab,
             "merges": [list(pair) for pair in merges] if pair_merges else [" ".join(pair) for pair in merges]}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": None, "pre_tokenizer": pre_tokenizer,
            "post_processor": post_processor, "decoder": BYTE_LEVEL, "model": model}


def sentencepiece_pieces():
    """(text, score, type) in SentencePiece's numbers: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte."""
    pieces = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)]
    pieces += [(f"<0x{byte:02X}>", 0.0, 6) for byte in range(256)]
    pieces += [("▁t", -0.0, 1), ("he", -1.0, 1), ("▁the", -2.0, 1), ("<sep>", 0.0, 4), ("<free>", 0.0, 5)]
    return pieces + [(character, -3.0 - i, 1) for i, character in enumerate("▁theaoinsr")]


def sentencepiece_model(size=0):
    """A tokenizer.model: ModelProto with pieces, a BPE trainer_spec and an identity normalizer_spec.

    Words are added up to `size` pieces."""
    def varint(number):
        out = b""
        while number > 127:
            out += bytes([number & 127 | 128])
            number >>= 7
        return out + bytes([number])

    def message(field, body):
        return varint(field << 3 | 2) + varint(len(body)) + body

    out = b""
    pieces = sentencepiece_pieces()
    pieces += [(f"▁word{i}", -float(i), 1) for i in range(len(pieces), size)]
    for text, score, kind in pieces:
        out += message(1, message(1, text.encode()) + varint(2 << 3 | 5) + np.float32(score).tobytes() + varint(3 << 3) + varint(kind))
    out += message(2, varint(3 << 3) + varint(2) + varint(35 << 3) + varint(1))
    return out + message(3, message(1, b"identity"))


def byte_fallback_tokenizer():
    """What transformers saves of a SentencePiece model: BPE over characters that falls back to bytes."""
    pieces = [piece for piece, _, kind in sentencepiece_pieces() if kind != 5]
    model = {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None,
             "fuse_unk": True, "byte_fallback": True, "vocab": {piece: i for i, piece in enumerate(pieces)},
             "merges": ["▁ t", "h e", "▁t he"]}
    fallback = [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]
    return {"version": "1.0", "truncation": None, "padding": None, "pre_tokenizer": None, "post_processor": template("<s>"),
            "added_tokens": [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>"), added(len(pieces), "<|end|>"),
                             added(len(pieces) + 1, "▁word", special=False)],
            "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
                                                               {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
            "decoder": {"type": "Sequence", "decoders": fallback}, "model": model}


def tokenizer_config(name, **more):
    return {"tokenizer_class": name, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "model_max_length": 256,
            "clean_up_tokenization_spaces": False} | more


def byte_level_files(settings=None, **options):
    return {"tokenizer.json": byte_level_tokenizer(**options),
            "tokenizer_config.json": tokenizer_config("GPT2Tokenizer", add_bos_token=False, chat_template="{{ messages }}") | (settings or {})}


def case(family, dtype, layers, hidden, wide, heads, key_value_heads, files=None, **more):
    return {"family": family, "dtype": dtype, "layers": layers, "hidden": hidden, "wide": wide, "heads": heads,
            "key_value_heads": key_value_heads, "files": files or byte_level_files()} | more


def make(folder, case):
    """Writes the checkpoint; `shards` splits the weights. Returns the folder."""
    folder.mkdir(parents=True)
    arrays = {}
    for name, shape in shapes(case).items():
        weights = gaussian(name, shape) if len(shape) == 2 else 1 + gaussian(name, shape)
        arrays[name] = to_dtype(weights, case["dtype"])
    if shards := case.get("shards"):
        names, weight_map = sorted(arrays), {}
        for shard in range(shards):
            file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
            part = names[shard::shards]
            checkpoints.write_safetensors(folder / file, case["dtype"], {name: arrays[name] for name in part})
            weight_map |= dict.fromkeys(part, file)
        index = {"metadata": {"total_size": sum(array.nbytes for array in arrays.values())}, "weight_map": weight_map}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    else:
        checkpoints.write_safetensors(folder / "model.safetensors", case["dtype"], arrays)
    for name, content in {"config.json": config(case), **case["files"]}.items():
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            (folder / name).write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
    return folder
