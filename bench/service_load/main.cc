// What a quantd under load costs: calls with a long queue, many watchers, and how soon an idle worker begins.
//
//   build/release/tests/service_load [--jobs 10000] [--watchers 1000]
//
// Starts quantd with SQLite, and with a PostgreSQL of its own, in temporary folders. Prints a line a figure.
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <future>
#include <mutex>

#include "base/sha256.h"
#include "google/bytestream/bytestream.grpc.pb.h"
#include "quantd/v1/job_service.grpc.pb.h"
#include "quantd/v1/model_service.grpc.pb.h"
#include "quantd/v1/worker_service.grpc.pb.h"
#include "tests/support/postgres_server.h"
#include "tests/support/server_process.h"
#include "tests/support/toy_engine.h"

namespace quantd {
namespace {

using std::chrono::steady_clock;

void Check(const grpc::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "service_load: %s\n", status.error_message().c_str());
  std::exit(1);
}

// Milliseconds.
class Times {
 public:
  template <typename Body>
  void Measure(Body body) {
    const auto begin = steady_clock::now();
    body();
    all_.push_back(std::chrono::duration<double, std::milli>(steady_clock::now() - begin).count());
  }
  void Print(const std::string& what) {
    std::sort(all_.begin(), all_.end());
    std::printf("%-48s median %7.2f ms   99 %% %7.2f ms   most %7.2f ms\n", what.c_str(),
                all_[all_.size() / 2], all_[all_.size() * 99 / 100], all_.back());
    std::fflush(stdout);
  }

 private:
  std::vector<double> all_;
};

// A client, and a worker that takes tasks and does nothing.
class Peer {
 public:
  explicit Peer(const ServerProcess& server)
      : models_(v1::ModelService::NewStub(server.channel())),
        jobs_(v1::JobService::NewStub(server.channel())),
        workers_(v1::WorkerService::NewStub(server.channel())),
        bytes_(google::bytestream::ByteStream::NewStub(server.channel())) {}

  std::string MakeReadyModel() {
    const std::string content = "weights";
    v1::CreateModelRequest request;
    v1::ModelFile* file = request.add_files();
    file->set_path("model.safetensors");
    file->set_sha256(Sha256Hex(content));
    file->set_size(static_cast<int64_t>(content.size()));
    v1::CreateModelResponse created;
    {
      grpc::ClientContext context;
      Check(models_->CreateModel(&context, request, &created));
    }
    for (const v1::MissingBlob& missing : created.missing()) Send(missing.resource_name(), content);
    v1::CompleteRequest complete;
    complete.mutable_summary()->set_architecture("Toy");
    Complete(Lease(v1::INSPECT), complete);
    return created.model().name();
  }

  v1::Job CreateJob(const std::string& model) {
    v1::CreateJobRequest request = ToyJobRequest(model);
    request.set_no_cache(true);
    grpc::ClientContext context;
    v1::CreateJobResponse response;
    Check(jobs_->CreateJob(&context, request, &response));
    return response.job();
  }

  v1::Assignment Lease(v1::TaskKind kind) {
    v1::LeaseRequest request;
    request.set_worker_id("bench");
    request.add_kinds(kind);
    request.mutable_wait()->set_seconds(30);
    *request.mutable_engine() = ToyEngine();
    grpc::ClientContext context;
    v1::LeaseResponse response;
    Check(workers_->Lease(&context, request, &response));
    return response.assignment();
  }

  void Complete(const v1::Assignment& assignment, v1::CompleteRequest request) {
    request.set_task_id(assignment.task_id());
    request.set_fencing_token(assignment.fencing_token());
    grpc::ClientContext context;
    google::protobuf::Empty response;
    Check(workers_->Complete(&context, request, &response));
  }
  void CompleteJob(const v1::Assignment& assignment) {
    v1::CompleteRequest complete;
    complete.mutable_job();
    Complete(assignment, complete);
  }

 private:
  void Send(const std::string& resource, const std::string& content) {
    grpc::ClientContext context;
    google::bytestream::WriteResponse response;
    auto stream = bytes_->Write(&context, &response);
    google::bytestream::WriteRequest request;
    request.set_resource_name(resource);
    request.set_data(content);
    request.set_finish_write(true);
    stream->Write(request);
    stream->WritesDone();
    Check(stream->Finish());
  }

  std::unique_ptr<v1::ModelService::Stub> models_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
  std::unique_ptr<v1::WorkerService::Stub> workers_;
  std::unique_ptr<google::bytestream::ByteStream::Stub> bytes_;
};

void MeasureQueue(const std::string& name, const ServerProcess& server, int jobs) {
  constexpr int kCalls = 500;
  Peer peer(server);
  const std::string model = peer.MakeReadyModel();
  for (int i = 0; i < jobs; ++i) peer.CreateJob(model);
  Times create, lease, complete;
  for (int i = 0; i < kCalls; ++i) create.Measure([&] { peer.CreateJob(model); });
  for (int i = 0; i < kCalls; ++i) {
    v1::Assignment assignment;
    lease.Measure([&] { assignment = peer.Lease(v1::QUANTIZE); });
    complete.Measure([&] { peer.CompleteJob(assignment); });
  }
  create.Print(name + ", CreateJob");
  lease.Print(name + ", Lease");
  complete.Print(name + ", Complete");
}

int64_t ResidentBytes(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (long long kib = 0; std::sscanf(line.c_str(), "VmRSS: %lld kB", &kib) == 1) return kib * 1024;
  }
  return 0;
}

