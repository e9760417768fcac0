"""Says a folder that onnxruntime-genai opens in lines of JSON: what the goldens have and the tests compare."""
import dataclasses
import hashlib
import json

import onnx
from onnx import TensorProto, helper, numpy_helper

from onnx_cases import CACHE_ROWS


def type_of(element):
    return TensorProto.DataType.Name(element)


def described_value(value):
    tensor = value.type.tensor_type
    return [value.name, type_of(tensor.elem_type), [dim.dim_param or dim.dim_value for dim in tensor.shape.dim]]


def described_attribute(attribute):
    value = helper.get_attribute_value(attribute)
    if attribute.type == onnx.AttributeProto.TENSOR:
        return [type_of(value.data_type), list(value.dims), numpy_helper.to_array(value).ravel().tolist()]
    if attribute.type == onnx.AttributeProto.GRAPH:
        return value.name
    return list(value) if attribute.type == onnx.AttributeProto.INTS else value


def described_node(node):
    attributes = {attribute.name: described_attribute(attribute) for attribute in node.attribute}
    return [node.op_type, node.domain, node.name, list(node.input), list(node.output), attributes]


def described_initializer(tensor):
    """The digest of the bytes; of a rotary cache, which other arithmetic may round otherwise, some rows."""
    head, array = [tensor.name, type_of(tensor.data_type), list(tensor.dims)], numpy_helper.to_array(tensor)
    if tensor.name.startswith(("cos_cache", "sin_cache")):
        return [*head, rows_of(array)]
    return [*head, hashlib.sha256(array.tobytes()).hexdigest()[:32]]


def rows_of(cache):
    rows = [row for row in CACHE_ROWS if row < len(cache)]
    return {str(row): [round(float(value), 6) for value in cache[row]] for row in rows}


@dataclasses.dataclass
class Described:
    """In the file's order. `values` are the types of the nodes' outputs; `branches` the rotary caches between which an If chooses."""
    model: dict
    inputs: list
    outputs: list
    nodes: list
    initializers: list
    values: list
    branches: list
    genai_config: dict


LISTS = ("inputs", "outputs", "nodes", "initializers", "values", "branches")


def branch_caches(graph):
    """(branch, node) of each output of an If's branches."""
    for node in graph.node:
        if node.op_type == "If":
            for attribute in node.attribute:
                makers = {output: maker for maker in attribute.g.node for output in maker.output}
                for output in attribute.g.output:
                    yield attribute.name, makers[output.name]


def described_branch_cache(branch, node, initializers):
    """A cache is a Constant in the branch or an Identity of an initializer of the main graph."""
    tensor = initializers[node.input[0]] if node.op_type == "Identity" else node.attribute[0].t
    return [branch, type_of(tensor.data_type), list(tensor.dims), rows_of(numpy_helper.to_array(tensor))]


def describe(folder):
    model = onnx.load(folder / "model.onnx")
    graph = model.graph
    by_name = {tensor.name: tensor for tensor in graph.initializer}
    branches = list(branch_caches(graph))
    of_branches = {name for _, node in branches for name in node.input}
    made = {name for node in graph.node for name in node.output}
    head = {"ir_version": model.ir_version, "opsets": {entry.domain: entry.version for entry in model.opset_import}, "graph": graph.name}
    return Described(head, [described_value(value) for value in graph.input], [described_value(value) for value in graph.output],
                     [described_node(node) for node in graph.node],
                     [described_initializer(tensor) for tensor in graph.initializer if tensor.name not in of_branches],
                     [described_value(value)[:2] for value in graph.value_info if value.name in made],
                     [described_branch_cache(*branch, by_name) for branch in branches],
                     json.loads((folder / "genai_config.json").read_text()))


def write_goldens(path, described):
    """Targets mostly say the same lines: each line is written once, and a target has the numbers of its lines."""
    lines = {}

    def number(entry):
        return lines.setdefault(json.dumps(entry), len(lines))

    targets = {}
    for target, folder in described.items():
        parts = {"model": folder.model} | {part: [number(entry) for entry in getattr(folder, part)] for part in LISTS}
        targets[target] = parts | {"genai_config": number(folder.genai_config)}
    text = ",\n".join(lines)
    rows = ",\n".join(f"{json.dumps(target)}: {json.dumps(parts, separators=(',', ':'))}" for target, parts in targets.items())
    path.write_text(f'{{"lines": [\n{text}\n],\n"targets": {{\n{rows}\n}}}}\n')


def read_golden(path, target):
    golden = json.loads(path.read_text())
    lines, parts = golden["lines"], golden["targets"][target]
    return Described(parts["model"], *([lines[i] for i in parts[part]] for part in LISTS), lines[parts["genai_config"]])
