// Writes an ONNX model node by node.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace quantd {

using OnnxType = onnx::TensorProto::DataType;

inline constexpr char kMicrosoftDomain[] = "com.microsoft";

// A known size, or the name of one that is known when the model runs.
using OnnxDimension = std::variant<int64_t, std::string>;

// A named tensor of the graph. An output that a node leaves out has an empty name.
struct OnnxValue {
  std::string name;
  OnnxType type = onnx::TensorProto::UNDEFINED;
  std::vector<OnnxDimension> shape = {};
};

using OnnxAttribute = std::variant<int64_t, float, std::vector<int64_t>>;

struct OnnxNode {
  std::string op;
  std::string name;
  std::vector<std::string> inputs;  // an input that is left out has an empty name
  std::vector<OnnxValue> outputs;
  std::vector<std::pair<std::string, OnnxAttribute>> attributes = {};
  std::string domain = "";
};

// Not thread-safe. Nodes stand in the model in the order in which they were added.
class GraphBuilder {
 public:
  GraphBuilder();

  void AddInput(const OnnxValue& value);
  void AddOutput(const OnnxValue& value);

  // Returns the name of the node's first output. Outputs that are none of the graph's are described in its
  // value_info.
  std::string Add(const OnnxNode& node);

  // An If node whose outputs are the values of one of the branches. Those exist outside of it.
  struct Branch {
    std::string name;         // of the inner graph
    std::string node_prefix;  // of its nodes' names
    std::vector<OnnxValue> values;
  };
  void AddIf(const std::string& name, const std::string& condition, const std::vector<OnnxValue>& outputs,
             const Branch& then_branch, const Branch& else_branch);

  // Names of constants, each added to the model where it is asked for first.
  std::string Scalar(int64_t value);
  std::string List(const std::vector<int64_t>& values);

  // A tensor whose bytes are added later. Returns its name.
  std::string AddInitializer(const std::string& name, OnnxType type, const std::vector<int64_t>& shape);

  onnx::ModelProto Take() { return std::move(model_); }

 private:
  std::string AddConstant(const std::string& text, const std::vector<int64_t>& shape,
                          const std::vector<int64_t>& values);

  onnx::ModelProto model_;
  std::map<std::string, std::string> constants_;  // output names by text
};

}  // namespace quantd
