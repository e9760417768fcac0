#include "client/direct_reads.h"

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/errors.h"

namespace quantd {
namespace {

// What the store says of a URL that has expired, and of an object that was replaced.
bool MayBeOld(const HttpResponse& response) {
  return response.status == 401 || response.status == 403 || response.status == 404;
}

}  // namespace

void DirectReads::GiveUp(const std::string& reason) {
  if (!usable_.exchange(false) || reason.empty()) return;
  std::fprintf(stderr, "note: reads through quantd, because the object store's URLs do not work here: %s\n",
               OneLine(reason).c_str());
}

absl::Status DirectBlob::GiveUp(const std::string& reason) {
  reads_.GiveUp(reason);
  return absl::UnimplementedError(reason);
}

absl::Status DirectBlob::AskForUrl(const RetryLimits& limits) {
  v1::GetBlobUrlRequest request;
  request.set_resource_name(resource_name_);
  v1::BlobUrl answer;
  const absl::Status status = reads_.connection_.Call(
      [&](grpc::ClientContext& context) {
        return reads_.connection_.blobs->GetBlobUrl(&context, request, &answer);
      },
      absl::Seconds(30), limits);
  // Many stores have none; that is nothing to tell.
  if (absl::IsUnimplemented(status)) return GiveUp("");
  RETURN_IF_ERROR(status);
  url_ = answer.url();
  return absl::OkStatus();
}

absl::StatusOr<std::string> DirectBlob::Read(int64_t offset, int64_t count, const RetryLimits& limits) {
  for (bool is_new = false;;) {
    if (url_.empty()) {
      RETURN_IF_ERROR(AskForUrl(limits));
      is_new = true;
    }
    HttpRequest request;
    request.url = url_;
    request.headers = {{"range", absl::StrCat("bytes=", offset, "-", offset + count - 1)}};
    // An error's body has room too.
    request.most_answer = static_cast<uint64_t>(count) + (64 << 10);
    absl::StatusOr<HttpResponse> response = reads_.http_.Send(request);
    if (!response.ok()) return GiveUp(std::string(response.status().message()));
    if (MayBeOld(*response) && !is_new) {
      url_.clear();
      continue;
    }
    // 200: the whole blob was asked for, or the store knows no ranges.
    const bool is_range = response->status == 206 || (response->status == 200 && offset == 0);
    if (!is_range || static_cast<int64_t>(response->body.size()) != count)
      return GiveUp(absl::StrCat("the answer has status ", response->status, " and ", response->body.size(),
                                 " bytes where ", count, " were asked for"));
    return std::move(response->body);
  }
}

}  // namespace quantd