// Counts the events of one job that reach many streams.
class Watchers {
 public:
  Watchers(const ServerProcess& server, const std::string& job, int count)
      : stub_(v1::JobService::NewStub(server.channel())) {
    request_.set_name(job);
    for (int i = 0; i < count; ++i) streams_.push_back(std::make_unique<Stream>(*this));
  }
  ~Watchers() {
    for (const auto& stream : streams_) stream->Cancel();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_ == streams_.size(); });
  }

  void WaitForEvents(size_t of_each) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return events_ >= of_each * streams_.size(); });
  }

 private:
  class Stream final : public grpc::ClientReadReactor<v1::JobEvent> {
   public:
    explicit Stream(Watchers& owner) : owner_(owner) {
      owner.stub_->async()->WatchJob(&context_, &owner.request_, this);
      StartRead(&event_);
      StartCall();
    }
    void Cancel() { context_.TryCancel(); }
    void OnReadDone(bool ok) override {
      if (!ok) return;
      owner_.Count(owner_.events_);
      StartRead(&event_);
    }
    void OnDone(const grpc::Status& /*status*/) override { owner_.Count(owner_.done_); }

   private:
    Watchers& owner_;
    grpc::ClientContext context_;
    v1::JobEvent event_;
  };

  void Count(size_t& counter) {
    std::lock_guard lock(mutex_);
    ++counter;
    changed_.notify_all();
  }

  std::unique_ptr<v1::JobService::Stub> stub_;
  v1::WatchJobRequest request_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t events_ = 0;
  size_t done_ = 0;
  std::vector<std::unique_ptr<Stream>> streams_;
};

void MeasureWatchers(const ServerProcess& server, int count) {
  Peer peer(server);
  const v1::Job job = peer.CreateJob(peer.MakeReadyModel());
  const int64_t before = ResidentBytes(server.pid());
  Watchers watchers(server, job.name(), count);
  watchers.WaitForEvents(1);
  const int64_t watched = ResidentBytes(server.pid());
  Times event;
  event.Measure([&] {
    const v1::Assignment assignment = peer.Lease(v1::QUANTIZE);
    watchers.WaitForEvents(2);
    peer.CompleteJob(assignment);
    watchers.WaitForEvents(3);
  });
  std::printf("PostgreSQL, %d watchers of one server: resident %.1f MiB (%.1f MiB without them)\n", count,
              static_cast<double>(watched) / (1 << 20), static_cast<double>(before) / (1 << 20));
  event.Print("two events to all of them");
}

void MeasureStart(const ServerProcess& one, const ServerProcess& other) {
  constexpr int kRounds = 50;
  Peer worker(one), client(other);
  const std::string model = worker.MakeReadyModel();
  Times times;
  for (int i = 0; i < kRounds; ++i) {
    auto lease = std::async(std::launch::async, [&] { return worker.Lease(v1::QUANTIZE); });
    const auto is_idle = [&] {
      const std::string metrics = HttpGet(one.metrics_address(), "/metrics");
      return metrics.find("quant_workers{device=\"cpu\",state=\"idle\"} 1") != std::string::npos;
    };
    while (!is_idle()) {
    }
    times.Measure([&] {
      client.CreateJob(model);
      lease.wait();
    });
    worker.CompleteJob(lease.get());
  }
  times.Print("PostgreSQL, CreateJob to a Lease at another server");
}

int Main(int argc, char** argv) {
  CLI::App app("service_load: quantd's calls under load");
  int jobs = 10000, watchers = 1000;
  app.add_option("--jobs", jobs, "Queued while calls are measured")->capture_default_str();
  app.add_option("--watchers", watchers, "Of one job")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  {
    ServerProcess sqlite(ServerOptions{.keep_log = true});
    sqlite.Start();
    MeasureQueue("SQLite", sqlite, jobs);
  }
  PostgresServer postgres;
  const ServerOptions options = {.arguments = {"--catalogue", postgres.Address()}, .keep_log = true};
  ServerProcess one(options), other(options);
  one.Start();
  other.Start();
  // While the queue is empty.
  MeasureStart(one, other);
  MeasureWatchers(one, watchers);
  MeasureQueue("PostgreSQL", one, jobs);
  return 0;
}

}  // namespace
}  // namespace quantd

int main(int argc, char** argv) { return quantd::Main(argc, argv); }
