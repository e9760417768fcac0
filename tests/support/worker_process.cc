#include "tests/support/worker_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/exec_pointers.h"

extern char** environ;

namespace quantd {
WorkerProcess::WorkerProcess(std::vector<std::string> arguments, std::vector<std::string> environment,
                             std::string log)
    : arguments_(std::move(arguments)), environment_(std::move(environment)), log_(std::move(log)) {
  // Programs lie in bin/, tests in tests/ beside it.
  const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  // It ends when the test does, however that ends.
  arguments_.insert(arguments_.begin(), {(here.parent_path() / "bin" / "quantd-worker").string(), "--parent",
                                         std::to_string(::getpid())});
  for (char** variable = environ; *variable != nullptr; ++variable) environment_.push_back(*variable);
}

WorkerProcess::~WorkerProcess() { Kill(); }

void WorkerProcess::Start() {
  std::vector<char*> argv = ExecPointers(arguments_), envp = ExecPointers(environment_);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log_.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                   0600);
  ASSERT_EQ(::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), envp.data()), 0) << argv[0];
  posix_spawn_file_actions_destroy(&actions);
}

void WorkerProcess::Kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  Wait();
}

int WorkerProcess::Wait() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace quantd
