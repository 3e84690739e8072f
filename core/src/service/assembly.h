// SPDX-License-Identifier: MIT
#pragma once

// What a configuration names, made of the plug-ins there are: for the host, and for whoever reaches a guest without
// one.

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "config/configuration.h"
#include "machine/machine.h"
#include "pbotvm/error.h"
#include "plugin/patient_guard.h"
#include "plugin/registry.h"
#include "service/catalogue.h"

namespace pbotvm::service {

/// Looks a plug-in up that the configuration names: where it cannot be had, the mistake is in the settings.
template <typename Function>
decltype(auto) look_up(const std::string& machine, const char* key, Function&& function) {
  try {
    return std::forward<Function>(function)();
  } catch (const Error& e) {
    throw ConfigurationError("machines." + machine + "." + key, e.what());
  }
}

/// Why a transport is not tried, empty where it is. vsock can be turned off and needs a device of the kernel's; every
/// other transport is there or is a mistake, and so is vsock where there is nothing to fall back to.
std::string why_passed_over(const std::string& name, const config::MachineConfiguration& machine);

/// The machine's transports in order of preference, at least one. Throws Error.
std::vector<machine::NamedTransport> make_transports(const plugin::Registry& plugins,
                                                     const config::MachineConfiguration& configuration);

/// Throws Error: a machine must have at least one.
[[noreturn]] void fail_without_transport(const std::string& machine);

/// How long a language plug-in may take to make its languages and to say what they are.
inline constexpr std::chrono::seconds start_patience{20};

/// Every language of the plug-ins. One that fails is logged and passed over; ConfigurationError where a definition that
/// the operator wrote is wrong.
std::shared_ptr<const Catalogue> make_catalogue(const plugin::Registry& plugins,
                                                const config::Configuration& configuration);

/// Likewise. What did not come back stays suspended in `guard`, whose patience should be that of start_patience.
std::shared_ptr<const Catalogue> make_catalogue(const plugin::Registry& plugins,
                                                const config::Configuration& configuration,
                                                plugin::PatientGuard& guard);

/// The same anew, while `now` serves: throws Error where any plug-in fails, or does not come back, so that none of its
/// languages is lost by it. Plug-ins of `kept` are not called: their languages stay as they are.
std::shared_ptr<const Catalogue> remake_catalogue(const plugin::Registry& plugins,
                                                  const config::Configuration& configuration,
                                                  plugin::PatientGuard& guard, const Catalogue& now,
                                                  const std::set<std::string>& kept);

}  // namespace pbotvm::service
