// Which addresses only programs of this machine can reach.
#pragma once

#include <string_view>

namespace quantd {

// For "HOST:PORT" of a loopback address or "localhost", and for unix sockets.
bool IsLocalAddress(std::string_view address);

}  // namespace quantd
