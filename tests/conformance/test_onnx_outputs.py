"""ONNX folders against those of onnxruntime-genai's builder (tests/golden/onnx): every node, every initializer, the configuration.

Where we differ on purpose the expected form is said here, case by case.
"""
import copy
import json
import re

import numpy as np
import onnx
import onnxruntime
import pytest

import onnx_cases
import onnx_description
import onnx_reference
import safetensors_files
import synthetic
from gguf_cases import longrope
from repository import ROOT
from synthetic import case

pytestmark = pytest.mark.slow

GOLDENS = ROOT / "tests" / "golden" / "onnx"
CACHE_TOLERANCES = {"FLOAT": 2e-5, "FLOAT16": 1e-3, "BFLOAT16": 8e-3}  # of the rotary caches: half a step, or other libraries' cosines


def golden(name, target):
    return onnx_description.read_golden(GOLDENS / f"{name}.json", target)


# The differences.

def share_the_embedding(expected):
    """The builder stores tied embeddings a second time as floats (8 bits), names the floats (4 bits with zero points) or initializers
    that do not exist (mixed bits): its files take more room or do not load. Ours gather from the blocks of lm_head."""
    [head] = [node for node in expected.nodes if node[0] == "MatMulNBits" and node[2].startswith("/lm_head/")]
    [old_output] = [node[4][0] for node in expected.nodes if node[0].startswith("Gather") and "/embed_tokens/" in node[2]]
    packed, *parameters = head[3][1:]
    bits, block, rows, columns = (head[5][key] for key in ("bits", "block_size", "N", "K"))
    assert columns % block == 0
    shape, name = f"[{rows}, {columns * bits // 8}]", "/model/embed_tokens/"
    output = name + "GatherBlockQuantized/output_0"
    constant = f"/model/constants/INT64/{shape}"
    attributes = {"bits": bits, "block_size": block, "gather_axis": 0, "quantize_axis": 1}
    others = [node for node in expected.nodes if not node[2].startswith(name) and not re.search(r"INT64/\[\d+, \d+\]$", node[2])]
    expected.nodes = [
        ["Constant", "", f"/model/constant_nodes/INT64/{shape}", [], [constant], {"value": ["INT64", [2], json.loads(shape)]}],
        ["Reshape", "", name + "Reshape", [packed, constant], [name + "Reshape/output_0"], {}],
        ["GatherBlockQuantized", "com.microsoft", name + "GatherBlockQuantized", [name + "Reshape/output_0", "input_ids", *parameters],
         [output], attributes],
        *([op, domain, node, [output if value == old_output else value for value in inputs], outputs, attributes]
          for op, domain, node, inputs, outputs, attributes in others)]
    floats = {"model.embed_tokens.weight", "lm_head.MatMul.weight"}
    expected.initializers = [entry for entry in expected.initializers if entry[0] not in floats]
    float_type = next(kind for value, kind, _ in expected.inputs if value.startswith("past"))
    made = {value for node in expected.nodes for value in node[4]}
    expected.values = [entry for entry in expected.values if entry[0] in made and not entry[0].startswith(name) and entry[0] != constant]
    expected.values += [[constant, "INT64"], [name + "Reshape/output_0", "UINT8"], [output, float_type]]


def attend_in_a_window(expected):
    """The builder leaves a phi3's sliding window out of the graph where config.json does not name its layers, which phi3's never
    does; and names it to the runtime, which then keeps too few keys for such a graph and stops."""
    expected.genai_config["model"]["decoder"].pop("sliding_window", None)
    for node in expected.nodes:
        if node[0] == "GroupQueryAttention":
            node[5]["local_window_size"] = 64


def stretch_the_angles(expected, factors=4):
    """The builder ignores linear scaling."""
    frequencies = 1 / (np.float32(factors) * np.float32(10000) ** (np.arange(0, 32, 2, dtype=np.float32) / np.float32(32)))
    for entry in expected.initializers:
        if entry[0] in ("cos_cache", "sin_cache"):
            function = np.cos if entry[0] == "cos_cache" else np.sin
            entry[3] = {row: function(np.float32(row) * frequencies).tolist() for row in entry[3]}


