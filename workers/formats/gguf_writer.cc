#include "workers/formats/gguf_writer.h"

#include <array>
#include <bit>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr uint64_t kAlignment = 32;
constexpr uint32_t kVersion = 3;

// ggml's numbers of tensor types (ggml.h).
uint32_t TypeNumber(std::string_view codec) {
  constexpr std::pair<std::string_view, uint32_t> kTypes[] = {
      {"F32", 0},   {"F16", 1},   {"Q4_0", 2},  {"Q4_1", 3},  {"Q5_0", 6},  {"Q5_1", 7}, {"Q8_0", 8},
      {"Q2_K", 10}, {"Q3_K", 11}, {"Q4_K", 12}, {"Q5_K", 13}, {"Q6_K", 14}, {"BF16", 30}};
  for (const auto& [name, number] : kTypes) {
    if (name == codec) return number;
  }
  return ~uint32_t{0};
}

// GGUF's numbers of metadata types.
enum : uint32_t { kUint32 = 4, kInt32 = 5, kFloat32 = 6, kBool = 7, kString = 8, kArray = 9 };

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
  void Align() { bytes_.resize((bytes_.size() + kAlignment - 1) / kAlignment * kAlignment, '\0'); }
  std::string Take() { return std::move(bytes_); }

 private:
  void PutTyped(uint32_t value) { Put(uint32_t{kUint32}), Put(value); }
  void PutTyped(int32_t value) { Put(uint32_t{kInt32}), Put(value); }
  void PutTyped(float value) { Put(uint32_t{kFloat32}), Put(value); }
  void PutTyped(bool value) { Put(uint32_t{kBool}), Put(static_cast<uint8_t>(value)); }
  void PutTyped(const std::string& value) { Put(uint32_t{kString}), Put(std::string_view(value)); }
  void PutTyped(const std::vector<std::string>& values) {
    PutArray(kString, values.size());
    for (const std::string& value : values) Put(std::string_view(value));
  }
  void PutTyped(const std::vector<float>& values) {
    PutArray(kFloat32, values.size());
    for (float value : values) Put(value);
  }
  void PutTyped(const std::vector<int32_t>& values) {
    PutArray(kInt32, values.size());
    for (int32_t value : values) Put(value);
  }
  void PutArray(uint32_t type, size_t count) {
    Put(uint32_t{kArray});
    Put(type);
    Put(uint64_t{count});
  }

  std::string bytes_;
};

uint64_t Aligned(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

class GgufWriter final : public ModelWriter {
 public:
  GgufWriter(const OutputPlan& plan, const GgufMetadata& metadata, std::string path)
      : plan_(plan), path_(std::move(path)), header_(MakeHeader(plan, metadata)) {}

  std::vector<FileSize> Files() const override {
    uint64_t bytes = header_.size();
    for (const OutputTensor& tensor : plan_.tensors) bytes += Aligned(static_cast<uint64_t>(tensor.bytes()));
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

 private:
  static std::string MakeHeader(const OutputPlan& plan, const GgufMetadata& metadata) {
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
      header.Put(TypeNumber(tensor.codec->name()));
      header.Put(offset);
      offset += Aligned(static_cast<uint64_t>(tensor.bytes()));
    }
    header.Align();
    return header.Take();
  }

  // Pads the tensor that was written and moves on to `next`, which must be the one after it.
  absl::Status EndTensor(size_t next) {
    const uint64_t expected = static_cast<uint64_t>(plan_.tensors[tensor_].bytes());
    if (written_ != expected || next != tensor_ + 1) {
      return absl::InternalError(absl::StrCat("tensor ", plan_.tensors[tensor_].name, " got ", written_,
                                              " of ", expected, " bytes before tensor ", next));
    }
    static constexpr std::array<std::byte, kAlignment> kZeros{};
    RETURN_IF_ERROR(file_->Append(std::span(kZeros).first(Aligned(expected) - expected)));
    tensor_ = next;
    written_ = 0;
    return absl::OkStatus();
  }

  const OutputPlan& plan_;
  std::string path_;
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
