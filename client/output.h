// Tables, sizes and progress for people; JSON for programs.
#pragma once

#include <google/protobuf/message.h>

#include <cstdint>
#include <string>
#include <vector>

namespace quantd {

// "1.5 GiB", "12 B".
std::string FormatBytes(int64_t bytes);

// Columns aligned with spaces; the first row is the heading.
void PrintTable(const std::vector<std::vector<std::string>>& rows);

// One line of JSON, fields named as in the proto.
std::string ToJson(const google::protobuf::Message& message);

// A line that is written over on a terminal; in a pipe one line whenever the percentage passes a tenth. Used
// by one thread.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  void Update(const std::string& what, int64_t done, int64_t total);

 private:
  bool terminal_;
  bool shown_ = false;
  std::string what_;
  int64_t last_tenth_ = -1;
  int64_t begin_micros_;
  int64_t begin_done_ = 0;
};

}  // namespace quantd
