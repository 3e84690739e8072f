// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "config/configuration.h"

namespace pbotvm::cli {

/// The guest program beside this one, without a machine around it, for code of the operator's own: its containment is
/// what this system gives, which may be none. It ends with this object. One thread.
class LocalGuest {
 public:
  /// Throws Error where it does not start.
  LocalGuest();
  ~LocalGuest();
  LocalGuest(const LocalGuest&) = delete;
  LocalGuest& operator=(const LocalGuest&) = delete;

  /// A machine that is reached as this one is, otherwise as `like`.
  config::MachineConfiguration machine(config::MachineConfiguration like) const;

  /// Whether its jobs find a program of that name.
  bool has(const std::string& program) const;

  /// As whom its jobs run.
  const std::string& user() const { return user_; }

 private:
  void start();
  void end();
  std::string said() const;

  std::filesystem::path folder_;
  std::string user_;
  pid_t process_ = -1;
};

}  // namespace pbotvm::cli
