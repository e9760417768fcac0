// The XML that S3 and the security token service answer with. INTERNAL when an answer is no XML or lacks what
// it must have: it does not come from such a service then.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/objects/object_store.h"
#include "storage/objects/s3/credentials.h"

namespace quantd::s3 {

// Empty fields where the body has none: a proxy's page, or no body at all.
struct ErrorAnswer {
  std::string code;  // "NoSuchKey"
  std::string message;
  std::string region;  // of the bucket, when the request went to another
};
ErrorAnswer ParseError(const std::string& body);

// One page of ListObjectsV2 with encoding-type=url.
struct ListPage {
  std::vector<ObjectInfo> objects;
  std::vector<std::string> folders;  // common prefixes, with the delimiter
  std::string next;                  // continuation token; empty on the last page
};
absl::StatusOr<ListPage> ParseListPage(const std::string& body);

// One page of ListMultipartUploads with encoding-type=url.
struct MultipartInfo {
  std::string key;
  std::string upload_id;
  absl::Time initiated;
};
struct MultipartPage {
  std::vector<MultipartInfo> uploads;
  std::string next_key;  // markers; empty on the last page
  std::string next_upload_id;
};
absl::StatusOr<MultipartPage> ParseMultipartPage(const std::string& body);

// The id that InitiateMultipartUpload gives.
absl::StatusOr<std::string> ParseUploadId(const std::string& body);

// The ETag of a part that UploadPartCopy made.
absl::StatusOr<std::string> ParseCopiedPart(const std::string& body);

absl::StatusOr<Credentials> ParseAssumedRole(const std::string& body);

// The request's body of CompleteMultipartUpload: the ETags of parts 1, 2, ….
std::string CompleteBody(const std::vector<std::string>& etags);

}  // namespace quantd::s3
