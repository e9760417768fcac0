// Blobs read from the object store itself, by URLs that the server gives out.
#pragma once

#include <atomic>
#include <string>

#include "absl/status/statusor.h"
#include "base/http_client.h"
#include "client/connection.h"
#include "client/retry.h"

namespace quantd {

// Whether that works, for all files of one fetch. Safe to use from several threads.
class DirectReads {
 public:
  // `connection` outlives this.
  explicit DirectReads(const Connection& connection) : connection_(connection) {}

  // False as soon as the server gave no URL, or one did not work: what is left is read from the server.
  bool usable() const { return usable_; }

 private:
  friend class DirectBlob;
  // Says why on stderr, once, unless there is nothing to say.
  void GiveUp(const std::string& reason);

  const Connection& connection_;
  HttpClient http_{{.connect = absl::Seconds(5)}};
  std::atomic<bool> usable_ = true;
};

// One blob. Not thread-safe.
class DirectBlob {
 public:
  static constexpr int64_t kMostBytes = 8 << 20;

  DirectBlob(DirectReads& reads, std::string resource_name)
      : reads_(reads), resource_name_(std::move(resource_name)) {}

  // Bytes [offset, offset + count), at most kMostBytes. Asks for a URL when it has none, and once more when
  // the store refuses the one that it has, as it does when that has expired. UNIMPLEMENTED: not this way, and
  // `reads` is not usable any more. Other errors are the server's.
  absl::StatusOr<std::string> Read(int64_t offset, int64_t count, const RetryLimits& limits);

 private:
  absl::Status AskForUrl(const RetryLimits& limits);
  absl::Status GiveUp(const std::string& reason);

  DirectReads& reads_;
  const std::string resource_name_;
  std::string url_;
};

}  // namespace quantd
