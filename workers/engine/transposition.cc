#include "workers/engine/transposition.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd {
namespace {

constexpr int64_t kSquare =
    32;  // elements that are exchanged at a time, so that both sides stay in the cache

template <typename Element>
void Transpose(const Element* rows, int64_t row_count, int64_t columns, Element* out) {
  for (int64_t row0 = 0; row0 < row_count; row0 += kSquare) {
    const int64_t row_end = std::min(row0 + kSquare, row_count);
    for (int64_t column0 = 0; column0 < columns; column0 += kSquare) {
      const int64_t column_end = std::min(column0 + kSquare, columns);
      for (int64_t column = column0; column < column_end; ++column) {
        for (int64_t row = row0; row < row_end; ++row)
          out[column * row_count + row] = rows[row * columns + column];
      }
    }
  }
}

absl::StatusOr<UniqueFd> OpenUnnamedFile() {
  const std::string folder = std::filesystem::temp_directory_path().string();
  UniqueFd file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file.valid()) return file;
  // Not every file system makes files without a name.
  std::string name = folder + "/quantd-transposition-XXXXXX";
  UniqueFd named(::mkostemp(name.data(), O_CLOEXEC));
  if (!named.valid())
    return ErrnoStatus(errno, absl::StrCat("cannot write in the temporary folder ", folder));
  ::unlink(name.c_str());
  return named;
}

absl::Status WriteAt(int file, std::span<const std::byte> bytes, int64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file, bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, "cannot write a temporary file");
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += written;
  }
  return absl::OkStatus();
}

absl::Status ReadAt(int file, std::span<std::byte> bytes, int64_t offset) {
  while (!bytes.empty()) {
    const ssize_t got = ::pread(file, bytes.data(), bytes.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return ErrnoStatus(got < 0 ? errno : EIO, "cannot read a temporary file");
    bytes = bytes.subspan(static_cast<size_t>(got));
    offset += got;
  }
  return absl::OkStatus();
}

}  // namespace

void TransposeRows(std::span<const std::byte> rows, int64_t row_count, int64_t columns,
                   std::vector<std::byte>& transposed) {
  transposed.resize(rows.size());
  if (row_count == 0 || columns == 0) return;
  if (rows.size() / static_cast<size_t>(row_count * columns) == sizeof(uint16_t)) {
    Transpose(reinterpret_cast<const uint16_t*>(rows.data()), row_count, columns,
              reinterpret_cast<uint16_t*>(transposed.data()));
  } else {
    Transpose(reinterpret_cast<const uint32_t*>(rows.data()), row_count, columns,
              reinterpret_cast<uint32_t*>(transposed.data()));
  }
}

absl::StatusOr<Transposition> Transposition::Begin(int64_t columns) {
  ASSIGN_OR_RETURN(UniqueFd file, OpenUnnamedFile());
  return Transposition(std::move(file), columns);
}

absl::Status Transposition::Add(std::span<const std::byte> transposed_tile, int64_t rows) {
  const int64_t bytes = static_cast<int64_t>(transposed_tile.size());
  element_bytes_ = bytes / (rows * columns_);
  RETURN_IF_ERROR(WriteAt(file_.get(), transposed_tile, file_bytes_));
  tiles_.push_back({file_bytes_, rows});
  file_bytes_ += bytes;
  rows_ += rows;
  return absl::OkStatus();
}

absl::Status Transposition::Emit(const std::function<absl::Status(std::span<const std::byte>)>& append) {
  const int64_t step = std::max<int64_t>(1, kTransposedBandBytes / (rows_ * element_bytes_));
  std::vector<std::byte> band;
  for (int64_t column = 0; column < columns_; column += step) {
    RETURN_IF_ERROR(GatherBand(column, std::min(step, columns_ - column), band));
    RETURN_IF_ERROR(append(band));
  }
  return absl::OkStatus();
}

absl::Status Transposition::GatherBand(int64_t first_column, int64_t columns, std::vector<std::byte>& band) {
  const size_t column_bytes = static_cast<size_t>(rows_ * element_bytes_);
  band.resize(static_cast<size_t>(columns) * column_bytes);
  std::byte* out = band.data();
  for (const Tile& tile : tiles_) {
    const size_t run = static_cast<size_t>(tile.rows * element_bytes_);
    runs_.resize(static_cast<size_t>(columns) * run);
    RETURN_IF_ERROR(ReadAt(file_.get(), runs_, tile.offset + first_column * static_cast<int64_t>(run)));
    for (size_t column = 0; column < static_cast<size_t>(columns); ++column)
      std::memcpy(out + column * column_bytes, runs_.data() + column * run, run);
    out += run;
  }
  return absl::OkStatus();
}

}  // namespace quantd
