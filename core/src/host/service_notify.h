// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace pbotvm::host {

/// Tells the service manager that started this program, where NOTIFY_SOCKET names its socket, such as "READY=1" or
/// "STOPPING=1"; see sd_notify(3). A path, or a name in the abstract namespace behind '@'. Returns whether somebody was
/// told. Never blocks, never fails: nothing depends on it but what the manager shows. Any thread; reads the
/// environment.
bool notify_service_manager(const std::string& state) noexcept;

}  // namespace pbotvm::host
