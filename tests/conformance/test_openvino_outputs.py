"""OpenVINO folders: what NNCF would store, in the runtime as good as optimum-intel's, and the logits of the decoders that they came from."""
import shutil

import numpy as np
import openvino
import openvino_genai
import pytest
import tokenizers

import openvino_cases
import openvino_runtime
import synthetic
from decoder_reference import Decoder
from openvino_cases import CASES, STORED, TOKENS, golden
from openvino_runtime import Model
from synthetic import case

pytestmark = pytest.mark.slow

# What the exports of optimum-intel 2.2.0 and NNCF 3.4.0 give under the same settings (tests/golden/make_openvino_goldens.py).
FIGURES = golden("figures")


@pytest.fixture(scope="session")
def models(smollm2, tmp_path_factory):
    return {"llama": smollm2, "phi3": openvino_cases.smollm2_phi3(tmp_path_factory.mktemp("smollm2"))}


@pytest.fixture(scope="session")
def tokenizer(smollm2):
    return tokenizers.Tokenizer.from_file(str(smollm2 / "tokenizer.json"))


@pytest.fixture
def folder_of(run_engine):
    """folder_of(checkpoint, target); removed after the test, for it may be hundreds of megabytes."""
    made = []

    def make(checkpoint, target):
        made.extend(run_engine.folders(checkpoint, [f"openvino:{target}"]))
        return made[-1]

    yield make
    for folder in made:
        shutil.rmtree(folder)


@pytest.mark.parametrize("export", FIGURES)
def test_finds_the_text_as_likely_as_optimum_intels_and_goes_on_with_the_same_words(export, folder_of, models, tokenizer):
    family, target = export.split(" ")
    folder = folder_of(models[family], target)
    pipeline = openvino_genai.LLMPipeline(str(folder), "CPU", **openvino_runtime.EXACT)
    text = pipeline.generate(openvino_cases.PROMPT, max_new_tokens=openvino_cases.NEW_TOKENS, apply_chat_template=False)
    assert text == FIGURES[export]["text"]
    model = Model(folder)
    found = openvino_runtime.mean_negative_log_likelihood(model, tokenizer.encode(openvino_runtime.EVAL_TEXT).ids)
    assert found == pytest.approx(FIGURES[export]["negative_log_likelihood"], abs=1e-4)
    operations = model.operations()
    assert operations["RoPE"] == 60 and operations["RMS"] == 61 and operations["ScaledDotProductAttention"] == 30
    assert operations["Softmax"] == 0


@pytest.mark.parametrize("target", STORED)
def test_stores_what_nncf_stores(target, folder_of, models):
    expected = golden(STORED[target])
    # lm_head equals the embedding: one constant serves both.
    for name in [name for name in expected if "lm_head" in name]:
        assert expected.pop(name) == expected[name.replace("lm_head", "model.embed_tokens")]
    found = openvino_runtime.constants(folder_of(models["phi3"], target))
    assert {name: found.get(name) for name in expected} == expected
    assert [name for name in found if "_openvino_orig_weight" in name and name not in expected] == []


@pytest.mark.parametrize("length, first_position", [(100, 0), (160, 0), (8, 120), (8, 121), (1, 5)])
@pytest.mark.parametrize("name", CASES)
def test_logits_are_the_decoders(name, length, first_position, folder_of, tmp_path):
    checkpoint = synthetic.make(tmp_path / name, CASES[name])
    model = Model(folder_of(checkpoint, "fp32"))
    expected = Decoder(checkpoint).logits(TOKENS[:length], first_position)
    np.testing.assert_allclose(model.logits(TOKENS[:length], first_position), expected, atol=2e-4)
    assert {kind: model.operations()[kind] for kind in ("RoPE", "RMS", "ScaledDotProductAttention")} == {
        "RoPE": 4, "RMS": 5, "ScaledDotProductAttention": 2}


@pytest.mark.parametrize("length", golden("longrope-logits"))
def test_longrope_gives_the_logits_of_optimum_intels_model(length, folder_of, tmp_path):
    checkpoint = synthetic.make(tmp_path / "phi3", CASES["phi3-longrope"])
    logits = Model(folder_of(checkpoint, "fp32")).logits(TOKENS[:int(length)])[-1][:64]
    np.testing.assert_allclose(logits, golden("longrope-logits")[length], atol=2e-4)


@pytest.mark.parametrize("name", ["llama", "phi3-window"])
def test_keeps_keys_and_values_of_every_beam(name, folder_of, tmp_path):
    checkpoint = synthetic.make(tmp_path / name, CASES[name])
    decoder, sequences = Decoder(checkpoint), Model(folder_of(checkpoint, "fp32")).sequences()
    first = np.stack([TOKENS[:70], TOKENS[70:140]])
    positions = np.stack(2 * [np.arange(70)])
    sequences(first, positions)
    following = np.array([[7], [8], [9]])
    logits = sequences(following, np.full((3, 1), 70), beams=[1, 1, 0])
    for row, beam in enumerate([1, 1, 0]):
        whole = decoder.logits(np.concatenate([first[beam], following[row]]))
        np.testing.assert_allclose(logits[row, 0], whole[-1], atol=2e-4)


