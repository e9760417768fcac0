// Sleeping that another thread can end.
#pragma once

#include <chrono>
#include <stop_token>

namespace quantd {

// Sleeps for `duration`, but no longer than until a stop is asked for.
void Pause(std::chrono::milliseconds duration, const std::stop_token& stop);

}  // namespace quantd
