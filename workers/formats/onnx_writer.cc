#include "workers/formats/onnx_writer.h"

#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/checked_math.h"
#include "base/status.h"
#include "workers/formats/plane_sequence.h"

namespace quantd {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kLargeBytes = int64_t{1} << 20;
constexpr int64_t kLargeAlignment = int64_t{64} << 10;
constexpr uint64_t kMostGraphBytes = uint64_t{256} << 20;

int64_t BytesOf(int32_t type) {
  switch (type) {
    case onnx::TensorProto::FLOAT:
      return 4;
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
      return 2;
    default:
      return 1;  // packed levels and zero points
  }
}

absl::StatusOr<int64_t> BytesOf(const onnx::TensorProto& initializer) {
  int64_t bytes = BytesOf(initializer.data_type());
  for (int64_t dimension : initializer.dims()) {
    ASSIGN_OR_RETURN(bytes, CheckedMul(bytes, dimension));
  }
  return bytes;
}

void SetExternal(onnx::TensorProto& initializer, int64_t offset, int64_t bytes) {
  initializer.set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto& [key, value] : {std::pair<const char*, std::string>("location", kOnnxDataPath),
                                   {"offset", absl::StrCat(offset)},
                                   {"length", absl::StrCat(bytes)}}) {
    onnx::StringStringEntryProto* entry = initializer.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
}

absl::StatusOr<StoredTensor> ReadInitializer(const onnx::TensorProto& initializer, uint64_t file_size) {
  StoredTensor tensor{
      initializer.name(),
      onnx::TensorProto::DataType_Name(static_cast<onnx::TensorProto::DataType>(initializer.data_type())),
      {initializer.dims().begin(), initializer.dims().end()}};
  std::string location;
  for (const onnx::StringStringEntryProto& entry : initializer.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset" && !absl::SimpleAtoi(entry.value(), &tensor.offset)) location.clear();
    if (entry.key() == "length" && !absl::SimpleAtoi(entry.value(), &tensor.bytes)) location.clear();
  }
  if (location != kOnnxDataPath || tensor.offset > file_size || tensor.bytes > file_size - tensor.offset) {
    return absl::InvalidArgumentError(
        absl::StrCat("initializer ", tensor.name, " does not lie in ", kOnnxDataPath));
  }
  return tensor;
}

class OnnxWriter final : public ModelWriter {
 public:
  // Where a plane lies in the data file.
  struct Extent {
    const onnx::TensorProto* initializer;
    int64_t offset;
  };

  OnnxWriter(const OutputPlan& plan, onnx::ModelProto model)
      : model_(std::move(model)),
        planes_(plan, [this](size_t tensor, size_t plane, std::span<const std::byte> bytes) {
          return Write(tensor, plane, bytes);
        }) {}

  absl::Status LayOut(const OutputPlan& plan, const std::vector<std::vector<std::string>>& names) {
    std::map<std::string, onnx::TensorProto*> initializers;
    for (onnx::TensorProto& initializer : *model_.mutable_graph()->mutable_initializer())
      initializers[initializer.name()] = &initializer;
    for (size_t tensor = 0; tensor < plan.tensors.size(); ++tensor) {
      extents_.emplace_back();
      for (size_t plane = 0; plane < names[tensor].size(); ++plane) {
        const auto found = initializers.find(names[tensor][plane]);
        if (found == initializers.end())
          return absl::InternalError(absl::StrCat("the graph has no initializer ", names[tensor][plane]));
        const int64_t bytes = plan.tensors[tensor].PlaneBytes(plane);
        ASSIGN_OR_RETURN(int64_t expected, BytesOf(*found->second));
        if (bytes != expected) {
          return absl::InternalError(absl::StrCat("initializer ", found->first, " has ", expected,
                                                  " bytes in the graph and ", bytes, " in the plan"));
        }
        const int64_t alignment = bytes >= kLargeBytes ? kLargeAlignment : kAlignment;
        const int64_t offset = (data_bytes_ + alignment - 1) / alignment * alignment;
        SetExternal(*found->second, offset, bytes);
        extents_.back().push_back({found->second, offset});
        data_bytes_ = offset + bytes;
        initializers.erase(found);
      }
    }
    if (initializers.empty()) return absl::OkStatus();
    return absl::InternalError(
        absl::StrCat("no tensor is planned for initializer ", initializers.begin()->first));
  }

  std::vector<FileSize> Files() const override {
    return {{kOnnxGraphPath, static_cast<int64_t>(model_.ByteSizeLong())}, {kOnnxDataPath, data_bytes_}};
  }

  absl::Status Begin(ArtifactSink& sink) override {
    ASSIGN_OR_RETURN(std::unique_ptr<FileSink> graph, sink.Create(kOnnxGraphPath));
    const std::string bytes = model_.SerializeAsString();
    RETURN_IF_ERROR(graph->Append(std::as_bytes(std::span(bytes))));
    RETURN_IF_ERROR(graph->Close());
    ASSIGN_OR_RETURN(data_, sink.Create(kOnnxDataPath));
    return absl::OkStatus();
  }

  absl::Status Append(size_t tensor, size_t plane, std::span<const std::byte> bytes) override {
    return planes_.Append(tensor, plane, bytes);
  }

  absl::Status Finish() override {
    RETURN_IF_ERROR(planes_.Finish());
    return data_->Close();
  }

  StoredTensor Describe(size_t tensor, size_t plane) const override {
    const onnx::TensorProto& initializer = *extents_[tensor][plane].initializer;
    return {
        initializer.name(),
        onnx::TensorProto::DataType_Name(static_cast<onnx::TensorProto::DataType>(initializer.data_type())),
        {initializer.dims().begin(), initializer.dims().end()}};
  }

  absl::StatusOr<std::vector<StoredTensor>> ReadBack(const std::string& path, const RandomAccessFile& file,
                                                     const OpenArtifactFile& open) const override {
    if (path != kOnnxDataPath) return std::vector<StoredTensor>();
    ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> graph, open(kOnnxGraphPath));
    ASSIGN_OR_RETURN(std::string bytes, ReadAll(*graph, kMostGraphBytes));
    onnx::ModelProto model;
    if (!model.ParseFromString(bytes))
      return absl::InvalidArgumentError(absl::StrCat(kOnnxGraphPath, " is no ONNX model"));
    std::vector<StoredTensor> tensors;
    for (const onnx::TensorProto& initializer : model.graph().initializer()) {
      ASSIGN_OR_RETURN(StoredTensor tensor, ReadInitializer(initializer, file.size()));
      tensors.push_back(std::move(tensor));
    }
    return tensors;
  }

 private:
  absl::Status Write(size_t tensor, size_t plane, std::span<const std::byte> bytes) {
    const int64_t begin = extents_[tensor][plane].offset;
    if (written_ < begin) {
      RETURN_IF_ERROR(data_->Append(std::vector<std::byte>(static_cast<size_t>(begin - written_))));
      written_ = begin;
    }
    written_ += static_cast<int64_t>(bytes.size());
    return data_->Append(bytes);
  }

  onnx::ModelProto model_;
  std::vector<std::vector<Extent>> extents_;
  int64_t data_bytes_ = 0;
  PlaneSequence planes_;
  std::unique_ptr<FileSink> data_;
  int64_t written_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ModelWriter>> MakeOnnxWriter(
    const OutputPlan& plan, const std::vector<std::vector<std::string>>& initializers,
    onnx::ModelProto model) {
  auto writer = std::make_unique<OnnxWriter>(plan, std::move(model));
  RETURN_IF_ERROR(writer->LayOut(plan, initializers));
  return writer;
}

}  // namespace quantd
