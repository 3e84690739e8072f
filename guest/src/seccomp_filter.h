// SPDX-License-Identifier: MIT
#pragma once

// The filter of system calls that a job's programs run under. It is made when this program is built
// (guest/filter/make_filter.cpp); here it is only put into force.

#include <string>

struct sock_filter;

namespace pbotvm::guest {

extern const sock_filter job_filter[];
extern const unsigned short job_filter_size;

/// Puts this process and all that it will ever start under the filter, for good. Needs no_new_privs or CAP_SYS_ADMIN.
/// Throws SystemError.
void enter_filter();

/// Tries it in a process of its own: why it cannot be put into force or has no effect, or nothing.
std::string try_filter();

}  // namespace pbotvm::guest
