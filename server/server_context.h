// What the services share. Plain references; main.cc owns the parts.
#pragma once

#include <cstdint>

#include "server/auth/access.h"
#include "server/engine_registry.h"
#include "server/executor.h"
#include "server/metrics/metrics.h"
#include "server/tenants.h"
#include "storage/catalogue/catalogue.h"
#include "storage/objects/object_store.h"

namespace quantd {

inline constexpr char kServerVersion[] = "0.1.0";

// Limits of the API, deliberate: a message holds a list of 10 000 files or one chunk of bytes, not a model.
inline constexpr int64_t kMaxMessageBytes = 8 << 20;
inline constexpr int64_t kMaxChunkBytes = 1 << 20;
inline constexpr int kMaxFilesPerModel = 10000;
inline constexpr int kMaxTargetsPerJob = 64;

struct ServerContext {
  Catalogue& catalogue;
  ObjectStore& objects;
  EngineRegistry& engines;
  Metrics& metrics;
  const Access& access;
  const Tenants& tenants;
  Executor& disk;  // what waits for the disk runs here
  CatalogueOptions options;
  Retention retention;
  // How long an object that nothing needs any more stays, for those who have begun to read it.
  absl::Duration removal_grace;
};

}  // namespace quantd
