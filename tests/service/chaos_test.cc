// Two hundred jobs of two tenants, and more for as long as it takes, while everything is killed in turn: each
// ends once, with the bytes that one undisturbed machine writes; neither tenant, who come with tokens, sees
// the other's; and nothing is left over.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "client/retry.h"
#include "client/target_text.h"
#include "client/uploader.h"
#include "tests/service/cluster.h"
#include "tests/support/checkpoint_builder.h"

namespace quantd {
namespace {

constexpr int kTeams = 2;
constexpr char kAccess[] = R"({"tenants": {"team-0": {"running_jobs": 3}, "team-1": {"weight": 2}}})";
// In a team's queue at first, and, but for those that have ended, until the last kill: so that whatever is
// killed is killed at work.
constexpr size_t kQueuedJobs = 100;
constexpr const char* kTargets[] = {"gguf:Q8_0", "gguf:Q4_0", "gguf:F16", "mlx:int8", "safetensors:bf16"};

// At least so many end between one kill and the next, and while a server or a worker stays away.
constexpr int kJobsBetweenKills = 15, kJobsMeanwhile = 3;

// "FORMAT:SCHEME/PATH", or the checkpoint's name before it, and the file's SHA-256.
using Digests = std::map<std::string, std::string>;

std::map<std::string, std::string> Checkpoint(int team) {
  return SmallLlama({.layers = 2 + team, .dtype = team == 0 ? "BF16" : "F16"});
}

// Of a team's job, by its place in the queue.
const char* TargetOf(size_t i) { return kTargets[i % std::size(kTargets)]; }

v1::CreateJobRequest Request(const std::string& model, const char* target) {
  v1::CreateJobRequest request;
  request.set_model(model);
  *request.add_targets() = *ParseTarget(target);
  // Each job is to be worked on.
  request.set_no_cache(true);
  return request;
}

absl::StatusOr<v1::Job> Create(const Connection& connection, const v1::CreateJobRequest& request) {
  v1::CreateJobResponse response;
  const absl::Status status = connection.Call(
      [&](grpc::ClientContext& context) { return connection.jobs->CreateJob(&context, request, &response); });
  if (!status.ok()) return status;
  return response.job();
}

// All events, over broken connections.
absl::StatusOr<std::vector<v1::JobEvent>> Watch(const Connection& connection, const std::string& job) {
  std::vector<v1::JobEvent> events;
  const absl::Status status = RetryUnavailable(
      [&] {
        v1::WatchJobRequest request;
        request.set_name(job);
        request.set_after_revision(static_cast<int64_t>(events.size()));
        grpc::ClientContext context;
        connection.Prepare(context);
        auto stream = connection.jobs->WatchJob(&context, request);
        for (v1::JobEvent event; stream->Read(&event);) events.push_back(event);
        return connection.StatusOfStream(stream->Finish());
      },
      [&] { return static_cast<int64_t>(events.size()); });
  if (!status.ok()) return status;
  return events;
}

absl::StatusOr<v1::Job> Get(const Connection& connection, const std::string& name) {
  v1::GetJobRequest request;
  request.set_name(name);
  v1::Job job;
  const absl::Status status = connection.Call(
      [&](grpc::ClientContext& context) { return connection.jobs->GetJob(&context, request, &job); });
  if (!status.ok()) return status;
  return job;
}

Digests DigestsOf(const v1::Job& job) {
  Digests digests;
  for (const v1::TargetResult& result : job.results())
    for (const v1::ArtifactFile& file : result.files())
      digests[absl::StrCat(FormatTarget(result.target()), "/", file.path())] = file.sha256();
  return digests;
}

// What one machine writes, with nothing killed: for each team and target.
class SingleMachine {
 public:
  explicit SingleMachine(const std::string& folder) : server_({.workers = 1}) {
    server_.Start();
    const auto connection = *Connection::Open({.server = server_.address(), .credentials = {}});
    for (int team = 0; team < kTeams; ++team) {
      const auto model = UploadCheckpoint(*connection, absl::StrCat(folder, "/", team), "small");
      EXPECT_TRUE(model.ok()) << model.status();
      for (const char* target : kTargets) {
        const std::string name = Create(*connection, Request(model->name(), target))->name();
        EXPECT_TRUE(Watch(*connection, name).ok());
        digests_[static_cast<size_t>(team)].merge(DigestsOf(*Get(*connection, name)));
      }
    }
  }