def test_padding_changes_nothing(folder_of, tmp_path):
    checkpoint = synthetic.make(tmp_path / "llama", CASES["llama"])
    model = Model(folder_of(checkpoint, "fp32"))
    tokens = np.stack([TOKENS[:12], np.concatenate([[2] * 5, TOKENS[20:27]])])
    mask = np.stack([np.ones(12), np.arange(12) >= 5])
    positions = np.stack([np.arange(12), np.maximum(np.arange(12) - 5, 0)])
    logits = model.sequences()(tokens, positions, mask)
    np.testing.assert_allclose(logits[1, 5:], model.logits(TOKENS[20:27]), atol=2e-4)


def test_a_group_that_does_not_divide_rows_becomes_smaller(folder_of, tmp_path):
    checkpoint = synthetic.make(tmp_path / "llama", case("llama", "F16", 2, 160, 112, 5, 1))
    found = openvino_runtime.constants(folder_of(checkpoint, "int4"))
    kinds = {name: entry[:2] for name, entry in found.items() if name.endswith("orig_weight") and "layers.0." in name}
    prefix = "self.model.layers.0."
    assert kinds[prefix + "self_attn.q_proj._openvino_orig_weight"] == ["u4", [160, 5, 32]]
    assert kinds[prefix + "mlp.down_proj._openvino_orig_weight"] == ["u8", [160, 112]]  # rows of 112: 16 divides them, 32 does not


@pytest.mark.parametrize("target", ["fp16", "int8", "int8,symmetric=true", "int4,group_size=32,all_layers=true",
                                    "int4,group_size=-1,symmetric=true", "int4", "int4,ratio=0.5", "nf4,group_size=64", "mxfp4,ratio=0.7"])
@pytest.mark.parametrize("name", ["llama-all-heads-tied", "llama-wide-heads", "phi3-window"])
def test_other_forms_give_the_logits_of_what_they_store(name, target, folder_of, tmp_path):
    checkpoint = synthetic.make(tmp_path / name, CASES[name])
    folder, decoder = folder_of(checkpoint, target), Decoder(checkpoint)
    stored = openvino_runtime.decompressed_weights(folder)
    assert sorted(stored) == sorted(decoder.weights)
    loss = {weight: np.abs(stored[weight] - decoder.weights[weight]).max() / np.abs(decoder.weights[weight]).max() for weight in stored}
    assert max(loss.values()) < (0.01 if target.startswith(("fp16", "int8")) else 0.21)
    decoder.weights = stored
    np.testing.assert_allclose(Model(folder).logits(TOKENS[:50]), decoder.logits(TOKENS[:50]), atol=2e-3)


@pytest.mark.parametrize("family", ["llama", "phi3"])
def test_a_gguf_file_gives_the_same_model(family, run_engine, folder_of, models):
    [gguf] = run_engine(models[family], [f"gguf:{'F16' if family == 'llama' else 'BF16'}"]).values()
    of_gguf, of_folder = (folder_of(source, "int4,group_size=64,ratio=0.5") for source in (gguf, models[family]))
    assert (of_gguf / "openvino_model.xml").read_bytes() == (of_folder / "openvino_model.xml").read_bytes()
    assert (of_gguf / "openvino_model.bin").read_bytes() == (of_folder / "openvino_model.bin").read_bytes()


@pytest.mark.parametrize("backend", ["PA", "SDPA"])
@pytest.mark.parametrize("family", ["llama", "phi3"])
def test_openvino_genai_completes_a_sentence(family, backend, folder_of, models, tokenizer):
    pipeline = openvino_genai.LLMPipeline(str(folder_of(models[family], "int8")), "CPU", ATTENTION_BACKEND=backend)
    prompt = np.array([tokenizer.encode("The capital of France is").ids], np.int64)
    tokens = pipeline.generate(openvino_genai.TokenizedInputs(openvino.Tensor(prompt), openvino.Tensor(np.ones_like(prompt))),
                               max_new_tokens=4)
    assert "Paris" in tokenizer.decode(tokens.tokens[0])


@pytest.mark.parametrize("backend", ["PA", "SDPA"])
@pytest.mark.parametrize("name", ["phi3-window", "phi3-longrope", "phi3-partial", "llama-3-scaling"])
def test_openvino_genai_follows_the_decoder(name, backend, folder_of, tmp_path):
    checkpoint = synthetic.make(tmp_path / name, CASES[name])
    decoder, tokens = Decoder(checkpoint), list(TOKENS[:100])
    for _ in range(4):
        tokens.append(int(decoder.logits(tokens)[-1].argmax()))
    exact = {key: openvino_runtime.EXACT[key] for key in ("INFERENCE_PRECISION_HINT", "KV_CACHE_PRECISION")}
    pipeline = openvino_genai.LLMPipeline(str(folder_of(checkpoint, "fp32")), "CPU", ATTENTION_BACKEND=backend, **exact)
    prompt = TOKENS[None, :100].astype(np.int64)
    inputs = openvino_genai.TokenizedInputs(openvino.Tensor(prompt), openvino.Tensor(np.ones_like(prompt)))
    assert pipeline.generate(inputs, max_new_tokens=4, ignore_eos=True).tokens[0] == tokens[100:]
