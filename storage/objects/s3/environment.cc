#include "storage/objects/s3/environment.h"

#include <cstdlib>

namespace quantd::s3 {

Environment ProcessEnvironment() {
  return [](const std::string& name) -> std::string {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? "" : value;
  };
}

}  // namespace quantd::s3
