#include "server/supervisor.h"

#include <signal.h>
#include <spawn.h>
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "base/random_id.h"
#include "base/status.h"
#include "base/unique_fd.h"

extern char** environ;

namespace quantd {
namespace {

using std::chrono::milliseconds;

constexpr int kTokenDescriptor = 3;
constexpr milliseconds kPoll(50);
constexpr milliseconds kFirstDelay(100), kLongestDelay(10000), kGrace(5000);

// Workers read strangers' files: they get the keys of the object store, which they need, and not the
// database's.
bool IsOfDatabase(std::string_view variable) {
  return variable.starts_with("PG") || variable.starts_with("QUANTD_CATALOGUE=");
}

std::vector<char*> WorkerEnvironment() {
  std::vector<char*> variables;
  for (char** variable = environ; *variable != nullptr; ++variable)
    if (!IsOfDatabase(*variable)) variables.push_back(*variable);
  variables.push_back(nullptr);
  return variables;
}

std::string Describe(int status) {
  if (WIFSIGNALED(status)) return absl::StrCat("was killed by signal ", WTERMSIG(status));
  return absl::StrCat("ended with status ", WEXITSTATUS(status));
}

// A file in memory that holds the token. Its name under /proc is for this user's programs alone.
absl::StatusOr<UniqueFd> TokenFile(const std::string& token) {
  UniqueFd file(::memfd_create("worker token", MFD_CLOEXEC));
  if (!file.valid() || ::fchmod(file.get(), 0600) != 0 ||
      ::write(file.get(), token.data(), token.size()) != static_cast<ssize_t>(token.size())) {
    return ErrnoStatus(errno, "cannot make a worker's token file");
  }
  return file;
}

}  // namespace

Supervisor::Supervisor(SupervisorOptions options) : options_(std::move(options)) {
  for (int i = 0; i < options_.workers; ++i) threads_.emplace_back([this, i] { Run(i); });
}

Supervisor::~Supervisor() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
}

pid_t Supervisor::Start(int index, const std::string& worker_id) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "quantd-worker";
  const std::string threads = std::to_string(options_.threads);
  std::vector<std::string> arguments = {program,
                                        "--server",
                                        options_.server,
                                        "--objects",
                                        options_.objects,
                                        "--threads",
                                        threads,
                                        "--parent",
                                        std::to_string(::getpid()),
                                        "--device",
                                        options_.device,
                                        "--cuda-index",
                                        std::to_string(index),
                                        "--log-format",
                                        options_.log_format,
                                        "--worker-id",
                                        worker_id};
  const absl::StatusOr<UniqueFd> token_file = TokenFile(options_.token);
  if (!token_file.ok()) {
    spdlog::error("cannot start {}: {}", program, std::string(token_file.status().message()));
    return -1;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (!options_.token.empty()) {
    posix_spawn_file_actions_adddup2(&actions, token_file->get(), kTokenDescriptor);
    arguments.insert(arguments.end(), {"--token-file", absl::StrCat("/proc/self/fd/", kTokenDescriptor)});
  }
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::vector<char*> variables = WorkerEnvironment();
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), variables.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) spdlog::error("cannot start {}: {}", program, std::strerror(error));
  return error == 0 ? pid : -1;
}

void Supervisor::Run(int index) {
  milliseconds delay = kFirstDelay;
  while (!stopping_) {
    const auto begin = std::chrono::steady_clock::now();
    const std::string worker_id = absl::StrCat("local-", index, "-", RandomId());
    const pid_t pid = Start(index, worker_id);
    int status = 0;
    bool ended = pid < 0;
    std::chrono::steady_clock::time_point asked;
    while (!ended) {
      ended = ::waitpid(pid, &status, WNOHANG) == pid;
      if (ended) break;
      const auto now = std::chrono::steady_clock::now();
      if (stopping_ && asked == std::chrono::steady_clock::time_point()) {
        ::kill(pid, SIGTERM);
        asked = now;
      } else if (stopping_ && now - asked > kGrace) {
        ::kill(pid, SIGKILL);
      }
      std::this_thread::sleep_for(kPoll);
    }
    if (pid > 0) options_.on_end(worker_id, Describe(status));
    if (stopping_) return;
    // One that ran for a while has earned a quick restart.
    if (std::chrono::steady_clock::now() - begin > kLongestDelay) delay = kFirstDelay;
    spdlog::warn("worker {} {}; starting it again in {} ms", index,
                 pid > 0 ? Describe(status) : "did not start", delay.count());
    for (milliseconds waited(0); waited < delay && !stopping_; waited += kPoll)
      std::this_thread::sleep_for(kPoll);
    delay = std::min(delay * 2, kLongestDelay);
  }
}

}  // namespace quantd
