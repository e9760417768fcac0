#include "storage/objects/s3/answers.h"

#include <algorithm>
#include <pugixml.hpp>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "storage/objects/s3/percent.h"

namespace quantd::s3 {
namespace {

absl::Status Unreadable(const std::string& what) {
  return absl::InternalError(absl::StrCat("the server's answer is not one of S3: ", what));
}

// The root's name must be `root`.
absl::StatusOr<pugi::xml_node> ParseRoot(pugi::xml_document& document, const std::string& body,
                                         const char* root) {
  const pugi::xml_parse_result result = document.load_buffer(body.data(), body.size());
  if (!result) return Unreadable(result.description());
  pugi::xml_node node = document.child(root);
  if (!node) return Unreadable(absl::StrCat("there is no ", root));
  return node;
}

absl::StatusOr<std::string> Required(pugi::xml_node node, const char* name) {
  std::string text = node.child_value(name);
  if (text.empty()) return Unreadable(absl::StrCat("there is no ", name));
  return text;
}

absl::StatusOr<absl::Time> ParseTime(const std::string& text) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error))
    return Unreadable(absl::StrCat("\"", text, "\" is no time"));
  return time;
}

// What encoding-type=url does to keys; AWS writes a space as '+'.
std::string UrlDecode(std::string text) {
  std::replace(text.begin(), text.end(), '+', ' ');
  return PercentDecode(text);
}

bool IsTruncated(pugi::xml_node root) { return std::string(root.child_value("IsTruncated")) == "true"; }

}  // namespace

ErrorAnswer ParseError(const std::string& body) {
  pugi::xml_document document;
  if (!document.load_buffer(body.data(), body.size())) return {};
  // The token service wraps it: <ErrorResponse><Error>.
  pugi::xml_node error = document.child("Error");
  if (!error) error = document.child("ErrorResponse").child("Error");
  return {error.child_value("Code"), error.child_value("Message"), error.child_value("Region")};
}

absl::StatusOr<ListPage> ParseListPage(const std::string& body) {
  pugi::xml_document document;
  ASSIGN_OR_RETURN(pugi::xml_node root, ParseRoot(document, body, "ListBucketResult"));
  ListPage page;
  for (pugi::xml_node object : root.children("Contents")) {
    ObjectInfo info;
    ASSIGN_OR_RETURN(std::string key, Required(object, "Key"));
    info.key = UrlDecode(key);
    if (!absl::SimpleAtoi(object.child_value("Size"), &info.size))
      return Unreadable(absl::StrCat("the size of ", info.key, " is no number"));
    page.objects.push_back(std::move(info));
  }
  for (pugi::xml_node folder : root.children("CommonPrefixes"))
    page.folders.push_back(UrlDecode(folder.child_value("Prefix")));
  if (IsTruncated(root)) {
    ASSIGN_OR_RETURN(page.next, Required(root, "NextContinuationToken"));
  }
  return page;
}

absl::StatusOr<MultipartPage> ParseMultipartPage(const std::string& body) {
  pugi::xml_document document;
  ASSIGN_OR_RETURN(pugi::xml_node root, ParseRoot(document, body, "ListMultipartUploadsResult"));
  MultipartPage page;
  for (pugi::xml_node upload : root.children("Upload")) {
    MultipartInfo info;
    ASSIGN_OR_RETURN(std::string key, Required(upload, "Key"));
    info.key = UrlDecode(key);
    ASSIGN_OR_RETURN(info.upload_id, Required(upload, "UploadId"));
    ASSIGN_OR_RETURN(info.initiated, ParseTime(upload.child_value("Initiated")));
    page.uploads.push_back(std::move(info));
  }
  if (IsTruncated(root)) {
    ASSIGN_OR_RETURN(std::string next_key, Required(root, "NextKeyMarker"));
    page.next_key = UrlDecode(next_key);
    page.next_upload_id = root.child_value("NextUploadIdMarker");
  }
  return page;
}

absl::StatusOr<std::string> ParseUploadId(const std::string& body) {
  pugi::xml_document document;
  ASSIGN_OR_RETURN(pugi::xml_node root, ParseRoot(document, body, "InitiateMultipartUploadResult"));
  return Required(root, "UploadId");
}

absl::StatusOr<std::string> ParseCopiedPart(const std::string& body) {
  pugi::xml_document document;
  ASSIGN_OR_RETURN(pugi::xml_node root, ParseRoot(document, body, "CopyPartResult"));
  return Required(root, "ETag");
}

absl::StatusOr<Credentials> ParseAssumedRole(const std::string& body) {
  pugi::xml_document document;
  ASSIGN_OR_RETURN(pugi::xml_node root, ParseRoot(document, body, "AssumeRoleWithWebIdentityResponse"));
  const pugi::xml_node keys = root.child("AssumeRoleWithWebIdentityResult").child("Credentials");
  Credentials credentials;
  ASSIGN_OR_RETURN(credentials.access_key_id, Required(keys, "AccessKeyId"));
  ASSIGN_OR_RETURN(credentials.secret_access_key, Required(keys, "SecretAccessKey"));
  ASSIGN_OR_RETURN(credentials.session_token, Required(keys, "SessionToken"));
  ASSIGN_OR_RETURN(credentials.expiry, ParseTime(keys.child_value("Expiration")));
  return credentials;
}

std::string CompleteBody(const std::vector<std::string>& etags) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("CompleteMultipartUpload");
  root.append_attribute("xmlns") = "http://s3.amazonaws.com/doc/2006-03-01/";
  unsigned number = 0;
  for (const std::string& etag : etags) {
    pugi::xml_node part = root.append_child("Part");
    part.append_child("PartNumber").text() = ++number;
    part.append_child("ETag").text() = etag.c_str();
  }
  std::ostringstream text;
  document.save(text, "", pugi::format_raw);
  return text.str();
}

}  // namespace quantd::s3