  // Those of one target's files.
  Digests Of(int team, const std::string& target) const {
    Digests digests;
    for (const auto& [path, sha256] : digests_[static_cast<size_t>(team)])
      if (path.starts_with(target + "/")) digests[path] = sha256;
    return digests;
  }

 private:
  ServerProcess server_;
  std::array<Digests, kTeams> digests_;
};

// How many jobs have ended.
class Progress {
 public:
  void Add() {
    std::lock_guard lock(mutex_);
    ++ended_;
    changed_.notify_all();
  }
  // Until so many more have, or the test has failed.
  void WaitForMore(int jobs) {
    std::unique_lock lock(mutex_);
    const int enough = ended_ + jobs;
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::minutes(4),
                                  [&] { return ended_ >= enough || testing::Test::HasFailure(); }))
        << "only " << ended_ << " jobs have ended";
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int ended_ = 0;
};

class ChaosTest : public testing::Test {
 protected:
  void SetUp() override {
    cluster_.StartServers();
    cluster_.StartWorkers();
    for (int team = 0; team < kTeams; ++team) {
      WriteFiles(Checkpoint(team), Folder(team));
      credentials_[static_cast<size_t>(team)] =
          cluster_.NewCredentials(absl::StrCat("team-", team), "submitter");
    }
  }

  std::unique_ptr<Connection> ConnectAs(int team) {
    return cluster_.ConnectToAny(credentials_[static_cast<size_t>(team)]);
  }

  std::string Folder(int team) const { return absl::StrCat(cluster_.folder(), "/checkpoints/", team); }

  // One team's client: a queue of jobs, filled up while something is still to be killed, each followed to its
  // end.
  void RunTeam(int team, const std::string& model, Progress& progress, const std::atomic<bool>& killing) {
    const auto connection = ConnectAs(team);
    std::vector<std::string>& names = jobs_[static_cast<size_t>(team)];
    const auto queue_job = [&] {
      v1::CreateJobRequest request = Request(model, TargetOf(names.size()));
      // A call whose answer was lost is repeated.
      request.set_request_id(absl::StrCat("team-", team, "-", names.size()));
      const auto job = Create(*connection, request);
      ASSERT_TRUE(job.ok()) << job.status();
      names.push_back(job->name());
    };
    while (names.size() < kQueuedJobs && !HasFailure()) queue_job();
    for (size_t i = 0; i < names.size() && !HasFailure(); ++i) {
      const auto events = Watch(*connection, names[i]);
      ASSERT_TRUE(events.ok()) << events.status();
      ExpectEndedOnce(*events);
      progress.Add();
      if (killing) queue_job();
    }
  }

  static void ExpectEndedOnce(const std::vector<v1::JobEvent>& events) {
    int64_t revision = 0;
    for (const v1::JobEvent& event : events) EXPECT_EQ(event.revision(), ++revision);
    const auto ends = std::count_if(events.begin(), events.end(), [](const v1::JobEvent& event) {
      return event.type() >= v1::JobEvent::SUCCEEDED;
    });
    EXPECT_EQ(ends, 1);
    EXPECT_EQ(events.back().type(), v1::JobEvent::SUCCEEDED) << events.back().message();
  }

  // What is killed, one after the other, and how it comes back.
  std::vector<std::function<void(Progress&)>> Victims() {
    std::vector<std::function<void(Progress&)>> victims;
    const auto kill_postgres = [this](Progress&) {
      cluster_.postgres().Kill();
      cluster_.postgres().Start();
    };
    const auto kill_gateway = [this](Progress&) {
      cluster_.s3().KillGateway();
      cluster_.s3().StartGateway();
    };
    const auto kill_server = [this](int i) {
      return [this, i](Progress& progress) {
        cluster_.server(i).Kill();
        progress.WaitForMore(kJobsMeanwhile);
        cluster_.server(i).Start();
      };
    };
    const auto kill_worker = [this](int i) {
      return [this, i](Progress& progress) {
        cluster_.worker(i).Kill();
        progress.WaitForMore(kJobsMeanwhile);
        cluster_.worker(i).Start();
      };
    };
    return {kill_server(0), kill_worker(0), kill_postgres,  kill_gateway,   kill_server(1), kill_worker(1),
            kill_worker(2), kill_postgres,  kill_server(2), kill_worker(3), kill_gateway};
  }

