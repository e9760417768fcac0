#include "storage/objects/open_store.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/objects/filesystem_store.h"
#include "storage/objects/memory_store.h"

namespace quantd {

absl::StatusOr<std::unique_ptr<ObjectStore>> OpenObjectStore(const std::string& url) {
  constexpr char kFile[] = "file:";
  if (absl::StartsWith(url, kFile) && url.size() > sizeof(kFile) - 1)
    return OpenFilesystemStore(url.substr(sizeof(kFile) - 1));
  if (url == "memory:") return OpenMemoryStore();
  return absl::InvalidArgumentError(
      absl::StrCat("object store \"", url, "\" is not of the form file:DIR or memory:"));
}

}  // namespace quantd
