// Sizes, times and tables as people read them; JSON for programs.
#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>

#include <cstdint>
#include <string>
#include <vector>

namespace quantd {

// "1.5 GiB", "12 B".
std::string FormatBytes(int64_t bytes);

// "5 s", "2 min 05 s", "1 h 02 min".
std::string FormatSeconds(int64_t seconds);

// "134 515 008".
std::string FormatCount(int64_t count);

// "2026-01-31 12:00:00Z"; "-" when unset.
std::string FormatTime(const google::protobuf::Timestamp& time);

// Columns aligned with spaces, without them at the end of a line; the first row is the heading.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows);
void PrintTable(const std::vector<std::vector<std::string>>& rows);

// One line of JSON, fields named as in the proto.
std::string ToJson(const google::protobuf::Message& message);
void PrintJson(const google::protobuf::Message& message);

}  // namespace quantd
