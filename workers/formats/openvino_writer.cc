#include "workers/formats/openvino_writer.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "workers/formats/openvino_xml.h"
#include "workers/formats/plane_sequence.h"

namespace quantd {
namespace {

constexpr int64_t kAlignment = 64;
constexpr uint64_t kMostXmlBytes = uint64_t{256} << 20;

int64_t Aligned(int64_t offset) { return (offset + kAlignment - 1) / kAlignment * kAlignment; }

class OpenVinoWriter final : public ModelWriter {
 public:
  OpenVinoWriter(const OutputPlan& plan, IrModel model)
      : model_(std::move(model)),
        planes_(plan, [this](size_t tensor, size_t plane, std::span<const std::byte> bytes) {
          return Write(model_.layers[layers_[tensor][plane]].constant->offset, bytes);
        }) {}

  absl::Status LayOut(const OutputPlan& plan, const std::vector<std::vector<std::string>>& names) {
    RETURN_IF_ERROR(LayOutOwnConstants());
    RETURN_IF_ERROR(LayOutPlanes(plan, names));
    xml_ = WriteOpenVinoXml(model_);
    return absl::OkStatus();
  }

  std::vector<FileSize> Files() const override {
    return {{kOpenVinoModelPath, static_cast<int64_t>(xml_.size())}, {kOpenVinoWeightsPath, file_bytes_}};
  }

  absl::Status Begin(ArtifactSink& sink) override {
    ASSIGN_OR_RETURN(std::unique_ptr<FileSink> xml, sink.Create(kOpenVinoModelPath));
    RETURN_IF_ERROR(xml->Append(std::as_bytes(std::span(xml_))));
    RETURN_IF_ERROR(xml->Close());
    ASSIGN_OR_RETURN(weights_, sink.Create(kOpenVinoWeightsPath));
    for (const auto& [offset, bytes] : own_constants_)
      RETURN_IF_ERROR(Write(offset, std::as_bytes(std::span(*bytes))));
    return absl::OkStatus();
  }

  absl::Status Append(size_t tensor, size_t plane, std::span<const std::byte> bytes) override {
    return planes_.Append(tensor, plane, bytes);
  }

  absl::Status Finish() override {
    RETURN_IF_ERROR(planes_.Finish());
    return weights_->Close();
  }

  StoredTensor Describe(size_t tensor, size_t plane) const override {
    const IrLayer& layer = model_.layers[layers_[tensor][plane]];
    return {layer.name, std::string(ElementTypeName(layer.outputs[0].type)), layer.constant->shape};
  }

  // The graph's own constants are no tensors of the artifact: they are compared here.
  absl::StatusOr<std::vector<StoredTensor>> ReadBack(const std::string& path, const RandomAccessFile& file,
                                                     const OpenArtifactFile& open) const override {
    if (path != kOpenVinoWeightsPath) return std::vector<StoredTensor>();
    ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> xml, open(kOpenVinoModelPath));
    ASSIGN_OR_RETURN(const std::string text, ReadAll(*xml, kMostXmlBytes));
    ASSIGN_OR_RETURN(std::vector<StoredTensor> constants, ReadOpenVinoConstants(text));
    std::map<std::string, const std::string*> own;
    for (const IrLayer& layer : model_.layers) {
      if (layer.constant.has_value() && layer.constant->bytes.has_value())
        own[layer.name] = &*layer.constant->bytes;
    }
    std::vector<StoredTensor> tensors;
    for (StoredTensor& constant : constants) {
      if (constant.offset > file.size() || constant.bytes > file.size() - constant.offset)
        return absl::InvalidArgumentError(absl::StrCat("constant ", constant.name, " lies outside the file"));
      if (const auto found = own.find(constant.name); found != own.end()) {
        RETURN_IF_ERROR(Compare(constant, *found->second, file));
      } else {
        tensors.push_back(std::move(constant));
      }
    }
    return tensors;
  }

