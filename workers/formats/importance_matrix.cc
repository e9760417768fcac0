#include "workers/formats/importance_matrix.h"

#include <array>
#include <cmath>
#include <cstring>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "workers/formats/gguf_reader.h"

namespace quantd {
namespace {

constexpr char kSums[] = ".in_sum2";
constexpr char kCounts[] = ".counts";
// Entries are read into memory; those of the largest models take some hundred MiB.
constexpr uint64_t kLargestFile = uint64_t{1} << 30;

absl::Status AddColumns(const std::string& name, std::vector<float> columns, ImportanceMatrix& matrix) {
  for (float column : columns) {
    if (!std::isfinite(column) || column < 0.0f) {
      return absl::InvalidArgumentError(
          absl::StrCat("the importance of ", name, " has a number that is negative or not finite"));
    }
  }
  matrix.columns[name] = std::make_shared<const std::vector<float>>(std::move(columns));
  return absl::OkStatus();
}

// The older form, front to back: every number is checked against what is left of the file.
class LegacyReader {
 public:
  explicit LegacyReader(const RandomAccessFile& file) : file_(file) {}

  absl::StatusOr<ImportanceMatrix> Read() {
    ImportanceMatrix matrix;
    ASSIGN_OR_RETURN(int64_t entries, ReadCount("the number of entries"));
    for (int64_t i = 0; i < entries; ++i) RETURN_IF_ERROR(ReadEntry(matrix));
    if (matrix.columns.empty()) return absl::InvalidArgumentError("an importance matrix without entries");
    if (left() < sizeof(int32_t)) return matrix;  // files from before 2024 end here
    ASSIGN_OR_RETURN(matrix.chunks, ReadCount("the number of chunks"));
    if (left() < sizeof(int32_t)) return matrix;
    ASSIGN_OR_RETURN(std::string dataset, ReadText("the name of the dataset"));
    if (!dataset.empty()) matrix.datasets.push_back(std::move(dataset));
    return matrix;
  }

 private:
  uint64_t left() const { return file_.size() - offset_; }

  absl::Status ReadBytes(const char* what, void* to, uint64_t bytes) {
    if (bytes > left()) return absl::InvalidArgumentError(absl::StrCat("the file ends inside ", what));
    RETURN_IF_ERROR(file_.ReadAt(offset_, {static_cast<std::byte*>(to), bytes}));
    offset_ += bytes;
    return absl::OkStatus();
  }

  absl::StatusOr<int64_t> ReadCount(const char* what) {
    int32_t count = 0;
    RETURN_IF_ERROR(ReadBytes(what, &count, sizeof(count)));
    if (count < 0) return absl::InvalidArgumentError(absl::StrCat(what, " is negative"));
    return count;
  }

  absl::StatusOr<std::string> ReadText(const char* what) {
    ASSIGN_OR_RETURN(int64_t length, ReadCount(what));
    if (static_cast<uint64_t>(length) > left()) {
      return absl::InvalidArgumentError(absl::StrCat("the file ends inside ", what));
    }
    std::string text(static_cast<size_t>(length), '\0');
    RETURN_IF_ERROR(ReadBytes(what, text.data(), text.size()));
    return text.substr(0, text.find('\0'));
  }

  absl::Status ReadEntry(ImportanceMatrix& matrix) {
    ASSIGN_OR_RETURN(std::string name, ReadText("a tensor's name"));
    ASSIGN_OR_RETURN(int64_t calls, ReadCount("a tensor's number of calls"));
    ASSIGN_OR_RETURN(int64_t count, ReadCount("a tensor's number of columns"));
    if (count == 0) return absl::InvalidArgumentError(absl::StrCat(name, " has no columns"));
    if (static_cast<uint64_t>(count) > left() / sizeof(float)) {
      return absl::InvalidArgumentError(absl::StrCat("the file ends inside the columns of ", name));
    }
    std::vector<float> columns(static_cast<size_t>(count));
    RETURN_IF_ERROR(ReadBytes("a tensor's columns", columns.data(), columns.size() * sizeof(float)));
    if (calls > 0) {
      for (float& column : columns) column = column / static_cast<float>(calls);
    }
    return AddColumns(name, std::move(columns), matrix);
  }

