// Between the catalogue's records and the API's messages.
#pragma once

#include "quantd/v1/admin_service.pb.h"
#include "quantd/v1/job_service.pb.h"
#include "quantd/v1/model_service.pb.h"
#include "storage/catalogue/records.h"

namespace quantd {

v1::Model ToProto(const ModelRecord& record);
v1::Job ToProto(const JobRecord& record);
v1::JobEvent ToProto(const EventRecord& record);
v1::Token ToProto(const TokenRecord& record);
JobProgressRecord FromProto(const v1::JobProgress& progress);

}  // namespace quantd
