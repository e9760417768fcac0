#include "client/checkpoint_selection.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/relative_path.h"
#include "base/status.h"
#include "client/errors.h"

namespace quantd {
namespace {

namespace fs = std::filesystem;

bool IsGguf(const std::string& name) { return absl::EndsWithIgnoreCase(name, ".gguf"); }
bool IsSafetensors(const std::string& name) { return absl::EndsWith(name, ".safetensors"); }

bool IsPickledWeights(const std::string& name) {
  for (const char* ending : {".bin", ".pt", ".pth", ".ckpt"}) {
    if (absl::EndsWith(name, ending)) return true;
  }
  return false;
}

// Configuration, tokenizer and templates beside safetensors.
bool IsCompanion(const std::string& name) {
  for (const char* ending : {".json", ".model", ".jinja"}) {
    if (absl::EndsWith(name, ending)) return true;
  }
  return name == "merges.txt" || name == "vocab.txt";
}

// "model-00001-of-00003.gguf" → "model-*-of-00003.gguf"; another name as it is.
std::string WithoutPart(const std::string& name) {
  constexpr size_t kNumber = 5, kTail = sizeof("-00001-of-00003.gguf") - 1;
  if (name.size() <= kTail) return name;
  const std::string tail = name.substr(name.size() - kTail);
  const auto is_number = [&](size_t at) {
    const std::string digits = tail.substr(at, kNumber);
    return std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  if (tail[0] != '-' || !is_number(1) || tail.substr(1 + kNumber, 4) != "-of-" || !is_number(10)) return name;
  return absl::StrCat(name.substr(0, name.size() - kTail), "-*", tail.substr(1 + kNumber));
}

// Below what a link of the folder may lead: the folder, or the repository that a cache's snapshot belongs to.
fs::path TrustedRoot(const fs::path& folder, std::error_code& error) {
  const fs::path real = fs::canonical(folder, error);
  return real.parent_path().filename() == "snapshots" ? real.parent_path().parent_path() : real;
}

bool IsBelow(const fs::path& path, const fs::path& root) {
  return std::mismatch(root.begin(), root.end(), path.begin(), path.end()).first == root.end();
}

class FolderScan {
 public:
  explicit FolderScan(fs::path folder) : folder_(std::move(folder)) {}

  absl::StatusOr<CheckpointSelection> Select() {
    RETURN_IF_ERROR(List());
    const bool safetensors = std::any_of(names_.begin(), names_.end(), IsSafetensors);
    RETURN_IF_ERROR(safetensors ? absl::OkStatus() : CheckGguf());
    for (const std::string& name : names_) {
      if (safetensors ? IsSafetensors(name) || IsCompanion(name) : IsGguf(name)) {
        out_.files.push_back({name, (folder_ / name).string()});
      } else {
        Skip(name, WhyNot(name, safetensors));
      }
    }
    std::sort(out_.skipped.begin(), out_.skipped.end());
    return std::move(out_);
  }

 private:
  static const char* WhyNot(const std::string& name, bool safetensors) {
    if (IsPickledWeights(name)) return "pickled weights are not read";
    if (IsGguf(name)) return "the folder's safetensors are sent";
    return safetensors ? "not a part of a checkpoint" : "the GGUF holds all that is needed";
  }

  void Skip(const std::string& name, const std::string& why) {
    out_.skipped.push_back(absl::StrCat(OneLine(name), ": ", why));
  }

  absl::Status List() {
    std::error_code error;
    const fs::path root = TrustedRoot(folder_, error);
    fs::directory_iterator entries(folder_, error);
    if (error)
      return absl::PermissionDeniedError(
          absl::StrCat("cannot list ", folder_.string(), ": ", error.message()));
    for (; entries != fs::directory_iterator(); entries.increment(error)) {
      const std::string name = entries->path().filename().string();
      if (name[0] == '.') continue;
      std::error_code broken;
      const fs::path target = fs::canonical(entries->path(), broken);
      if (broken || (entries->is_symlink(broken) && !IsBelow(target, root))) {
        Skip(name, "the link leads out of the folder or nowhere");
      } else if (fs::is_directory(target, broken)) {
        Skip(name + "/", "folders are not sent");
      } else if (!fs::is_regular_file(target, broken)) {
        Skip(name, "not a regular file");
      } else if (!CheckRelativePath(name).ok()) {
        Skip(name, "the name has characters that no model's file may have");
      } else {
        names_.insert(name);
      }
    }
    return absl::OkStatus();
  }

  // Exactly one model among the GGUF files.
  absl::Status CheckGguf() const {
    std::set<std::string> models;
    bool pickled = false;
    for (const std::string& name : names_) {
      if (IsGguf(name)) models.insert(WithoutPart(name));
      pickled = pickled || IsPickledWeights(name);
    }
    if (models.size() == 1) return absl::OkStatus();
    if (models.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          folder_.string(), " has neither *.safetensors nor a .gguf file",
          pickled ? "; pickled weights (*.bin, *.pt) are not read: save the model as safetensors" : ""));
    }
    return absl::InvalidArgumentError(absl::StrCat(
        folder_.string(), " has several models, give one of them: ", absl::StrJoin(models, ", ")));
  }

  fs::path folder_;
  std::set<std::string> names_;
  CheckpointSelection out_;
};

}  // namespace

absl::StatusOr<CheckpointSelection> SelectCheckpoint(const std::string& path) {
  std::error_code error;
  fs::path root = fs::absolute(path, error).lexically_normal();
  if (!root.has_filename()) root = root.parent_path();
  const std::string name = root.filename().string();
  if (fs::is_directory(root, error)) {
    absl::StatusOr<CheckpointSelection> selection = FolderScan(root).Select();
    if (selection.ok()) selection->name = OneLine(name);
    return selection;
  }
  if (!fs::exists(root, error)) return absl::NotFoundError(absl::StrCat("there is no file or folder ", path));
  if (!fs::is_regular_file(root, error) || !IsGguf(name)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is no .gguf file; of a checkpoint in safetensors, give the folder"));
  }
  RETURN_IF_ERROR(CheckRelativePath(name));
  CheckpointSelection selection;
  selection.name = OneLine(root.stem().string());
  selection.files.push_back({name, root.string()});
  return selection;
}

}  // namespace quantd
