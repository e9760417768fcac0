#include "client/output.h"

#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

namespace quantd {

std::string FormatBytes(int64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes);
  const char* unit = "";
  for (const char* next : {"KiB", "MiB", "GiB", "TiB"}) {
    if (value < 1024.0) break;
    value /= 1024.0;
    unit = next;
  }
  return absl::StrFormat("%.1f %s", value, unit);
}

void PrintTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    std::printf("%s\n", line.c_str());
  }
}

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) return "{}";
  return json;
}

ProgressLine::ProgressLine()
    : terminal_(::isatty(STDERR_FILENO) == 1), begin_micros_(absl::GetCurrentTimeNanos() / 1000) {}

ProgressLine::~ProgressLine() {
  if (terminal_ && shown_) std::fprintf(stderr, "\n");
}

void ProgressLine::Update(const std::string& what, int64_t done, int64_t total) {
  if (what != what_) {
    what_ = what;
    last_tenth_ = -1;
    begin_done_ = done;
    begin_micros_ = absl::GetCurrentTimeNanos() / 1000;
  }
  const int64_t tenth = total > 0 ? done * 10 / total : 0;
  if (!terminal_ && tenth == last_tenth_) return;
  last_tenth_ = tenth;
  const double seconds = static_cast<double>(absl::GetCurrentTimeNanos() / 1000 - begin_micros_) / 1e6;
  const double rate = seconds > 0.1 ? static_cast<double>(done - begin_done_) / seconds : 0.0;
  std::string line = absl::StrFormat("%s %3d%% %s of %s", what, total > 0 ? done * 100 / total : 100,
                                     FormatBytes(done), FormatBytes(total));
  if (rate > 0.0 && done < total) {
    absl::StrAppend(&line,
                    absl::StrFormat(", %s/s, %d s left", FormatBytes(static_cast<int64_t>(rate)),
                                    static_cast<int64_t>(static_cast<double>(total - done) / rate) + 1));
  }
  std::fprintf(stderr, terminal_ ? "\r\033[K%s" : "%s\n", line.c_str());
  std::fflush(stderr);
  shown_ = true;
}

}  // namespace quantd
