#include "workers/formats/openvino_xml.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace quantd {
namespace {

constexpr char kDeclaration[] = "<?xml version=\"1.0\"?>";
constexpr int kIrVersion = 11;

// Characters that an attribute's value can't hold as they are. Readers would make spaces of line breaks.
constexpr std::pair<char, const char*> kEscapes[] = {{'&', "&amp;"},  {'<', "&lt;"},   {'>', "&gt;"},
                                                     {'"', "&quot;"}, {'\n', "&#10;"}, {'\r', "&#13;"},
                                                     {'\t', "&#9;"}};

std::string Escape(const std::string& text) {
  std::string escaped;
  for (char c : text) {
    const auto found = std::find_if(std::begin(kEscapes), std::end(kEscapes),
                                    [c](const auto& escape) { return escape.first == c; });
    if (found == std::end(kEscapes)) {
      escaped += c;
    } else {
      escaped += found->second;
    }
  }
  return escaped;
}

std::string Unescape(const std::string& escaped) {
  std::string text;
  for (size_t at = 0; at < escaped.size();) {
    const auto found = std::find_if(std::begin(kEscapes), std::end(kEscapes), [&](const auto& escape) {
      return escaped.compare(at, std::strlen(escape.second), escape.second) == 0;
    });
    text += found == std::end(kEscapes) ? escaped[at] : found->first;
    at += found == std::end(kEscapes) ? 1 : std::strlen(found->second);
  }
  return text;
}

std::string Attribute(const char* name, const std::string& value) {
  return absl::StrCat(" ", name, "=\"", Escape(value), "\"");
}

class XmlText {
 public:
  explicit XmlText(const IrModel& model) : model_(model) {}

  std::string Write() {
    absl::StrAppend(&text_, kDeclaration, "\n<net", Attribute("name", model_.name),
                    Attribute("version", absl::StrCat(kIrVersion)), ">\n<layers>\n");
    for (size_t i = 0; i < model_.layers.size(); ++i) WriteLayer(i);
    absl::StrAppend(&text_, "</layers>\n<edges>\n");
    for (size_t i = 0; i < model_.layers.size(); ++i) WriteEdges(i);
    absl::StrAppend(&text_, "</edges>\n<rt_info>\n");
    for (const IrInfo& info : model_.info) WriteInfo(info);
    absl::StrAppend(&text_, "</rt_info>\n</net>\n");
    return std::move(text_);
  }

 private:
  void WriteLayer(size_t id) {
    const IrLayer& layer = model_.layers[id];
    absl::StrAppend(&text_, "<layer", Attribute("id", absl::StrCat(id)), Attribute("name", layer.name),
                    Attribute("type", layer.type), Attribute("version", layer.version), ">");
    WriteData(layer);
    if (layer.decompresses)
      absl::StrAppend(&text_, "<rt_info><attribute name=\"decompression\" version=\"0\"/></rt_info>");
    if (!layer.inputs.empty()) {
      absl::StrAppend(&text_, "<input>");
      for (size_t port = 0; port < layer.inputs.size(); ++port)
        absl::StrAppend(&text_, "<port", Attribute("id", absl::StrCat(port)), "/>");
      absl::StrAppend(&text_, "</input>");
    }
    WriteOutputs(layer);
    absl::StrAppend(&text_, "</layer>\n");
  }

  void WriteData(const IrLayer& layer) {
    if (layer.constant.has_value()) return WriteConstantData(layer);
    if (layer.attributes.empty()) return;
    absl::StrAppend(&text_, "<data");
    for (const auto& [name, value] : layer.attributes)
      absl::StrAppend(&text_, Attribute(name.c_str(), value));
    absl::StrAppend(&text_, "/>");
  }

  void WriteConstantData(const IrLayer& layer) {
    const IrConstant& constant = *layer.constant;
    const IrType type = layer.outputs[0].type;
    absl::StrAppend(&text_, "<data", Attribute("element_type", std::string(ElementTypeName(type))),
                    Attribute("shape", absl::StrJoin(constant.shape, ", ")),
                    Attribute("offset", absl::StrCat(constant.offset)),
                    Attribute("size", absl::StrCat(IrBytes(type, constant.shape).value_or(0))), "/>");
  }

  // Ports of outputs are counted on from those of inputs.
  void WriteOutputs(const IrLayer& layer) {
    if (layer.outputs.empty()) return;
    absl::StrAppend(&text_, "<output>");
    for (size_t i = 0; i < layer.outputs.size(); ++i) {
      const IrOutput& output = layer.outputs[i];
      absl::StrAppend(&text_, "<port", Attribute("id", absl::StrCat(layer.inputs.size() + i)),
                      Attribute("precision", std::string(PrecisionName(output.type))));
      if (!output.tensor_name.empty()) absl::StrAppend(&text_, Attribute("names", output.tensor_name));
      absl::StrAppend(&text_, "/>");
    }
    absl::StrAppend(&text_, "</output>");
  }

  void WriteEdges(size_t id) {
    const std::vector<IrPort>& inputs = model_.layers[id].inputs;
    for (size_t port = 0; port < inputs.size(); ++port) {
      const size_t from_port = model_.layers[inputs[port].layer].inputs.size() + inputs[port].output;
      absl::StrAppend(&text_, "<edge", Attribute("from-layer", absl::StrCat(inputs[port].layer)),
                      Attribute("from-port", absl::StrCat(from_port)),
                      Attribute("to-layer", absl::StrCat(id)), Attribute("to-port", absl::StrCat(port)),
                      "/>\n");
    }
  }

