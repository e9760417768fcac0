// A real S3 server: Ceph's radosgw, with one monitor and one store in memory, in a folder of its own and on
// free ports of this machine.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace quantd {

// Starts in a few seconds. All processes end with the object, and with the thread that made it. Not
// thread-safe.
class RadosgwProcess {
 public:
  RadosgwProcess();
  ~RadosgwProcess();
  RadosgwProcess(const RadosgwProcess&) = delete;
  RadosgwProcess& operator=(const RadosgwProcess&) = delete;

  // The gateway's end, as a crash; what it has stored stays. And its start again, at the same address.
  void KillGateway();
  void StartGateway();

  // "http://127.0.0.1:PORT"
  std::string endpoint() const;

  // Keys of a user who may do all, and of one who owns nothing.
  static constexpr char kAccessKey[] = "owner-access-key";
  static constexpr char kSecretKey[] = "owner-secret-key";
  static constexpr char kStrangerAccessKey[] = "stranger-access-key";
  static constexpr char kStrangerSecretKey[] = "stranger-secret-key";

 private:
  void WriteConfiguration();
  void StartStorage();
  pid_t Spawn(std::vector<std::string> command);
  // Fails the test unless the command succeeds.
  void Run(std::vector<std::string> command);
  void AddUser(const std::string& name, const std::string& access_key, const std::string& secret_key);
  std::string Log() const;

  std::string folder_;
  int monitor_port_ = 0;
  int gateway_port_ = 0;
  std::vector<pid_t> storage_;
  pid_t gateway_ = -1;
};

}  // namespace quantd