 private:
  absl::Status LayOutOwnConstants() {
    std::map<std::string_view, int64_t> offsets;
    for (IrLayer& layer : model_.layers) {
      if (!layer.constant.has_value() || !layer.constant->bytes.has_value()) continue;
      const std::string& bytes = *layer.constant->bytes;
      RETURN_IF_ERROR(CheckSize(layer, static_cast<int64_t>(bytes.size())));
      const auto [known, is_new] = offsets.try_emplace(bytes, Aligned(file_bytes_));
      layer.constant->offset = known->second;
      if (!is_new) continue;
      own_constants_.emplace_back(known->second, &bytes);
      file_bytes_ = known->second + static_cast<int64_t>(bytes.size());
    }
    return absl::OkStatus();
  }

  absl::Status LayOutPlanes(const OutputPlan& plan, const std::vector<std::vector<std::string>>& names) {
    std::map<std::string, size_t> constants;
    for (size_t i = 0; i < model_.layers.size(); ++i) {
      const IrLayer& layer = model_.layers[i];
      if (!layer.constant.has_value() || layer.constant->bytes.has_value()) continue;
      if (!constants.try_emplace(layer.name, i).second)
        return absl::InternalError(absl::StrCat("two constants are named ", layer.name));
    }
    for (size_t tensor = 0; tensor < plan.tensors.size(); ++tensor) {
      layers_.emplace_back();
      for (size_t plane = 0; plane < names[tensor].size(); ++plane) {
        const auto found = constants.find(names[tensor][plane]);
        if (found == constants.end())
          return absl::InternalError(absl::StrCat("the model has no constant ", names[tensor][plane]));
        IrLayer& layer = model_.layers[found->second];
        const int64_t bytes = plan.tensors[tensor].PlaneBytes(plane);
        RETURN_IF_ERROR(CheckSize(layer, bytes));
        layer.constant->offset = Aligned(file_bytes_);
        file_bytes_ = layer.constant->offset + bytes;
        layers_.back().push_back(found->second);
        constants.erase(found);
      }
    }
    if (constants.empty()) return absl::OkStatus();
    return absl::InternalError(absl::StrCat("no tensor is planned for constant ", constants.begin()->first));
  }

  static absl::Status CheckSize(const IrLayer& layer, int64_t bytes) {
    ASSIGN_OR_RETURN(const int64_t expected, IrBytes(layer.outputs[0].type, layer.constant->shape));
    if (bytes == expected) return absl::OkStatus();
    return absl::InternalError(absl::StrCat("constant ", layer.name, " has ", expected,
                                            " bytes in the model and ", bytes, " in the plan"));
  }

  static absl::Status Compare(const StoredTensor& constant, const std::string& bytes,
                              const RandomAccessFile& file) {
    if (constant.bytes == bytes.size()) {
      std::string stored(bytes.size(), '\0');
      RETURN_IF_ERROR(file.ReadAt(constant.offset, std::as_writable_bytes(std::span(stored))));
      if (stored == bytes) return absl::OkStatus();
    }
    return absl::InvalidArgumentError(absl::StrCat("constant ", constant.name, " is another"));
  }

  absl::Status Write(int64_t begin, std::span<const std::byte> bytes) {
    if (written_ < begin) {
      RETURN_IF_ERROR(weights_->Append(std::vector<std::byte>(static_cast<size_t>(begin - written_))));
      written_ = begin;
    }
    written_ += static_cast<int64_t>(bytes.size());
    return weights_->Append(bytes);
  }

  IrModel model_;
  std::string xml_;
  std::vector<std::pair<int64_t, const std::string*>> own_constants_;  // different ones, by offset
  std::vector<std::vector<size_t>> layers_;                            // of each tensor's planes
  int64_t file_bytes_ = 0;
  PlaneSequence planes_;
  std::unique_ptr<FileSink> weights_;
  int64_t written_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ModelWriter>> MakeOpenVinoWriter(
    const OutputPlan& plan, const std::vector<std::vector<std::string>>& constants, IrModel model) {
  auto writer = std::make_unique<OpenVinoWriter>(plan, std::move(model));
  RETURN_IF_ERROR(writer->LayOut(plan, constants));
  return writer;
}

}  // namespace quantd
