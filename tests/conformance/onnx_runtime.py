"""Runs the folders of onnxruntime-genai models: in onnxruntime on the CPU, and in onnxruntime-genai itself."""
import json
import pathlib

import numpy as np
import onnxruntime
import onnxruntime_genai

TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
EVAL_TEXT = (pathlib.Path(__file__).parent / "eval_text.txt").read_text().rstrip("\n")


class Model:
    """A folder in onnxruntime."""

    def __init__(self, folder):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
        self.head_size = json.loads((folder / "genai_config.json").read_text())["model"]["decoder"]["head_size"]

    def decoder(self):
        return Decoder(self.session, self.head_size)

    def logits(self, tokens):
        """Of each of the tokens of a text, as float32."""
        return self.decoder()(tokens)


class Decoder:
    """Keeps the keys and values of the tokens that were given."""

    def __init__(self, session, head_size):
        self.session, self.length = session, 0
        self.names = [value.name for value in session.get_inputs()]
        self.past = {value.name: np.zeros((1, value.shape[1], 0, head_size), TYPES[value.type])
                     for value in session.get_inputs() if value.name.startswith("past")}

    def __call__(self, tokens):
        """The logits of each of the tokens, which follow those of earlier calls."""
        self.length += len(tokens)
        inputs = {"input_ids": np.array([tokens], np.int64), "attention_mask": np.ones((1, self.length), np.int64)} | self.past
        if "position_ids" in self.names:
            inputs["position_ids"] = np.arange(self.length - len(tokens), self.length)[None]
        outputs = dict(zip((value.name for value in self.session.get_outputs()), self.session.run(None, inputs), strict=True))
        self.past = {name: outputs[name.replace("past_key_values", "present")] for name in self.past}
        return outputs["logits"][0].astype(np.float32)


def mean_negative_log_likelihood(model, tokens):
    logits = model.logits(tokens)[:-1].astype(np.float64)
    logits -= logits.max(1, keepdims=True)
    return (np.log(np.exp(logits).sum(1)) - logits[np.arange(len(tokens) - 1), tokens[1:]]).mean()


def greedy(model, prompt, count):
    """The tokens that follow when the most likely one is always taken."""
    run, tokens = model.decoder(), []
    logits = run(prompt)
    for _ in range(count):
        tokens.append(int(logits[-1].argmax()))
        logits = run(tokens[-1:])
    return tokens


def open_in_genai(folder):
    """The model as its genai_config.json says, but on the CPU."""
    config = onnxruntime_genai.Config(str(folder))
    config.clear_providers()
    return onnxruntime_genai.Model(config)


def continue_in_genai(model, tokens, count):
    """At most `count` tokens; fewer where one ends the text."""
    parameters = onnxruntime_genai.GeneratorParams(model)
    parameters.set_search_options(max_length=len(tokens) + count, do_sample=False)
    generator = onnxruntime_genai.Generator(model, parameters)
    generator.append_tokens(np.array(tokens, np.int32))
    generated = []
    while not generator.is_done():
        generator.generate_next_token()
        generated.append(int(generator.get_next_tokens()[0]))
    return generated


def generate(folder, prompt, count):
    """(the prompt as onnxruntime-genai's tokenizer encodes it, the tokens with which it goes on)."""
    model = open_in_genai(folder)
    tokens = onnxruntime_genai.Tokenizer(model).encode(prompt).tolist()
    return tokens, continue_in_genai(model, tokens, count)


def generate_from(folder, tokens, count):
    """The tokens and those with which onnxruntime-genai goes on."""
    return tokens + continue_in_genai(open_in_genai(folder), tokens, count)


def encode(folder, text):
    return onnxruntime_genai.Tokenizer(open_in_genai(folder)).encode(text).tolist()


def chat(folder, text):
    """The prompt that the chat template makes of a message."""
    tokenizer = onnxruntime_genai.Tokenizer(open_in_genai(folder))
    return tokenizer.apply_chat_template(json.dumps([{"role": "user", "content": text}]), add_generation_prompt=True)
