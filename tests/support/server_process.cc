#include "tests/support/server_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/unique_fd.h"
#include "tests/support/exec_pointers.h"

extern char** environ;

namespace quantd {
ServerProcess::ServerProcess(ServerOptions options)
    : options_(std::move(options)), folder_(testing::TempDir() + "/quantd_XXXXXX") {
  EXPECT_NE(::mkdtemp(folder_.data()), nullptr);
}

ServerProcess::~ServerProcess() {
  Kill();
  std::filesystem::remove_all(folder_);
}

void ServerProcess::Start() {
  // Programs lie in bin/, tests in tests/ beside it.
  const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  std::vector<std::string> arguments = {(here.parent_path() / "bin" / "quantd").string(),
                                        "--data-dir",
                                        data_folder(),
                                        "--metrics-listen",
                                        "127.0.0.1:0",
                                        "--workers",
                                        std::to_string(options_.workers)};
  if (!options_.listen.empty()) arguments.insert(arguments.end(), {"--listen", options_.listen});
  arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
  std::vector<char*> argv = ExecPointers(arguments);
  std::vector<std::string> variables = options_.environment;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
  std::vector<char*> envp = ExecPointers(variables);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
  const std::string log = folder_ + "/log";
  if (options_.keep_log) {
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                     0600);
  }
  ASSERT_EQ(::posix_spawn(&pid_, arguments[0].c_str(), &actions, nullptr, argv.data(), envp.data()), 0)
      << arguments[0];
  posix_spawn_file_actions_destroy(&actions);
  write_end = UniqueFd();
  std::string line;
  for (char c = 0; c != '\n' && ::read(read_end.get(), &c, 1) == 1;) line.push_back(c);
  char address[256] = "", metrics[256] = "", health[256] = "";
  ASSERT_GE(
      std::sscanf(line.c_str(), "ready grpc=%255s metrics=%255s health=%255s", address, metrics, health), 2)
      << line;
  address_ = address;
  metrics_address_ = metrics;
  health_address_ = health;
  if (options_.keep_address) options_.listen = address_;
  channel_ = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
}

std::string ServerProcess::data_folder() const { return std::filesystem::path(folder_) / options_.data_dir; }

int ServerProcess::Wait() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void ServerProcess::Kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  Wait();
}

void ServerProcess::Signal(int number) { ::kill(pid_, number); }

int ServerProcess::Terminate() {
  ::kill(pid_, SIGTERM);
  return Wait();
}

std::vector<pid_t> ServerProcess::Workers() const {
  std::vector<pid_t> children;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/task")) {
    std::ifstream list(task.path() / "children");
    for (pid_t pid = 0; list >> pid;) children.push_back(pid);
  }
  return children;
}

std::string ServerProcess::Log() const {
  std::ifstream log(folder_ + "/log");
  return {std::istreambuf_iterator<char>(log), {}};
}

int64_t ServerProcess::PeakMemory() const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (long long kib = 0; std::sscanf(line.c_str(), "VmHWM: %lld kB", &kib) == 1) return kib * 1024;
  }
  ADD_FAILURE() << "no VmHWM of process " << pid_;
  return 0;
}

bool Eventually(const std::function<bool()>& predicate, std::chrono::seconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!predicate()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

std::string HttpGet(const std::string& address, const std::string& path) {
  const size_t colon = address.rfind(':');
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &peer.sin_addr);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)) != 0) return "";
  const std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
  if (::write(fd.get(), request.data(), request.size()) != static_cast<ssize_t>(request.size())) return "";
  std::string answer;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = ::read(fd.get(), buffer.data(), buffer.size())) > 0;)
    answer.append(buffer.data(), static_cast<size_t>(got));
  return answer;
}

}  // namespace quantd
