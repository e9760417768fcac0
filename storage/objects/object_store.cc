#include "storage/objects/object_store.h"

#include "absl/strings/str_cat.h"
#include "base/relative_path.h"
#include "base/status.h"

namespace quantd {

absl::Status CheckUploadId(const std::string& id) {
  RETURN_IF_ERROR(CheckRelativePath(id));
  if (id.find('/') != std::string::npos)
    return absl::InvalidArgumentError(absl::StrCat("upload id \"", id, "\" has parts"));
  return absl::OkStatus();
}

absl::StatusOr<std::string> ObjectStore::PresignedUrl(const std::string& /*key*/,
                                                      absl::Duration /*lifetime*/) {
  return absl::UnimplementedError("this object store has no URLs");
}

}  // namespace quantd