  void WriteInfo(const IrInfo& info) {
    absl::StrAppend(&text_, "<", info.name);
    if (info.children.empty()) {
      absl::StrAppend(&text_, Attribute("value", info.value), "/>\n");
      return;
    }
    absl::StrAppend(&text_, ">\n");
    for (const IrInfo& child : info.children) WriteInfo(child);
    absl::StrAppend(&text_, "</", info.name, ">\n");
  }

  const IrModel& model_;
  std::string text_;
};

struct Tag {
  std::string name;  // "/name" for one that closes
  std::map<std::string, std::string> attributes;

  absl::StatusOr<std::string> Get(const char* attribute) const {
    const auto found = attributes.find(attribute);
    if (found != attributes.end()) return found->second;
    return absl::InvalidArgumentError(absl::StrCat("<", name, "> has no ", attribute));
  }
  absl::StatusOr<uint64_t> GetNumber(const char* attribute) const {
    ASSIGN_OR_RETURN(const std::string text, Get(attribute));
    uint64_t number = 0;
    if (absl::SimpleAtoi(text, &number)) return number;
    return absl::InvalidArgumentError(absl::StrCat(attribute, " \"", text, "\" is no number"));
  }
};

// Takes tag after tag from a text.
class TagReader {
 public:
  explicit TagReader(std::string_view text) : rest_(text) { SkipSpace(); }

  bool AtEnd() const { return rest_.empty(); }

  absl::StatusOr<Tag> Next() {
    const std::string_view at = rest_.substr(0, kShown);
    Tag tag;
    if (!Take("<")) return NoTag(at);
    if (Take("/")) tag.name = "/";
    tag.name += TakeWord();
    for (SkipSpace(); !rest_.empty() && rest_[0] != '>' && rest_[0] != '/'; SkipSpace()) {
      const std::string attribute(TakeWord());
      if (attribute.empty() || !Take("=\"")) return NoTag(at);
      const size_t end = rest_.find('"');
      if (end == std::string_view::npos) return NoTag(at);
      tag.attributes[attribute] = Unescape(std::string(rest_.substr(0, end)));
      rest_.remove_prefix(end + 1);
    }
    Take("/");
    if (!Take(">")) return NoTag(at);
    SkipSpace();
    return tag;
  }

 private:
  static constexpr size_t kShown = 40;

  static absl::Status NoTag(std::string_view at) {
    return absl::InvalidArgumentError(absl::StrCat("no tag at \"", std::string(at), "\""));
  }

  bool Take(std::string_view what) {
    if (rest_.substr(0, what.size()) != what) return false;
    rest_.remove_prefix(what.size());
    return true;
  }

  std::string_view TakeWord() {
    const auto ends = [](char c) {
      return !absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-';
    };
    const size_t size = static_cast<size_t>(std::find_if(rest_.begin(), rest_.end(), ends) - rest_.begin());
    const std::string_view word = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return word;
  }

  void SkipSpace() {
    while (!rest_.empty() && absl::ascii_isspace(static_cast<unsigned char>(rest_[0])))
      rest_.remove_prefix(1);
  }

  std::string_view rest_;
};

absl::StatusOr<StoredTensor> ReadConstant(const std::string& name, const Tag& data) {
  StoredTensor tensor{.name = name, .type = "", .shape = {}};
  ASSIGN_OR_RETURN(tensor.type, data.Get("element_type"));
  ASSIGN_OR_RETURN(const std::string shape, data.Get("shape"));
  ASSIGN_OR_RETURN(tensor.offset, data.GetNumber("offset"));
  ASSIGN_OR_RETURN(tensor.bytes, data.GetNumber("size"));
  for (const std::string& dimension :
       std::vector<std::string>(absl::StrSplit(shape, ", ", absl::SkipEmpty()))) {
    if (!absl::SimpleAtoi(dimension, &tensor.shape.emplace_back()))
      return absl::InvalidArgumentError(absl::StrCat("shape \"", shape, "\" is no list of numbers"));
  }
  const std::optional<IrType> type = FindElementType(tensor.type);
  if (!type.has_value())
    return absl::InvalidArgumentError(absl::StrCat("\"", tensor.type, "\" is no element type"));
  ASSIGN_OR_RETURN(const int64_t bytes, IrBytes(*type, tensor.shape));
  if (tensor.bytes != static_cast<uint64_t>(bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("constant ", tensor.name, " has ", tensor.bytes, " bytes, its shape and type ", bytes));
  }
  return tensor;
}

}  // namespace

std::string WriteOpenVinoXml(const IrModel& model) { return XmlText(model).Write(); }

absl::StatusOr<std::vector<StoredTensor>> ReadOpenVinoConstants(std::string_view xml) {
  if (xml.substr(0, sizeof(kDeclaration) - 1) != kDeclaration)
    return absl::InvalidArgumentError("the text does not begin as XML does");
  TagReader tags(xml.substr(sizeof(kDeclaration) - 1));
  std::vector<StoredTensor> constants;
  std::optional<std::string> name;  // of the constant whose data comes next
  while (!tags.AtEnd()) {
    ASSIGN_OR_RETURN(const Tag tag, tags.Next());
    if (tag.name == "layer") {
      ASSIGN_OR_RETURN(const std::string type, tag.Get("type"));
      ASSIGN_OR_RETURN(std::string layer_name, tag.Get("name"));
      if (type == "Const") name = std::move(layer_name);
    } else if (tag.name == "data" && name.has_value()) {
      ASSIGN_OR_RETURN(StoredTensor constant, ReadConstant(*name, tag));
      constants.push_back(std::move(constant));
      name.reset();
    } else if (name.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat("constant ", *name, " has no data"));
    }
  }
  return constants;
}

}  // namespace quantd
