"""The types of every tensor of every file type are those that llama-quantize chooses, by the plans of both."""
import pytest

import checkpoints
import llama_cpp_reference as reference
from checkpoints import Shape
from gguf_cases import FILE_TYPES, NEEDS_IMPORTANCE
from importance_matrices import entries, sums_of, write_legacy

# Each lets other rules apply: how many layers there are, how many queries share a value, what divides the columns.
SHAPES = {
    "llama": Shape(layers=9),
    "llama-one-layer": Shape(layers=1, tied=True),
    "llama-many-layers": Shape(layers=33, hidden=256, wide=256, heads=8, key_value_heads=1),
    "llama-no-sharing": Shape(layers=17, hidden=256, wide=256, heads=4, key_value_heads=4, tied=True),
    "llama-70b": Shape(layers=80, hidden=256, wide=256, heads=8, key_value_heads=1),
    "llama-80-layers-of-pairs": Shape(layers=80, hidden=256, wide=256, heads=8, key_value_heads=4),
    "llama-columns-of-32": Shape(layers=9, hidden=192, wide=352, heads=3, key_value_heads=3),
    "phi3": Shape(family="phi3", layers=17),
    "phi3-sharing": Shape(family="phi3", layers=8, heads=8, key_value_heads=2),
}
CALLS = 7


@pytest.mark.parametrize("name", SHAPES)
def test_types_equal_llama_quantize(name, tmp_path, run_engine):
    folder = tmp_path / name
    checkpoints.make(folder, SHAPES[name])
    plain = run_engine(folder, ["gguf:F16"])["gguf-F16"]
    sums = sums_of(plain)
    write_legacy(folder / "importance.dat", sums, CALLS)
    without = [scheme for scheme in FILE_TYPES if scheme != "Q1_0"]  # llama-quantize fails where its blocks do not divide a row
    with_importance = without + list(NEEDS_IMPORTANCE)
    ours = run_engine.types(folder, [f"gguf:{scheme}" for scheme in without])
    assert dict(zip(without, ours)) == {scheme: reference.chosen_types(plain, scheme) for scheme in without}
    ours = run_engine.types(folder, [f"gguf:{scheme},imatrix=importance.dat" for scheme in with_importance])
    assert dict(zip(with_importance, ours)) == {scheme: reference.chosen_types(plain, scheme, imatrix=entries(sums, CALLS))
                                                for scheme in with_importance}
