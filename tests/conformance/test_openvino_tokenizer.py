"""The tokenizers that we write for OpenVINO, run by openvino_tokenizers, against Hugging Face's `tokenizers`."""
import subprocess

import numpy as np
import openvino
import openvino_tokenizers  # noqa: F401: registers its operations
import pytest
from tokenizers import Tokenizer

import synthetic
import tokenizer_cases

VOCABULARY = 1000


class WrittenTokenizer:
    def __init__(self, folder):
        core = openvino.Core()
        self.tokenizer, self.detokenizer = (core.compile_model(core.read_model(folder / f"openvino_{name}.xml"), "CPU")
                                            for name in ("tokenizer", "detokenizer"))

    def encode(self, text):
        [ids] = self.tokenizer([text])["input_ids"]
        return ids.tolist()

    def decode(self, ids):
        [text] = self.detokenizer(np.array([ids], np.int64).reshape(1, -1))["string_output"]
        return str(text)


@pytest.fixture(scope="session")
def write(build_dir, tmp_path_factory):
    def run(checkpoint):
        folder = tmp_path_factory.mktemp("tokenizer")
        subprocess.run([build_dir / "tests" / "tokenizer_ir_probe", checkpoint, folder], check=True)
        return folder

    return run


def differences(written, own):
    """Texts that the two tokenize otherwise, or whose tokens they read otherwise.

    `tokenizers` shows an added token that it looks for in normalized text as it stands there, and never skips it: these aren't read."""
    shown_otherwise = {i for i, token in own.get_added_tokens_decoder().items() if own.id_to_token(i) != token.content}
    wrong = []
    for text in tokenizer_cases.texts():
        ids, expected = written.encode(text), own.encode(text).ids
        if ids != expected:
            wrong.append((text, ids, expected))
        elif not shown_otherwise.intersection(ids) and written.decode(ids) != own.decode(ids):
            wrong.append((text, written.decode(ids), own.decode(ids)))
    return wrong


@pytest.mark.parametrize("name", tokenizer_cases.CASES)
def test_texts_become_the_same_tokens_and_back(name, tmp_path, write):
    case = synthetic.case("llama", "F32", 1, 32, 32, 2, 1, tokenizer_cases.files(name), vocabulary=VOCABULARY)
    checkpoint = synthetic.make(tmp_path / name, case)
    assert differences(WrittenTokenizer(write(checkpoint)), Tokenizer.from_file(str(checkpoint / "tokenizer.json"))) == []


def test_smollm2_too(smollm2, write):
    assert differences(WrittenTokenizer(write(smollm2)), Tokenizer.from_file(str(smollm2 / "tokenizer.json"))) == []
