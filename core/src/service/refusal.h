// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "service/events.h"
#include "service/request_control.h"

namespace pbotvm::service {

/// Thrown to end a request early: its last event. Never leaves Service::run().
struct Refused {
  Failed event;
};

/// Throws Refused. `code` is one of those in docs/clients.md, 3.2.
[[noreturn]] void refuse(const std::string& code, const std::string& text);

/// Before its job was begun: the client's wish, or what it said that it must not.
void refuse_if_cancelled(const RequestControl& control);

}  // namespace pbotvm::service
