#include "client/uploader.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/random_id.h"
#include "base/sha256.h"
#include "base/status.h"
#include "client/blob_sender.h"
#include "client/checkpoint_selection.h"
#include "client/errors.h"
#include "client/local_blob.h"
#include "client/parallel.h"
#include "client/progress.h"

namespace quantd {
namespace {

constexpr int kStreams = 4;
constexpr int64_t kHashChunk = 1 << 20;
constexpr size_t kMostSkippedTold = 10;
// The server reads the durable bytes of interrupted uploads before it answers.
constexpr absl::Duration kCreateTimeout = absl::Minutes(5);

void TellSkipped(const std::vector<std::string>& skipped) {
  for (size_t i = 0; i < std::min(skipped.size(), kMostSkippedTold); ++i)
    std::fprintf(stderr, "skipping %s\n", skipped[i].c_str());
  if (skipped.size() > kMostSkippedTold)
    std::fprintf(stderr, "skipping %zu more\n", skipped.size() - kMostSkippedTold);
}

class Uploader {
 public:
  Uploader(Connection& connection, CheckpointSelection selection, const std::string& name)
      : connection_(connection), selection_(std::move(selection)) {
    request_.set_display_name(name.empty() ? selection_.name : name);
    // A repeated call after a lost answer must not create the model twice.
    request_.set_request_id(RandomUuid());
  }

  absl::StatusOr<v1::Model> Run() {
    RETURN_IF_ERROR(Open());
    RETURN_IF_ERROR(Hash());
    v1::CreateModelResponse created;
    RETURN_IF_ERROR(connection_.Call(
        [&](grpc::ClientContext& context) {
          return connection_.models->CreateModel(&context, request_, &created);
        },
        kCreateTimeout));
    RETURN_IF_ERROR(Send(created));
    return WaitUntilInspected(created.model().name());
  }

 private:
  absl::Status Open() {
    for (const CheckpointSelection::File& file : selection_.files) {
      ASSIGN_OR_RETURN(blobs_[file.path], LocalBlob::Open(file.local));
      v1::ModelFile* added = request_.add_files();
      added->set_path(file.path);
      added->set_size(blobs_[file.path]->size());
    }
    return absl::OkStatus();
  }

  absl::Status Hash() {
    int64_t total = 0;
    for (const v1::ModelFile& file : request_.files()) total += file.size();
    progress_.Begin("hashing", 0, total);
    const int threads = std::max(2, static_cast<int>(std::thread::hardware_concurrency()));
    return ParallelFor(request_.files_size(), threads, [&](int i) -> absl::Status {
      v1::ModelFile& file = *request_.mutable_files(i);
      const LocalBlob& blob = *blobs_.at(file.path());
      Sha256 digest;
      for (int64_t offset = 0; offset < blob.size(); offset += kHashChunk) {
        const int64_t count = std::min(kHashChunk, blob.size() - offset);
        ASSIGN_OR_RETURN(std::string chunk, blob.Read(offset, count));
        digest.Update(std::string_view(chunk));
        progress_.Add(count);
      }
      file.set_sha256(digest.FinishHex());
      return absl::OkStatus();
    });
  }

  absl::Status Send(const v1::CreateModelResponse& created) {
    int64_t total = 0, durable = 0;
    for (const v1::MissingBlob& missing : created.missing()) {
      const auto blob = blobs_.find(missing.path());
      if (blob == blobs_.end())
        return absl::InternalError(
            absl::StrCat("the server asks for ", missing.path(), ", which was not named"));
      total += blob->second->size();
      durable += missing.committed_size();
    }
    if (created.missing_size() == 0) return absl::OkStatus();
    progress_.Begin("uploading", durable, total);
    return ParallelFor(created.missing_size(), kStreams, [&](int i) {
      const v1::MissingBlob& missing = created.missing(i);
      // What was durable before is counted already.
      int64_t counted = missing.committed_size();
      return Annotate(SendBlob(connection_, missing.resource_name(), *blobs_.at(missing.path()),
                               [&](int64_t more) {
                                 progress_.Add(more - counted);
                                 counted = 0;
                               }),
                      missing.path());
    });
  }

  absl::StatusOr<v1::Model> WaitUntilInspected(const std::string& name) const {
    v1::GetModelRequest request;
    request.set_name(name);
    for (absl::Duration pause = absl::Milliseconds(20);; pause = std::min(pause * 2, absl::Seconds(1))) {
      v1::Model model;
      RETURN_IF_ERROR(connection_.Call([&](grpc::ClientContext& context) {
        return connection_.models->GetModel(&context, request, &model);
      }));
      if (model.state() == v1::Model::READY) return model;
      if (model.state() == v1::Model::FAILED) {
        // Whatever stopped the inspection, it is this model that can't be used.
        return absl::FailedPreconditionError(absl::StrCat(name, ": ", model.error()));
      }
      absl::SleepFor(pause);
    }
  }

  Connection& connection_;
  const CheckpointSelection selection_;
  v1::CreateModelRequest request_;
  std::map<std::string, std::unique_ptr<LocalBlob>> blobs_;
  ProgressLine progress_;
};

}  // namespace

absl::StatusOr<v1::Model> UploadCheckpoint(Connection& connection, const std::string& path,
                                           const std::string& name) {
  ASSIGN_OR_RETURN(CheckpointSelection selection, SelectCheckpoint(path));
  TellSkipped(selection.skipped);
  return Uploader(connection, std::move(selection), name).Run();
}

}  // namespace quantd
