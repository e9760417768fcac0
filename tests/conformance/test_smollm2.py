"""A trained model, as LlamaForCausalLM and fused as Phi3ForCausalLM, in the runtimes that people load it with."""
import mlx.core as mx
import mlx_lm
import pytest

import llama_cpp_reference as reference
import safetensors_files

pytestmark = pytest.mark.slow

mx.set_default_device(mx.cpu)

TEXT = """The old lighthouse stood at the end of a narrow road. Every evening its keeper climbed one hundred and twelve steps, cleaned the
lens and lit the lamp. Ships from distant harbours knew the pattern of its flashes: two short, one long, and then darkness for nine
seconds. When the electric light came, nobody needed a keeper any more, but he went on climbing the steps, because the view from the
gallery had become the best part of his day. Children from the village asked him what he saw up there. He told them about whales, about
storms that arrived like walls of grey glass, and about the quiet mornings when sea and sky were the same colour and the horizon was
only a rumour. In 1987 the tower was painted again, red and white, and 35 people came to help."""


@pytest.fixture(scope="session", params=["llama", "phi3"])
def model(request, smollm2, smollm2_phi3):
    return smollm2 if request.param == "llama" else smollm2_phi3


@pytest.mark.parametrize("scheme", ["Q4_K_M", "Q8_0", "Q2_K"])
def test_llama_cpp_finds_the_text_as_likely_as_with_its_own_file(model, scheme, tmp_path, run_engine):
    plain = "F16" if "llama" in model.name else "BF16"
    files = run_engine(model, [f"gguf:{plain}", f"gguf:{scheme}"])
    own = tmp_path / "own.gguf"
    assert reference.quantize(files[f"gguf-{plain}"], own, scheme)
    assert reference.contents(files[f"gguf-{scheme}"]) == reference.contents(own)
    ours, theirs = (reference.mean_negative_log_likelihood(path, TEXT) for path in (files[f"gguf-{scheme}"], own))
    assert ours == theirs
    assert ours < 6.0  # a model that was read wrongly guesses among 49 152 tokens: 10.8


def test_llama_cpp_completes_a_sentence(model, run_engine):
    [path] = run_engine(model, ["gguf:Q4_K_M"]).values()
    assert "Paris" in reference.complete(path, "The capital of France is", 8)


@pytest.mark.parametrize("scheme", ["int8", "mxfp4", "mxfp8", "nvfp4"])
def test_mlx_lm_completes_a_sentence(model, scheme, run_engine):
    [folder] = run_engine(model, [f"mlx:{scheme}"]).values()
    loaded, tokenizer = mlx_lm.load(str(folder))
    assert "Paris" in mlx_lm.generate(loaded, tokenizer, "The capital of France is", max_tokens=2)


def test_mlx_lm_convert_makes_the_same_of_it(model, tmp_path, run_engine):
    settings_of = {"int4": {}, "mixed_3_6": {"quant_predicate": "mixed_3_6", "q_group_size": 64}, "mxfp4": {"q_mode": "mxfp4"}}
    ours = run_engine(model, [f"mlx:{scheme}" for scheme in settings_of])
    for name, settings in ((f"mlx-{scheme}", settings) for scheme, settings in settings_of.items()):
        mlx_lm.convert(str(model), str(tmp_path / name), quantize=True, **settings)
        assert safetensors_files.read(ours[name]) == safetensors_files.read(tmp_path / name)
