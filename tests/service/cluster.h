// Several quantd and workers as processes over one PostgreSQL and one bucket of radosgw.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/connection.h"
#include "storage/objects/object_store.h"
#include "tests/support/postgres_server.h"
#include "tests/support/radosgw_process.h"
#include "tests/support/server_process.h"
#include "tests/support/worker_process.h"

namespace quantd {

// The two stores start with the object; servers and workers are started and killed by the test. Not
// thread-safe.
class Cluster {
 public:
  static constexpr int kServers = 3;
  static constexpr int kWorkers = 4;
  static constexpr char kBucket[] = "cluster";

  // Where the text of an access file is given, calls need a token, and workers have one.
  explicit Cluster(std::string access = "");
  ~Cluster();

  void StartServers();
  void StartWorkers();
  void StopWorkers();

  ServerProcess& server(int i) { return *servers_[static_cast<size_t>(i)]; }
  WorkerProcess& worker(int i) { return *workers_[static_cast<size_t>(i)]; }
  PostgresServer& postgres() { return postgres_; }
  RadosgwProcess& s3() { return s3_; }

  // To one server, or to whichever is there.
  std::unique_ptr<Connection> Connect(int server, const CallerFiles& credentials = {});
  std::unique_ptr<Connection> ConnectToAny(const CallerFiles& credentials = {});
  // Makes a token.
  CallerFiles NewCredentials(const std::string& tenant, const std::string& role);

  // What a worker needs beside its own flags.
  std::vector<std::string> WorkerArguments();
  // Keys of the bucket's owner.
  static std::vector<std::string> Environment();
  std::string objects_url() const { return ObjectsUrl(kBucket); }
  std::string ObjectsUrl(const std::string& bucket) const;
  // The same bucket, for the test to look into.
  std::unique_ptr<ObjectStore> OpenObjects();
  // The first column of the rows that a statement gives.
  std::vector<std::string> Sql(const std::string& statement);
  // For the files of a test; lasts as long as the object.
  const std::string& folder() const { return folder_; }

 private:
  std::string AllAddresses() const;
  // Of one who manages the deployment; made once.
  const CallerFiles& AdminCredentials();

  const std::string folder_;
  const std::string access_;
  CallerFiles admin_;
  PostgresServer postgres_;
  RadosgwProcess s3_;
  std::vector<std::unique_ptr<ServerProcess>> servers_;
  std::vector<std::unique_ptr<WorkerProcess>> workers_;
};

// Writes a checkpoint's files into a folder.
void WriteFiles(const std::map<std::string, std::string>& files, const std::string& folder);

}  // namespace quantd
