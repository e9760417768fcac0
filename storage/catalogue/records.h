// What the catalogue keeps. Plain data; texts named `…_blob` are bytes that only the server understands.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace quantd {

// Whose records are when nobody has to say who they are. A tenant is a name of [a-z0-9-], at most 63 bytes.
inline constexpr char kDefaultTenant[] = "default";

// What a tenant may have at a time; 0 is no limit.
struct TenantLimits {
  double weight = 1;  // share of the workers while several tenants' jobs wait; more than 0
  int64_t stored_bytes = 0;
  int64_t queued_jobs = 0;
  int64_t running_jobs = 0;
  int64_t upload_streams = 0;  // of one server
};

struct BlobId {
  std::string sha256;
  int64_t size = 0;

  bool operator==(const BlobId&) const = default;
};

// A blob that is not complete. The id is the same for everybody of the tenant who sends that blob.
struct UploadRecord {
  std::string id;  // a UUID
  std::string tenant;
  BlobId blob;
  std::string path;  // of the first file that has these bytes, for messages
};

// What nothing needs any more, for the caller to remove from the object store.
struct Unneeded {
  std::vector<std::string> object_keys;
  std::vector<std::string> upload_ids;
};

// How long what nobody uses is kept; zero is for ever.
struct Retention {
  absl::Duration artifacts;  // of ended jobs, since they ended or were fetched; their jobs go with them
  absl::Duration models;     // since they were made, planned for, or used by a job
  absl::Duration
      uploads;  // of models whose files are not all there, since bytes came; their models go with them
};

// What a collection takes away.
struct Collection {
  struct Record {
    std::string tenant;
    std::string id;
  };
  std::vector<Record> models;
  std::vector<Record> jobs;
  std::vector<std::string> upload_ids;
  int64_t objects = 0;  // of blobs that nothing needs any more, and their bytes
  int64_t object_bytes = 0;
};

enum class ModelState { kUploading = 1, kInspecting = 2, kReady = 3, kFailed = 4 };

struct ModelFileRecord {
  std::string path;
  BlobId blob;

  bool operator==(const ModelFileRecord&) const = default;
};

struct ModelRecord {
  std::string id;
  std::string tenant;
  std::string display_name;
  ModelState state = ModelState::kUploading;
  absl::Time create_time;
  std::vector<ModelFileRecord> files;
  int error_code = 0;  // absl::StatusCode
  std::string error;
  std::string summary_blob;
};

enum class JobState { kQueued = 1, kRunning = 2, kSucceeded = 3, kFailed = 4, kCancelled = 5 };

inline bool IsEnded(JobState state) {
  return state == JobState::kSucceeded || state == JobState::kFailed || state == JobState::kCancelled;
}

struct JobProgressRecord {
  std::string stage;
  int64_t tensors_done = 0;
  int64_t tensors_total = 0;
  int64_t bytes_done = 0;
  int64_t bytes_total = 0;

  bool operator==(const JobProgressRecord&) const = default;
};

struct JobRecord {
  std::string id;
  std::string tenant;
  std::string model_id;
  std::string targets_blob;
  std::map<std::string, std::string> labels;
  int priority = 0;
  bool cached = false;  // has the artifacts of an earlier equal job
  JobState state = JobState::kQueued;
  bool cancel_requested = false;
  absl::Time create_time;
  std::optional<absl::Time> start_time;
  std::optional<absl::Time> end_time;
  int attempt = 0;
  JobProgressRecord progress;
  int error_code = 0;
  std::string error;
  std::string error_field;  // of the request that made the job
  std::string result_blob;
  int64_t revision = 0;
};

enum class EventType {
  kCreated = 1,
  kStarted = 2,
  kProgress = 3,
  kRetrying = 4,
  kCancelRequested = 5,
  kSucceeded = 6,
  kFailed = 7,
  kCancelled = 8
};

// Why a task is queued again.
enum class RetryReason { kNone, kWorkerLost, kWorkerStopping, kUnavailable, kInternal, kOther };

struct EventRecord {
  int64_t revision = 0;  // 1, 2, 3, … of its job
  absl::Time time;
  EventType type = EventType::kCreated;
  int attempt = 0;
  JobProgressRecord progress;
  std::string message;
  JobState state = JobState::kQueued;
};

// What a job is made of.
struct NewJob {
  std::string model_id;
  std::string targets_blob{};
  std::map<std::string, std::string> labels{};
  std::string request_id{};  // may be empty
  int priority = 0;          // before age, among the tenant's own jobs; the larger one is first
  // Equal ones of one model's sources and one engine write the same bytes; empty: nobody knows.
  std::string recipe{};
  std::string engine{};   // version that is to run it, for the cache
  bool use_cache = true;  // ends at once with the artifacts of an earlier equal job
};

// An event as it happened.
struct JobNews {
  std::string tenant;
  std::string job_id;
  EventType type = EventType::kCreated;
  RetryReason retry_reason = RetryReason::kNone;  // of kRetrying
};

enum class TaskKind { kInspect = 1, kPlan = 2, kQuantize = 3 };

struct TaskRecord {
  std::string id;
  std::string tenant;
  TaskKind kind = TaskKind::kInspect;
  std::string model_id;
  std::string job_id;        // of kQuantize
  std::string targets_blob;  // of kPlan
  int64_t priority = 0;      // of kQuantize
};

// A task in a worker's hands until `expires`.
struct LeaseRecord {
  TaskRecord task;
  int64_t token = 0;  // grows with every lease of any task
  int attempt = 0;
};

// A file of an artifact, to be fetched as a blob.
struct ArtifactRecord {
  BlobId blob;
  std::string object_key;
};

// A bearer token. The server understands `role` and made `hash` from `salt` and the secret, which nobody
// keeps.
struct TokenRecord {
  std::string id;
  std::string tenant;
  std::string role;
  std::string name;  // for people
  std::string salt;
  std::string hash;
  absl::Time create_time;
  std::optional<absl::Time> expire_time;
  std::optional<absl::Time> revoke_time;
};

// What became of a job that its worker completed.
struct JobCompletion {
  std::vector<std::string> superfluous;  // object keys, of blobs that were there already or are not kept
  absl::Status outcome;                  // why it failed though its worker succeeded
};

// Counts at one moment, for metrics.
struct CatalogueStatistics {
  std::map<JobState, int64_t> jobs;
  std::optional<absl::Time> oldest_queued_job;
  int64_t source_bytes = 0;               // of blobs that models need
  int64_t artifact_bytes = 0;             // of blobs that only jobs need
  int64_t upload_bytes = 0;               // announced by uploads that are not complete
  std::vector<std::string> busy_workers;  // identifiers of those that hold the lease of a job
};

}  // namespace quantd
