#include "storage/objects/s3/location.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/relative_path.h"
#include "base/status.h"
#include "storage/objects/s3/percent.h"
#include "storage/objects/s3/profile_file.h"

namespace quantd::s3 {
namespace {

constexpr char kScheme[] = "s3://";

absl::Status CheckBucket(const std::string& bucket) {
  const bool characters = std::all_of(bucket.begin(), bucket.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_';
  });
  if (bucket.size() < 3 || bucket.size() > 63 || !characters || bucket.front() == '.')
    return absl::InvalidArgumentError(absl::StrCat("\"", bucket, "\" can not be the name of a bucket"));
  return absl::OkStatus();
}

absl::Status CheckEndpoint(const std::string& endpoint) {
  absl::string_view rest = endpoint;
  if (!absl::ConsumePrefix(&rest, "https://") && !absl::ConsumePrefix(&rest, "http://"))
    return absl::InvalidArgumentError(
        absl::StrCat("endpoint \"", endpoint, "\" does not begin with https:// or http://"));
  const bool plain = std::none_of(rest.begin(), rest.end(), [](unsigned char c) {
    return c <= ' ' || c >= 0x7f || c == '/' || c == '?' || c == '#' || c == '@';
  });
  if (rest.empty() || !plain)
    return absl::InvalidArgumentError(
        absl::StrCat("endpoint \"", endpoint, "\" is not of the form https://HOST or https://HOST:PORT"));
  return absl::OkStatus();
}

struct Parameters {
  std::string endpoint;
  std::string region;
  std::string path_style;
};

absl::StatusOr<Parameters> ParseParameters(const std::string& query) {
  Parameters parameters;
  for (absl::string_view parameter : absl::StrSplit(query, '&', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(parameter, absl::MaxSplits('=', 1));
    std::string* field = parts.first == "endpoint"     ? &parameters.endpoint
                         : parts.first == "region"     ? &parameters.region
                         : parts.first == "path_style" ? &parameters.path_style
                                                       : nullptr;
    if (field == nullptr)
      return absl::InvalidArgumentError(absl::StrCat("there is no parameter \"", parts.first,
                                                     "\"; those are endpoint, region and path_style"));
    *field = PercentDecode(parts.second);
    if (field->empty()) return absl::InvalidArgumentError(absl::StrCat(parts.first, " is empty"));
  }
  if (!parameters.path_style.empty() && parameters.path_style != "true" && parameters.path_style != "false")
    return absl::InvalidArgumentError("path_style is neither true nor false");
  return parameters;
}

std::string FirstSet(const Environment& environment, const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (std::string value = environment(name); !value.empty()) return value;
  return "";
}

absl::StatusOr<std::string> FindRegion(const Environment& environment) {
  if (std::string region = FirstSet(environment, {"AWS_REGION", "AWS_DEFAULT_REGION"}); !region.empty())
    return region;
  ASSIGN_OR_RETURN(Profile profile, ReadConfigProfile(environment));
  return profile["region"];
}

absl::StatusOr<Location> Parse(const std::string& url, const Environment& environment) {
  const std::pair<std::string, std::string> halves =
      absl::StrSplit(url.substr(sizeof(kScheme) - 1), absl::MaxSplits('?', 1));
  const std::pair<std::string, std::string> place = absl::StrSplit(halves.first, absl::MaxSplits('/', 1));
  Location location;
  location.bucket = place.first;
  RETURN_IF_ERROR(CheckBucket(location.bucket));
  location.prefix = std::string(absl::StripSuffix(place.second, "/"));
  if (!location.prefix.empty()) RETURN_IF_ERROR(CheckRelativePath(location.prefix));

  ASSIGN_OR_RETURN(Parameters parameters, ParseParameters(halves.second));
  location.endpoint = parameters.endpoint;
  if (location.endpoint.empty())
    location.endpoint = FirstSet(environment, {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
  location.endpoint = std::string(absl::StripSuffix(location.endpoint, "/"));
  const bool own_endpoint = !location.endpoint.empty();
  location.region = parameters.region;
  if (location.region.empty()) {
    ASSIGN_OR_RETURN(location.region, FindRegion(environment));
  }
  if (location.region.empty() && own_endpoint) location.region = "us-east-1";
  if (location.region.empty())
    return absl::InvalidArgumentError("there is no region: give region=… in the URL, or set AWS_REGION");
  if (!own_endpoint) location.endpoint = absl::StrCat("https://s3.", location.region, ".amazonaws.com");
  RETURN_IF_ERROR(CheckEndpoint(location.endpoint));
  location.path_style = parameters.path_style.empty() ? own_endpoint : parameters.path_style == "true";
  return location;
}

// "https://" and "host:port".
std::pair<std::string, std::string> SplitEndpoint(const std::string& endpoint) {
  const size_t host = endpoint.find("//") + 2;
  return {endpoint.substr(0, host), endpoint.substr(host)};
}

}  // namespace

std::string Location::host() const {
  const std::string server = SplitEndpoint(endpoint).second;
  return path_style ? server : absl::StrCat(bucket, ".", server);
}

std::string Location::base_url() const { return absl::StrCat(SplitEndpoint(endpoint).first, host()); }

std::string Location::PathOf(const std::string& key) const {
  std::string path = path_style ? absl::StrCat("/", bucket) : "";
  if (!key.empty()) absl::StrAppend(&path, "/", PercentEncode(key, true));
  return path.empty() ? "/" : path;
}

absl::StatusOr<Location> ParseLocation(const std::string& url, const Environment& environment) {
  if (!absl::StartsWith(url, kScheme))
    return absl::InvalidArgumentError(absl::StrCat("object store \"", url, "\" does not begin with s3://"));
  absl::StatusOr<Location> location = Parse(url, environment);
  if (!location.ok()) return Annotate(location.status(), absl::StrCat("object store \"", url, "\""));
  return location;
}

}  // namespace quantd::s3
