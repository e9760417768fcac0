#include "workers/formats/gguf_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/checked_math.h"
#include "base/status.h"
#include "workers/quant/codec_list.h"

namespace quantd {
namespace {

static_assert(std::endian::native == std::endian::little);

// Far more than any model has; they bound the work that a hostile file can ask for.
constexpr uint64_t kMostKeys = 1 << 16;
constexpr uint64_t kMostTensors = 1 << 20;
constexpr uint64_t kMostHeaderBytes = 64 << 20;
constexpr uint64_t kLongestName = 1 << 16;
constexpr uint32_t kMostDimensions = 4;

// Reads a header front to back through a window, so that its size in memory does not depend on the file's.
class HeaderCursor {
 public:
  explicit HeaderCursor(const RandomAccessFile& file)
      : file_(file), end_(std::min(file.size(), kMostHeaderBytes)) {}

  uint64_t position() const { return position_; }
  uint64_t remaining() const { return end_ - position_; }

  absl::Status Read(std::span<std::byte> out) {
    if (out.size() > remaining()) {
      return absl::InvalidArgumentError(
          file_.size() > end_ ? absl::StrCat("the header is longer than ", kMostHeaderBytes >> 20, " MiB")
                              : absl::StrCat("the header passes the end of the file (", end_, " bytes)"));
    }
    while (!out.empty()) {
      if (position_ >= window_begin_ + window_.size() || position_ < window_begin_)
        RETURN_IF_ERROR(FillWindow());
      const size_t at = position_ - window_begin_;
      const size_t count = std::min(out.size(), window_.size() - at);
      std::memcpy(out.data(), window_.data() + at, count);
      out = out.subspan(count);
      position_ += count;
    }
    return absl::OkStatus();
  }

  template <typename T>
  absl::StatusOr<T> Number() {
    T value;
    RETURN_IF_ERROR(Read(std::as_writable_bytes(std::span(&value, 1))));
    return value;
  }

  absl::StatusOr<std::string> Text(uint64_t longest) {
    ASSIGN_OR_RETURN(uint64_t length, Number<uint64_t>());
    if (length > longest || length > remaining())
      return absl::InvalidArgumentError(absl::StrCat("has a text of ", length, " bytes"));
    return Bytes(length);
  }

  // `count` is at most remaining().
  absl::StatusOr<std::string> Bytes(uint64_t count) {
    std::string bytes(count, '\0');
    RETURN_IF_ERROR(Read(std::as_writable_bytes(std::span(bytes))));
    return bytes;
  }

 private:
  absl::Status FillWindow() {
    constexpr uint64_t kWindow = 256 << 10;
    window_begin_ = position_;
    window_.resize(std::min(kWindow, end_ - position_));
    return file_.ReadAt(window_begin_, window_);
  }

