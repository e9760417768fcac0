// Exchanges rows and columns of a tensor that is too large for memory, while its rows stream by.
//
// Rows arrive as tiles that are transposed already (TransposeRows), so that of each column a tile holds a run
// of rows. Tiles go to an unnamed file in the temporary folder one after the other; at the end a band of
// columns at a time is gathered from all of them. Memory is one band, disk the tensor's size, and both files'
// accesses are long runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace quantd {

// The most memory that Transposition::Emit takes, unless one column needs more.
inline constexpr int64_t kTransposedBandBytes = int64_t{16} << 20;

// `transposed` becomes `rows` (so many, of `columns` elements each) with rows and columns exchanged. The size
// of an element follows from that of `rows`: 2 or 4 bytes.
void TransposeRows(std::span<const std::byte> rows, int64_t row_count, int64_t columns,
                   std::vector<std::byte>& transposed);

// One tensor. Used by one thread.
class Transposition {
 public:
  // RESOURCE_EXHAUSTED and others when the temporary folder can't be written.
  static absl::StatusOr<Transposition> Begin(int64_t columns);

  // The next rows, columns first.
  absl::Status Add(std::span<const std::byte> transposed_tile, int64_t rows);

  // Gives all elements to `append`, column after column: each has the rows of all tiles.
  absl::Status Emit(const std::function<absl::Status(std::span<const std::byte>)>& append);

 private:
  struct Tile {
    int64_t offset;  // in the file
    int64_t rows;
  };

  Transposition(UniqueFd file, int64_t columns) : file_(std::move(file)), columns_(columns) {}
  absl::Status GatherBand(int64_t first_column, int64_t columns, std::vector<std::byte>& band);

  UniqueFd file_;
  int64_t columns_;
  int64_t element_bytes_ = 0;
  int64_t rows_ = 0;
  int64_t file_bytes_ = 0;
  std::vector<Tile> tiles_;
  std::vector<std::byte> runs_;
};

}  // namespace quantd
