"""Every ONNX MatMulNBits codec against onnxruntime's own quantizers, byte for byte, and decoded as the runtime computes."""
import functools

import numpy as np
import pytest

import distributions
import onnx_reference
from onnx_reference import ALGORITHMS, codec_name

TARGETS = ["scalar", "sse4", "avx2", "avx512"]
TYPES = {"F32": np.float32, "F16": np.float16}
ROWS = 6  # of each distribution
CASES = [(algorithm, bits, block, symmetric) for algorithm, kinds in ALGORITHMS.items() for bits in (4, 8)
         for block in (16, 32, 64, 128, 256) for symmetric in kinds]


@functools.lru_cache
def all_distributions(columns):
    return np.concatenate([distribution(np.random.default_rng(1), ROWS * 1536).reshape(ROWS, 1536)[:, :columns]
                           for distribution in distributions.ALL])


def differing(ours, planes):
    """Names of the distributions of which some plane's rows are not the same bytes."""
    names = set()
    for theirs in planes:
        size = len(theirs) // len(distributions.ALL)
        for i, distribution in enumerate(distributions.ALL):
            if ours[i * size:(i + 1) * size] != theirs[i * size:(i + 1) * size]:
                names.add(distribution.__name__)
        ours = ours[len(theirs):]
    assert not ours
    return names


def assert_bytes_equal(encode, case, stored, columns, target=""):
    algorithm, bits, block, symmetric = case
    weights = np.ascontiguousarray(all_distributions(columns).astype(TYPES[stored]))
    planes = onnx_reference.quantize(weights, bits, block, symmetric, algorithm)
    ours = encode(codec_name(bits, block, symmetric, algorithm, stored), weights.astype(np.float32), target=target)
    assert differing(ours, planes) == set()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: codec_name(case[1], case[2], case[3], case[0], "F32"))
def test_bytes_equal_onnxruntime(cpu_targets, encode, case, target):
    if target not in cpu_targets:
        pytest.skip(f"this processor has no {target}")
    assert_bytes_equal(encode, case, "F32", 1536, target)


@pytest.mark.parametrize("case", CASES, ids=lambda case: codec_name(case[1], case[2], case[3], case[0], "F16"))
def test_weights_and_scales_in_half(encode, case):
    assert_bytes_equal(encode, case, "F16", 1536)


@pytest.mark.parametrize("columns", [2, 30, 256 + 16, 1000])
@pytest.mark.parametrize("case", CASES, ids=lambda case: codec_name(case[1], case[2], case[3], case[0], "F32"))
def test_rows_that_end_inside_a_block(encode, case, columns):
    assert_bytes_equal(encode, case, "F32", columns)


@pytest.mark.parametrize("case", [case for case in CASES if case[1] == 8 or case[2] % 32 == 0][:8],
                         ids=lambda case: codec_name(case[1], case[2], case[3], case[0], "BF16"))
def test_bf16_has_the_levels_of_float_and_rounded_scales(encode, case):
    algorithm, bits, block, symmetric = case
    weights = all_distributions(1536)
    packed, scales, *rest = onnx_reference.quantize(weights, bits, block, symmetric, algorithm)
    as_int = np.frombuffer(scales, np.uint32)
    rounded = ((as_int + 0x7FFF + (as_int >> 16 & 1)) >> 16).astype(np.uint16)
    assert encode(codec_name(bits, block, symmetric, algorithm, "BF16"), weights) == b"".join([packed, rounded.tobytes(), *rest])


def matmul_of_identity(planes, bits, block, symmetric, rows, columns):
    """The weights as MatMulNBits sees them: it multiplies the identity matrix with them."""
    import onnx
    import onnxruntime
    blocks = onnx_reference.blocks_of(columns, block)
    packed = np.frombuffer(planes[0], np.uint8).reshape(rows, blocks, block * bits // 8)
    values = {"packed": packed, "scales": np.frombuffer(planes[1], np.float32)}
    if not symmetric:
        values["zero_points"] = np.frombuffer(planes[2], np.uint8)
    node = onnx.helper.make_node("MatMulNBits", ["identity", *values], ["weights"], domain="com.microsoft", K=columns, N=rows, bits=bits,
                                 block_size=block, accuracy_level=0)
    tensor = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph([node], "decode", [tensor("identity", 1, [columns, columns])], [tensor("weights", 1, [columns, rows])],
                                   [onnx.numpy_helper.from_array(value, name) for name, value in values.items()])
    model = onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 21),
                                                                        onnx.helper.make_opsetid("com.microsoft", 1)])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"identity": np.eye(columns, dtype=np.float32)})[0].T


@pytest.mark.parametrize("columns", [256, 200])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [4, 8])
def test_decoded_weights_are_those_that_the_runtime_multiplies_with(encode, decode, bits, symmetric, columns):
    rows, block = 32, 32
    weights = distributions.gaussian(np.random.default_rng(4), rows * columns).reshape(rows, columns)
    name = codec_name(bits, block, symmetric, "DEFAULT", "F32")
    planes = onnx_reference.quantize(weights, bits, block, symmetric, "DEFAULT")
    decoded = np.frombuffer(decode(name, b"".join(planes), columns), np.float32).reshape(rows, columns)
    runtime = matmul_of_identity(planes, bits, block, symmetric, rows, columns)
    # The runtime may add -zero point * scale * (sum of a block's inputs) at the end: a rounding of a float's last bits.
    np.testing.assert_allclose(decoded, runtime, rtol=0, atol=2e-7)
