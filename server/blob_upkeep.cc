#include "server/blob_upkeep.h"

#include <spdlog/spdlog.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd {
namespace {

std::vector<std::string> KeysOf(const std::vector<ObjectInfo>& objects) {
  std::vector<std::string> keys;
  keys.reserve(objects.size());
  for (const ObjectInfo& object : objects) keys.push_back(object.key);
  return keys;
}

absl::Status SettleBlob(ServerContext& context, const std::string& key) {
  // "blobs/SHA256-UPLOAD"
  const std::string name = key.substr(key.rfind('/') + 1);
  const size_t dash = name.find('-');
  const std::string upload_id = dash == std::string::npos ? "" : name.substr(dash + 1);
  const absl::StatusOr<UploadRecord> upload = context.catalogue.UploadOfAny(upload_id);
  if (!upload.ok() && !absl::IsNotFound(upload.status())) return upload.status();
  if (upload.ok()) {
    ASSIGN_OR_RETURN(bool recorded, HasBlob(context, {upload->tenant, upload->id, upload->blob}));
    if (recorded) return absl::OkStatus();
  }
  // Another server may have recorded it since it was listed; without its upload, nobody can any more.
  ASSIGN_OR_RETURN(std::vector<std::string> unknown, context.catalogue.UnknownObjects({key}));
  if (unknown.empty()) return absl::OkStatus();
  spdlog::info("removes {}, which nothing needs", key);
  return context.objects.Remove(key);
}

}  // namespace

absl::StatusOr<bool> HasBlob(ServerContext& context, const UploadName& name) {
  const absl::StatusOr<std::string> known = context.catalogue.FindBlob(name.tenant, name.blob);
  if (known.ok()) return true;
  if (!absl::IsNotFound(known.status())) return known.status();
  const absl::StatusOr<ObjectInfo> object = context.objects.Stat(BlobObjectKey(name));
  if (absl::IsNotFound(object.status())) return false;
  RETURN_IF_ERROR(object.status());
  // Objects appear whole and with their digest checked; the name says which.
  if (object->size != static_cast<uint64_t>(name.blob.size)) return false;
  const absl::Status recorded = context.catalogue.FinishUpload(name.tenant, name.upload_id, object->key);
  if (absl::IsNotFound(recorded)) return false;
  RETURN_IF_ERROR(recorded);
  spdlog::info("blob {} was complete already", name.blob.sha256);
  // Whoever published it may not have come to that.
  if (absl::Status status = context.objects.DiscardUpload(name.upload_id); !status.ok())
    spdlog::warn("upload {} leaves bytes: {}", name.upload_id, std::string(status.message()));
  return true;
}

std::vector<std::string> RemoveObjects(ServerContext& context, const std::vector<std::string>& keys) {
  std::vector<std::string> gone;
  for (const std::string& key : keys) {
    if (absl::Status status = context.objects.Remove(key); !status.ok()) {
      spdlog::warn("object {} could not be removed: {}", key, std::string(status.message()));
    } else {
      gone.push_back(key);
    }
  }
  return gone;
}

void RemoveUnneeded(ServerContext& context, const std::vector<std::string>& keys) {
  if (context.removal_grace > absl::ZeroDuration()) return;
  const absl::Status forgotten = context.catalogue.ForgetGarbage(RemoveObjects(context, keys));
  if (!forgotten.ok()) spdlog::warn("garbage stays on its list: {}", std::string(forgotten.message()));
}

absl::Status RemoveGarbage(ServerContext& context) {
  ASSIGN_OR_RETURN(const std::vector<std::string> keys, context.catalogue.Garbage(context.removal_grace));
  return context.catalogue.ForgetGarbage(RemoveObjects(context, keys));
}

absl::Status RemoveLostArtifacts(ServerContext& context) {
  ASSIGN_OR_RETURN(const std::vector<ObjectInfo> objects, context.objects.List("artifacts"));
  ASSIGN_OR_RETURN(const std::vector<std::string> unused, context.catalogue.UnusedArtifacts(KeysOf(objects)));
  const size_t removed = RemoveObjects(context, unused).size();
  if (removed > 0) spdlog::info("removed {} objects that lost attempts left", removed);
  return absl::OkStatus();
}

absl::Status SettleBlobs(ServerContext& context) {
  ASSIGN_OR_RETURN(std::vector<ObjectInfo> objects, context.objects.List("blobs"));
  ASSIGN_OR_RETURN(std::vector<std::string> unknown, context.catalogue.UnknownObjects(KeysOf(objects)));
  for (const std::string& key : unknown) RETURN_IF_ERROR(SettleBlob(context, key));
  ASSIGN_OR_RETURN(std::vector<std::string> uploads, context.objects.ListUploads());
  ASSIGN_OR_RETURN(std::vector<std::string> orphans, context.catalogue.CollectUploads(uploads));
  for (const std::string& id : orphans) RETURN_IF_ERROR(context.objects.DiscardUpload(id));
  return RemoveGarbage(context);
}

}  // namespace quantd