DIFFERENCES = {
    ("llama-tied-f16", "int8"): share_the_embedding,
    ("llama-tied-f16", "int8,ep=cuda"): share_the_embedding,
    ("llama-tied-f16", "int8,ep=dml"): share_the_embedding,
    ("llama-tied-f16", "int8,algorithm=k_quant"): share_the_embedding,
    ("llama-tied-f16", "int4,symmetric=false"): share_the_embedding,
    ("llama-tied-f16", "int4,mixed=last_matmul"): share_the_embedding,
    ("llama-linear-scaling-f16", "fp32"): stretch_the_angles,
} | {("phi3-window-f16", target): attend_in_a_window for target in onnx_cases.CASES["phi3-window-f16"][1]}


# The comparison.

def named(entries, key=0):
    by_name = {entry[key]: entry for entry in entries}
    assert len(by_name) == len(entries), "a name twice"
    return by_name


def differing(actual, expected):
    """Names of what only one has or that is not the same in both."""
    return sorted(name for name in actual.keys() | expected.keys() if actual.get(name) != expected.get(name))


def take_caches(described):
    """The rotary caches, which are taken out of the initializers."""
    caches = [entry for entry in described.initializers if isinstance(entry[3], dict)]
    described.initializers = [entry for entry in described.initializers if not isinstance(entry[3], dict)]
    return caches + described.branches


def assert_same_caches(actual, expected):
    assert [entry[:3] for entry in actual] == [entry[:3] for entry in expected]
    for (name, kind, _, rows), (*_, expected_rows) in zip(actual, expected, strict=True):
        assert rows.keys() == expected_rows.keys()
        for row, values in rows.items():
            np.testing.assert_allclose(values, expected_rows[row], rtol=0, atol=CACHE_TOLERANCES[kind], err_msg=f"{name}, row {row}")


def assert_same(actual, expected):
    actual, expected = copy.deepcopy(actual), copy.deepcopy(expected)
    assert_same_caches(*(sorted(take_caches(described), key=lambda entry: entry[0]) for described in (actual, expected)))
    assert actual.model == expected.model
    assert actual.inputs == expected.inputs
    assert actual.outputs == expected.outputs
    assert differing(named(actual.nodes, 2), named(expected.nodes, 2)) == []
    assert differing(named(actual.initializers), named(expected.initializers)) == []
    graph_outputs = {name for name, *_ in expected.outputs}
    types = [{name: kind for name, kind in described.values if name not in graph_outputs} for described in (actual, expected)]
    assert differing(*types) == []
    assert actual.genai_config == expected.genai_config


def assert_copied(checkpoint, folder):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (folder / name).read_bytes() == (checkpoint / name).read_bytes()


def check_model(folder):
    """ONNX's own checker, with the types and shapes that it infers. Its schemas lack SimplifiedLayerNormalization, which onnxruntime
    keeps in the standard's domain: it is passed over as one of com.microsoft."""
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    for node in model.graph.node:
        if node.op_type == "SimplifiedLayerNormalization":
            node.domain = "com.microsoft"
    path = folder / "checked.onnx"
    onnx.save(model, path)
    onnx.checker.check_model(path, full_check=True)
    path.unlink()


def check_data(folder):
    """The data file is what the initializers say and nothing else."""
    places = []
    for tensor in onnx.load(folder / "model.onnx", load_external_data=False).graph.initializer:
        where = {entry.key: entry.value for entry in tensor.external_data}
        assert where["location"] == "model.onnx.data"
        places.append((int(where["offset"]), int(where["length"])))
    end = 0
    for offset, length in sorted(places):
        assert end <= offset < end + 4096
        end = offset + length
    assert (folder / "model.onnx.data").stat().st_size == end


@pytest.mark.parametrize("name", onnx_cases.CASES)
def test_equals_the_builder(name, run_engine, tmp_path):
    case, targets = onnx_cases.CASES[name]
    checkpoint = synthetic.make(tmp_path / name, case)
    for target, folder in zip(targets, run_engine.folders(checkpoint, [f"onnx:{target}" for target in targets]), strict=True):
        print(target)  # names the target of a failure
        expected = golden(name, target)
        DIFFERENCES.get((name, target), lambda expected: None)(expected)
        assert_same(onnx_description.describe(folder), expected)
        assert_copied(checkpoint, folder)
        check_model(folder)
        check_data(folder)


