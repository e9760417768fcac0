"""Runs the folders of onnxruntime-genai models: in onnxruntime on the CPU, and in onnxruntime-genai itself."""
import json
import pathlib

import numpy as np
import onnxruntime
import onnxruntime_genai

TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
EVAL_TEXT = (pathlib.Path(__file__).parent / "eval_text.txt").read_text()


def session(folder):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])


class Decoder:
    """Keeps the keys and values of the tokens that were given."""

    def __init__(self, opened, head_size):
        self.session, self.length = opened, 0
        self.names = [value.name for value in opened.get_inputs()]
        self.past = {value.name: np.zeros((1, value.shape[1], 0, head_size), TYPES[value.type])
                     for value in opened.get_inputs() if value.name.startswith("past")}

    def __call__(self, tokens):
        """The logits of each of the tokens, as float32."""
        self.length += len(tokens)
        inputs = {"input_ids": np.array([tokens], np.int64), "attention_mask": np.ones((1, self.length), np.int64)} | self.past
        if "position_ids" in self.names:
            inputs["position_ids"] = np.arange(self.length - len(tokens), self.length)[None]
        outputs = dict(zip((value.name for value in self.session.get_outputs()), self.session.run(None, inputs), strict=True))
        self.past = {name: outputs[name.replace("past_key_values", "present")] for name in self.past}
        return outputs["logits"][0].astype(np.float32)


def head_size(folder):
    return json.loads((folder / "genai_config.json").read_text())["model"]["decoder"]["head_size"]


def decoder(folder):
    return Decoder(session(folder), head_size(folder))


def mean_negative_log_likelihood(folder, tokens):
    logits = decoder(folder)(tokens)[:-1].astype(np.float64)
    likelihoods = logits[np.arange(len(tokens) - 1), tokens[1:]] - np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1)) - logits.max(1)
    return -likelihoods.mean()


def greedy(folder, prompt, count):
    """The tokens that follow when the most likely one is always taken."""
    run, tokens = decoder(folder), []
    logits = run(prompt)
    for _ in range(count):
        tokens.append(int(logits[-1].argmax()))
        logits = run(tokens[-1:])
    return tokens


def generate(folder, prompt, count):
    """The same by onnxruntime-genai, which reads genai_config.json; and the prompt as its tokenizer encodes it."""
    config = onnxruntime_genai.Config(str(folder))
    config.clear_providers()
    model = onnxruntime_genai.Model(config)
    encoded = onnxruntime_genai.Tokenizer(model).encode(prompt).tolist()
    parameters = onnxruntime_genai.GeneratorParams(model)
    parameters.set_search_options(max_length=len(encoded) + count, do_sample=False)
    generator = onnxruntime_genai.Generator(model, parameters)
    generator.append_tokens(encoded)
    tokens = []
    while len(tokens) < count and not generator.is_done():
        generator.generate_next_token()
        tokens.append(int(generator.get_next_tokens()[0]))
    return encoded, tokens