  const RandomAccessFile& file_;
  uint64_t end_;
  uint64_t position_ = 0;
  uint64_t window_begin_ = 0;
  std::vector<std::byte> window_;
};

template <typename T>
absl::StatusOr<GgufValue> ReadScalar(HeaderCursor& cursor) {
  ASSIGN_OR_RETURN(T value, cursor.Number<T>());
  return GgufValue(value);
}

template <typename T>
std::vector<T> Unpack(const std::string& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(values.data()));
  return values;
}

absl::StatusOr<GgufValue> ReadArray(HeaderCursor& cursor) {
  ASSIGN_OR_RETURN(uint32_t number, cursor.Number<uint32_t>());
  ASSIGN_OR_RETURN(uint64_t count, cursor.Number<uint64_t>());
  const GgufType element{number};
  if (number > static_cast<uint32_t>(GgufType::kFloat64) || element == GgufType::kArray)
    return absl::InvalidArgumentError(absl::StrCat("is an array of the unknown type ", number));
  const uint64_t element_bytes =
      element == GgufType::kString ? sizeof(uint64_t) : static_cast<uint64_t>(GgufTypeBytes(element));
  if (count > cursor.remaining() / element_bytes)
    return absl::InvalidArgumentError(
        absl::StrCat("is an array of ", count, " values: more than the file holds"));
  if (element == GgufType::kString) {
    std::vector<std::string> texts;
    for (uint64_t i = 0; i < count; ++i) {
      ASSIGN_OR_RETURN(std::string text, cursor.Text(cursor.remaining()));
      texts.push_back(std::move(text));
    }
    return GgufValue(std::move(texts));
  }
  ASSIGN_OR_RETURN(std::string bytes, cursor.Bytes(count * element_bytes));
  if (element == GgufType::kFloat32) return GgufValue(Unpack<float>(bytes));
  if (element == GgufType::kInt32) return GgufValue(Unpack<int32_t>(bytes));
  return GgufValue(GgufPackedArray{element, std::move(bytes)});
}

absl::StatusOr<GgufValue> ReadValue(HeaderCursor& cursor) {
  ASSIGN_OR_RETURN(uint32_t number, cursor.Number<uint32_t>());
  switch (GgufType{number}) {
    case GgufType::kUint8:
      return ReadScalar<uint8_t>(cursor);
    case GgufType::kInt8:
      return ReadScalar<int8_t>(cursor);
    case GgufType::kUint16:
      return ReadScalar<uint16_t>(cursor);
    case GgufType::kInt16:
      return ReadScalar<int16_t>(cursor);
    case GgufType::kUint32:
      return ReadScalar<uint32_t>(cursor);
    case GgufType::kInt32:
      return ReadScalar<int32_t>(cursor);
    case GgufType::kUint64:
      return ReadScalar<uint64_t>(cursor);
    case GgufType::kInt64:
      return ReadScalar<int64_t>(cursor);
    case GgufType::kFloat32:
      return ReadScalar<float>(cursor);
    case GgufType::kFloat64:
      return ReadScalar<double>(cursor);
    case GgufType::kBool: {
      ASSIGN_OR_RETURN(uint8_t value, cursor.Number<uint8_t>());
      return GgufValue(value != 0);
    }
    case GgufType::kString: {
      ASSIGN_OR_RETURN(std::string text, cursor.Text(cursor.remaining()));
      return GgufValue(std::move(text));
    }
    case GgufType::kArray:
      return ReadArray(cursor);
  }
  return absl::InvalidArgumentError(absl::StrCat("has the unknown type ", number));
}

absl::StatusOr<GgufMetadata> ReadMetadata(HeaderCursor& cursor, uint64_t count) {
  GgufMetadata metadata;
  std::set<std::string> seen;
  for (uint64_t i = 0; i < count; ++i) {
    absl::StatusOr<std::string> key = cursor.Text(kLongestName);
    if (!key.ok()) return Annotate(key.status(), absl::StrCat("key ", i));
    absl::StatusOr<GgufValue> value = ReadValue(cursor);
    if (!value.ok()) return Annotate(value.status(), absl::StrCat("key ", *key));
    if (!seen.insert(*key).second)
      return absl::InvalidArgumentError(absl::StrCat("key ", *key, " occurs twice"));
    metadata.emplace_back(*std::move(key), *std::move(value));
  }
  return metadata;
}

absl::StatusOr<uint64_t> Alignment(const GgufMetadata& metadata) {
  const GgufValue* value = FindGgufValue(metadata, kGgufAlignmentKey);
  if (value == nullptr) return kGgufDefaultAlignment;
  const uint32_t* alignment = std::get_if<uint32_t>(value);
  if (alignment == nullptr || !std::has_single_bit(*alignment) || *alignment > (1 << 16))
    return absl::InvalidArgumentError("general.alignment is no power of two");
  return *alignment;
}

absl::StatusOr<const quant::Codec*> TensorCodec(uint32_t type) {
  const std::string name(GgufTensorTypeName(type));
  const quant::Codec* codec = quant::FindCodec(name);
  if (codec != nullptr) return codec;
  if (name.empty()) return absl::InvalidArgumentError(absl::StrCat("has the unknown type ", type));
  return absl::FailedPreconditionError(absl::StrCat(
      "has the type ", name,
      ", which holds no model's weights: only 16- and 32-bit floats and the quantized types are read"));
}

// Everything but its name, which the caller has read. The offset is that in the data, not in the file.
absl::Status ReadDescription(HeaderCursor& cursor, SourceTensor& tensor) {
  ASSIGN_OR_RETURN(uint32_t dimensions, cursor.Number<uint32_t>());
  if (dimensions == 0 || dimensions > kMostDimensions)
    return absl::InvalidArgumentError(absl::StrCat("has ", dimensions, " dimensions"));
  for (uint32_t i = 0; i < dimensions; ++i) {
    ASSIGN_OR_RETURN(uint64_t dimension, cursor.Number<uint64_t>());
    if (dimension == 0 || dimension > uint64_t{INT64_MAX})
      return absl::InvalidArgumentError(absl::StrCat("has a dimension of ", dimension));
    // GGUF names the innermost first.
    tensor.shape.insert(tensor.shape.begin(), static_cast<int64_t>(dimension));
  }
  ASSIGN_OR_RETURN(uint32_t type, cursor.Number<uint32_t>());
  ASSIGN_OR_RETURN(tensor.codec, TensorCodec(type));
  ASSIGN_OR_RETURN(tensor.offset, cursor.Number<uint64_t>());
  ASSIGN_OR_RETURN(int64_t elements, ElementCount(tensor.shape));
  const int64_t block = tensor.codec->weights_per_block();
  if (tensor.columns() % block != 0) {
    return absl::InvalidArgumentError(absl::StrCat("has rows of ", tensor.columns(),
                                                   " weights, no multiple of the ", block, " of a block"));
  }
  ASSIGN_OR_RETURN(int64_t bytes, CheckedMul(elements / block, tensor.codec->planes()[0].bytes_per_block));
  tensor.bytes = static_cast<uint64_t>(bytes);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<SourceTensor>> ReadDescriptions(HeaderCursor& cursor, uint64_t count) {
  std::vector<SourceTensor> tensors;
  std::set<std::string> seen;
  for (uint64_t i = 0; i < count; ++i) {
    SourceTensor tensor;
    absl::StatusOr<std::string> name = cursor.Text(kLongestName);
    if (!name.ok()) return Annotate(name.status(), absl::StrCat("tensor ", i));
    tensor.name = *std::move(name);
    if (!seen.insert(tensor.name).second)
      return absl::InvalidArgumentError(absl::StrCat("tensor ", tensor.name, " is described twice"));
    if (absl::Status status = ReadDescription(cursor, tensor); !status.ok())
      return Annotate(status, absl::StrCat("tensor ", tensor.name));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

// Turns offsets in the data into offsets in the file and sorts by them.
absl::Status PlaceTensors(uint64_t data_begin, uint64_t alignment, uint64_t file_size,
                          std::vector<SourceTensor>& tensors) {
  std::sort(tensors.begin(), tensors.end(),
            [](const SourceTensor& a, const SourceTensor& b) { return a.offset < b.offset; });
  uint64_t end = 0;
  for (SourceTensor& tensor : tensors) {
    if (tensor.offset % alignment != 0)
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", tensor.name, " is not aligned to ", alignment));
    if (tensor.offset < end)
      return absl::InvalidArgumentError(absl::StrCat("tensor ", tensor.name, " overlaps another"));
    if (data_begin > file_size || tensor.offset > file_size - data_begin ||
        tensor.bytes > file_size - data_begin - tensor.offset) {
      return absl::InvalidArgumentError(absl::StrCat("tensor ", tensor.name, " passes the end of the file (",
                                                     file_size, " bytes): is the file complete?"));
    }
    end = tensor.offset + tensor.bytes;
    tensor.offset += data_begin;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GgufFile> ReadGgufHeader(const RandomAccessFile& file) {
  HeaderCursor cursor(file);
  ASSIGN_OR_RETURN(uint32_t magic, cursor.Number<uint32_t>());
  if (magic != 0x46554747) return absl::InvalidArgumentError("is no GGUF file");
  ASSIGN_OR_RETURN(uint32_t version, cursor.Number<uint32_t>());
  if (version != 2 && version != 3) {
    return absl::FailedPreconditionError(absl::StrCat("is GGUF version ", version,
                                                      (version & 0xFFFF) == 0 ? " (or big-endian)" : "",
                                                      "; known are 2 and 3"));
  }
  ASSIGN_OR_RETURN(uint64_t tensor_count, cursor.Number<uint64_t>());
  ASSIGN_OR_RETURN(uint64_t key_count, cursor.Number<uint64_t>());
  if (tensor_count > kMostTensors || key_count > kMostKeys) {
    return absl::InvalidArgumentError(
        absl::StrCat("the header counts ", tensor_count, " tensors and ", key_count, " keys"));
  }
  GgufFile out;
  ASSIGN_OR_RETURN(out.metadata, ReadMetadata(cursor, key_count));
  ASSIGN_OR_RETURN(uint64_t alignment, Alignment(out.metadata));
  ASSIGN_OR_RETURN(out.tensors, ReadDescriptions(cursor, tensor_count));
  const uint64_t data_begin = (cursor.position() + alignment - 1) / alignment * alignment;
  RETURN_IF_ERROR(PlaceTensors(data_begin, alignment, file.size(), out.tensors));
  return out;
}

namespace {

// A whole number of any width, or `otherwise`.
uint64_t Count(const GgufMetadata& metadata, std::string_view key, uint64_t otherwise) {
  const GgufValue* value = FindGgufValue(metadata, key);
  if (value == nullptr) return otherwise;
  if (const auto* narrow = std::get_if<uint16_t>(value)) return *narrow;
  if (const auto* wide = std::get_if<uint32_t>(value)) return *wide;
  return otherwise;
}

void EraseKey(GgufMetadata& metadata, std::string_view key) {
  std::erase_if(metadata, [&](const auto& entry) { return entry.first == key; });
}

}  // namespace

absl::StatusOr<GgufFile> ReadGgufFile(const CheckpointFiles& files, const std::string& path) {
  const RandomAccessFile* file = files.Find(path);
  if (file == nullptr) return absl::NotFoundError(absl::StrCat("the checkpoint has no ", path));
  absl::StatusOr<GgufFile> out = ReadGgufHeader(*file);
  if (!out.ok()) return Annotate(out.status(), path);
  for (SourceTensor& tensor : out->tensors) {
    tensor.path = path;
    tensor.file = file;
  }
  return out;
}

absl::StatusOr<GgufFile> ReadGgufCheckpoint(const CheckpointFiles& files) {
  // Parts are named …-00001-of-00003.gguf, so alphabetical order is theirs.
  GgufFile whole;
  uint64_t parts = 0, expected = 1;
  std::set<std::string> seen;
  for (const std::string& path : files.Paths()) {
    if (!absl::EndsWith(path, ".gguf")) continue;
    ASSIGN_OR_RETURN(GgufFile part, ReadGgufFile(files, path));
    const uint64_t number = Count(part.metadata, "split.no", 0),
                   count = Count(part.metadata, "split.count", 1);
    if (parts == 0) expected = std::max<uint64_t>(count, 1);
    if (number != parts || std::max<uint64_t>(count, 1) != expected) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": is part ", number + 1, " of ", count,
                                                     ", but part ", parts + 1, " of ", expected,
                                                     " was expected: give one model, with all its parts"));
    }
    if (parts++ == 0) whole.metadata = std::move(part.metadata);
    for (SourceTensor& tensor : part.tensors) {
      if (!seen.insert(tensor.name).second)
        return absl::InvalidArgumentError(
            absl::StrCat(path, ": tensor ", tensor.name, " is in another part too"));
      whole.tensors.push_back(std::move(tensor));
    }
  }
  if (parts == 0) return absl::NotFoundError("the checkpoint has no *.gguf file");
  if (parts != expected)
    return absl::InvalidArgumentError(
        absl::StrCat("the checkpoint has ", parts, " of ", expected, " GGUF parts"));
  for (const char* key : {"split.no", "split.count", "split.tensors.count"}) EraseKey(whole.metadata, key);
  return whole;
}

}  // namespace quantd
