#include "server/collector.h"

#include <spdlog/spdlog.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/blob_upkeep.h"

namespace quantd {
namespace {

constexpr std::chrono::minutes kInterval(10);

v1::CollectGarbageResponse ToProto(const Collection& collection) {
  v1::CollectGarbageResponse out;
  const auto add = [&](const char* kind, const Collection::Record& record) {
    v1::CollectedRecord* added = out.add_records();
    added->set_tenant(record.tenant);
    added->set_name(absl::StrCat(kind, record.id));
  };
  for (const Collection::Record& model : collection.models) add("models/", model);
  for (const Collection::Record& job : collection.jobs) add("jobs/", job);
  out.set_uploads(static_cast<int64_t>(collection.upload_ids.size()));
  out.set_objects(collection.objects);
  out.set_bytes(collection.object_bytes);
  return out;
}

}  // namespace

Collector::~Collector() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Collector::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Collector::Run() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kInterval, [&] { return stopping_; })) {
    lock.unlock();
    if (absl::Status status = Collect(false).status(); !status.ok())
      spdlog::warn("nothing could be collected: {}", std::string(status.message()));
    lock.lock();
  }
}

absl::StatusOr<v1::CollectGarbageResponse> Collector::Collect(bool dry_run) {
  ASSIGN_OR_RETURN(const Collection collection, context_.catalogue.Collect(context_.retention, dry_run));
  v1::CollectGarbageResponse response = ToProto(collection);
  for (const std::string& upload : collection.upload_ids) {
    ASSIGN_OR_RETURN(const uint64_t size, context_.objects.UploadSize(upload));
    response.set_bytes(response.bytes() + static_cast<int64_t>(size));
    if (dry_run) continue;
    if (absl::Status status = uploads_.Discard(upload); !status.ok())
      spdlog::warn("upload {} leaves bytes: {}", upload, std::string(status.message()));
  }
  if (dry_run) return response;
  RETURN_IF_ERROR(RemoveGarbage(context_));
  RETURN_IF_ERROR(RemoveLostArtifacts(context_));
  if (response.records_size() > 0 || response.objects() > 0 || response.uploads() > 0) {
    spdlog::info("collected {} models, {} jobs, {} uploads and {} objects, {} bytes",
                 collection.models.size(), collection.jobs.size(), response.uploads(), response.objects(),
                 response.bytes());
  }
  return response;
}

}  // namespace quantd
