// The tables, version by version. A published migration never changes; a new one is appended.
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "storage/catalogue/database.h"

namespace quantd {
namespace {

// Times are microseconds since 1970. `sequence` orders what is listed newest first.
constexpr const char* kMigrations[] = {
    R"sql(
CREATE TABLE blobs (
  sha256 TEXT NOT NULL, size INTEGER NOT NULL, object_key TEXT NOT NULL,
  PRIMARY KEY (sha256, size)) WITHOUT ROWID;
CREATE TABLE uploads (
  id TEXT PRIMARY KEY, sha256 TEXT NOT NULL, size INTEGER NOT NULL,
  UNIQUE (sha256, size));
CREATE TABLE models (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, display_name TEXT NOT NULL, state INTEGER NOT NULL,
  create_time INTEGER NOT NULL, request_id TEXT UNIQUE, error_code INTEGER NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT '', summary TEXT NOT NULL DEFAULT '');
CREATE TABLE model_files (
  model_id TEXT NOT NULL REFERENCES models(id) ON DELETE CASCADE, position INTEGER NOT NULL, path TEXT NOT NULL,
  sha256 TEXT NOT NULL, size INTEGER NOT NULL,
  PRIMARY KEY (model_id, position)) WITHOUT ROWID;
CREATE INDEX model_files_by_blob ON model_files(sha256, size);
CREATE TABLE jobs (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, model_id TEXT NOT NULL REFERENCES models(id),
  targets TEXT NOT NULL, state INTEGER NOT NULL, cancel_requested INTEGER NOT NULL DEFAULT 0, create_time INTEGER NOT NULL,
  start_time INTEGER, end_time INTEGER, request_id TEXT UNIQUE, attempt INTEGER NOT NULL DEFAULT 0,
  stage TEXT NOT NULL DEFAULT '', tensors_done INTEGER NOT NULL DEFAULT 0, tensors_total INTEGER NOT NULL DEFAULT 0,
  bytes_done INTEGER NOT NULL DEFAULT 0, bytes_total INTEGER NOT NULL DEFAULT 0,
  error_code INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '', result TEXT NOT NULL DEFAULT '',
  revision INTEGER NOT NULL DEFAULT 0);
CREATE TABLE job_labels (
  job_id TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (job_id, key)) WITHOUT ROWID;
CREATE TABLE job_events (
  job_id TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE, revision INTEGER NOT NULL, time INTEGER NOT NULL,
  type INTEGER NOT NULL, attempt INTEGER NOT NULL, state INTEGER NOT NULL, message TEXT NOT NULL, stage TEXT NOT NULL,
  tensors_done INTEGER NOT NULL, tensors_total INTEGER NOT NULL, bytes_done INTEGER NOT NULL, bytes_total INTEGER NOT NULL,
  PRIMARY KEY (job_id, revision)) WITHOUT ROWID;
CREATE TABLE job_artifacts (
  job_id TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE, sha256 TEXT NOT NULL, size INTEGER NOT NULL,
  PRIMARY KEY (job_id, sha256, size)) WITHOUT ROWID;
CREATE INDEX job_artifacts_by_blob ON job_artifacts(sha256, size);
CREATE TABLE tasks (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind INTEGER NOT NULL,
  model_id TEXT NOT NULL REFERENCES models(id) ON DELETE CASCADE, job_id TEXT REFERENCES jobs(id) ON DELETE CASCADE,
  targets TEXT NOT NULL DEFAULT '', token INTEGER, worker_id TEXT, expires INTEGER, attempt INTEGER NOT NULL DEFAULT 0,
  finished INTEGER NOT NULL DEFAULT 0, result TEXT NOT NULL DEFAULT '', error_code INTEGER NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT '');
CREATE TABLE fencing (token INTEGER NOT NULL);
INSERT INTO fencing VALUES (0);
)sql",
    // A job outlives its model. An error keeps the field that it is about.
    R"sql(
CREATE TABLE jobs_new (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, model_id TEXT NOT NULL,
  targets TEXT NOT NULL, state INTEGER NOT NULL, cancel_requested INTEGER NOT NULL DEFAULT 0, create_time INTEGER NOT NULL,
  start_time INTEGER, end_time INTEGER, request_id TEXT UNIQUE, attempt INTEGER NOT NULL DEFAULT 0,
  stage TEXT NOT NULL DEFAULT '', tensors_done INTEGER NOT NULL DEFAULT 0, tensors_total INTEGER NOT NULL DEFAULT 0,
  bytes_done INTEGER NOT NULL DEFAULT 0, bytes_total INTEGER NOT NULL DEFAULT 0,
  error_code INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '', result TEXT NOT NULL DEFAULT '',
  revision INTEGER NOT NULL DEFAULT 0, error_field TEXT NOT NULL DEFAULT '');
INSERT INTO jobs_new SELECT *, '' FROM jobs;
DROP TABLE jobs;
ALTER TABLE jobs_new RENAME TO jobs;
CREATE INDEX jobs_by_model ON jobs(model_id);
ALTER TABLE tasks ADD COLUMN error_field TEXT NOT NULL DEFAULT '';
)sql",
};

}  // namespace

absl::Status Migrate(Database& database) {
  int64_t version = 0;
  {
    Statement read = database.Prepare("PRAGMA user_version");
    RETURN_IF_ERROR(read.Step().status());
    version = read.Integer(0);
  }
  const int64_t newest = std::size(kMigrations);
  if (version > newest) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the catalogue has version ", version, ", this program knows ", newest, ": use the newer program"));
  }
  // A table that is made anew must not take the rows that refer to it along.
  RETURN_IF_ERROR(database.Execute("PRAGMA foreign_keys=OFF"));
  for (; version < newest; ++version) {
    RETURN_IF_ERROR(database.Execute(absl::StrCat("BEGIN IMMEDIATE;", kMigrations[version],
                                                  "PRAGMA user_version=", version + 1, "; COMMIT;")));
  }
  return database.Execute("PRAGMA foreign_keys=ON");
}

}  // namespace quantd
