// The files of AWS's tools, ~/.aws/credentials and ~/.aws/config: sections of "name = value".
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "storage/objects/s3/environment.h"

namespace quantd::s3 {

using Profile = std::map<std::string, std::string>;

// The names and values of one section, "[section]"; nothing when there is none. Lines that begin with '#' or
// ';' are comments; indented lines (nested settings) are left out.
Profile ParseProfile(const std::string& text, const std::string& section);

// The profile that AWS_PROFILE names, else "default", from AWS_SHARED_CREDENTIALS_FILE, else
// ~/.aws/credentials. Empty when there is no such file. FAILED_PRECONDITION when users who are neither the
// owner nor of the file's group can read it, or the group can change it.
absl::StatusOr<Profile> ReadCredentialsProfile(const Environment& environment);

// As above, from AWS_CONFIG_FILE, else ~/.aws/config, where the section is "[profile NAME]". Who may read it
// matters only when it holds a key.
absl::StatusOr<Profile> ReadConfigProfile(const Environment& environment);

// What those read, for messages.
std::string CredentialsPath(const Environment& environment);
std::string ConfigPath(const Environment& environment);
std::string ProfileName(const Environment& environment);

}  // namespace quantd::s3
