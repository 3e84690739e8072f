// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "pbotvm/hypervisor.h"
#include "pbotvm/language.h"
#include "pbotvm/transport.h"

namespace pbotvm::plugin {

/// What became of one file that looks like a plug-in.
struct Entry {
  enum class State { loaded, refused };
  State state = State::refused;
  std::string kind = "-";  ///< of the file's name; "-" where that tells nothing
  std::string name = "-";
  std::filesystem::path path;  ///< absolute
  std::string reason;          ///< of a refusal, one line; "version 1.0" of a loaded one

  /// "STATE<TAB>KIND<TAB>NAME<TAB>PATH<TAB>REASON"
  std::string line() const;
};

/// Every plug-in that was found, and a factory of each that could be loaded. Made at start-up, destroyed after
/// everything that its factories made; factories go in the reverse order of loading, code is never unloaded. Looking
/// things up is free to any thread; a factory is called under guarded() only.
class Registry {
 public:
  /// Loads KIND-NAME.so from each directory in turn, sorted by name. A file that is refused is listed, not thrown.
  /// Throws Error{configuration} when a directory cannot be read.
  explicit Registry(const std::vector<std::filesystem::path>& directories);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  /// In the order in which they were found.
  const std::vector<Entry>& list() const { return entries_; }

  /// Throws Error{plugin} that says why it was refused, or which there are. The reference lives as long as the
  /// registry.
  TransportFactory& transport(const std::string& name) const;
  HypervisorFactory& hypervisor(const std::string& name) const;

  /// A language plug-in and its name, for messages of the guard.
  struct LanguagePlugin {
    std::string name;
    LanguageFactory& factory;
  };
  /// All that were loaded, in the order of loading.
  std::vector<LanguagePlugin> languages() const;

 private:
  struct Loaded;

  void scan(const std::filesystem::path& directory);
  Entry load(const std::filesystem::path& file);
  const Loaded* loaded(const std::string& kind, const std::string& name) const;
  [[noreturn]] void fail_lookup(const std::string& kind, const std::string& name) const;

  std::vector<Entry> entries_;
  std::vector<std::unique_ptr<Loaded>> loaded_;  // in the order of loading
};

}  // namespace pbotvm::plugin
