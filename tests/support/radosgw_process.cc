#include "tests/support/radosgw_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/random_id.h"
#include "base/unique_fd.h"

extern char** environ;

namespace quantd {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// One that nobody uses now.
int FreePort() {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin_port);
}

bool Answers(int port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = Loopback(port);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

void KillAndWait(pid_t pid) {
  if (pid <= 0) return;
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

}  // namespace

RadosgwProcess::RadosgwProcess()
    : folder_(testing::TempDir() + "/radosgw_XXXXXX"), monitor_port_(FreePort()), gateway_port_(FreePort()) {
  EXPECT_NE(::mkdtemp(folder_.data()), nullptr);
  WriteConfiguration();
  StartStorage();
  AddUser("owner", kAccessKey, kSecretKey);
  AddUser("stranger", kStrangerAccessKey, kStrangerSecretKey);
  StartGateway();
}

RadosgwProcess::~RadosgwProcess() {
  KillAndWait(gateway_);
  for (pid_t pid : storage_) KillAndWait(pid);
  std::filesystem::remove_all(folder_);
}

std::string RadosgwProcess::endpoint() const { return "http://127.0.0.1:" + std::to_string(gateway_port_); }

// As little as a single node needs; short Paxos waits bring the start from 12 s to 2 s, and short pages of
// lists make every longer list one of several pages.
void RadosgwProcess::WriteConfiguration() {
  std::ofstream(folder_ + "/ceph.conf")
      << "[global]\nfsid = " << RandomUuid() << "\nmon_host = [v2:127.0.0.1:" << monitor_port_ << "/0]\n"
      << "rgw_frontends = beast endpoint=127.0.0.1:" << gateway_port_ << "\n"
      << "mon_data = " << folder_ << "/mon\nosd_data = " << folder_ << "/osd\nrgw_data = " << folder_
      << "/rgw\n"
      << "run_dir = " << folder_ << "\nadmin_socket = " << folder_ << "/$name.$pid.asok\n"
      << "pid_file = " << folder_ << "/$name.pid\nlog_file = " << folder_ << "/$name.log\n"
      << R"(
mon_initial_members = a
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc
public_addr = 127.0.0.1
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
rgw_rados_pool_pg_num_min = 1
osd_crush_chooseleaf_type = 0
osd_crush_update_on_start = false
rgw_max_listing_results = 7
)";
}

void RadosgwProcess::StartStorage() {
  const std::string map = folder_ + "/monmap";
  Run({"monmaptool", "--create", "--addv", "a", "[v2:127.0.0.1:" + std::to_string(monitor_port_) + "]", map});
  for (const char* part : {"/mon", "/osd", "/rgw"}) std::filesystem::create_directory(folder_ + part);
  Run({"ceph-mon", "--mkfs", "-i", "a", "--monmap", map});
  storage_.push_back(Spawn({"ceph-mon", "-f", "-i", "a"}));
  const std::string uuid = RandomUuid();
  Run({"ceph", "--connect-timeout", "60", "osd", "new", uuid, "0"});
  Run({"ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", uuid});
  Run({"ceph", "--connect-timeout", "60", "osd", "crush", "add", "osd.0", "1.0", "root=default"});
  storage_.push_back(Spawn({"ceph-osd", "-f", "-i", "0"}));
}

void RadosgwProcess::AddUser(const std::string& name, const std::string& access_key,
                             const std::string& secret_key) {
  Run({"radosgw-admin", "-n", "client.rgw", "user", "create", "--uid=" + name, "--display-name=" + name,
       "--access-key=" + access_key, "--secret-key=" + secret_key});
}

void RadosgwProcess::StartGateway() {
  gateway_ = Spawn({"radosgw", "-f", "-n", "client.rgw"});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!Answers(gateway_port_)) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "radosgw does not answer\n" << Log();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void RadosgwProcess::KillGateway() {
  KillAndWait(gateway_);
  gateway_ = -1;
}

pid_t RadosgwProcess::Spawn(std::vector<std::string> command) {
  // Ends with the thread that starts it, however that ends.
  command.insert(command.begin(), {"setpriv", "--pdeathsig", "KILL", "--"});
  std::vector<char*> argv;
  for (std::string& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::string configuration = "CEPH_CONF=" + folder_ + "/ceph.conf";
  std::vector<char*> envp = {configuration.data()};
  for (char** variable = environ; *variable != nullptr; ++variable) envp.push_back(*variable);
  envp.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const std::string log = folder_ + "/commands.log";
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t pid = -1;
  EXPECT_EQ(::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), envp.data()), 0);
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

void RadosgwProcess::Run(std::vector<std::string> command) {
  const std::string name = command[0];
  int status = 0;
  ASSERT_GT(::waitpid(Spawn(std::move(command)), &status, 0), 0);
  ASSERT_EQ(status, 0) << name << " failed; is the package radosgw installed (scripts/install)?\n" << Log();
}

std::string RadosgwProcess::Log() const {
  std::ifstream log(folder_ + "/commands.log");
  return {std::istreambuf_iterator<char>(log), {}};
}

}  // namespace quantd
