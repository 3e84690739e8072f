// SPDX-License-Identifier: MIT
#pragma once

// What every process of a job inherits from this program, and cannot get back. Settled once, so that it costs no job
// any time; this program itself goes on with its rights, as it never executes another one.

#include <string>

namespace pbotvm::guest {

/// No capabilities by way of exec or of user 0, no new privileges, no keys. Why not, or nothing.
std::string settle_rights();

/// Limits of resources (setrlimit(2)) that no job sets for itself, and that none can raise.
void bound_resources();

}  // namespace pbotvm::guest
