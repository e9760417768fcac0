#include "tests/support/postgres_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <vector>

#include "base/unique_fd.h"

extern char** environ;

namespace quantd {
namespace {

constexpr char kPrograms[] = "/usr/lib/postgresql/15/bin/";

// PostgreSQL refuses to run as root.
std::string AsItsUser() {
  return ::geteuid() == 0 ? "setpriv --reuid=postgres --regid=postgres --init-groups " : "setpriv ";
}

std::string MakeFolder() {
  std::string folder = testing::TempDir() + "/postgres_XXXXXX";
  EXPECT_NE(::mkdtemp(folder.data()), nullptr);
  if (::geteuid() == 0) {
    const passwd* user = ::getpwnam("postgres");
    EXPECT_TRUE(user != nullptr && ::chown(folder.c_str(), user->pw_uid, user->pw_gid) == 0);
  }
  return folder;
}

// The whole log goes to a file; `ready` is set at the line that says so, or at the end.
void ReadLog(UniqueFd log, const std::string& path, std::promise<bool> ready) {
  std::ofstream file(path, std::ios::app);
  bool told = false;
  std::string line;
  for (char c = 0; ::read(log.get(), &c, 1) == 1;) {
    line.push_back(c);
    if (c != '\n') continue;
    file << line << std::flush;
    if (!told && line.find("ready to accept connections") != line.npos) {
      ready.set_value(true);
      told = true;
    }
    line.clear();
  }
  if (!told) ready.set_value(false);
}

}  // namespace

PostgresServer& PostgresServer::Shared() {
  static PostgresServer server;
  return server;
}

PostgresServer::PostgresServer() : folder_(MakeFolder()) {
  const std::string make = AsItsUser() + kPrograms + "initdb --pgdata=" + folder_ +
                           "/data --username=quantd --auth=trust --encoding=UTF8 --locale=C --no-sync "
                           "--no-instructions >" +
                           folder_ + "/initdb.log 2>&1";
  EXPECT_EQ(std::system(make.c_str()), 0) << make;
  std::ofstream(folder_ + "/data/pg_hba.conf") << "local all guest scram-sha-256\nlocal all all trust\n";
  Start();
}

PostgresServer::~PostgresServer() {
  Stop();
  std::filesystem::remove_all(folder_);
}

void PostgresServer::Start() {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDERR_FILENO);
  // fsync: what a test's server wrote need not survive the machine.
  std::string command = "exec " + AsItsUser() + "--pdeathsig=QUIT " + kPrograms + "postgres -D " + folder_ +
                        "/data -k " + folder_ +
                        " -c listen_addresses='' -c fsync=off -c max_connections=60 -c lc_messages=C";
  std::string shell = "/bin/sh", flag = "-c";
  std::array<char*, 4> argv = {shell.data(), flag.data(), command.data(), nullptr};
  ASSERT_EQ(::posix_spawn(&pid_, shell.c_str(), &actions, nullptr, argv.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  std::promise<bool> ready;
  std::future<bool> is_ready = ready.get_future();
  log_reader_ = std::thread(ReadLog, std::move(read_end), folder_ + "/log", std::move(ready));
  write_end = UniqueFd();
  ASSERT_TRUE(is_ready.get()) << std::ifstream(folder_ + "/log").rdbuf();
}

void PostgresServer::Stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGINT);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
  log_reader_.join();
}

void PostgresServer::Kill() {
  std::vector<pid_t> all = {pid_};
  std::ifstream children("/proc/" + std::to_string(pid_) + "/task/" + std::to_string(pid_) + "/children");
  for (pid_t child = 0; children >> child;) all.push_back(child);
  for (pid_t pid : all) ::kill(pid, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
  // Its last process closes the log; before that the next server would not start.
  log_reader_.join();
}

std::string PostgresServer::Address(const std::string& parameters) const {
  return "postgresql://quantd@/postgres?host=" + folder_ + (parameters.empty() ? "" : "&") + parameters;
}

std::string PostgresServer::GuestAddress() const { return "postgresql://guest@/postgres?host=" + folder_; }

}  // namespace quantd
