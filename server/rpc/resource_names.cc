#include "server/rpc/resource_names.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/sha256.h"
#include "base/status.h"

namespace quantd {
namespace {

bool ParseBlobParts(const std::string& sha256, const std::string& size, BlobId& blob) {
  blob.sha256 = sha256;
  return IsSha256Hex(sha256) && absl::SimpleAtoi(size, &blob.size) && blob.size >= 0;
}

}  // namespace

absl::StatusOr<std::string> ParseName(const std::string& collection, const std::string& name) {
  const std::vector<std::string> parts = absl::StrSplit(name, '/');
  if (parts.size() != 2 || parts[0] != collection || parts[1].empty()) {
    return InvalidField("name", absl::StrCat("\"", name, "\" is not of the form ", collection, "/ID"));
  }
  return parts[1];
}

std::string BlobName(const BlobId& blob) { return absl::StrCat("blobs/", blob.sha256, "/", blob.size); }

std::string UploadResourceName(const UploadName& name) {
  return absl::StrCat("uploads/", name.upload_id, "/", BlobName(name.blob));
}

std::string BlobObjectKey(const UploadName& name) {
  return absl::StrCat("blobs/", name.blob.sha256, "-", name.upload_id);
}

absl::StatusOr<BlobId> ParseBlobName(const std::string& name) {
  const std::vector<std::string> parts = absl::StrSplit(name, '/');
  BlobId blob;
  if (parts.size() != 3 || parts[0] != "blobs" || !ParseBlobParts(parts[1], parts[2], blob)) {
    return InvalidField("resource_name", absl::StrCat("\"", name, "\" is not of the form blobs/SHA256/SIZE"));
  }
  return blob;
}

absl::StatusOr<UploadName> ParseUploadName(const std::string& tenant, const std::string& name) {
  const std::vector<std::string> parts = absl::StrSplit(name, '/');
  UploadName upload;
  if (parts.size() != 5 || parts[0] != "uploads" || parts[2] != "blobs" || parts[1].empty() ||
      !ParseBlobParts(parts[3], parts[4], upload.blob)) {
    return InvalidField("resource_name",
                        absl::StrCat("\"", name, "\" is not of the form uploads/UUID/blobs/SHA256/SIZE"));
  }
  upload.tenant = tenant;
  upload.upload_id = parts[1];
  return upload;
}

}  // namespace quantd
