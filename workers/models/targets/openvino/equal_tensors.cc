#include "workers/models/targets/openvino/equal_tensors.h"

#include <algorithm>
#include <vector>

#include "base/random_access_file.h"
#include "base/status.h"

namespace quantd {

absl::StatusOr<bool> AreEqual(const SourceTensor& a, const SourceTensor& b) {
  constexpr uint64_t kChunk = uint64_t{1} << 20;
  if (a.codec != b.codec || a.shape != b.shape || a.bytes != b.bytes) return false;
  std::vector<std::byte> of_a(kChunk), of_b(kChunk);
  for (uint64_t at = 0; at < a.bytes; at += kChunk) {
    const size_t size = std::min(kChunk, a.bytes - at);
    RETURN_IF_ERROR(a.file->ReadAt(a.offset + at, std::span(of_a).first(size)));
    RETURN_IF_ERROR(b.file->ReadAt(b.offset + at, std::span(of_b).first(size)));
    if (!std::equal(of_a.begin(), of_a.begin() + static_cast<std::ptrdiff_t>(size), of_b.begin()))
      return false;
  }
  return true;
}

}  // namespace quantd
