#include "client/fetcher.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/relative_path.h"
#include "base/status.h"
#include "client/blob_fetcher.h"
#include "client/parallel.h"
#include "client/progress.h"
#include "client/target_text.h"

namespace quantd {
namespace {

constexpr int kStreams = 4;

bool Matches(const v1::TargetResult& result, const std::string& text) {
  const v1::Target& target = result.target();
  return result.directory() == text || absl::StrCat(target.format(), ":", target.scheme()) == text ||
         FormatTarget(target) == text;
}

}  // namespace

absl::StatusOr<std::vector<v1::TargetResult>> SelectResults(const v1::Job& job,
                                                            const std::vector<std::string>& wanted) {
  for (const std::string& text : wanted) {
    const auto& all = job.results();
    if (std::any_of(all.begin(), all.end(), [&](const auto& result) { return Matches(result, text); }))
      continue;
    std::vector<std::string> known;
    for (const v1::TargetResult& result : all)
      known.push_back(absl::StrCat(FormatTarget(result.target()), " (", result.directory(), ")"));
    return absl::NotFoundError(
        absl::StrCat(job.name(), " has no target ", text, "; it has ", absl::StrJoin(known, ", ")));
  }
  std::vector<v1::TargetResult> chosen;
  for (const v1::TargetResult& result : job.results()) {
    const auto matches = [&](const std::string& text) { return Matches(result, text); };
    if (wanted.empty() || std::any_of(wanted.begin(), wanted.end(), matches)) chosen.push_back(result);
  }
  return chosen;
}

absl::Status FetchResults(Connection& connection, const std::vector<v1::TargetResult>& results,
                          const std::string& directory) {
  struct Item {
    const v1::ArtifactFile* file;
    std::string path;
  };
  std::vector<Item> items;
  int64_t total = 0;
  for (const v1::TargetResult& result : results) {
    RETURN_IF_ERROR(CheckRelativePath(result.directory()));
    for (const v1::ArtifactFile& file : result.files()) {
      RETURN_IF_ERROR(CheckRelativePath(file.path()));
      items.push_back({&file, absl::StrCat(directory, "/", result.directory(), "/", file.path())});
      total += file.size();
    }
  }
  DirectReads direct(connection);
  ProgressLine progress;
  progress.Begin("fetching", 0, total);
  return ParallelFor(static_cast<int>(items.size()), kStreams, [&](int i) {
    const Item& item = items[static_cast<size_t>(i)];
    return FetchBlob(connection, direct, *item.file, item.path, [&](int64_t more) { progress.Add(more); });
  });
}

}  // namespace quantd
