// The environment's variables, so that tests can give others.
#pragma once

#include <functional>
#include <string>

namespace quantd::s3 {

// The variable's value; "" when it is not set or empty, which mean the same to AWS's tools.
using Environment = std::function<std::string(const std::string& name)>;

// The one of this process.
Environment ProcessEnvironment();

}  // namespace quantd::s3
