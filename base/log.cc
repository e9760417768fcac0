#include "base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

namespace quantd {
namespace {

using nlohmann::json;

// As a JSON string; bytes that are no UTF-8 are replaced.
std::string Quote(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

// Of the event that this thread is logging: spdlog knows no fields, but its formatter runs in the thread that
// logs.
thread_local const LogFields* current_fields = nullptr;

std::string Payload(const spdlog::details::log_msg& log) { return {log.payload.data(), log.payload.size()}; }

void Append(const std::string& text, spdlog::memory_buf_t& out) {
  out.append(text.data(), text.data() + text.size());
}

// The message as a JSON string, and the job or model that it begins with as a field of its own.
class JsonMessage final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& log, const std::tm& /*time*/,
              spdlog::memory_buf_t& out) override {
    const std::string message = Payload(log);
    std::string text = "\"message\":" + Quote(message);
    const std::string first = message.substr(0, message.find(' '));
    if (first.rfind("jobs/", 0) == 0) text += ",\"job\":" + Quote(first);
    if (first.rfind("models/", 0) == 0) text += ",\"model\":" + Quote(first);
    if (current_fields != nullptr) {
      for (const auto& [name, value] : *current_fields)
        text += ",\"" + std::string(name) + "\":" + Quote(value);
    }
    Append(text, out);
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<JsonMessage>(); }
};

bool IsPlain(const std::string& text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// A value that could be read as the end of itself stands in quotes.
std::string FieldValue(const std::string& value) {
  return !value.empty() && IsPlain(value) && value.find_first_of(" =\"\\") == std::string::npos
             ? value
             : Quote(value);
}

// The message as it is, unless it holds what could end the line.
class TextMessage final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& log, const std::tm& /*time*/,
              spdlog::memory_buf_t& out) override {
    const std::string message = Payload(log);
    Append(IsPlain(message) ? message : Quote(message), out);
    if (current_fields == nullptr) return;
    for (const auto& [name, value] : *current_fields)
      Append(" " + std::string(name) + "=" + FieldValue(value), out);
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<TextMessage>(); }
};

}  // namespace

void SetUpLog(const std::string& program, const std::string& format) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt(program));
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  if (format == "json") {
    formatter->add_flag<JsonMessage>('*').set_pattern(
        R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","program":"%n","process":%P,%*})");
  } else {
    formatter->add_flag<TextMessage>('*').set_pattern("%Y-%m-%d %H:%M:%S.%e %l %n[%P]: %*");
  }
  spdlog::set_formatter(std::move(formatter));
}

void LogEvent(std::string_view message, const LogFields& fields) {
  current_fields = &fields;
  spdlog::info("{}", message);
  current_fields = nullptr;
}

}  // namespace quantd
