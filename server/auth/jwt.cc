#include "server/auth/jwt.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "base/strict_json.h"
#include "server/auth/base64url.h"

namespace quantd {
namespace {

// gRPC's limit for all headers of a call is 8 KiB.
constexpr size_t kLongestToken = 8192;

absl::Status Refused(const std::string& reason) {
  return absl::UnauthenticatedError(absl::StrCat("the JSON Web Token is not accepted: it ", reason));
}

absl::StatusOr<Json> ReadPart(std::string_view part) {
  const std::optional<std::string> text = DecodeBase64Url(part);
  if (!text.has_value()) return Refused("is no base64url");
  absl::StatusOr<Json> json = ParseStrictJson(*text, "token");
  if (!json.ok() || !json->is_object()) return Refused("is made of no valid JSON objects");
  return json;
}

struct Header {
  JwtAlgorithm algorithm = JwtAlgorithm::kRs256;
  std::string key_id;
};

absl::StatusOr<Header> ReadHeader(std::string_view part) {
  ASSIGN_OR_RETURN(const Json json, ReadPart(part));
  Header header;
  const Json algorithm = json.value("alg", Json());
  if (algorithm == "RS256") {
    header.algorithm = JwtAlgorithm::kRs256;
  } else if (algorithm == "ES256") {
    header.algorithm = JwtAlgorithm::kEs256;
  } else {
    return Refused("is not signed with RS256 or ES256");
  }
  if (json.contains("crit")) return Refused("has critical extensions, and none are known");
  const Json type = json.value("typ", Json("JWT"));
  if (!type.is_string() || (absl::AsciiStrToLower(type.get<std::string>()) != "jwt" &&
                            absl::AsciiStrToLower(type.get<std::string>()) != "at+jwt")) {
    return Refused("is of another type");
  }
  const Json key_id = json.value("kid", Json());
  if (!key_id.is_string() || key_id.get<std::string>().empty()) return Refused("names no key (\"kid\")");
  header.key_id = key_id.get<std::string>();
  return header;
}

// Seconds since 1970; nothing when the claim is no number or beyond what times can be.
std::optional<absl::Time> TimeOf(const Json& claims, const char* name) {
  const auto claim = claims.find(name);
  if (claim == claims.end() || !claim->is_number()) return std::nullopt;
  const double seconds = claim->get<double>();
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e12) return std::nullopt;
  return absl::FromUnixSeconds(0) + absl::Seconds(seconds);
}

absl::Status CheckTimes(const Json& claims, absl::Time now) {
  const std::optional<absl::Time> expires = TimeOf(claims, "exp");
  if (!expires.has_value()) return Refused("has no expiry");
  if (now >= *expires + kJwtClockSkew) return Refused("has expired");
  if (claims.contains("nbf")) {
    const std::optional<absl::Time> begins = TimeOf(claims, "nbf");
    if (!begins.has_value()) return Refused("has a \"nbf\" that is no time");
    if (now < *begins - kJwtClockSkew) return Refused("is not valid yet: compare the clocks");
  }
  return absl::OkStatus();
}

bool HasAudience(const Json& claims, const std::string& audience) {
  const Json value = claims.value("aud", Json());
  if (value.is_array()) return std::find(value.begin(), value.end(), Json(audience)) != value.end();
  return value == Json(audience);
}

// The issuer whose key has signed, and whose audience it is.
absl::StatusOr<size_t> FindIssuer(const Header& header, const Json& claims, std::string_view signed_text,
                                  std::string_view signature, const std::vector<JwtIssuer>& issuers) {
  const Json issuer = claims.value("iss", Json());
  bool known_issuer = false, known_key = false, verified = false;
  for (size_t i = 0; i < issuers.size(); ++i) {
    if (issuer != Json(issuers[i].issuer)) continue;
    known_issuer = true;
    const auto key = issuers[i].keys->find(header.key_id);
    if (key == issuers[i].keys->end() || key->second.algorithm != header.algorithm) continue;
    known_key = true;
    if (!key->second.Verifies(signed_text, signature)) continue;
    verified = true;
    if (HasAudience(claims, issuers[i].audience)) return i;
  }
  if (verified) return Refused("is for another audience");
  if (known_key) return Refused("has a wrong signature");
  if (known_issuer) return Refused("is signed with a key that its issuer's key set does not have");
  return Refused("is of an issuer that is not known");
}

}  // namespace

absl::StatusOr<JwtIdentity> VerifyJwt(std::string_view token, const std::vector<JwtIssuer>& issuers,
                                      absl::Time now) {
  if (token.size() > kLongestToken) return Refused(absl::StrCat("is longer than ", kLongestToken, " bytes"));
  const std::vector<absl::string_view> parts =
      absl::StrSplit(absl::string_view(token.data(), token.size()), '.');
  if (parts.size() != 3) return Refused("is not of three parts");
  const auto part = [&](size_t i) { return std::string_view(parts[i].data(), parts[i].size()); };
  ASSIGN_OR_RETURN(const Header header, ReadHeader(part(0)));
  ASSIGN_OR_RETURN(const Json claims, ReadPart(part(1)));
  const std::optional<std::string> signature = DecodeBase64Url(part(2));
  if (!signature.has_value()) return Refused("is no base64url");
  const std::string_view signed_text = token.substr(0, token.rfind('.'));
  ASSIGN_OR_RETURN(const size_t issuer, FindIssuer(header, claims, signed_text, *signature, issuers));
  RETURN_IF_ERROR(CheckTimes(claims, now));
  const Json subject = claims.value("sub", Json());
  if (!subject.is_string() || subject.get<std::string>().empty()) return Refused("has no subject");
  return JwtIdentity{issuer, subject.get<std::string>()};
}

}  // namespace quantd
