// SPDX-License-Identifier: MIT
#include "cli/doctor/check.h"

#include <grp.h>
#include <pwd.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace pbotvm::cli::doctor {

namespace {

const char* state_text(Finding::State state) {
  switch (state) {
    case Finding::State::ok:
      return "ok";
    case Finding::State::warn:
      return "warn";
    case Finding::State::fail:
      break;
  }
  return "fail";
}

}  // namespace

System this_system() {
  System system;
  utsname names{};
  if (::uname(&names) == 0) system.kernel = names.release;
  system.user = ::geteuid();
  const passwd* entry = ::getpwuid(system.user);
  system.user_name = entry != nullptr ? entry->pw_name : std::to_string(system.user);
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
  groups.resize(static_cast<std::size_t>(std::max(0, ::getgroups(static_cast<int>(groups.size()), groups.data()))));
  groups.push_back(::getegid());
  for (const gid_t id : groups) {
    if (const group* known = ::getgrgid(id)) system.groups.emplace_back(known->gr_name);
  }
  return system;
}

std::string finding_text(const Finding& finding) {
  std::string text = state_text(finding.state);
  text.append(6 - text.size(), ' ');
  text += finding.check + ": " + finding.found;
  return finding.remedy.empty() ? text : text + " - " + finding.remedy;
}

nlohmann::json finding_json(const Finding& finding) {
  return {{"check", finding.check},
          {"state", state_text(finding.state)},
          {"found", finding.found},
          {"remedy", finding.remedy}};
}

}  // namespace pbotvm::cli::doctor
