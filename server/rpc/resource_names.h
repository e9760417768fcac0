// Resource names of the API: "models/ID", "jobs/ID", "blobs/SHA256/SIZE", "uploads/UUID/blobs/SHA256/SIZE".
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "storage/catalogue/records.h"

namespace quantd {

// The id of "COLLECTION/ID". INVALID_ARGUMENT (field "name") when it is of another form.
absl::StatusOr<std::string> ParseName(const std::string& collection, const std::string& name);

struct UploadName {
  std::string tenant;  // within whose uploads it is looked for; not part of the text
  std::string upload_id;
  BlobId blob;
};

std::string BlobName(const BlobId& blob);
std::string UploadResourceName(const UploadName& name);
// Where the store keeps the blob once it is complete. Unique to the upload: a blob that is being deleted
// while it is sent again keeps its new bytes, and two tenants' equal blobs lie apart.
std::string BlobObjectKey(const UploadName& name);
absl::StatusOr<BlobId> ParseBlobName(const std::string& name);
absl::StatusOr<UploadName> ParseUploadName(const std::string& tenant, const std::string& name);

}  // namespace quantd
