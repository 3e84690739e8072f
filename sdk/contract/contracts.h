// SPDX-License-Identifier: MIT
#pragma once

// What every plug-in of a kind owes, whatever it does: the promises of its header, tried on a plug-in as a host loads
// it.

#include <filesystem>
#include <string>
#include <vector>

#include "checks.h"
#include "pbotvm/hypervisor.h"
#include "pbotvm/language.h"
#include "pbotvm/transport.h"

namespace pbotvm::contract {

/// `name` is the plug-in's. Borrow their factory for the call.
void check_language(Checks& checks, const std::string& name, LanguageFactory& factory, const LanguageContext& context);

/// `settings` is YAML in which %unix% and %tcp% stand for places that listen.
void check_transport(Checks& checks, const std::string& name, TransportFactory& factory, const std::string& settings);

/// `settings` is YAML in which %folder% stands for the folder of the machine's lines. `start`: machines are started.
void check_hypervisor(Checks& checks, const std::string& name, HypervisorFactory& factory, const std::string& settings,
                      bool start);

/// A request whose reply is known. `language` may be empty: the plug-in's first one.
struct ExpectedReply {
  std::string language;
  Request request;
  std::string reply;
};

/// Plans the request, runs its steps on this system, and compares the reply.
void check_reply(Checks& checks, const std::string& name, LanguageFactory& factory, const LanguageContext& context,
                 const ExpectedReply& expected);

/// A directory that is gone at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// `text` with every `from` in it replaced.
std::string replaced(std::string text, const std::string& from, const std::string& to);

}  // namespace pbotvm::contract
