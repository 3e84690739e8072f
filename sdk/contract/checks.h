// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <stdexcept>
#include <string>

namespace pbotvm::contract {

/// Ends a check: what the plug-in did, and what it owes.
class Broken : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws Broken unless `kept`.
void demand(bool kept, const std::string& otherwise);

/// Runs one check after the other and tells of each in a line, "ok NAME" or "BROKEN NAME: what". One thread.
class Checks {
 public:
  /// `name` is a sentence about what the plug-in does.
  void run(const std::string& name, const std::function<void()>& check);

  unsigned broken() const { return broken_; }
  unsigned done() const { return done_; }

 private:
  unsigned broken_ = 0, done_ = 0;
};

/// Of a description or a reason that goes into a log: not empty, and one line.
void demand_one_line(const std::string& text, const std::string& what);

/// Descriptors that this process has open.
unsigned open_descriptors();

/// A text of an unknown key's complaint must be a ConfigurationError that names it; `create` is called with it.
void demand_refusal_of_key(const std::string& key, const std::function<void()>& create);

}  // namespace pbotvm::contract
