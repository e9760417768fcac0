// Where an S3 store lies: s3://BUCKET/PREFIX?endpoint=URL&region=REGION&path_style=true|false
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "storage/objects/s3/environment.h"

namespace quantd::s3 {

struct Location {
  std::string bucket;
  std::string prefix;    // without outer slashes; may be empty
  std::string endpoint;  // "https://host" or "http://host:port", without a path
  std::string region;
  bool path_style = false;  // https://host/BUCKET/KEY, else https://BUCKET.host/KEY

  // What a request's URL begins with, and its header "host".
  std::string base_url() const;
  std::string host() const;
  // Percent-encoded path of a key, of the bucket itself when it is empty.
  std::string PathOf(const std::string& key) const;
};

// What the URL leaves out comes from where AWS's tools look: the endpoint from AWS_ENDPOINT_URL_S3 and
// AWS_ENDPOINT_URL, else it is AWS's of the region; the region from AWS_REGION, AWS_DEFAULT_REGION and the
// profile in ~/.aws/config, else us-east-1 where an endpoint is given. path_style is true by default where an
// endpoint is given. INVALID_ARGUMENT says what is wrong with the URL.
absl::StatusOr<Location> ParseLocation(const std::string& url, const Environment& environment);

}  // namespace quantd::s3
