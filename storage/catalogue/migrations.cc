#include "storage/catalogue/migrations.h"

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace quantd {
namespace {

// Times are microseconds since 1970. `sequence` orders what is listed newest first.
constexpr Migration kSqlite[] = {
    {1, R"sql(
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
)sql"},
    // A job outlives its model. An error keeps the field that it is about.
    {2, R"sql(
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
)sql"},
    // Records belong to tenants; tenants share the queue; a job knows what it was made of, so that an equal
    // one can have its artifacts; what nothing needs any more is kept for a while.
    {3, R"sql(
CREATE TABLE blobs_new (
  sha256 TEXT NOT NULL, size INTEGER NOT NULL, object_key TEXT NOT NULL, tenant TEXT NOT NULL,
  PRIMARY KEY (tenant, sha256, size)) WITHOUT ROWID;
INSERT INTO blobs_new SELECT *, 'default' FROM blobs;
DROP TABLE blobs;
ALTER TABLE blobs_new RENAME TO blobs;
CREATE INDEX blobs_by_key ON blobs(object_key);
CREATE TABLE uploads_new (
  id TEXT PRIMARY KEY, sha256 TEXT NOT NULL, size INTEGER NOT NULL, tenant TEXT NOT NULL,
  UNIQUE (tenant, sha256, size));
INSERT INTO uploads_new SELECT *, 'default' FROM uploads;
DROP TABLE uploads;
ALTER TABLE uploads_new RENAME TO uploads;
CREATE TABLE models_new (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, display_name TEXT NOT NULL, state INTEGER NOT NULL,
  create_time INTEGER NOT NULL, request_id TEXT, error_code INTEGER NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT '', summary TEXT NOT NULL DEFAULT '', tenant TEXT NOT NULL, use_time INTEGER NOT NULL,
  sources TEXT NOT NULL,
  UNIQUE (tenant, request_id));
INSERT INTO models_new SELECT *, 'default', create_time, '' FROM models;
DROP TABLE models;
ALTER TABLE models_new RENAME TO models;
CREATE INDEX models_by_tenant ON models(tenant, sequence);
CREATE TABLE jobs_new (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, model_id TEXT NOT NULL,
  targets TEXT NOT NULL, state INTEGER NOT NULL, cancel_requested INTEGER NOT NULL DEFAULT 0, create_time INTEGER NOT NULL,
  start_time INTEGER, end_time INTEGER, request_id TEXT, attempt INTEGER NOT NULL DEFAULT 0,
  stage TEXT NOT NULL DEFAULT '', tensors_done INTEGER NOT NULL DEFAULT 0, tensors_total INTEGER NOT NULL DEFAULT 0,
  bytes_done INTEGER NOT NULL DEFAULT 0, bytes_total INTEGER NOT NULL DEFAULT 0,
  error_code INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '', result TEXT NOT NULL DEFAULT '',
  revision INTEGER NOT NULL DEFAULT 0, error_field TEXT NOT NULL DEFAULT '', tenant TEXT NOT NULL,
  use_time INTEGER NOT NULL, priority INTEGER NOT NULL DEFAULT 0, recipe TEXT NOT NULL DEFAULT '',
  engine TEXT NOT NULL DEFAULT '', cached INTEGER NOT NULL DEFAULT 0,
  UNIQUE (tenant, request_id));
INSERT INTO jobs_new SELECT *, 'default', coalesce(end_time, create_time), 0, '', '', 0 FROM jobs;
DROP TABLE jobs;
ALTER TABLE jobs_new RENAME TO jobs;
CREATE INDEX jobs_by_model ON jobs(model_id);
CREATE INDEX jobs_by_tenant ON jobs(tenant, sequence);
CREATE INDEX jobs_by_recipe ON jobs(tenant, recipe, engine);
ALTER TABLE tasks ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default';
ALTER TABLE tasks ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
CREATE INDEX tasks_by_model ON tasks(model_id);
CREATE INDEX tasks_by_job ON tasks(job_id);
CREATE INDEX short_tasks_waiting ON tasks(tenant, sequence) WHERE token IS NULL AND kind<3;
CREATE INDEX job_tasks_waiting ON tasks(tenant, priority DESC, sequence) WHERE token IS NULL AND kind=3;
CREATE INDEX tasks_leased ON tasks(expires) WHERE token IS NOT NULL;
CREATE TABLE shares (
  tenant TEXT NOT NULL, lane INTEGER NOT NULL, start_tag INTEGER NOT NULL, finish_tag INTEGER NOT NULL,
  PRIMARY KEY (tenant, lane)) WITHOUT ROWID;
INSERT INTO shares SELECT DISTINCT tenant, CASE kind WHEN 3 THEN 2 ELSE 1 END, 0, 0 FROM tasks;
CREATE TABLE garbage (
  object_key TEXT PRIMARY KEY, since INTEGER NOT NULL, size INTEGER NOT NULL);
)sql"},
    // Bearer tokens.
    {4, R"sql(
CREATE TABLE tokens (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, role TEXT NOT NULL,
  name TEXT NOT NULL, salt TEXT NOT NULL, hash TEXT NOT NULL, create_time INTEGER NOT NULL, expire_time INTEGER,
  revoke_time INTEGER);
)sql"},
};

// PostgreSQL came with version 2.
constexpr Migration kPostgres[] = {
    {2, R"sql(
CREATE TABLE blobs (
  sha256 TEXT NOT NULL, size BIGINT NOT NULL, object_key TEXT NOT NULL,
  PRIMARY KEY (sha256, size));
CREATE TABLE uploads (
  id TEXT PRIMARY KEY, sha256 TEXT NOT NULL, size BIGINT NOT NULL,
  UNIQUE (sha256, size));
CREATE TABLE models (
  sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id TEXT NOT NULL UNIQUE, display_name TEXT NOT NULL,
  state BIGINT NOT NULL, create_time BIGINT NOT NULL, request_id TEXT UNIQUE, error_code BIGINT NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT '', summary BYTEA NOT NULL DEFAULT '');
CREATE TABLE model_files (
  model_id TEXT NOT NULL REFERENCES models(id) ON DELETE CASCADE, position BIGINT NOT NULL, path TEXT NOT NULL,
  sha256 TEXT NOT NULL, size BIGINT NOT NULL,
  PRIMARY KEY (model_id, position));
CREATE INDEX model_files_by_blob ON model_files(sha256, size);
CREATE TABLE jobs (
  sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id TEXT NOT NULL UNIQUE, model_id TEXT NOT NULL,
  targets BYTEA NOT NULL, state BIGINT NOT NULL, cancel_requested BIGINT NOT NULL DEFAULT 0, create_time BIGINT NOT NULL,
  start_time BIGINT, end_time BIGINT, request_id TEXT UNIQUE, attempt BIGINT NOT NULL DEFAULT 0,
  stage TEXT NOT NULL DEFAULT '', tensors_done BIGINT NOT NULL DEFAULT 0, tensors_total BIGINT NOT NULL DEFAULT 0,
  bytes_done BIGINT NOT NULL DEFAULT 0, bytes_total BIGINT NOT NULL DEFAULT 0,
  error_code BIGINT NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '', result BYTEA NOT NULL DEFAULT '',
  revision BIGINT NOT NULL DEFAULT 0, error_field TEXT NOT NULL DEFAULT '');
CREATE INDEX jobs_by_model ON jobs(model_id);
CREATE TABLE job_labels (
  job_id TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (job_id, key));
CREATE TABLE job_events (
  job_id TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE, revision BIGINT NOT NULL, time BIGINT NOT NULL,
  type BIGINT NOT NULL, attempt BIGINT NOT NULL, state BIGINT NOT NULL, message TEXT NOT NULL, stage TEXT NOT NULL,
  tensors_done BIGINT NOT NULL, tensors_total BIGINT NOT NULL, bytes_done BIGINT NOT NULL, bytes_total BIGINT NOT NULL,
  PRIMARY KEY (job_id, revision));
CREATE TABLE job_artifacts (
  job_id TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE, sha256 TEXT NOT NULL, size BIGINT NOT NULL,
  PRIMARY KEY (job_id, sha256, size));
CREATE INDEX job_artifacts_by_blob ON job_artifacts(sha256, size);
CREATE TABLE tasks (
  sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind BIGINT NOT NULL,
  model_id TEXT NOT NULL REFERENCES models(id) ON DELETE CASCADE, job_id TEXT REFERENCES jobs(id) ON DELETE CASCADE,
  targets BYTEA NOT NULL DEFAULT '', token BIGINT, worker_id TEXT, expires BIGINT, attempt BIGINT NOT NULL DEFAULT 0,
  finished BIGINT NOT NULL DEFAULT 0, result BYTEA NOT NULL DEFAULT '', error_code BIGINT NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT '', error_field TEXT NOT NULL DEFAULT '');
CREATE INDEX tasks_by_model ON tasks(model_id);
CREATE INDEX tasks_by_job ON tasks(job_id);
CREATE TABLE fencing (token BIGINT NOT NULL);
INSERT INTO fencing VALUES (0);
)sql"},
    {3, R"sql(
ALTER TABLE blobs ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default';
ALTER TABLE blobs ALTER COLUMN tenant DROP DEFAULT, DROP CONSTRAINT blobs_pkey,
  ADD PRIMARY KEY (tenant, sha256, size);
CREATE INDEX blobs_by_key ON blobs(object_key);
ALTER TABLE uploads ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default';
ALTER TABLE uploads ALTER COLUMN tenant DROP DEFAULT, DROP CONSTRAINT uploads_sha256_size_key,
  ADD UNIQUE (tenant, sha256, size);
ALTER TABLE models ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default', ADD COLUMN use_time BIGINT,
  ADD COLUMN sources TEXT NOT NULL DEFAULT '';
UPDATE models SET use_time=create_time;
ALTER TABLE models ALTER COLUMN tenant DROP DEFAULT, ALTER COLUMN use_time SET NOT NULL,
  ALTER COLUMN sources DROP DEFAULT, DROP CONSTRAINT models_request_id_key, ADD UNIQUE (tenant, request_id);
CREATE INDEX models_by_tenant ON models(tenant, sequence);
ALTER TABLE jobs ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default', ADD COLUMN use_time BIGINT,
  ADD COLUMN priority BIGINT NOT NULL DEFAULT 0, ADD COLUMN recipe TEXT NOT NULL DEFAULT '',
  ADD COLUMN engine TEXT NOT NULL DEFAULT '', ADD COLUMN cached BIGINT NOT NULL DEFAULT 0;
UPDATE jobs SET use_time=coalesce(end_time, create_time);
ALTER TABLE jobs ALTER COLUMN tenant DROP DEFAULT, ALTER COLUMN use_time SET NOT NULL,
  DROP CONSTRAINT jobs_request_id_key, ADD UNIQUE (tenant, request_id);
CREATE INDEX jobs_by_tenant ON jobs(tenant, sequence);
CREATE INDEX jobs_by_recipe ON jobs(tenant, recipe, engine);
ALTER TABLE tasks ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default', ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
CREATE INDEX short_tasks_waiting ON tasks(tenant, sequence) WHERE token IS NULL AND kind<3;
CREATE INDEX job_tasks_waiting ON tasks(tenant, priority DESC, sequence) WHERE token IS NULL AND kind=3;
CREATE INDEX tasks_leased ON tasks(expires) WHERE token IS NOT NULL;
CREATE TABLE shares (
  tenant TEXT NOT NULL, lane BIGINT NOT NULL, start_tag BIGINT NOT NULL, finish_tag BIGINT NOT NULL,
  PRIMARY KEY (tenant, lane));
INSERT INTO shares SELECT DISTINCT tenant, CASE kind WHEN 3 THEN 2 ELSE 1 END, 0, 0 FROM tasks;
CREATE TABLE garbage (
  object_key TEXT PRIMARY KEY, since BIGINT NOT NULL, size BIGINT NOT NULL);
)sql"},
    // Bearer tokens.
    {4, R"sql(
CREATE TABLE tokens (
  sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, role TEXT NOT NULL,
  name TEXT NOT NULL, salt TEXT NOT NULL, hash TEXT NOT NULL, create_time BIGINT NOT NULL, expire_time BIGINT,
  revoke_time BIGINT);
)sql"},
};

absl::StatusOr<std::vector<Migration>> After(absl::Span<const Migration> migrations, int64_t version) {
  const int64_t newest = migrations.back().version;
  if (version > newest) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the catalogue has version ", version, ", this program knows ", newest, ": use the newer program"));
  }
  std::vector<Migration> after;
  for (const Migration& migration : migrations) {
    if (migration.version > version) after.push_back(migration);
  }
  return after;
}

}  // namespace

absl::StatusOr<std::vector<Migration>> SqliteMigrationsAfter(int64_t version) {
  return After(kSqlite, version);
}

absl::StatusOr<std::vector<Migration>> PostgresMigrationsAfter(int64_t version) {
  return After(kPostgres, version);
}

}  // namespace quantd
