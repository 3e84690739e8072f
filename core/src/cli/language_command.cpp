// SPDX-License-Identifier: MIT
#include "cli/language_command.h"

#include <algorithm>

#include "cli/language_test.h"

namespace pbotvm::cli {

namespace {

// Takes `--NAME VALUE` out of the words; empty where it is not there.
std::string take_value(Words& words, const std::string& option) {
  const auto found = std::find(words.begin(), words.end(), option);
  if (found == words.end()) return {};
  if (found + 1 == words.end()) throw UsageError(option + " needs a value");
  const std::string value = found[1];
  words.erase(found, found + 2);
  return value;
}

}  // namespace

int run_language(const Invocation& invocation) {
  Words words = invocation.words;
  if (words.empty()) throw UsageError("language needs a command: test");
  const std::string command = words.front();
  words.erase(words.begin());
  if (command == "test") {
    LanguageTest test;
    test.machine = take_value(words, "--machine");
    const Options options(words, {"--all"}, words.size());
    test.what = options.operands();
    if (test.what.empty() != options.has("--all"))
      throw UsageError("language test needs a definition's file, languages, or --all");
    return test_languages(load_configuration(invocation.file), test);
  }
  throw UsageError("'" + command + "' is no command of language; there is test");
}

}  // namespace pbotvm::cli
