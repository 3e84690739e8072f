// SPDX-License-Identifier: MIT
#include "cli/definition_file.h"

#include <fcntl.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>

#include "cli/control_client.h"
#include "pbotvm/error.h"
#include "pbotvm/settings.h"
#include "pbotvm/unique_fd.h"
#include "plugin/patient_guard.h"
#include "service/catalogue_changes.h"

namespace pbotvm::cli {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::chrono::seconds host_patience{60};  // it plans a few programs, with patience for its plug-in

const char* kind_of(fs::file_type type) {
  switch (type) {
    case fs::file_type::directory:
      return "a directory";
    case fs::file_type::fifo:
      return "a named pipe";
    case fs::file_type::socket:
      return "a socket";
    default:
      return "a device";
  }
}

// The languages of the host, by what it answers to `pbotvm languages`; null where it has none of that name.
json language_of_host(const config::Configuration& configuration, const std::string& name) {
  const json answer = ask_host(configuration.state, {{"command", "languages"}, {"digest", name}}, host_patience);
  if (!answer.value("ok", false)) throw Error(ErrorCode::refused, refusal_of(answer));
  for (const json& one : answer.value("languages", json::array()))
    if (one.is_object() && one.value("name", "") == name) return one;
  return nullptr;
}

// Where the host read it: "FILE", or "FILE, instead of FILE".
bool is_of(const json& language, const fs::path& file) {
  const std::string origin = language.value("origin", "");
  const fs::path read = origin.substr(0, origin.find(", instead of "));
  std::error_code error;
  return !read.empty() && (read == file || fs::equivalent(read, file, error));
}

// What it does and tells of itself; its aliases in a host may be those of a definition that it replaces.
bool is_as_here(const json& language, const service::CatalogueEntry& entry) {
  plugin::PatientGuard guard;
  return language.value("digest", "") == service::digest_of(entry, guard);
}

}  // namespace

bool names_a_file(const std::string& word) {
  return word.find('/') != std::string::npos || word.ends_with(".yaml") || word.ends_with(".yml");
}

fs::path definition_file(const std::string& word) {
  constexpr const char* wanted = "; name the file of a definition, such as ruby.yaml, or a language";
  if (word.ends_with(".yml"))
    throw ConfigurationError(word,
                             "the directories of host.languages are looked through for *.yaml alone; name it .yaml");
  std::error_code error;
  const auto type = fs::status(word, error).type();
  if (type == fs::file_type::not_found) throw ConfigurationError(word, std::string("no such file") + wanted);
  if (type == fs::file_type::none) throw ConfigurationError(word, error.message() + wanted);
  if (type != fs::file_type::regular) throw ConfigurationError(word, std::string("this is ") + kind_of(type) + wanted);
  if (const UniqueFd readable(::open(word.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)); !readable)
    throw ConfigurationError(word, errno_text("it cannot be read", errno));
  return fs::absolute(word);
}

void require_host_has(const config::Configuration& configuration, const fs::path& file,
                      const service::CatalogueEntry& entry) {
  const std::string& name = entry.names.front();
  const json language = language_of_host(configuration, name);
  if (language.is_null() || !is_of(language, file)) {
    const std::string origin = language.is_null() ? "" : language.value("origin", "");
    throw Error(ErrorCode::refused,
                "the host that holds the machine does not have " + file.string() + ": its language '" + name + "' is " +
                    (language.is_null() ? "not there"
                     : origin.empty()   ? "a plug-in's own"
                                        : "that of " + origin),
                "put the file into a directory of host.languages and send SIGHUP to the host, or try it without "
                "--machine");
  }
  if (!is_as_here(language, entry))
    throw Error(ErrorCode::refused, "the host that holds the machine has read " + file.string() + " before it changed",
                "send SIGHUP to the host");
}

}  // namespace pbotvm::cli
