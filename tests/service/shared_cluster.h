// The cluster that all tests of one program share: its servers run, and each test plays or starts the workers
// that it needs.
#pragma once

#include "tests/service/cluster.h"

namespace quantd {

// Started before the program's first test.
Cluster& SharedCluster();

}  // namespace quantd
