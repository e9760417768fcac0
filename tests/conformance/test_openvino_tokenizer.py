"""The tokenizers that we write for OpenVINO, run by openvino_tokenizers, against Hugging Face's `tokenizers`."""
import subprocess

import numpy as np
import openvino
import openvino_genai
import openvino_tokenizers  # noqa: F401: registers its operations
import pytest
import sentencepiece
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


def differences(written, encode, decode, texts):
    """Texts that are tokenized otherwise than `encode` does, or whose tokens are read otherwise than `decode` does."""
    wrong = []
    for text in texts:
        ids, expected = written.encode(text), encode(text)
        if ids != expected:
            wrong.append((text, ids, expected))
        elif written.decode(ids) != decode(ids):
            wrong.append((text, written.decode(ids), decode(ids)))
    return wrong


def differences_from_own(written, folder):
    """`tokenizers` shows an added token that it looks for in normalized text as it stands there, and never skips it: these aren't read."""
    own = Tokenizer.from_file(str(folder / "tokenizer.json"))
    shown_otherwise = {i for i, token in own.get_added_tokens_decoder().items() if own.id_to_token(i) != token.content}

    def decode(ids):
        return written.decode(ids) if shown_otherwise.intersection(ids) else own.decode(ids)

    return differences(written, lambda text: own.encode(text).ids, decode, tokenizer_cases.texts())


@pytest.fixture
def checkpoint(tmp_path):
    def make(name):
        return synthetic.make(tmp_path / name, synthetic.case("llama", "F32", 1, 32, 32, 2, 1, tokenizer_cases.files(name), vocabulary=VOCABULARY))

    return make


def own_tokenizer(folder):
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


@pytest.mark.parametrize("name", tokenizer_cases.CASES)
def test_texts_become_the_same_tokens_and_back(name, checkpoint, write):
    folder = checkpoint(name)
    assert differences_from_own(WrittenTokenizer(write(folder)), folder) == []


def test_smollm2_too(smollm2, write):
    assert differences_from_own(WrittenTokenizer(write(smollm2)), smollm2) == []


def test_sentencepiece_files_tokenize_as_sentencepiece_does(tmp_path, write):
    model = tokenizer_cases.sentencepiece_model()
    files = {"tokenizer.model": model, "tokenizer_config.json": synthetic.tokenizer_config("LlamaTokenizer", add_bos_token=True)}
    folder = synthetic.make(tmp_path / "llama", synthetic.case("llama", "F32", 1, 32, 32, 2, 1, files, vocabulary=VOCABULARY))
    own = sentencepiece.SentencePieceProcessor(model_proto=model)
    texts = [text for text in tokenizer_cases.texts() if not any(special in text for special in ("<unk>", "<s>", "</s>"))]
    assert differences(WrittenTokenizer(write(folder)), lambda text: [1, *own.encode(text)], own.decode, texts) == []


def test_gguf_files_have_the_tokenizer_of_the_folder_that_they_were_made_of(checkpoint, run_engine, write):
    folder = checkpoint("llama3")
    [gguf] = run_engine(folder, ["gguf:F32"]).values()
    own = own_tokenizer(folder)
    written = WrittenTokenizer(write(gguf.parent))
    wrong = [text for text in tokenizer_cases.texts() if written.encode(text)[1:] != own.encode(text, add_special_tokens=False).ids]
    assert wrong == []


def test_openvino_genai_leaves_special_tokens_out_when_asked(checkpoint, write):
    folder = checkpoint("llama3")
    tokenizer, own = openvino_genai.Tokenizer(str(write(folder))), own_tokenizer(folder)
    for adds in (True, False):
        ids = tokenizer.encode("<|user|>the end", add_special_tokens=adds).input_ids.data.tolist()
        assert ids == [own.encode("<|user|>the end", add_special_tokens=adds).ids]
        assert tokenizer.decode(ids[0], skip_special_tokens=adds) == own.decode(ids[0], skip_special_tokens=adds)
    assert (tokenizer.get_bos_token_id(), tokenizer.get_eos_token_id(), tokenizer.get_pad_token()) == (1, 2, "</s>")


def test_openvino_genai_pads_short_texts_on_the_left(checkpoint, write):
    tokenizer = openvino_genai.Tokenizer(str(write(checkpoint("phi3"))))
    short, long = (tokenizer.encode(text).input_ids.data.tolist()[0] for text in ("a", "a b c"))
    both = tokenizer.encode(["a", "a b c"])
    padding = len(long) - len(short)
    assert both.input_ids.data.tolist() == [[2] * padding + short, long]
    assert both.attention_mask.data.tolist() == [[0] * padding + [1] * len(short), [1] * len(long)]


def test_llm_pipeline_takes_and_gives_text(smollm2, run_engine):
    [folder] = run_engine(smollm2, ["openvino:int8"]).values()
    pipeline = openvino_genai.LLMPipeline(str(folder), "CPU")
    assert "Paris" in pipeline.generate("The capital of France is", max_new_tokens=5, apply_chat_template=False)


def test_folders_can_do_without_a_tokenizer(smollm2, run_engine):
    [folder] = run_engine(smollm2, ["openvino:int8,tokenizer=none"]).values()
    assert not list(folder.glob("openvino_*tokenizer.*"))