def test_halves_on_the_cpu_are_the_graph_for_cuda(run_engine, tmp_path):
    """The builder's own fp16 graph for the CPU stops at the second token."""
    checkpoint = synthetic.make(tmp_path / "checkpoint", onnx_cases.CASES["llama-tied-f16"][0])
    [folder] = run_engine.folders(checkpoint, ["onnx:fp16"])
    expected = golden("llama-tied-f16", "fp16,ep=cuda")
    expected.genai_config["model"]["decoder"]["session_options"]["provider_options"] = []
    assert_same(onnx_description.describe(folder), expected)


@pytest.mark.parametrize("target", ["int4", "int8,symmetric=false", "fp16", "fp32"])
def test_mobile_is_the_cpu(target, run_engine, tmp_path):
    """The builder has no such provider; the models published for telephones are its int4 ones for the CPU."""
    checkpoint = synthetic.make(tmp_path / "checkpoint", onnx_cases.CASES["llama-untied-bf16"][0])
    folders = run_engine.folders(checkpoint, [f"onnx:{target}", f"onnx:{target},ep=mobile"])
    for name in ("model.onnx", "model.onnx.data", "genai_config.json"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_another_original_context_without_scaling_means_nothing(run_engine, tmp_path):
    """The builder takes it for LongRoPE and fails."""
    case, _ = onnx_cases.CASES["phi3-bf16"]
    checkpoint = synthetic.make(tmp_path / "checkpoint", case | {"config": case["config"] | {"original_max_position_embeddings": 128}})
    [folder] = run_engine.folders(checkpoint, ["onnx:fp32"])
    assert_same(onnx_description.describe(folder), golden("phi3-bf16", "fp32"))


def test_longrope_within_the_original_context_has_the_short_factors(run_engine, tmp_path):
    """The builder knows LongRoPE only beyond the original context."""
    case, _ = onnx_cases.CASES["phi3-bf16"]
    checkpoint = synthetic.make(tmp_path / "checkpoint", case | {"config": case["config"] | {"rope_scaling": longrope(16)}})
    [folder] = run_engine.folders(checkpoint, ["onnx:fp32"])
    expected = golden("phi3-bf16", "fp32")
    stretch_the_angles(expected, longrope(16)["short_factor"])
    assert_same(onnx_description.describe(folder), expected)


@pytest.mark.parametrize("ep", ["cpu", "cuda"])
def test_longrope_caches_lie_in_the_data_file(ep, run_engine, tmp_path):
    """The builder puts them into the branches of the graph, where they weigh on its parsing: 52 MB for Phi-3.5."""
    checkpoint = synthetic.make(tmp_path / "checkpoint", onnx_cases.CASES["phi3-longrope-f16"][0])
    [folder] = run_engine.folders(checkpoint, [f"onnx:fp16,ep={ep}"])
    graph = onnx.load(folder / "model.onnx", load_external_data=False).graph
    initializers = {tensor.name for tensor in graph.initializer}
    branches = list(onnx_description.branch_caches(graph))
    assert [node.op_type for _, node in branches] == ["Identity"] * 4
    assert {name for _, node in branches for name in node.input} < initializers


@pytest.mark.parametrize("target", ["int4,algorithm=k_quant", "int4,algorithm=rtn,symmetric=false", "int4,algorithm=k_quant,ep=cuda"])
def test_odd_numbers_of_blocks(target, run_engine, tmp_path):
    """The builder fails where zero points of four bits do not fill bytes: ours start a byte with every row, as the runtime reads them."""
    case, _ = onnx_cases.CASES["llama-odd-columns-f32"]
    checkpoint = synthetic.make(tmp_path / "checkpoint", case)
    [folder] = run_engine.folders(checkpoint, [f"onnx:{target}"])
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(folder / "model.onnx").graph.initializer}
    _, shape, data = safetensors_files.read(checkpoint)["model.layers.1.mlp.down_proj.weight"]
    weights = np.frombuffer(data, np.float32).reshape(shape).astype(np.float16 if "cuda" in target else np.float32)
    planes = onnx_reference.quantize(weights, 4, 32, False, "KQUANT" if "k_quant" in target else "RTN")
    prefix = "model.layers.1.mlp.down_proj.MatMul.weight_"
    assert [tensors[prefix + plane].shape for plane in ("Q4G32", "scale", "zp")] == [(200, 9, 16), (200, 9), (200, 5)]
    assert [tensors[prefix + plane].tobytes() for plane in ("Q4G32", "scale", "zp")] == planes


