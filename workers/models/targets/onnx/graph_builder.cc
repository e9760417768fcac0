#include "workers/models/targets/onnx/graph_builder.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace quantd {
namespace {

constexpr int64_t kIrVersion = 10;
constexpr int64_t kOnnxOpset = 22;
constexpr int64_t kMicrosoftOpset = 1;

void Describe(const OnnxValue& value, onnx::ValueInfoProto& out) {
  out.set_name(value.name);
  onnx::TypeProto::Tensor& tensor = *out.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(value.type);
  onnx::TensorShapeProto& shape = *tensor.mutable_shape();  // there even when the value is a scalar
  for (const OnnxDimension& dimension : value.shape) {
    onnx::TensorShapeProto::Dimension& added = *shape.add_dim();
    if (const int64_t* size = std::get_if<int64_t>(&dimension)) {
      added.set_dim_value(*size);
    } else {
      added.set_dim_param(std::get<std::string>(dimension));
    }
  }
}

void SetAttribute(const std::string& name, const OnnxAttribute& value, onnx::AttributeProto& out) {
  out.set_name(name);
  if (const int64_t* integer = std::get_if<int64_t>(&value)) {
    out.set_type(onnx::AttributeProto::INT);
    out.set_i(*integer);
  } else if (const float* number = std::get_if<float>(&value)) {
    out.set_type(onnx::AttributeProto::FLOAT);
    out.set_f(*number);
  } else {
    out.set_type(onnx::AttributeProto::INTS);
    for (int64_t element : std::get<std::vector<int64_t>>(value)) out.add_ints(element);
  }
}

void SetInnerGraph(const std::string& name, const GraphBuilder::Branch& branch, onnx::AttributeProto& out) {
  out.set_name(name);
  out.set_type(onnx::AttributeProto::GRAPH);
  onnx::GraphProto& graph = *out.mutable_g();
  graph.set_name(branch.name);
  for (const OnnxValue& value : branch.values) {
    // An inner graph can't give out a value of the outer one itself.
    OnnxValue copy = value;
    onnx::NodeProto& node = *graph.add_node();
    node.set_op_type("Identity");
    node.set_name(absl::StrCat(branch.node_prefix, value.name, "/Identity"));
    node.add_input(value.name);
    copy.name = node.name() + "/output_0";
    node.add_output(copy.name);
    Describe(copy, *graph.add_output());
  }
}

}  // namespace

GraphBuilder::GraphBuilder() {
  model_.set_ir_version(kIrVersion);
  model_.set_producer_name("quantd");
  for (const auto& [domain, version] : {std::pair("", kOnnxOpset), {kMicrosoftDomain, kMicrosoftOpset}}) {
    onnx::OperatorSetIdProto& set = *model_.add_opset_import();
    set.set_domain(domain);
    set.set_version(version);
  }
  model_.mutable_graph()->set_name("main_graph");
}

void GraphBuilder::AddInput(const OnnxValue& value) { Describe(value, *model_.mutable_graph()->add_input()); }

void GraphBuilder::AddOutput(const OnnxValue& value) {
  Describe(value, *model_.mutable_graph()->add_output());
}

std::string GraphBuilder::Add(const OnnxNode& node) {
  onnx::GraphProto& graph = *model_.mutable_graph();
  onnx::NodeProto& out = *graph.add_node();
  out.set_op_type(node.op);
  out.set_domain(node.domain);
  out.set_name(node.name);
  for (const std::string& input : node.inputs) out.add_input(input);
  for (const OnnxValue& output : node.outputs) {
    out.add_output(output.name);
    if (output.type != onnx::TensorProto::UNDEFINED) Describe(output, *graph.add_value_info());
  }
  for (const auto& [name, value] : node.attributes) SetAttribute(name, value, *out.add_attribute());
  return node.outputs.front().name;
}

void GraphBuilder::AddIf(const std::string& name, const std::string& condition,
                         const std::vector<OnnxValue>& outputs, const Branch& then_branch,
                         const Branch& else_branch) {
  Add({"If", name, {condition}, outputs});
  onnx::GraphProto& graph = *model_.mutable_graph();
  onnx::NodeProto& node = *graph.mutable_node(graph.node_size() - 1);
  SetInnerGraph("else_branch", else_branch, *node.add_attribute());
  SetInnerGraph("then_branch", then_branch, *node.add_attribute());
}

std::string GraphBuilder::Scalar(int64_t value) { return AddConstant(absl::StrCat(value), {}, {value}); }

std::string GraphBuilder::List(const std::vector<int64_t>& values) {
  return AddConstant(absl::StrCat("[", absl::StrJoin(values, ", "), "]"),
                     {static_cast<int64_t>(values.size())}, values);
}

std::string GraphBuilder::AddConstant(const std::string& text, const std::vector<int64_t>& shape,
                                      const std::vector<int64_t>& values) {
  auto [known, is_new] = constants_.try_emplace(text, absl::StrCat("/model/constants/INT64/", text));
  if (!is_new) return known->second;
  const std::vector<OnnxDimension> dimensions(shape.begin(), shape.end());
  Add({"Constant",
       absl::StrCat("/model/constant_nodes/INT64/", text),
       {},
       {{known->second, onnx::TensorProto::INT64, dimensions}}});
  onnx::GraphProto& graph = *model_.mutable_graph();
  onnx::AttributeProto& attribute = *graph.mutable_node(graph.node_size() - 1)->add_attribute();
  attribute.set_name("value");
  attribute.set_type(onnx::AttributeProto::TENSOR);
  onnx::TensorProto& tensor = *attribute.mutable_t();
  tensor.set_data_type(onnx::TensorProto::INT64);
  for (int64_t size : shape) tensor.add_dims(size);
  tensor.set_raw_data(values.data(), values.size() * sizeof(int64_t));
  return known->second;
}

std::string GraphBuilder::AddInitializer(const std::string& name, OnnxType type,
                                         const std::vector<int64_t>& shape) {
  onnx::TensorProto& tensor = *model_.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(type);
  for (int64_t size : shape) tensor.add_dims(size);
  return name;
}

}  // namespace quantd
