#include "tests/service/shared_cluster.h"

#include <gtest/gtest.h>

#include <memory>

namespace quantd {
namespace {

std::unique_ptr<Cluster> running;

class StartCluster : public testing::Environment {
 public:
  void SetUp() override {
    running = std::make_unique<Cluster>();
    running->StartServers();
  }
  void TearDown() override { running.reset(); }
};

[[maybe_unused]] auto* const kStartCluster = testing::AddGlobalTestEnvironment(new StartCluster);

}  // namespace

Cluster& SharedCluster() { return *running; }

}  // namespace quantd
