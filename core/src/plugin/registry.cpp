// SPDX-License-Identifier: MIT
#include "plugin/registry.h"

#include <Poco/ClassLibrary.h>
#include <Poco/SharedLibrary.h>
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <variant>

#include "pbotvm/plugin.h"
#include "plugin/guard.h"
#include "plugin/info_check.h"

namespace pbotvm::plugin {

namespace {

constexpr std::size_t max_files = 1000;   // plug-ins of one directory
constexpr std::size_t max_reason = 1000;  // bytes of a refusal's text
constexpr std::array<const char*, 3> kinds = {"hypervisor", "language", "transport"};

using Factory = std::variant<std::unique_ptr<TransportFactory>, std::unique_ptr<HypervisorFactory>,
                             std::unique_ptr<LanguageFactory>>;

/// Why a file is not used. Never leaves this file.
struct Refusal {
  std::string reason;
};

std::string one_line(std::string text) {
  text.resize(std::min(text.size(), max_reason));
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return text;
}

/// "transport" and "virtio-serial" of "transport-virtio-serial.so".
void split_file_name(const std::filesystem::path& file, Entry& entry) {
  const std::string stem = file.stem().string();
  for (const std::string kind : kinds) {
    if (stem.compare(0, kind.size() + 1, kind + "-") != 0) continue;
    const std::string name = stem.substr(kind.size() + 1);
    if (name.empty() || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos) break;
    entry.kind = kind;
    entry.name = name;
    return;
  }
  throw Refusal{
      "file name: expected KIND-NAME.so with the kind hypervisor, language or transport and a name of [a-z0-9-]+, "
      "found " +
      file.filename().string()};
}

/// Poco binds lazily, and a function that is missing would then end the process at its first call. Bound at once, it is
/// an error here; the second opening of the same file changes nothing. Left open for ever, on purpose.
void bind_now(const std::filesystem::path& file) {
  if (::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr) return;
  const char* text = ::dlerror();
  throw Refusal{std::string("cannot be loaded: ") + (text != nullptr ? text : "no reason was given")};
}

template <typename Symbol>
Symbol symbol(Poco::SharedLibrary& library, const char* name) {
  if (!library.hasSymbol(name)) throw Refusal{std::string("function: expected ") + name + "(), found none"};
  return reinterpret_cast<Symbol>(library.getSymbol(name));
}

template <typename Base>
std::unique_ptr<Base> make_factory(Poco::SharedLibrary& library, const char* base) {
  const auto build = symbol<bool (*)(Poco::ManifestBase*)>(library, "pocoBuildManifest");
  Poco::Manifest<Base> manifest;
  if (!build(&manifest))
    throw Refusal{std::string("manifest: expected one of ") + base + ", found one of another class"};
  if (manifest.size() != 1) throw Refusal{"manifest: expected one class, found " + std::to_string(manifest.size())};
  return std::unique_ptr<Base>((*manifest.begin())->create());
}

Factory make_factory(Poco::SharedLibrary& library, const std::string& kind) {
  if (kind == "transport") return make_factory<TransportFactory>(library, "pbotvm::TransportFactory");
  if (kind == "hypervisor") return make_factory<HypervisorFactory>(library, "pbotvm::HypervisorFactory");
  return make_factory<LanguageFactory>(library, "pbotvm::LanguageFactory");
}

/// Of the exception that is being handled, whatever it is.
std::string reason_of(const Call& call) {
  try {
    rethrow_named(call);
  } catch (const Error& error) {
    return error.what();
  }
}

[[noreturn]] void fail_directory(const std::filesystem::path& directory, const std::error_code& error) {
  throw Error(ErrorCode::configuration, "read the directory of plug-ins " + directory.string() + ": " + error.message(),
              "correct host.plugins (PBOTVM_PLUGINS)");
}

std::vector<std::filesystem::path> plugin_files(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error), end;
  for (; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".so") files.push_back(entry->path());
    if (files.size() > max_files) fail_directory(directory, std::make_error_code(std::errc::file_too_large));
  }
  if (error) fail_directory(directory, error);
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

struct Registry::Loaded {
  std::string kind;
  std::string name;
  std::filesystem::path path;
  Factory factory;
};

std::string Entry::line() const {
  return std::string(state == State::loaded ? "loaded" : "refused") + "\t" + kind + "\t" + name + "\t" + path.string() +
         "\t" + reason;
}

Registry::Registry(const std::vector<std::filesystem::path>& directories) {
  std::vector<std::filesystem::path> seen;
  for (const auto& directory : directories) {
    std::error_code error;
    const auto full = std::filesystem::canonical(directory, error);
    if (error) fail_directory(directory, error);
    if (std::find(seen.begin(), seen.end(), full) != seen.end()) continue;
    seen.push_back(full);
    scan(full);
  }
}

Registry::~Registry() {
  while (!loaded_.empty()) loaded_.pop_back();
}

void Registry::scan(const std::filesystem::path& directory) {
  for (const auto& file : plugin_files(directory)) entries_.push_back(load(file));
}

Entry Registry::load(const std::filesystem::path& file) {
  Entry entry;
  entry.path = file;
  try {
    split_file_name(file, entry);
    // Known by its file's name, so that nothing of a second one ever runs.
    if (const Loaded* first = loaded(entry.kind, entry.name))
      throw Refusal{"duplicate: expected one " + entry.kind + " " + entry.name + ", found another in " +
                    first->path.string()};
    bind_now(file);
    Poco::SharedLibrary library(file.string(), Poco::SharedLibrary::SHLIB_LOCAL);
    const auto* info = symbol<const PbotvmPluginInfo* (*)()>(library, "pbotvm_plugin_info")();
    if (auto reason = refusal(info, entry.kind, entry.name)) throw Refusal{*reason};
    Factory factory = make_factory(library, entry.kind);
    loaded_.push_back(std::make_unique<Loaded>(Loaded{entry.kind, entry.name, file, std::move(factory)}));
    entry.state = Entry::State::loaded;
    entry.reason = one_line(std::string("version ") + info->version);
  } catch (const Refusal& refused) {
    entry.reason = one_line(refused.reason);
  } catch (...) {
    entry.reason = one_line(reason_of({entry.kind, entry.name, "load"}));
  }
  return entry;
}

const Registry::Loaded* Registry::loaded(const std::string& kind, const std::string& name) const {
  for (const auto& one : loaded_)
    if (one->kind == kind && one->name == name) return one.get();
  return nullptr;
}

void Registry::fail_lookup(const std::string& kind, const std::string& name) const {
  for (const auto& entry : entries_)
    if (entry.kind == kind && entry.name == name)
      throw Error(ErrorCode::plugin,
                  kind + " " + name + ": the plug-in " + entry.path.string() + " was refused: " + entry.reason);
  std::vector<std::string> names;
  std::string list;
  for (const auto& one : loaded_) {
    if (one->kind != kind) continue;
    names.push_back(one->name);
    list += (list.empty() ? "there are " : ", ") + one->name;
  }
  const std::string near = nearest(name, names);
  throw Error(ErrorCode::plugin, kind + " " + name + ": there is no such plug-in",
              (list.empty() ? "none of this kind was found, check host.plugins (PBOTVM_PLUGINS)" : list) +
                  (near.empty() ? "" : "; did you mean '" + near + "'?"));
}

TransportFactory& Registry::transport(const std::string& name) const {
  const Loaded* found = loaded("transport", name);
  if (found == nullptr) fail_lookup("transport", name);
  return *std::get<std::unique_ptr<TransportFactory>>(found->factory);
}

HypervisorFactory& Registry::hypervisor(const std::string& name) const {
  const Loaded* found = loaded("hypervisor", name);
  if (found == nullptr) fail_lookup("hypervisor", name);
  return *std::get<std::unique_ptr<HypervisorFactory>>(found->factory);
}

std::vector<Registry::LanguagePlugin> Registry::languages() const {
  std::vector<LanguagePlugin> result;
  for (const auto& one : loaded_)
    if (one->kind == "language")
      result.push_back({one->name, *std::get<std::unique_ptr<LanguageFactory>>(one->factory)});
  return result;
}

}  // namespace pbotvm::plugin
