// Which addresses only this machine can reach.
#include "server/auth/local_address.h"

#include <gtest/gtest.h>

namespace quantd {
namespace {

TEST(LocalAddress, LoopbackAndUnixSockets) {
  for (const char* address : {"127.0.0.1:7600", "127.1.2.3:0", "localhost:7600", "[::1]:7600",
                              "unix:/run/quantd.sock", "unix:quantd.sock", "unix-abstract:quantd"}) {
    EXPECT_TRUE(IsLocalAddress(address)) << address;
  }
}

TEST(LocalAddress, EverythingElseIsReachedByOthers) {
  for (const char* address : {"0.0.0.0:7600", "[::]:7600", "192.168.0.1:7600", ":7600", "", "7600",
                              "quantd:7600", "localhost.example:7600", "127.example:7600",
                              "[::ffff:1.2.3.4]:7600", "128.0.0.1:7600", "[::1:7600", "0127.0.0.1:1"}) {
    EXPECT_FALSE(IsLocalAddress(address)) << address;
  }
}

}  // namespace
}  // namespace quantd
