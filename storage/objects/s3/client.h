// The operations of S3 that the store is made of. Keys are whole keys, with the store's prefix.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/objects/s3/answers.h"
#include "storage/objects/s3/connection.h"

namespace quantd::s3 {

// One state of an object.
struct ObjectState {
  uint64_t size = 0;
  std::string etag;
  std::string version_id;  // empty where the bucket keeps no versions
  std::string mark;        // what the writer gave
};

// When a Put may go through. Neither is set: always.
struct PutCondition {
  bool absent = false;  // only where there is no object
  std::string etag;     // only where the object is this one
};

// Errors are those of errors.h. Writing takes a mark, a random word of the caller's that is kept with the
// object: when an answer was lost, it tells whether what is there is the caller's. Safe for concurrent use.
class Client {
 public:
  explicit Client(Connection& connection) : connection_(connection) {}

  // OK when the objects below `prefix` can be listed.
  absl::Status CheckBucket(const std::string& prefix);
  // NOT_FOUND when there is none.
  absl::StatusOr<ObjectState> Head(const std::string& key);
  // `length` bytes, at least one, of exactly that state: ABORTED when the object has been replaced.
  absl::StatusOr<std::string> Get(const std::string& key, const ObjectState& state, uint64_t offset,
                                  uint64_t length, const std::atomic<bool>* cancelled);
  // The new ETag. ABORTED when the condition does not hold.
  absl::StatusOr<std::string> Put(const std::string& key, std::span<const std::byte> bytes,
                                  const std::string& mark, const PutCondition& condition);
  absl::Status Copy(const std::string& from, const std::string& to);
  // OK also when there is none.
  absl::Status Remove(const std::string& key);

  // All objects whose keys begin with `prefix`, in order of keys. With `by_folder`, keys that go on with a
  // '/' after the prefix are not told themselves but as folders, "PREFIX…/".
  absl::StatusOr<ListPage> List(const std::string& prefix, bool by_folder);

  // The upload's id.
  absl::StatusOr<std::string> CreateMultipart(const std::string& key, const std::string& mark);
  // ETag of part `number`, from 1. Every part but the last needs 5 MiB.
  absl::StatusOr<std::string> PutPart(const std::string& key, const std::string& upload_id, size_t number,
                                      std::span<const std::byte> bytes, const std::atomic<bool>* cancelled);
  absl::StatusOr<std::string> CopyPart(const std::string& from, const std::string& key,
                                       const std::string& upload_id, size_t number);
  // Makes the object of its parts. `size` is what it must have then.
  absl::Status CompleteMultipart(const std::string& key, const std::string& upload_id,
                                 const std::vector<std::string>& etags, uint64_t size,
                                 const std::string& mark);
  absl::Status AbortMultipart(const std::string& key, const std::string& upload_id);
  absl::StatusOr<std::vector<MultipartInfo>> ListMultiparts(const std::string& prefix);

 private:
  Connection& connection_;
};

}  // namespace quantd::s3
