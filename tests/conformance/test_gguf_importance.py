"""Quantized with an importance matrix, a GGUF file's tensors equal what llama-quantize makes with the same one."""
import pytest

import checkpoints
import llama_cpp_reference as reference
from checkpoints import Shape
from gguf_cases import FILE_TYPES, NEEDS_IMPORTANCE
from importance_matrices import entries, sums_of, write_gguf, write_legacy

pytestmark = pytest.mark.slow

SHAPES = {
    "llama": Shape(layers=9, dtype="BF16"),
    "llama-grouped": Shape(layers=9, hidden=256, wide=256, heads=8, key_value_heads=2, dtype="F16"),
    "llama-columns-of-32": Shape(layers=3, hidden=192, wide=352, heads=3, key_value_heads=3, dtype="F32"),
    "phi3": Shape(family="phi3", layers=5, dtype="BF16"),
}
SCHEMES = [name for name in FILE_TYPES if name not in ("F32", "F16", "BF16", "Q1_0")] + list(NEEDS_IMPORTANCE)


def known(scheme, sums):
    """A tensor is left out where the type does without importance: calibration does not always reach all."""
    return sums if scheme in NEEDS_IMPORTANCE else {name: values for name, values in sums.items() if name != "blk.1.ffn_down.weight"}


FORMS = {"legacy": ("importance.dat", write_legacy), "gguf": ("importance.gguf", write_gguf)}
CALLS = 7


@pytest.fixture(scope="module", params=SHAPES)
def shape(request, tmp_path_factory, run_engine):
    """A checkpoint with both forms of an importance matrix in its folder, and our files of every type."""
    name = request.param
    folder = tmp_path_factory.mktemp("importance") / name
    checkpoints.make(folder, SHAPES[name])
    plain = SHAPES[name].dtype
    unquantized = run_engine(folder, [f"gguf:{plain}"])[f"gguf-{plain}"]
    sums = sums_of(unquantized)
    artifacts = {}
    for form, (path, write) in FORMS.items():
        write(folder / path, known("", sums), CALLS)
        write(folder / f"all-{path}", sums, CALLS)
        artifacts[form] = run_engine(folder, [f"gguf:{scheme},imatrix={'all-' if scheme in NEEDS_IMPORTANCE else ''}{path}"
                                              for scheme in SCHEMES])
    return unquantized, sums, artifacts


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_tensors_equal_llama_quantize(shape, scheme, form, tmp_path):
    unquantized, sums, artifacts = shape
    sums = known(scheme, sums)
    expected = tmp_path / "expected.gguf"
    assert reference.quantize(unquantized, expected, scheme, imatrix=entries(sums, CALLS))
    tensors, metadata = reference.contents(artifacts[form][f"gguf-{scheme}"])
    expected_tensors, expected_metadata = reference.contents(expected)
    assert tensors == expected_tensors
    ours = [entry for entry in metadata if entry[0].startswith("quantize.imatrix.")]
    assert [entry for entry in metadata if entry not in ours] == expected_metadata
    assert {name: value for name, _, value in ours} == {
        "quantize.imatrix.file": ("all-" if scheme in NEEDS_IMPORTANCE else "") + FORMS[form][0], "quantize.imatrix.dataset": "calibration.txt",
        "quantize.imatrix.entries_count": len(sums), "quantize.imatrix.chunks_count": 100}


def test_a_low_bit_type_without_importance_is_refused_by_name(tmp_path, run_engine):
    checkpoints.make(tmp_path / "model", SHAPES["llama"])
    _, result = run_engine.start(tmp_path / "model", ["gguf:Q2_K_S"], "model")
    assert result.returncode != 0
    assert "options[imatrix]: is needed: blk.0.attn_" in result.stderr, result.stderr
