"""LlamaForCausalLM and Phi3ForCausalLM as transformers defines them, in numpy: the logits of one sequence."""
import json
import math

import numpy as np

import safetensors_files


def read_weights(folder):
    def widen(dtype, data):
        if dtype == "BF16":
            return (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32)
        return np.frombuffer(data, {"F16": np.float16, "F32": np.float32}[dtype])

    return {name: widen(dtype, data).reshape(shape).astype(np.float64)
            for name, (dtype, shape, data) in safetensors_files.read(folder).items()}


def llama3_frequencies(frequencies, scaling):
    length = 2 * np.pi / frequencies
    original, low, high = (scaling[key] for key in ("original_max_position_embeddings", "low_freq_factor", "high_freq_factor"))
    smooth = np.clip((original / length - low) / (high - low), 0, 1)
    return (1 - smooth) * frequencies / scaling["factor"] + smooth * frequencies


def rotary_angles(config, dimensions, positions):
    """Cosines and sines, [positions, dimensions]."""
    frequencies = config["rope_theta"] ** -(np.arange(0, dimensions, 2) / dimensions)
    scaling, magnitude = config.get("rope_scaling") or {}, 1.0
    kind = scaling.get("rope_type", scaling.get("type"))
    if kind == "linear":
        frequencies = frequencies / scaling["factor"]
    elif kind == "llama3":
        frequencies = llama3_frequencies(frequencies, scaling)
    elif kind in ("longrope", "su"):
        original = config["original_max_position_embeddings"]
        frequencies = frequencies / np.array(scaling["long_factor" if max(positions) + 1 > original else "short_factor"])
        stretched = config["max_position_embeddings"] / original
        magnitude = scaling.get("attention_factor") or (math.sqrt(1 + math.log(stretched) / math.log(original)) if stretched > 1 else 1.0)
    angles = np.outer(positions, frequencies)
    angles = np.concatenate([angles, angles], 1)
    return np.cos(angles) * magnitude, np.sin(angles) * magnitude


def rotate(heads, cosines, sines):
    rotated = cosines.shape[1]
    first, rest = heads[..., :rotated], heads[..., rotated:]
    turned = np.concatenate([-first[..., rotated // 2:], first[..., :rotated // 2]], -1)
    return np.concatenate([first * cosines + turned * sines, rest], -1)


def softmax(scores):
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


class Decoder:
    def __init__(self, folder):
        self.config, self.weights = json.loads((folder / "config.json").read_text()), read_weights(folder)
        self.heads, self.key_value_heads = self.config["num_attention_heads"], self.config["num_key_value_heads"]
        self.head_size = self.config.get("head_dim") or self.config["hidden_size"] // self.heads

    def logits(self, tokens, first_position=0):
        positions = np.arange(first_position, first_position + len(tokens))
        rotated = int(self.head_size * self.config.get("partial_rotary_factor", 1.0))
        angles = rotary_angles(self.config, rotated, positions)
        stream = self.weights["model.embed_tokens.weight"][tokens]
        for layer in range(self.config["num_hidden_layers"]):
            prefix = f"model.layers.{layer}."
            stream = stream + self.attention(prefix, self.norm(prefix + "input_layernorm", stream), angles)
            stream = stream + self.mlp(prefix, self.norm(prefix + "post_attention_layernorm", stream))
        output = self.weights.get("lm_head.weight", self.weights["model.embed_tokens.weight"])
        return self.norm("model.norm", stream) @ output.T

    def norm(self, name, x):
        return x / np.sqrt((x ** 2).mean(-1, keepdims=True) + self.config["rms_norm_eps"]) * self.weights[name + ".weight"]

    def multiply(self, name, x):
        return x @ self.weights[name + ".weight"].T

    def attention(self, prefix, x, angles):
        sizes = [self.heads * self.head_size] + 2 * [self.key_value_heads * self.head_size]
        if prefix + "self_attn.qkv_proj.weight" in self.weights:
            parts = np.split(self.multiply(prefix + "self_attn.qkv_proj", x), np.cumsum(sizes)[:2], 1)
        else:
            parts = [self.multiply(f"{prefix}self_attn.{part}_proj", x) for part in "qkv"]
        query, key, value = (part.reshape(len(x), -1, self.head_size).swapaxes(0, 1) for part in parts)
        query, key = rotate(query, *angles), rotate(key, *angles)
        key, value = (np.repeat(part, self.heads // self.key_value_heads, 0) for part in (key, value))
        places = np.arange(len(x))
        distance = places[:, None] - places[None]
        window = self.config.get("sliding_window") if self.config["model_type"] == "phi3" else None
        hidden = (distance < 0) | (distance >= (window or len(x)))
        scores = np.where(hidden, -np.inf, query @ key.swapaxes(1, 2) / math.sqrt(self.head_size))
        return self.multiply(prefix + "self_attn.o_proj", (softmax(scores) @ value).swapaxes(0, 1).reshape(len(x), -1))

    def mlp(self, prefix, x):
        if prefix + "mlp.gate_up_proj.weight" in self.weights:
            gate, up = np.split(self.multiply(prefix + "mlp.gate_up_proj", x), 2, 1)
        else:
            gate, up = self.multiply(prefix + "mlp.gate_proj", x), self.multiply(prefix + "mlp.up_proj", x)
        return self.multiply(prefix + "mlp.down_proj", gate / (1 + np.exp(-gate)) * up)
