#include "client/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/text.h"

namespace quantd {
namespace {

constexpr absl::Duration kBetweenUpdates = absl::Milliseconds(100);

// A line that is longer than the terminal is wide could not be written over.
size_t TerminalWidth() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : 79u;
}

}  // namespace

std::string ProgressText(const std::string& what, int64_t done, int64_t total, int64_t moved,
                         absl::Duration elapsed) {
  const double part = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1.0;
  std::string text = absl::StrFormat("%s %3d%% %s of %s", what, static_cast<int>(std::min(part, 1.0) * 100.0),
                                     FormatBytes(done), FormatBytes(total));
  if (moved <= 0 || elapsed < kBetweenUpdates) return text;
  const double rate = static_cast<double>(moved) / absl::ToDoubleSeconds(elapsed);
  absl::StrAppend(&text, ", ", FormatBytes(static_cast<int64_t>(rate)), "/s");
  if (done < total && rate >= 1.0) {
    const auto left = static_cast<int64_t>(static_cast<double>(total - done) / rate);
    absl::StrAppend(&text, ", ", FormatSeconds(left + 1), " left");
  }
  return text;
}

ProgressLine::ProgressLine() : terminal_(::isatty(STDERR_FILENO) == 1), begin_(absl::Now()) {}

ProgressLine::~ProgressLine() {
  if (terminal_ && shown_) std::fputs("\n", stderr);
}

void ProgressLine::Begin(const std::string& what, int64_t done, int64_t total) {
  std::lock_guard lock(mutex_);
  what_ = what;
  done_ = begin_done_ = done;
  total_ = total;
  last_tenth_ = -1;
  begin_ = absl::Now();
  last_shown_ = absl::InfinitePast();
  Show();
}

void ProgressLine::Add(int64_t more) {
  std::lock_guard lock(mutex_);
  done_ += more;
  Show();
}

void ProgressLine::Set(const std::string& what, int64_t done, int64_t total) {
  if (what != what_ || total != total_) return Begin(what, done, total);
  Add(done - done_);
}

void ProgressLine::Show() {
  const absl::Time now = absl::Now();
  const int64_t tenth = total_ > 0 ? static_cast<int64_t>(static_cast<double>(done_) / total_ * 10.0) : 10;
  const bool due = terminal_ ? done_ >= total_ || now - last_shown_ >= kBetweenUpdates : tenth > last_tenth_;
  if (!due) return;
  last_tenth_ = tenth;
  last_shown_ = now;
  std::string line = ProgressText(what_, done_, total_, done_ - begin_done_, now - begin_);
  if (terminal_) line.resize(std::min(line.size(), TerminalWidth()));
  std::fprintf(stderr, terminal_ ? "\r\033[K%s" : "%s\n", line.c_str());
  std::fflush(stderr);
  shown_ = true;
}

}  // namespace quantd
