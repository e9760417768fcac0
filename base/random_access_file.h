// Bytes that can be read at any offset: a local file, an object of the store, or a string in a test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantd {

// Implementations are safe for concurrent ReadAt calls from several threads.
class RandomAccessFile {
 public:
  virtual ~RandomAccessFile() = default;

  // In bytes; fixed for the object's life.
  virtual uint64_t size() const = 0;

  // Fills all of `out` from `offset`. OUT_OF_RANGE when the range passes the end; other errors are the
  // medium's.
  virtual absl::Status ReadAt(uint64_t offset, std::span<std::byte> out) const = 0;

  // That ReadAt will soon ask for these bytes, as far as the file has them: slow media may fetch them
  // meanwhile.
  virtual void WillRead(uint64_t offset, uint64_t length) const;
  // That nobody will soon ask for these bytes again: they need no memory.
  virtual void HasRead(uint64_t offset, uint64_t length) const;
};

// How far ahead of its reads a pass through a file calls WillRead.
inline constexpr uint64_t kReadAheadBytes = uint64_t{16} << 20;

// Opens a regular file of the local file system.
absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenLocalFile(const std::string& path);

// A file in memory.
std::unique_ptr<RandomAccessFile> MakeMemoryFile(std::string bytes);

// The whole file as text. INVALID_ARGUMENT when it is larger than `limit` bytes.
absl::StatusOr<std::string> ReadAll(const RandomAccessFile& file, uint64_t limit);

}  // namespace quantd
