#include "storage/objects/s3/client.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "storage/objects/s3/percent.h"

namespace quantd::s3 {
namespace {

constexpr char kMarkHeader[] = "x-amz-meta-quantd-mark";

std::string CopySource(const Location& location, const std::string& key) {
  return PercentEncode(absl::StrCat(location.bucket, "/", key), true);
}

absl::StatusOr<ObjectState> StateOf(const HttpResponse& response, const std::string& key) {
  ObjectState state;
  if (!absl::SimpleAtoi(response.Header("content-length"), &state.size))
    return absl::InternalError(absl::StrCat("the server does not tell the size of ", key));
  state.etag = response.Header("etag");
  // "null": written before the bucket kept versions.
  if (const std::string version = response.Header("x-amz-version-id"); version != "null")
    state.version_id = version;
  state.mark = response.Header(kMarkHeader);
  return state;
}

}  // namespace

absl::Status Client::CheckBucket(const std::string& prefix) {
  return connection_
      .Send({.what = absl::StrCat("open s3://", connection_.location().bucket, "/", prefix),
             .query = {{"list-type", "2"}, {"max-keys", "1"}, {"prefix", prefix}}})
      .status();
}

absl::StatusOr<ObjectState> Client::Head(const std::string& key) {
  ASSIGN_OR_RETURN(HttpResponse response,
                   connection_.Send({.what = absl::StrCat("find ", key), .method = "HEAD", .key = key}));
  return StateOf(response, key);
}

absl::StatusOr<std::string> Client::Get(const std::string& key, const ObjectState& state, uint64_t offset,
                                        uint64_t length, const std::atomic<bool>* cancelled) {
  Request request = {.what = absl::StrCat("read ", key), .key = key, .cancelled = cancelled};
  request.headers = {{"range", absl::StrCat("bytes=", offset, "-", offset + length - 1)}};
  if (!state.version_id.empty()) {
    request.query = {{"versionId", state.version_id}};
  } else {
    request.headers.emplace_back("if-match", state.etag);
  }
  // An error's body has room too.
  request.most_answer = std::max<uint64_t>(length, 64 << 10);
  ASSIGN_OR_RETURN(HttpResponse response, connection_.Send(request));
  const std::string range = absl::StrCat("bytes ", offset, "-", offset + length - 1, "/", state.size);
  const bool is_whole = response.status == 200 && length == state.size;
  if (response.body.size() != length || (!is_whole && response.Header("content-range") != range)) {
    return absl::InternalError(absl::StrCat("can not read ", key, ": asked for ", range, ", the server sent ",
                                            response.body.size(), " bytes of \"",
                                            response.Header("content-range"), "\""));
  }
  return std::move(response.body);
}

absl::StatusOr<std::string> Client::Put(const std::string& key, std::span<const std::byte> bytes,
                                        const std::string& mark, const PutCondition& condition) {
  Request request = {.what = absl::StrCat("write ", key), .method = "PUT", .key = key, .body = bytes};
  request.headers = {{kMarkHeader, mark}};
  if (condition.absent) request.headers.emplace_back("if-none-match", "*");
  // Without its quotes: radosgw compares it as it is here, and AWS takes both forms.
  if (!condition.etag.empty())
    request.headers.emplace_back("if-match", absl::StrReplaceAll(condition.etag, {{"\"", ""}}));
  absl::StatusOr<HttpResponse> response = connection_.Send(request);
  if (response.ok()) return response->Header("etag");
  if (!absl::IsAborted(response.status())) return response.status();
  // Our own first try may have gone through, and only its answer was lost.
  absl::StatusOr<ObjectState> found = Head(key);
  if (found.ok() && found->mark == mark && found->size == bytes.size()) return found->etag;
  return response.status();
}

absl::Status Client::Copy(const std::string& from, const std::string& to) {
  return connection_
      .Send({.what = absl::StrCat("copy ", from, " to ", to),
             .method = "PUT",
             .key = to,
             .headers = {{"x-amz-copy-source", CopySource(connection_.location(), from)}},
             .may_fail_late = true})
      .status();
}

absl::Status Client::Remove(const std::string& key) {
  const absl::Status status =
      connection_.Send({.what = absl::StrCat("remove ", key), .method = "DELETE", .key = key}).status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::StatusOr<ListPage> Client::List(const std::string& prefix, bool by_folder) {
  Request request = {.what = absl::StrCat("list ", prefix)};
  ListPage all;
  do {
    request.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", prefix}};
    if (by_folder) request.query.emplace_back("delimiter", "/");
    if (!all.next.empty()) request.query.emplace_back("continuation-token", all.next);
    ASSIGN_OR_RETURN(HttpResponse response, connection_.Send(request));
    ASSIGN_OR_RETURN(ListPage page, ParseListPage(response.body));
    if (!page.next.empty() && page.next == all.next)
      return absl::InternalError(absl::StrCat("the server's list of ", prefix, " does not end"));
    std::move(page.objects.begin(), page.objects.end(), std::back_inserter(all.objects));
    std::move(page.folders.begin(), page.folders.end(), std::back_inserter(all.folders));
    all.next = std::move(page.next);
  } while (!all.next.empty());
  return all;
}

absl::StatusOr<std::string> Client::CreateMultipart(const std::string& key, const std::string& mark) {
  ASSIGN_OR_RETURN(HttpResponse response, connection_.Send({.what = absl::StrCat("write ", key),
                                                            .method = "POST",
                                                            .key = key,
                                                            .query = {{"uploads", ""}},
                                                            .headers = {{kMarkHeader, mark}}}));
  return ParseUploadId(response.body);
}

absl::StatusOr<std::string> Client::PutPart(const std::string& key, const std::string& upload_id,
                                            size_t number, std::span<const std::byte> bytes,
                                            const std::atomic<bool>* cancelled) {
  ASSIGN_OR_RETURN(HttpResponse response,
                   connection_.Send({.what = absl::StrCat("write part ", number, " of ", key),
                                     .method = "PUT",
                                     .key = key,
                                     .query = {{"partNumber", absl::StrCat(number)}, {"uploadId", upload_id}},
                                     .body = bytes,
                                     .cancelled = cancelled}));
  return response.Header("etag");
}

absl::StatusOr<std::string> Client::CopyPart(const std::string& from, const std::string& key,
                                             const std::string& upload_id, size_t number) {
  ASSIGN_OR_RETURN(
      HttpResponse response,
      connection_.Send({.what = absl::StrCat("copy ", from, " to part ", number, " of ", key),
                        .method = "PUT",
                        .key = key,
                        .query = {{"partNumber", absl::StrCat(number)}, {"uploadId", upload_id}},
                        .headers = {{"x-amz-copy-source", CopySource(connection_.location(), from)}},
                        .may_fail_late = true}));
  return ParseCopiedPart(response.body);
}

absl::Status Client::CompleteMultipart(const std::string& key, const std::string& upload_id,
                                       const std::vector<std::string>& etags, uint64_t size,
                                       const std::string& mark) {
  const std::string body = CompleteBody(etags);
  absl::Status status = connection_
                            .Send({.what = absl::StrCat("finish ", key),
                                   .method = "POST",
                                   .key = key,
                                   .query = {{"uploadId", upload_id}},
                                   .body = std::as_bytes(std::span(body)),
                                   .may_fail_late = true})
                            .status();
  // NOT_FOUND: an earlier try may have ended the upload, and only its answer was lost.
  if (!status.ok() && !absl::IsNotFound(status)) return status;
  absl::StatusOr<ObjectState> made = Head(key);
  if (!status.ok()) return made.ok() && made->mark == mark ? absl::OkStatus() : status;
  if (!made.ok()) return made.status();
  if (made->mark == mark && made->size != size) {
    return absl::DataLossError(
        absl::StrCat(key, " was written with ", size, " bytes, and the server has ", made->size));
  }
  return absl::OkStatus();
}

absl::Status Client::AbortMultipart(const std::string& key, const std::string& upload_id) {
  const absl::Status status = connection_
                                  .Send({.what = absl::StrCat("give up ", key),
                                         .method = "DELETE",
                                         .key = key,
                                         .query = {{"uploadId", upload_id}}})
                                  .status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::StatusOr<std::vector<MultipartInfo>> Client::ListMultiparts(const std::string& prefix) {
  Request request = {.what = absl::StrCat("list unfinished uploads of ", prefix)};
  std::vector<MultipartInfo> all;
  MultipartPage page;
  do {
    request.query = {{"uploads", ""}, {"encoding-type", "url"}, {"prefix", prefix}};
    if (!page.next_key.empty()) {
      request.query.emplace_back("key-marker", page.next_key);
      request.query.emplace_back("upload-id-marker", page.next_upload_id);
    }
    ASSIGN_OR_RETURN(HttpResponse response, connection_.Send(request));
    const std::string previous = page.next_key + page.next_upload_id;
    ASSIGN_OR_RETURN(page, ParseMultipartPage(response.body));
    if (!page.next_key.empty() && page.next_key + page.next_upload_id == previous)
      return absl::InternalError(absl::StrCat("the server's list of ", prefix, " does not end"));
    std::move(page.uploads.begin(), page.uploads.end(), std::back_inserter(all));
  } while (!page.next_key.empty());
  return all;
}

}  // namespace quantd::s3
