// SPDX-License-Identifier: MIT
#include "service/client_files.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "protocol/messages.h"
#include "service/client_json.h"
#include "service/client_request.h"
#include "service/shown_name.h"

namespace pbotvm::service {

namespace {

using nlohmann::json;

constexpr std::size_t max_path = 4095, max_part = 255;  // bytes, as Linux bounds them
constexpr std::size_t max_patterns = 60;                // of the 64 that a guest takes
constexpr std::size_t max_key = 64;
constexpr unsigned most_mode = 0777;

[[noreturn]] void refuse(const std::string& what) {
  throw RequestError("Invalid request: " + what);
}

unsigned mode_of(const json& file) {
  const auto found = file.find("mode");
  if (found == file.end() || found->is_null()) return JobFile().mode;
  std::int64_t mode = -1;
  if (found->is_number_unsigned() && *found <= most_mode) mode = found->get<std::int64_t>();
  if (found->is_string()) {
    const auto& text = found->get_ref<const std::string&>();
    const bool octal = !text.empty() && text.size() <= 4 && text.find_first_not_of("01234567") == std::string::npos;
    if (octal) mode = std::stol(text, nullptr, 8);
  }
  if (mode < 0 || mode > most_mode) {
    refuse("the key \"mode\" of a file must be a number up to 511, or octal digits as text such as \"755\".");
  }
  return static_cast<unsigned>(mode);
}

JobFile file_of(const json& entry) {
  if (!entry.is_object()) refuse("the key \"files\" must be a list of objects with \"path\" and \"content\".");
  JobFile file;
  file.path = text_of(entry, "path");
  if (const auto flaw = path_flaw(file.path); !flaw.empty())
    refuse("the file " + in_quotes(file.path) + " " + flaw + ".");
  bool given = false;
  file.content = bytes_of(entry, "content", "base64", given);
  if (!given) refuse("the file " + in_quotes(file.path) + " needs the key \"content\" or \"base64\".");
  file.mode = mode_of(entry);
  return file;
}

}  // namespace

std::string path_flaw(std::string_view path) {
  if (path.empty()) return "has no \"path\"";
  if (path.size() > max_path) return "has a path of more than 4095 bytes";
  if (path.find('\0') != path.npos) return "has a NUL in its path";
  if (path.front() == '/') return "must be relative to the job's directory";
  for (;;) {
    const auto part = path.substr(0, path.find('/'));
    if (part.empty() || part == "." || part == "..") return "must not have an empty part, '.' or '..' in its path";
    if (part.size() > max_part) return "has a part of more than 255 bytes in its path";
    if (part.size() == path.size()) return {};
    path.remove_prefix(part.size() + 1);
  }
}

void check_tree(const std::vector<JobFile>& files, const std::string& whose) {
  std::set<std::string_view> paths;
  for (const auto& file : files) {
    if (!paths.insert(file.path).second) refuse(whose + in_quotes(file.path) + " is named twice.");
  }
  for (const auto& file : files) {
    const std::string_view path = file.path;
    for (auto slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
      if (paths.count(path.substr(0, slash)) != 0) {
        refuse(whose + in_quotes(path.substr(0, slash)) + " stands where " + in_quotes(path) + " needs a directory.");
      }
    }
  }
}

std::vector<JobFile> files_of(const json& object) {
  const json& list = list_of(object, "files");
  if (list.size() > protocol::max_job_files) {
    refuse("the key \"files\" names more than " + std::to_string(protocol::max_job_files) + " files.");
  }
  std::vector<JobFile> files;
  std::uint64_t bytes = 0;
  for (const json& entry : list) {
    files.push_back(file_of(entry));
    bytes += files.back().content.size();
  }
  if (bytes > protocol::max_file_bytes) refuse("the files hold more than 16 MiB together.");
  check_tree(files, "the file ");
  return files;
}

std::vector<std::string> outputs_of(const json& object) {
  const json& list = list_of(object, "outputs");
  if (list.size() > max_patterns) {
    refuse("the key \"outputs\" holds more than " + std::to_string(max_patterns) + " patterns.");
  }
  std::vector<std::string> patterns;
  for (const json& entry : list) {
    if (!entry.is_string()) refuse("the key \"outputs\" must be a list of strings.");
    patterns.push_back(entry.get<std::string>());
    if (patterns.back().empty()) refuse("the key \"outputs\" holds an empty pattern.");
    if (const auto flaw = path_flaw(patterns.back()); !flaw.empty()) {
      refuse("the pattern " + in_quotes(patterns.back()) + " " + flaw + ".");
    }
  }
  return patterns;
}

std::string persist_key_of(const json& object) {
  const std::string key = text_of(object, "persist-key");
  if (key.empty()) return key;
  const bool plain = std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
  if (!plain || key.size() > max_key || key.front() == '.') {
    refuse("the key \"persist-key\" must be 1 to 64 letters, digits, '.', '_' and '-', not beginning with '.'.");
  }
  return key;
}

}  // namespace pbotvm::service
