// SPDX-License-Identifier: MIT
#include "cli/plugin_new.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <sstream>

#include "pbotvm/error.h"

namespace pbotvm::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 3> kinds = {"language", "transport", "hypervisor"};
constexpr std::size_t max_name = 50;
constexpr std::string_view option_directory = "--directory";

// What the words behind `new` say.
struct Wanted {
  std::string kind, name;
  fs::path directory;
};

Wanted read_words(const Words& words) {
  if (words.empty() || words[0] != "new") throw UsageError("the one command of plugin is new");
  Wanted wanted;
  Words operands;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i] == option_directory) {
      if (++i == words.size() || words[i].empty()) throw UsageError("--directory takes the name of a directory");
      wanted.directory = words[i];
    } else if (words[i].starts_with("-")) {
      throw UsageError("'" + words[i] + "' is no option of this command");
    } else {
      operands.push_back(words[i]);
    }
  }
  if (operands.size() != 2) throw UsageError("plugin new needs a kind and a name");
  wanted.kind = operands[0];
  wanted.name = operands[1];
  if (std::ranges::find(kinds, wanted.kind) == kinds.end())
    throw UsageError("'" + wanted.kind + "' is no kind of plug-in; there are language, transport and hypervisor");
  if (const auto flaw = flaw_of_plugin_name(wanted.name); !flaw.empty()) throw UsageError(flaw);
  if (wanted.directory.empty()) wanted.directory = wanted.name;
  return wanted;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

void write_file(const fs::path& from, const fs::path& to, const std::string& name) {
  std::ifstream in(from, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) throw Error(ErrorCode::unavailable, errno_text("read " + from.string(), errno));
  std::ofstream out(to, std::ios::binary);
  out << replaced(replaced(text.str(), "@NAME@", name), "@CLASS@", class_name(name));
  if (!out.flush()) throw Error(ErrorCode::unavailable, errno_text("write " + to.string(), errno));
}

}  // namespace

std::string flaw_of_plugin_name(const std::string& name) {
  const bool known = name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
  if (known && !name.empty() && name.size() <= max_name && name[0] >= 'a' && name[0] <= 'z' && name.back() != '-')
    return {};
  return "'" + name + "' cannot be a plug-in's name: it takes a letter a-z, then letters, digits and dashes, " +
         std::to_string(max_name) + " at most";
}

std::string class_name(const std::string& name) {
  std::string result;
  bool begins = true;
  for (const char c : name) {
    if (c != '-') result += begins ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    begins = c == '-';
  }
  return result;
}

std::vector<fs::path> write_plugin_project(const fs::path& templates, const std::string& name,
                                           const fs::path& directory) {
  std::error_code error;
  if (!fs::is_directory(templates, error))
    throw Error(ErrorCode::unavailable, "there are no templates at " + templates.string(),
                "install the SDK: cmake --install BUILD --component sdk");
  if (fs::exists(fs::symlink_status(directory, error)))
    throw Error(ErrorCode::refused, directory.string() + " is there already, and nothing in it was changed",
                "name another one with --directory");
  if (!fs::create_directories(directory, error))
    throw Error(ErrorCode::unavailable, errno_text("make the directory " + directory.string(), error.value()));
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(templates)) {
    if (!entry.is_regular_file()) continue;
    write_file(entry.path(), directory / entry.path().filename(), name);
    files.push_back(entry.path().filename());
  }
  std::sort(files.begin(), files.end());
  return files;
}

int run_plugin(const Invocation& invocation) {
  const Wanted wanted = read_words(invocation.words);
  const fs::path prefix = program_directory().parent_path();
  const auto files =
      write_plugin_project(prefix / "share" / "pbotvm" / "templates" / wanted.kind, wanted.name, wanted.directory);
  for (const auto& file : files) std::cout << (wanted.directory / file).string() << '\n';
  const bool found = prefix == "/usr" || prefix == "/usr/local";
  std::cout << "Next, there:\n  cmake -S . -B build" << (found ? "" : " -DCMAKE_PREFIX_PATH=" + prefix.string())
            << "\n  cmake --build build\n  ctest --test-dir build\n";
  return 0;
}

}  // namespace pbotvm::cli
