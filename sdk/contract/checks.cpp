// SPDX-License-Identifier: MIT
#include "checks.h"

#include <filesystem>
#include <iostream>

#include "pbotvm/settings.h"

namespace pbotvm::contract {

void demand(bool kept, const std::string& otherwise) {
  if (!kept) throw Broken(otherwise);
}

void Checks::run(const std::string& name, const std::function<void()>& check) {
  ++done_;
  try {
    check();
    std::cout << "ok      " << name << std::endl;
  } catch (const std::exception& error) {
    ++broken_;
    std::cout << "BROKEN  " << name << ": " << error.what() << std::endl;
  }
}

void demand_one_line(const std::string& text, const std::string& what) {
  demand(!text.empty(), what + " is empty");
  demand(text.find('\n') == std::string::npos, what + " has more than one line: " + text);
}

unsigned open_descriptors() {
  unsigned count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

void demand_refusal_of_key(const std::string& key, const std::function<void()>& create) {
  try {
    create();
  } catch (const ConfigurationError& error) {
    demand(std::string(error.what()).find(key) != std::string::npos,
           "its complaint about the unknown key '" + key + "' does not name it: " + error.what());
    return;
  }
  throw Broken("it takes the unknown key '" + key + "'; call settings.accept_only({\"plugin\", ...}) first");
}

}  // namespace pbotvm::contract
