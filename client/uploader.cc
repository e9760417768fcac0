#include "client/uploader.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/random_access_file.h"
#include "base/sha256.h"
#include "base/status.h"
#include "client/errors.h"
#include "client/output.h"

namespace quantd {
namespace {

namespace fs = std::filesystem;
using google::bytestream::QueryWriteStatusRequest;
using google::bytestream::QueryWriteStatusResponse;
using google::bytestream::WriteRequest;
using google::bytestream::WriteResponse;

constexpr size_t kChunk = 1 << 20;
constexpr int kStreams = 4;

bool IsCheckpointFile(const fs::path& path) {
  const std::string name = path.filename().string();
  if (name.empty() || name[0] == '.') return false;
  for (const char* ending : {".safetensors", ".json", ".model", ".jinja", ".gguf"}) {
    if (absl::EndsWith(name, ending)) return true;
  }
  return name == "merges.txt" || name == "vocab.txt";
}

// Runs `body(i)` for each i in [0, count) on a few threads; the first error ends it.
absl::Status ParallelFor(int count, const std::function<absl::Status(int)>& body) {
  std::atomic<int> next = 0;
  std::mutex mutex;
  absl::Status first;
  std::atomic<bool> failed = false;
  std::vector<std::jthread> threads;
  for (int t = 0; t < std::min(count, kStreams); ++t) {
    threads.emplace_back([&] {
      for (int i = next++; i < count && !failed; i = next++) {
        absl::Status status = body(i);
        if (status.ok()) continue;
        std::lock_guard lock(mutex);
        first.Update(status);
        failed = true;
      }
    });
  }
  threads.clear();
  return first;
}

absl::Status ReadInChunks(const RandomAccessFile& file, uint64_t offset,
                          const std::function<absl::Status(std::string&&, uint64_t)>& use) {
  do {
    std::string chunk(std::min<uint64_t>(kChunk, file.size() - offset), '\0');
    RETURN_IF_ERROR(file.ReadAt(offset, std::as_writable_bytes(std::span(chunk))));
    const uint64_t at = offset;
    offset += chunk.size();
    RETURN_IF_ERROR(use(std::move(chunk), at));
  } while (offset < file.size());
  return absl::OkStatus();
}

class Uploader {
 public:
  Uploader(Connection& connection, std::string path, std::string name)
      : connection_(connection), path_(std::move(path)), name_(std::move(name)) {}

  absl::StatusOr<v1::Model> Run() {
    RETURN_IF_ERROR(FindFiles());
    RETURN_IF_ERROR(Hash());
    v1::CreateModelResponse created;
    RETURN_IF_ERROR(connection_.Call([&](grpc::ClientContext& context) {
      return connection_.models->CreateModel(&context, request_, &created);
    }));
    int64_t total = 0;
    for (const v1::MissingBlob& blob : created.missing()) total += sizes_[blob.path()];
    total_ = total;
    RETURN_IF_ERROR(ParallelFor(created.missing_size(), [&](int i) { return Send(created.missing(i)); }));
    return WaitUntilInspected(created.model().name());
  }

 private:
  absl::Status FindFiles() {
    std::error_code error;
    const fs::path root = fs::absolute(path_).lexically_normal();
    if (fs::is_regular_file(root, error)) {
      Add(root);
    } else if (fs::is_directory(root, error)) {
      for (const fs::directory_entry& entry : fs::directory_iterator(root, error)) {
        if (entry.is_regular_file(error) && IsCheckpointFile(entry.path())) Add(entry.path());
      }
    } else {
      return absl::NotFoundError(absl::StrCat(path_, " is neither a file nor a folder"));
    }
    if (request_.files_size() == 0)
      return absl::InvalidArgumentError(absl::StrCat(path_, " has no files of a checkpoint"));
    std::sort(request_.mutable_files()->begin(), request_.mutable_files()->end(),
              [](const v1::ModelFile& a, const v1::ModelFile& b) { return a.path() < b.path(); });
    if (name_.empty()) name_ = (root.has_filename() ? root : root.parent_path()).filename().string();
    request_.set_display_name(name_);
    return absl::OkStatus();
  }

  void Add(const fs::path& file) {
    v1::ModelFile* added = request_.add_files();
    added->set_path(file.filename().string());
    local_[added->path()] = file.string();
  }

