"""Runs the folders of OpenVINO models on the CPU, and reads what their files hold."""
import collections
import hashlib
import pathlib
import xml.etree.ElementTree

import numpy as np
import openvino

EVAL_TEXT = (pathlib.Path(__file__).parent / "eval_text.txt").read_text().rstrip("\n")
# Nothing but the weights is rounded.
EXACT = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0", "INFERENCE_NUM_THREADS": 2}


def read_constants(folder):
    """(name, type, shape, bytes) of every constant."""
    data = (folder / "openvino_model.bin").read_bytes()
    for layer in xml.etree.ElementTree.parse(folder / "openvino_model.xml").getroot().find("layers"):
        if layer.get("type") == "Const":
            at = layer.find("data").attrib
            begin, size = int(at["offset"]), int(at["size"])
            shape = [int(dimension) for dimension in at["shape"].split(",") if dimension]
            yield layer.get("name"), at["element_type"], shape, data[begin:begin + size]


def constants(folder):
    """[type, shape, SHA-256] of every constant by its name."""
    return {name: [kind, shape, hashlib.sha256(data).hexdigest()] for name, kind, shape, data in read_constants(folder)}


# The elements of 4-bit types by their codes. NF4's are those of QLoRA.
NF4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
       -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
       0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]
E2M1 = [0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6]
ELEMENTS = {"u4": range(16), "i4": [*range(8), *range(-8, 0)], "nf4": NF4, "f4e2m1": E2M1}


def numbers(kind, shape, data):
    if kind in ELEMENTS:
        data = np.frombuffer(data, np.uint8)
        codes = np.stack([data & 15, data >> 4], 1).reshape(-1)[:np.prod(shape)]
        return np.array(ELEMENTS[kind], np.float64)[codes].reshape(shape)
    if kind == "f8e8m0":
        return 2.0 ** (np.frombuffer(data, np.uint8).astype(np.float64) - 127).reshape(shape)
    return np.frombuffer(data, {"u8": np.uint8, "i8": np.int8, "f16": np.float16, "f32": np.float32}[kind]).astype(np.float64).reshape(shape)


def decompressed_weights(folder):
    """What the constants mean, by the names that Hugging Face has for the tensors."""
    stored = {name: numbers(kind, shape, data) for name, kind, shape, data in read_constants(folder) if name.startswith("self.")}
    weights = {}
    for name in stored:
        if name.endswith(("_openvino_orig_weight", ".weight")):
            levels = stored[name] - stored.get(name + "/zero_point", 0)
            scaled = levels * stored.get(name + "/scale", 1)
            vector = scaled.reshape(-1) if name.endswith("norm.weight") else scaled.reshape(len(scaled), -1)
            weights[name.removeprefix("self.").replace("._openvino_orig_weight", ".weight")] = vector
    return weights


class Model:
    """A folder's model."""

    def __init__(self, folder):
        self.compiled = openvino.Core().compile_model(folder / "openvino_model.xml", "CPU", EXACT)

    def operations(self):
        """How many of each kind are left after the runtime has fused them."""
        return collections.Counter(node.get_rt_info()["layerType"] for node in self.compiled.get_runtime_model().get_ops())

    def sequences(self):
        return Sequences(self.compiled.create_infer_request())

    def logits(self, tokens, first_position=0):
        """Of each token of one sequence."""
        return self.sequences()(np.array([tokens]), np.arange(first_position, first_position + len(tokens))[None])[0]


class Sequences:
    """A batch whose keys and values the model keeps from call to call."""

    def __init__(self, request):
        self.request = request
        self.request.reset_state()
        self.mask = None

    def __call__(self, tokens, positions, mask=None, beams=None):
        """Logits of the new tokens. `mask` is 0 where they are padding, `beams` says which sequence each one goes on with."""
        beams = np.arange(len(tokens)) if beams is None else np.array(beams)
        mask = np.ones_like(tokens) if mask is None else np.array(mask)
        self.mask = mask if self.mask is None else np.concatenate([self.mask[beams], mask], 1)
        self.request.infer({"input_ids": tokens.astype(np.int64), "position_ids": positions.astype(np.int64),
                            "attention_mask": self.mask.astype(np.int64), "beam_idx": beams.astype(np.int32)})
        return self.request.get_tensor("logits").data.copy()


def mean_negative_log_likelihood(model, tokens):
    logits = model.logits(tokens)[:-1].astype(np.float64)
    logits -= logits.max(1, keepdims=True)
    return (np.log(np.exp(logits).sum(1)) - logits[np.arange(len(tokens) - 1), tokens[1:]]).mean()
