#include "storage/objects/open_store.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "storage/objects/filesystem_store.h"
#include "storage/objects/memory_store.h"
#include "storage/objects/s3_store.h"

namespace quantd {
namespace {

constexpr int kTriesOfAMinute = 25;  // waits of 2.5 s on average, but for the first

}  // namespace

absl::StatusOr<std::unique_ptr<ObjectStore>> OpenObjectStore(const std::string& url, StorePatience patience) {
  constexpr char kFile[] = "file:";
  if (absl::StartsWith(url, kFile) && url.size() > sizeof(kFile) - 1)
    return OpenFilesystemStore(url.substr(sizeof(kFile) - 1));
  if (url == "memory:") return OpenMemoryStore();
  if (absl::StartsWith(url, "s3:")) {
    s3::Options options;
    if (patience == StorePatience::kMinute) options.most_tries = kTriesOfAMinute;
    ASSIGN_OR_RETURN(s3::Location location, s3::ParseLocation(url, options.environment));
    return OpenS3Store(location, std::move(options));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("object store \"", url, "\" is not of the form file:DIR, s3://BUCKET/PREFIX or memory:"));
}

}  // namespace quantd
