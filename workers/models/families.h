// The families that architecture_list.cc lists.
#pragma once

#include "workers/models/architecture.h"

namespace quantd {

const Architecture& LlamaArchitecture();  // llama.cc
const Architecture& Phi3Architecture();   // phi3.cc

}  // namespace quantd
