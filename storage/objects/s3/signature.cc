#include "storage/objects/s3/signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/sha256.h"
#include "storage/objects/s3/percent.h"

namespace quantd::s3 {
namespace {

constexpr char kAlgorithm[] = "AWS4-HMAC-SHA256";

std::string HmacSha256(const std::string& key, const std::string& message) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  ::HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(message.data()), message.size(), digest.data(), &size);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

std::string Day(absl::Time time) { return absl::FormatTime("%Y%m%d", time, absl::UTCTimeZone()); }

// What the key is good for: one day, region and service.
std::string Scope(const SignedService& service, absl::Time time) {
  return absl::StrCat(Day(time), "/", service.region, "/", service.service, "/aws4_request");
}

// Names in lower case, values without outer and repeated inner spaces, in order of names.
NameValues CanonicalHeaders(const NameValues& headers) {
  NameValues canonical;
  for (const auto& [name, value] : headers) {
    std::string trimmed = value;
    absl::RemoveExtraAsciiWhitespace(&trimmed);
    canonical.emplace_back(absl::AsciiStrToLower(name), std::move(trimmed));
  }
  std::stable_sort(canonical.begin(), canonical.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  return canonical;
}

std::string SignedHeaders(const NameValues& headers) {
  std::string names;
  for (const auto& [name, value] : CanonicalHeaders(headers))
    absl::StrAppend(&names, names.empty() ? "" : ";", name);
  return names;
}

std::string CanonicalRequest(const UnsignedRequest& request) {
  std::string text =
      absl::StrCat(request.method, "\n", request.path, "\n", CanonicalQuery(request.query), "\n");
  for (const auto& [name, value] : CanonicalHeaders(request.headers))
    absl::StrAppend(&text, name, ":", value, "\n");
  absl::StrAppend(&text, "\n", SignedHeaders(request.headers), "\n", request.payload_sha256);
  return text;
}

std::string Signature(const UnsignedRequest& request, const SignedService& service,
                      const Credentials& credentials, absl::Time time) {
  const std::string to_sign = absl::StrCat(kAlgorithm, "\n", AmzDate(time), "\n", Scope(service, time), "\n",
                                           Sha256Hex(CanonicalRequest(request)));
  std::string key = HmacSha256(absl::StrCat("AWS4", credentials.secret_access_key), Day(time));
  for (const std::string& part : {service.region, service.service, std::string("aws4_request")})
    key = HmacSha256(key, part);
  return absl::BytesToHexString(HmacSha256(key, to_sign));
}

}  // namespace

std::string CanonicalQuery(const NameValues& query) {
  NameValues encoded;
  for (const auto& [name, value] : query)
    encoded.emplace_back(PercentEncode(name, false), PercentEncode(value, false));
  std::sort(encoded.begin(), encoded.end());
  std::string text;
  for (const auto& [name, value] : encoded) absl::StrAppend(&text, text.empty() ? "" : "&", name, "=", value);
  return text;
}

std::string AmzDate(absl::Time time) { return absl::FormatTime("%Y%m%dT%H%M%SZ", time, absl::UTCTimeZone()); }

std::string Authorization(const UnsignedRequest& request, const SignedService& service,
                          const Credentials& credentials, absl::Time time) {
  return absl::StrCat(kAlgorithm, " Credential=", credentials.access_key_id, "/", Scope(service, time),
                      ",SignedHeaders=", SignedHeaders(request.headers),
                      ",Signature=", Signature(request, service, credentials, time));
}

std::string PresignedQuery(const UnsignedRequest& request, const SignedService& service,
                           const Credentials& credentials, absl::Time time, absl::Duration lifetime) {
  UnsignedRequest presigned = request;
  NameValues& query = presigned.query;
  query.emplace_back("X-Amz-Algorithm", kAlgorithm);
  query.emplace_back("X-Amz-Credential", absl::StrCat(credentials.access_key_id, "/", Scope(service, time)));
  query.emplace_back("X-Amz-Date", AmzDate(time));
  query.emplace_back("X-Amz-Expires", absl::StrCat(absl::ToInt64Seconds(lifetime)));
  query.emplace_back("X-Amz-SignedHeaders", SignedHeaders(presigned.headers));
  if (!credentials.session_token.empty())
    query.emplace_back("X-Amz-Security-Token", credentials.session_token);
  query.emplace_back("X-Amz-Signature", Signature(presigned, service, credentials, time));
  return CanonicalQuery(query);
}

}  // namespace quantd::s3