  const RandomAccessFile& file_;
  uint64_t offset_ = 0;
};

absl::StatusOr<std::vector<float>> ReadFloats(const RandomAccessFile& file, const SourceTensor& tensor) {
  if (tensor.codec->name() != "F32")
    return absl::InvalidArgumentError(absl::StrCat(tensor.name, " is not F32"));
  std::vector<float> values(static_cast<size_t>(tensor.elements()));
  RETURN_IF_ERROR(file.ReadAt(tensor.offset, std::as_writable_bytes(std::span(values))));
  return values;
}

// Sums of squares, matrix by matrix, divided by how many there were; a matrix that was never used counts
// as 1.
absl::StatusOr<std::vector<float>> MeanOf(const std::string& name, std::vector<float> sums,
                                          const std::vector<float>& counts) {
  if (counts.empty() || sums.size() % counts.size() != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " has ", sums.size(), " sums and ", counts.size(), " counts"));
  }
  const size_t columns = sums.size() / counts.size();
  for (size_t i = 0; i < sums.size(); ++i) {
    const float count = counts[i / columns];
    sums[i] = count > 0.0f ? sums[i] / count : 1.0f;
  }
  return sums;
}

void ReadMetadata(const GgufMetadata& metadata, ImportanceMatrix& matrix) {
  if (const GgufValue* datasets = FindGgufValue(metadata, "imatrix.datasets")) {
    if (const auto* names = std::get_if<std::vector<std::string>>(datasets)) matrix.datasets = *names;
  }
  if (const GgufValue* chunks = FindGgufValue(metadata, "imatrix.chunk_count")) {
    if (const auto* count = std::get_if<uint32_t>(chunks)) matrix.chunks = *count;
  }
}

absl::StatusOr<ImportanceMatrix> ReadGguf(const RandomAccessFile& file) {
  ASSIGN_OR_RETURN(GgufFile gguf, ReadGgufHeader(file));
  std::map<std::string, const SourceTensor*> by_name;
  for (const SourceTensor& tensor : gguf.tensors) by_name[tensor.name] = &tensor;
  ImportanceMatrix matrix;
  ReadMetadata(gguf.metadata, matrix);
  for (const auto& [sums_name, sums] : by_name) {
    if (!absl::EndsWith(sums_name, kSums)) continue;
    const std::string name(absl::StripSuffix(sums_name, kSums));
    const auto counts = by_name.find(name + kCounts);
    if (counts == by_name.end())
      return absl::InvalidArgumentError(absl::StrCat(name, " has sums, but no counts"));
    ASSIGN_OR_RETURN(std::vector<float> sum_values, ReadFloats(file, *sums));
    ASSIGN_OR_RETURN(std::vector<float> count_values, ReadFloats(file, *counts->second));
    ASSIGN_OR_RETURN(std::vector<float> columns, MeanOf(name, std::move(sum_values), count_values));
    RETURN_IF_ERROR(AddColumns(name, std::move(columns), matrix));
  }
  if (matrix.columns.empty())
    return absl::InvalidArgumentError("a GGUF file that holds no importance matrix");
  return matrix;
}

}  // namespace

absl::StatusOr<ImportanceMatrix> ReadImportanceMatrix(const RandomAccessFile& file) {
  if (file.size() > kLargestFile) {
    return absl::InvalidArgumentError(
        absl::StrCat("an importance matrix of ", file.size(), " bytes; ", kLargestFile, " are read at most"));
  }
  std::array<char, 4> magic{};
  if (file.size() >= magic.size()) RETURN_IF_ERROR(file.ReadAt(0, std::as_writable_bytes(std::span(magic))));
  if (std::memcmp(magic.data(), "GGUF", magic.size()) == 0) return ReadGguf(file);
  return LegacyReader(file).Read();
}

}  // namespace quantd
