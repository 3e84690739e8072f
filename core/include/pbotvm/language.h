// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pbotvm/job.h"
#include "pbotvm/settings.h"

PBOTVM_BEGIN_NAMESPACE

/// What a client asks for, after `-lang=` and `-vm=` were taken out. Valid UTF-8 throughout.
struct Request {
  std::string language;   ///< as found: a name of the language, lower case
  std::string code;       ///< what follows the options that the service took; may begin with the language's own
  std::string input;      ///< standard input, of the key `stdin`
  std::string arguments;  ///< command-line arguments of the program, of the key `arguments`
  std::string nick, channel;
  bool factoid = false;  ///< nothing printed is an empty reply then
};

/// A request becomes a job to run, or a reply at once (usage, -info).
struct ImmediateReply {
  std::string text;
};
using Plan = std::variant<Job, ImmediateReply>;

/// Turns a request into a job and a job's result into a reply. Shared by all clients: plan and reply are called by any
/// thread, at the same time, and are pure. Never gains virtuals (see extension()).
class PBOTVM_EXPORT Language {
 public:
  virtual ~Language();

  /// [a-z0-9+#_.-]+, what -lang= takes; then other names of the same.
  virtual std::string name() const = 0;
  virtual std::vector<std::string> aliases() const = 0;

  /// Programs that the guest must have, as found in its PATH.
  virtual std::vector<std::string> tools() const = 0;

  /// A whole program that prints a line: run once before the snapshot is taken, so that the tools are in memory.
  virtual std::string hello() const = 0;

  virtual Plan plan(const Request& request) const = 0;

  /// The text for the client, without a line's end. Not trusted with anything else.
  virtual std::string reply(const Request& request, const Result& result) const = 0;

  /// Asked for an interface by its identifier, such as LanguageFacts::identifier; null where it has none of that name.
  virtual void* extension(std::string_view identifier);
};

/// What languages are made from.
struct LanguageContext {
  std::vector<std::filesystem::path> definition_directories;  ///< of YAML definitions, later ones win
};

/// Made once when its plug-in is loaded; `create` returns every language that the plug-in brings. It runs at start-up,
/// and again when an operator has the languages read anew (SIGHUP), while those of the call before still serve.
class PBOTVM_EXPORT LanguageFactory {
 public:
  virtual ~LanguageFactory();
  virtual std::vector<std::unique_ptr<Language>> create(const LanguageContext& context) = 0;
};

PBOTVM_END_NAMESPACE
