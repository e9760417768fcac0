// Variables for code that takes an Environment.
#pragma once

#include <map>
#include <string>

#include "storage/objects/s3/environment.h"

namespace quantd::s3 {

inline Environment FakeEnvironment(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string() : found->second;
  };
}

}  // namespace quantd::s3
