#include "server/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <nlohmann/json.hpp>

namespace quantd {
namespace {

// The message as a JSON string, and the job or model that it begins with as a field of its own.
class JsonMessage final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& log, const std::tm& /*time*/,
              spdlog::memory_buf_t& out) override {
    const std::string message(log.payload.data(), log.payload.size());
    std::string text = Quote("message", message);
    const std::string first = message.substr(0, message.find(' '));
    if (first.rfind("jobs/", 0) == 0) text += "," + Quote("job", first);
    if (first.rfind("models/", 0) == 0) text += "," + Quote("model", first);
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<JsonMessage>(); }

 private:
  static std::string Quote(const char* key, const std::string& value) {
    using nlohmann::json;
    return json(key).dump() + ":" + json(value).dump(-1, ' ', false, json::error_handler_t::replace);
  }
};

}  // namespace

void SetUpLog(const std::string& format) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("quantd"));
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  if (format == "json") {
    formatter->add_flag<JsonMessage>('*').set_pattern(
        R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","process":%P,%*})");
  } else {
    formatter->set_pattern("%Y-%m-%d %H:%M:%S.%e %l %v");
  }
  spdlog::set_formatter(std::move(formatter));
}

}  // namespace quantd
