"""SmolLM2 under Phi-3's architecture."""
import json

import numpy as np

import checkpoints
import safetensors_files


def fuse(name, arrays, layer):
    prefix = f"model.layers.{layer}."
    parts = {"self_attn.qkv_proj": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
             "mlp.gate_up_proj": ("mlp.gate_proj", "mlp.up_proj")}[name]
    return np.concatenate([arrays.pop(f"{prefix}{part}.weight") for part in parts])


def write_fused(smollm2, folder, tied):
    """The same weights under another architecture, in BF16. The name has no "phi3" in it: llama.cpp would look for Phi-3's tokens."""
    folder.mkdir()
    for path in smollm2.iterdir():
        if path.suffix != ".safetensors":
            (folder / path.name).write_bytes(path.read_bytes())
    config = json.loads((smollm2 / "config.json").read_text())
    config |= {"architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "torch_dtype": "bfloat16", "pad_token_id": config["eos_token_id"],
               "original_max_position_embeddings": config["max_position_embeddings"], "tie_word_embeddings": tied}
    (folder / "config.json").write_text(json.dumps(config))
    arrays = {name: np.frombuffer(data, np.float32 if dtype == "F32" else np.float16).reshape(shape).astype(np.float32)
              for name, (dtype, shape, data) in safetensors_files.read(smollm2).items()}
    for layer in range(config["num_hidden_layers"]):
        for name in ("self_attn.qkv_proj", "mlp.gate_up_proj"):
            arrays[f"model.layers.{layer}.{name}.weight"] = fuse(name, arrays, layer)
    if not tied:
        arrays["lm_head.weight"] = arrays["model.embed_tokens.weight"]
    checkpoints.write_safetensors(folder / "model.safetensors", "BF16",
                                  {name: checkpoints.to_bfloat16(array) for name, array in arrays.items()})
    return folder
