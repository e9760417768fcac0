#include "server/rpc/convert.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "quantd/v1/worker_service.pb.h"

namespace quantd {
namespace {

google::protobuf::Timestamp ToProto(absl::Time time) {
  google::protobuf::Timestamp out;
  const int64_t micros = absl::ToUnixMicros(time);
  out.set_seconds(micros / 1'000'000);
  out.set_nanos(static_cast<int32_t>(micros % 1'000'000 * 1000));
  return out;
}

v1::JobProgress ToProto(const JobProgressRecord& record) {
  v1::JobProgress out;
  out.set_stage(record.stage);
  out.set_tensors_done(record.tensors_done);
  out.set_tensors_total(record.tensors_total);
  out.set_bytes_done(record.bytes_done);
  out.set_bytes_total(record.bytes_total);
  return out;
}

}  // namespace

JobProgressRecord FromProto(const v1::JobProgress& progress) {
  return {progress.stage(), progress.tensors_done(), progress.tensors_total(), progress.bytes_done(),
          progress.bytes_total()};
}

v1::Model ToProto(const ModelRecord& record) {
  v1::Model out;
  out.set_name(absl::StrCat("models/", record.id));
  out.set_display_name(record.display_name);
  out.set_state(static_cast<v1::Model::State>(record.state));
  *out.mutable_create_time() = ToProto(record.create_time);
  for (const ModelFileRecord& file : record.files) {
    v1::ModelFile* added = out.add_files();
    added->set_path(file.path);
    added->set_sha256(file.blob.sha256);
    added->set_size(file.blob.size);
  }
  out.set_error(record.error);
  out.set_error_code(record.error_code);
  if (!record.summary_blob.empty()) out.mutable_summary()->ParseFromString(record.summary_blob);
  return out;
}

v1::Job ToProto(const JobRecord& record) {
  v1::Job out;
  out.set_name(absl::StrCat("jobs/", record.id));
  out.set_model(absl::StrCat("models/", record.model_id));
  v1::CreateJobRequest spec;
  if (spec.ParseFromString(record.targets_blob)) *out.mutable_targets() = spec.targets();
  out.mutable_labels()->insert(record.labels.begin(), record.labels.end());
  out.set_state(static_cast<v1::Job::State>(record.state));
  out.set_cancel_requested(record.cancel_requested);
  *out.mutable_create_time() = ToProto(record.create_time);
  if (record.start_time) *out.mutable_start_time() = ToProto(*record.start_time);
  if (record.end_time) *out.mutable_end_time() = ToProto(*record.end_time);
  out.set_attempt(record.attempt);
  *out.mutable_progress() = ToProto(record.progress);
  out.set_error(record.error);
  out.set_error_code(record.error_code);
  out.set_error_field(record.error_field);
  v1::JobResult result;
  if (!record.result_blob.empty() && result.ParseFromString(record.result_blob))
    *out.mutable_results() = result.targets();
  // An earlier equal job's targets may name their options in another order.
  for (int i = 0; record.cached && i < std::min(out.targets_size(), out.results_size()); ++i)
    *out.mutable_results(i)->mutable_target() = out.targets(i);
  out.set_revision(record.revision);
  out.set_priority(record.priority);
  out.set_cached(record.cached);
  return out;
}

v1::JobEvent ToProto(const EventRecord& record) {
  v1::JobEvent out;
  out.set_revision(record.revision);
  *out.mutable_time() = ToProto(record.time);
  out.set_type(static_cast<v1::JobEvent::Type>(record.type));
  out.set_attempt(record.attempt);
  if (record.type == EventType::kProgress) *out.mutable_progress() = ToProto(record.progress);
  out.set_message(record.message);
  out.set_state(static_cast<v1::Job::State>(record.state));
  return out;
}

v1::Token ToProto(const TokenRecord& record) {
  v1::Token out;
  out.set_name(absl::StrCat("tokens/", record.id));
  out.set_tenant(record.tenant);
  out.set_role(record.role);
  out.set_display_name(record.name);
  *out.mutable_create_time() = ToProto(record.create_time);
  if (record.expire_time.has_value()) *out.mutable_expire_time() = ToProto(*record.expire_time);
  if (record.revoke_time.has_value()) *out.mutable_revoke_time() = ToProto(*record.revoke_time);
  return out;
}

}  // namespace quantd
