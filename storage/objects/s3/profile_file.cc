#include "storage/objects/s3/profile_file.h"

#include <sys/stat.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/random_access_file.h"
#include "base/status.h"

namespace quantd::s3 {
namespace {

constexpr uint64_t kMostBytes = 1 << 20;

std::string Trimmed(absl::string_view text) { return std::string(absl::StripAsciiWhitespace(text)); }

// "" when there is none.
absl::StatusOr<std::string> ReadIfThere(const std::string& path) {
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = OpenLocalFile(path);
  if (absl::IsNotFound(file.status())) return std::string();
  if (!file.ok()) return file.status();
  return ReadAll(**file, kMostBytes);
}

absl::Status CheckWhoMayRead(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return ErrnoStatus(errno, absl::StrCat("cannot stat ", path));
  // A group may read: that is how a container's user gets a secret that is mounted for it.
  if ((info.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("others can read or change ", path, ", which holds secret keys: chmod 600 it"));
  }
  return absl::OkStatus();
}

std::string InHome(const Environment& environment, const char* path) {
  const std::string home = environment("HOME");
  return home.empty() ? "" : absl::StrCat(home, "/", path);
}

}  // namespace

Profile ParseProfile(const std::string& text, const std::string& section) {
  Profile profile;
  bool inside = false;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (line.empty() || absl::ascii_isspace(static_cast<unsigned char>(line[0])) || line[0] == '#' ||
        line[0] == ';')
      continue;
    if (line[0] == '[') {
      inside = Trimmed(line.substr(1, line.find(']') - 1)) == section;
      continue;
    }
    const size_t equals = line.find('=');
    if (inside && equals != absl::string_view::npos)
      profile[absl::AsciiStrToLower(Trimmed(line.substr(0, equals)))] = Trimmed(line.substr(equals + 1));
  }
  return profile;
}

std::string CredentialsPath(const Environment& environment) {
  const std::string path = environment("AWS_SHARED_CREDENTIALS_FILE");
  return path.empty() ? InHome(environment, ".aws/credentials") : path;
}

std::string ConfigPath(const Environment& environment) {
  const std::string path = environment("AWS_CONFIG_FILE");
  return path.empty() ? InHome(environment, ".aws/config") : path;
}

std::string ProfileName(const Environment& environment) {
  const std::string name = environment("AWS_PROFILE");
  return name.empty() ? "default" : name;
}

absl::StatusOr<Profile> ReadCredentialsProfile(const Environment& environment) {
  const std::string path = CredentialsPath(environment);
  if (path.empty()) return Profile();
  ASSIGN_OR_RETURN(std::string text, ReadIfThere(path));
  if (text.empty()) return Profile();
  RETURN_IF_ERROR(CheckWhoMayRead(path));
  return ParseProfile(text, ProfileName(environment));
}

absl::StatusOr<Profile> ReadConfigProfile(const Environment& environment) {
  const std::string path = ConfigPath(environment);
  if (path.empty()) return Profile();
  ASSIGN_OR_RETURN(std::string text, ReadIfThere(path));
  const std::string name = ProfileName(environment);
  Profile profile = ParseProfile(text, name == "default" ? name : absl::StrCat("profile ", name));
  if (profile.contains("aws_secret_access_key")) RETURN_IF_ERROR(CheckWhoMayRead(path));
  return profile;
}

}  // namespace quantd::s3
