// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>

namespace pbotvm::plugin {

/// Which call of which plug-in, for messages: "language c: plan".
struct Call {
  std::string kind;
  std::string plugin;
  std::string method;

  std::string text() const { return kind + " " + plugin + ": " + method; }
};

/// Turns the exception that is being handled into the one that the host sees. A ConfigurationError passes as it is: it
/// names a place already. Another pbotvm::Error keeps its code and gets the call in front. Everything else becomes
/// Error{plugin}. Only inside a catch block.
[[noreturn]] void rethrow_named(const Call& call);

/// Runs one call into a plug-in and returns what it returns. Every call into a plug-in passes through here or through
/// PatientGuard. Any thread.
template <typename Function>
auto guarded(const Call& call, Function&& function) -> decltype(std::forward<Function>(function)()) {
  try {
    return std::forward<Function>(function)();
  } catch (...) {
    rethrow_named(call);
  }
}

}  // namespace pbotvm::plugin
