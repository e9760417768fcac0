// What a test says that plays a worker, and the smallest job for it.
#pragma once

#include <string>

#include "quantd/v1/job_service.pb.h"
#include "quantd/v1/worker_service.pb.h"

namespace quantd {

// A worker's engine with one format, "toy", of one scheme, "s4", and one option, "o".
inline v1::Engine ToyEngine() {
  v1::Engine engine;
  engine.set_version("toy");
  v1::Format* format = engine.add_formats();
  format->set_name("toy");
  format->add_schemes()->set_name("s4");
  format->add_options()->set_name("o");
  engine.add_devices("cpu");
  return engine;
}

inline v1::CreateJobRequest ToyJobRequest(const std::string& model) {
  v1::CreateJobRequest request;
  request.set_model(model);
  v1::Target* target = request.add_targets();
  target->set_format("toy");
  target->set_scheme("s4");
  return request;
}

}  // namespace quantd
