#include "server/rpc/status_mapping.h"

#include "base/quota.h"
#include "base/status.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace quantd {
namespace {

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration out;
  out.set_seconds(absl::ToInt64Seconds(duration));
  out.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration % absl::Seconds(1))));
  return out;
}

void AddDetails(const absl::Status& status, const std::string& message, google::rpc::Status& out) {
  if (auto field = FieldOf(status)) {
    google::rpc::BadRequest detail;
    auto* violation = detail.add_field_violations();
    violation->set_field(*field);
    violation->set_description(message);
    out.add_details()->PackFrom(detail);
  }
  if (auto subject = SubjectOf(status)) {
    google::rpc::PreconditionFailure detail;
    auto* violation = detail.add_violations();
    violation->set_type("STATE");
    violation->set_subject(*subject);
    violation->set_description(message);
    out.add_details()->PackFrom(detail);
  }
  if (auto resource = ResourceOf(status)) {
    google::rpc::ResourceInfo detail;
    detail.set_resource_type(resource->type);
    detail.set_resource_name(resource->name);
    out.add_details()->PackFrom(detail);
  }
  if (auto quota = QuotaOf(status)) {
    google::rpc::QuotaFailure detail;
    auto* violation = detail.add_violations();
    violation->set_subject("tenant:" + quota->tenant);
    violation->set_description(message);
    out.add_details()->PackFrom(detail);
  }
  if (auto delay = RetryDelayOf(status)) {
    google::rpc::RetryInfo detail;
    *detail.mutable_retry_delay() = ToProto(*delay);
    out.add_details()->PackFrom(detail);
  }
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status, const std::string& request_id) {
  if (status.ok()) return grpc::Status::OK;
  const std::string message(status.message());
  google::rpc::Status rich;
  rich.set_code(static_cast<int>(status.code()));
  rich.set_message(message);
  AddDetails(status, message, rich);
  google::rpc::RequestInfo request;
  request.set_request_id(request_id);
  rich.add_details()->PackFrom(request);
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), message, rich.SerializeAsString());
}

}  // namespace quantd