  // After a start everything that a crash left is removed: the bucket holds what the catalogue names, no more
  // and no less.
  void ExpectNothingOrphaned() {
    cluster_.server(0).Terminate();
    cluster_.server(0).Start();
    const std::unique_ptr<ObjectStore> objects = cluster_.OpenObjects();
    std::set<std::string> stored;
    const std::vector<std::string> rows = cluster_.Sql("SELECT object_key FROM blobs");
    const std::set<std::string> known(rows.begin(), rows.end());
    EXPECT_TRUE(Eventually([&] {
      stored.clear();
      const std::vector<ObjectInfo> listed = *objects->List("");
      for (const ObjectInfo& object : listed) stored.insert(object.key);
      return stored == known;
    })) << testing::PrintToString(stored)
        << " are stored, and known are " << testing::PrintToString(known);
    EXPECT_THAT(*objects->ListUploads(), testing::IsEmpty());
    EXPECT_THAT(cluster_.Sql("SELECT id FROM tasks"), testing::IsEmpty());
    EXPECT_THAT(cluster_.Sql("SELECT id FROM uploads"), testing::IsEmpty());
  }

  void DeleteAll(int team, const std::string& model) {
    const auto connection = ConnectAs(team);
    google::protobuf::Empty empty;
    for (const std::string& name : jobs_[static_cast<size_t>(team)]) {
      v1::DeleteJobRequest request;
      request.set_name(name);
      const absl::Status status = connection->Call([&](grpc::ClientContext& context) {
        return connection->jobs->DeleteJob(&context, request, &empty);
      });
      EXPECT_TRUE(status.ok()) << status;
    }
    v1::DeleteModelRequest request;
    request.set_name(model);
    const absl::Status status = connection->Call([&](grpc::ClientContext& context) {
      return connection->models->DeleteModel(&context, request, &empty);
    });
    EXPECT_TRUE(status.ok()) << status;
  }

  Cluster cluster_{kAccess};
  std::array<CallerFiles, kTeams> credentials_;
  std::array<std::vector<std::string>, kTeams> jobs_;
};

TEST_F(ChaosTest, EveryJobEndsOnceWithTheBytesOfASingleMachine) {
  const SingleMachine single(absl::StrCat(cluster_.folder(), "/checkpoints"));
  std::vector<std::string> models;
  for (int team = 0; team < kTeams; ++team) {
    const auto model = UploadCheckpoint(*ConnectAs(team), Folder(team), "small");
    ASSERT_TRUE(model.ok()) << model.status();
    models.push_back(model->name());
  }

  {
    Progress progress;
    std::atomic<bool> killing = true;
    std::vector<std::jthread> teams;
    for (int team = 0; team < kTeams; ++team) {
      const std::string& model = models[static_cast<size_t>(team)];
      teams.emplace_back([&, team] { RunTeam(team, model, progress, killing); });
    }
    for (const auto& kill : Victims()) {
      progress.WaitForMore(kJobsBetweenKills);
      kill(progress);
    }
    killing = false;
  }

  for (int team = 0; team < kTeams; ++team) {
    const auto connection = ConnectAs(team), others = ConnectAs(kTeams - 1 - team);
    const auto& names = jobs_[static_cast<size_t>(team)];
    for (size_t i = 0; i < names.size(); ++i) {
      const auto job = Get(*connection, names[i]);
      ASSERT_TRUE(job.ok()) << job.status();
      EXPECT_EQ(DigestsOf(*job), single.Of(team, TargetOf(i))) << names[i];
      EXPECT_EQ(Get(*others, names[i]).status().code(), absl::StatusCode::kNotFound);
    }
  }
  ExpectNothingOrphaned();
  for (int team = 0; team < kTeams; ++team) DeleteAll(team, models[static_cast<size_t>(team)]);
  // Objects leave the bucket after a grace, for those who have begun to read.
  const std::vector<ObjectInfo> left = *cluster_.OpenObjects()->List("");
  std::vector<std::string> keys;
  keys.reserve(left.size());
  for (const ObjectInfo& object : left) keys.push_back(object.key);
  EXPECT_THAT(cluster_.Sql("SELECT object_key FROM garbage"), testing::IsSupersetOf(keys));
  for (const char* table : {"jobs", "job_events", "job_artifacts", "models", "blobs", "tasks"})
    EXPECT_THAT(cluster_.Sql(absl::StrCat("SELECT 1 FROM ", table)), testing::IsEmpty()) << table;
}

}  // namespace
}  // namespace quantd
