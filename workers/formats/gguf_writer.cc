#include "workers/formats/gguf_writer.h"

#include <bit>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "workers/formats/gguf_reader.h"

namespace quantd {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr uint32_t kVersion = 3;

uint64_t Aligned(uint64_t bytes, uint64_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

// What the metadata says, for files that were read from one with another alignment than usual.
uint64_t AlignmentOf(const GgufMetadata& metadata) {
  const GgufValue* value = FindGgufValue(metadata, kGgufAlignmentKey);
  return value == nullptr ? kGgufDefaultAlignment : std::get<uint32_t>(*value);
}

class HeaderBuilder {
 public:
  template <typename T>
  requires std::is_arithmetic_v<T>
  void Put(T value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value)); }
  void Put(std::string_view text) {
    Put(uint64_t{text.size()});
    bytes_.append(text);
  }
  void PutValue(const GgufValue& value) {
    std::visit([this](const auto& held) { PutTyped(held); }, value);
  }
  void Align(uint64_t alignment) { bytes_.resize(Aligned(bytes_.size(), alignment), '\0'); }
  std::string Take() { return std::move(bytes_); }

 private:
  void PutType(GgufType type) { Put(static_cast<uint32_t>(type)); }
  template <typename T>
  requires std::is_arithmetic_v<T>
  void PutTyped(T value) {
    PutType(TypeOf(value));
    Put(value);
  }
  void PutTyped(bool value) {
    PutType(GgufType::kBool);
    Put(static_cast<uint8_t>(value));
  }
  void PutTyped(const std::string& value) {
    PutType(GgufType::kString);
    Put(std::string_view(value));
  }
  void PutTyped(const std::vector<std::string>& values) {
    PutArray(GgufType::kString, values.size());
    for (const std::string& value : values) Put(std::string_view(value));
  }
  template <typename T>
  void PutTyped(const std::vector<T>& values) {
    PutArray(TypeOf(T{}), values.size());
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }
  void PutTyped(const GgufPackedArray& array) {
    PutArray(array.element, array.bytes.size() / static_cast<size_t>(GgufTypeBytes(array.element)));
    bytes_.append(array.bytes);
  }
  void PutArray(GgufType element, size_t count) {
    PutType(GgufType::kArray);
    PutType(element);
    Put(uint64_t{count});
  }

  static GgufType TypeOf(uint8_t) { return GgufType::kUint8; }
  static GgufType TypeOf(int8_t) { return GgufType::kInt8; }
  static GgufType TypeOf(uint16_t) { return GgufType::kUint16; }
  static GgufType TypeOf(int16_t) { return GgufType::kInt16; }
  static GgufType TypeOf(uint32_t) { return GgufType::kUint32; }
  static GgufType TypeOf(int32_t) { return GgufType::kInt32; }
  static GgufType TypeOf(uint64_t) { return GgufType::kUint64; }
  static GgufType TypeOf(int64_t) { return GgufType::kInt64; }
  static GgufType TypeOf(float) { return GgufType::kFloat32; }
  static GgufType TypeOf(double) { return GgufType::kFloat64; }

  std::string bytes_;
};

class GgufWriter final : public ModelWriter {
 public:
  GgufWriter(const OutputPlan& plan, const GgufMetadata& metadata, std::string path)
      : plan_(plan),
        path_(std::move(path)),
        alignment_(AlignmentOf(metadata)),
        header_(MakeHeader(plan, metadata, alignment_)) {}

  std::vector<FileSize> Files() const override {
    uint64_t bytes = header_.size();
    for (const OutputTensor& tensor : plan_.tensors)
      bytes += Aligned(static_cast<uint64_t>(tensor.bytes()), alignment_);
    return {{path_, static_cast<int64_t>(bytes)}};
  }

  absl::Status Begin(ArtifactSink& sink) override {
    ASSIGN_OR_RETURN(file_, sink.Create(path_));
    RETURN_IF_ERROR(file_->Append(std::as_bytes(std::span(header_))));
    header_.clear();
    header_.shrink_to_fit();
    return absl::OkStatus();
  }

  absl::Status Append(size_t tensor, size_t /*plane*/, std::span<const std::byte> bytes) override {
    if (tensor != tensor_) RETURN_IF_ERROR(EndTensor(tensor));
    written_ += bytes.size();
    return file_->Append(bytes);
  }

  absl::Status Finish() override {
    RETURN_IF_ERROR(EndTensor(plan_.tensors.size()));
    return file_->Close();
  }

  StoredTensor Describe(size_t tensor, size_t /*plane*/) const override {
    const OutputTensor& output = plan_.tensors[tensor];
    return {output.name, std::string(output.codec->name()), output.shape};
  }

  absl::StatusOr<std::vector<StoredTensor>> ReadBack(const std::string& path, const RandomAccessFile& file,
                                                     const OpenArtifactFile&) const override {
    if (path != path_) return std::vector<StoredTensor>();
    ASSIGN_OR_RETURN(GgufFile header, ReadGgufHeader(file));
    std::vector<StoredTensor> tensors;
    for (const SourceTensor& tensor : header.tensors) {
      tensors.push_back(
          {tensor.name, std::string(tensor.codec->name()), tensor.shape, tensor.offset, tensor.bytes});
    }
    return tensors;
  }

 private:
  static std::string MakeHeader(const OutputPlan& plan, const GgufMetadata& metadata, uint64_t alignment) {
    HeaderBuilder header;
    for (char letter : std::string_view("GGUF")) header.Put(letter);
    header.Put(kVersion);
    header.Put(uint64_t{plan.tensors.size()});
    header.Put(uint64_t{metadata.size()});
    for (const auto& [key, value] : metadata) {
      header.Put(std::string_view(key));
      header.PutValue(value);
    }
    uint64_t offset = 0;
    for (const OutputTensor& tensor : plan.tensors) {
      header.Put(std::string_view(tensor.name));
      header.Put(static_cast<uint32_t>(tensor.shape.size()));
      for (auto dimension = tensor.shape.rbegin(); dimension != tensor.shape.rend(); ++dimension) {
        header.Put(static_cast<uint64_t>(*dimension));
      }
      header.Put(GgufTensorType(tensor.codec->name()));
      header.Put(offset);
      offset += Aligned(static_cast<uint64_t>(tensor.bytes()), alignment);
    }
    header.Align(alignment);
    return header.Take();
  }

  // Pads the tensor that was written and moves on to `next`, which must be the one after it.
  absl::Status EndTensor(size_t next) {
    const uint64_t expected = static_cast<uint64_t>(plan_.tensors[tensor_].bytes());
    if (written_ != expected || next != tensor_ + 1) {
      return absl::InternalError(absl::StrCat("tensor ", plan_.tensors[tensor_].name, " got ", written_,
                                              " of ", expected, " bytes before tensor ", next));
    }
    const std::vector<std::byte> padding(Aligned(expected, alignment_) - expected);
    RETURN_IF_ERROR(file_->Append(padding));
    tensor_ = next;
    written_ = 0;
    return absl::OkStatus();
  }

  const OutputPlan& plan_;
  std::string path_;
  uint64_t alignment_;
  std::string header_;
  std::unique_ptr<FileSink> file_;
  size_t tensor_ = 0;
  uint64_t written_ = 0;
};

}  // namespace

std::unique_ptr<ModelWriter> MakeGgufWriter(const OutputPlan& plan, const GgufMetadata& metadata,
                                            std::string path) {
  return std::make_unique<GgufWriter>(plan, metadata, std::move(path));
}

}  // namespace quantd
