// SPDX-License-Identifier: MIT
#pragma once

#include <Poco/Util/ServerApplication.h>

#include <string>
#include <vector>

#include "config/configuration.h"

namespace pbotvm::host {

/// The daemon. Options, then: settings, STATE, plug-ins, sockets, privileges given up, machines, clients, until
/// SIGTERM; SIGHUP has the languages read anew.
class HostApplication : public Poco::Util::ServerApplication {
 public:
  using ServerApplication::run;  // after init(): main() tells wrong usage from failure

 protected:
  void defineOptions(Poco::Util::OptionSet& options) override;
  int main(const std::vector<std::string>& arguments) override;

 private:
  enum class Task { serve, help, version, check_configuration, list_plugins, print_schema };

  void take_config(const std::string& name, const std::string& value);
  void take_setting(const std::string& name, const std::string& value);
  void take_task(const std::string& name, const std::string& value);

  int serve(const config::Configuration& configuration);

  Task task_ = Task::serve;
  config::Sources sources_;
};

}  // namespace pbotvm::host