  absl::Status Hash() {
    std::error_code error;
    int64_t total = 0;
    for (const auto& [path, local] : local_) total += static_cast<int64_t>(fs::file_size(local, error));
    total_ = total;
    RETURN_IF_ERROR(ParallelFor(request_.files_size(), [&](int i) -> absl::Status {
      v1::ModelFile& file = *request_.mutable_files(i);
      ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> opened, OpenLocalFile(local_[file.path()]));
      Sha256 digest;
      RETURN_IF_ERROR(ReadInChunks(*opened, 0, [&](std::string&& chunk, uint64_t) {
        digest.Update(std::string_view(chunk));
        Progress("hashing", static_cast<int64_t>(chunk.size()));
        return absl::OkStatus();
      }));
      file.set_size(static_cast<int64_t>(opened->size()));
      file.set_sha256(digest.FinishHex());
      return absl::OkStatus();
    }));
    for (const v1::ModelFile& file : request_.files()) sizes_[file.path()] = file.size();
    done_ = 0;
    return absl::OkStatus();
  }

  absl::Status Send(const v1::MissingBlob& blob) {
    ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> file, OpenLocalFile(local_[blob.path()]));
    int64_t sent = 0;
    return RetryUnavailable([&] { return SendOnce(blob, *file, sent); }, [&] { return sent; });
  }

  absl::Status SendOnce(const v1::MissingBlob& blob, const RandomAccessFile& file, int64_t& sent) {
    QueryWriteStatusRequest query;
    query.set_resource_name(blob.resource_name());
    QueryWriteStatusResponse durable;
    RETURN_IF_ERROR(connection_.Call([&](grpc::ClientContext& context) {
      return connection_.bytes->QueryWriteStatus(&context, query, &durable);
    }));
    Progress("uploading", durable.committed_size() - sent);
    sent = durable.committed_size();
    if (durable.complete()) return absl::OkStatus();
    grpc::ClientContext context;
    connection_.Prepare(context);
    WriteResponse response;
    auto stream = connection_.bytes->Write(&context, &response);
    const absl::Status read = ReadInChunks(file, static_cast<uint64_t>(sent),
                                           [&](std::string&& chunk, uint64_t at) -> absl::Status {
                                             WriteRequest request;
                                             request.set_resource_name(blob.resource_name());
                                             request.set_write_offset(static_cast<int64_t>(at));
                                             request.set_finish_write(at + chunk.size() == file.size());
                                             const int64_t size = static_cast<int64_t>(chunk.size());
                                             request.set_data(std::move(chunk));
                                             if (!stream->Write(request))
                                               return absl::AbortedError("the stream broke");
                                             sent += size;
                                             Progress("uploading", size);
                                             return absl::OkStatus();
                                           });
    if (!read.ok() && !absl::IsAborted(read)) {
      context.TryCancel();
      static_cast<void>(stream->Finish());
      return Annotate(read, blob.path());
    }
    stream->WritesDone();
    absl::Status status = FromGrpc(stream->Finish());
    // A stream that broke, or one that a former connection still holds, is tried again from the durable
    // offset.
    if (absl::IsAborted(status) || absl::IsCancelled(status))
      status = absl::UnavailableError(status.message());
    return Annotate(status, blob.path());
  }

  absl::StatusOr<v1::Model> WaitUntilInspected(const std::string& name) {
    v1::GetModelRequest request;
    request.set_name(name);
    for (;;) {
      v1::Model model;
      RETURN_IF_ERROR(connection_.Call([&](grpc::ClientContext& context) {
        return connection_.models->GetModel(&context, request, &model);
      }));
      if (model.state() == v1::Model::READY) return model;
      if (model.state() == v1::Model::FAILED) {
        return absl::Status(static_cast<absl::StatusCode>(model.error_code()),
                            absl::StrCat(name, ": ", model.error()));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }

  void Progress(const std::string& what, int64_t more) {
    std::lock_guard lock(mutex_);
    done_ += more;
    progress_.Update(what, done_, total_);
  }

  Connection& connection_;
  std::string path_;
  std::string name_;
  v1::CreateModelRequest request_;
  std::map<std::string, std::string> local_;
  std::map<std::string, int64_t> sizes_;
  std::mutex mutex_;
  ProgressLine progress_;
  int64_t done_ = 0;
  int64_t total_ = 0;
};

}  // namespace

absl::StatusOr<v1::Model> UploadCheckpoint(Connection& connection, const std::string& path,
                                           std::string name) {
  return Uploader(connection, path, std::move(name)).Run();
}

}  // namespace quantd