def test_longest_text(run_engine, tmp_path):
    checkpoint = synthetic.make(tmp_path / "checkpoint", onnx_cases.CASES["phi3-bf16"][0])
    [folder] = run_engine.folders(checkpoint, ["onnx:int4,max_length=100"])
    expected = golden("phi3-bf16", "int4")
    expected.genai_config["search"]["max_length"] = 100
    assert_same(onnx_description.describe(folder), expected)


@pytest.mark.parametrize("name, plain, target", [("llama-tied-f16", "F16", "int4"), ("llama-untied-bf16", "BF16", "int4,ep=dml"),
                                                 ("llama-3-scaling-bf16", "BF16", "fp32"), ("llama-linear-scaling-f16", "F16", "fp32"),
                                                 ("phi3-bf16", "BF16", "int8,ep=cuda"), ("phi3-window-f16", "F16", "int4"),
                                                 ("phi3-partial-rotary-f16", "F16", "fp32"), ("phi3-longrope-f16", "F16", "int4")])
def test_through_gguf_has_the_same_graph(name, plain, target, run_engine, tmp_path):
    checkpoint = synthetic.make(tmp_path / name, onnx_cases.CASES[name][0])
    gguf = run_engine(checkpoint, [f"gguf:{plain}"])[f"gguf-{plain}"]
    direct, through = (onnx_description.describe(run_engine.folders(source, [f"onnx:{target}"])[0]) for source in (checkpoint, gguf.parent))
    through.genai_config["search"] = direct.genai_config["search"]  # a GGUF file does not have all of generation_config.json
    through.genai_config["model"]["eos_token_id"] = direct.genai_config["model"]["eos_token_id"]
    assert_same(through, direct)


REFUSED = {
    "scheme": ["int5"],
    "options[ep]": ["int4,ep=webgpu", "bf16,ep=cpu", "bf16,ep=mobile", "bf16,ep=dml", "fp32,ep=cuda", "fp32,ep=dml"],
    "options[block_size]": ["int4,block_size=48", "fp16,block_size=32"],
    "options[algorithm]": ["int4,algorithm=hqq", "fp16,algorithm=rtn"],
    "options[symmetric]": ["int4,symmetric=maybe", "int4,algorithm=k_quant,symmetric=true"],
    "options[accuracy_level]": ["int4,accuracy_level=5", "fp32,accuracy_level=4"],
    "options[mixed]": ["int4,mixed=some", "int8,mixed=layers"],
    "options[max_length]": ["int4,max_length=0", "int4,max_length=257", "int4,max_length=long"],
    "options[group_size]": ["int4,group_size=32"],
}


@pytest.fixture(scope="module")
def small_checkpoint(tmp_path_factory):
    return synthetic.make(tmp_path_factory.mktemp("onnx") / "small", onnx_cases.CASES["llama-odd-columns-tied-f16"][0])


@pytest.mark.parametrize("field, target", [(field, target) for field, targets in REFUSED.items() for target in targets])
def test_refuses(field, target, small_checkpoint, run_engine):
    assert f"targets[0].{field}: " in run_engine.error(small_checkpoint, [f"onnx:{target}"])


HEADS = {
    "12 pairs": case("llama", "F16", 1, 96, 96, 4, 2),
    "4 pairs": case("llama", "F16", 1, 64, 64, 8, 8),
    "partly rotated": case("phi3", "F16", 1, 64, 64, 2, 1, config=onnx_cases.PLAIN | {"partial_rotary_factor": 0.75}),
    "LongRoPE": case("phi3", "F16", 1, 96, 96, 4, 4, config={"rope_scaling": longrope(12)}),
}


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("target", ["int4", "fp16,ep=cuda"])
def test_refuses_heads_that_attention_can_not_rotate(name, target, run_engine, tmp_path):
    """GroupQueryAttention wants a multiple of 8 pairs of dimensions."""
    checkpoint = synthetic.make(tmp_path / "checkpoint", HEADS[name])
    assert re.search("multiples? of (8|16)", run_engine.error(checkpoint, [f"onnx:{target}"]))


def test_onnxruntime_opens_every_graph_it_can_compute(run_engine, tmp_path):
    """bfloat16 has no kernels on the CPU."""
    checkpoint = synthetic.make(tmp_path / "checkpoint", onnx_cases.CASES["llama-tied-f16"][0])
    targets = [target for target in onnx_cases.CASES["llama-tied-f16"][1] if "bf16" not in target]
    for folder in run_engine.folders(checkpoint, [f"onnx:{target}" for target in targets]):
        onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
