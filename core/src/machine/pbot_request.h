// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pbotvm/job.h"

namespace pbotvm::machine {

/// A job as the JSON object that PBot's guest-server takes: one source file and a command line for bash. ASCII only,
/// because a terminal in its way would take some bytes for editing. `date` is the time of day, s since 1970.
///
/// A job of one text file and one command says just that; one of the C family says how to compile and what to hand to
/// ./prog, which the guest then does its own way. Every other job becomes a bash script that does the steps in order.
std::string pbot_request(const Job& job, std::int64_t date);

/// A request that is answered with `word`, a word of letters, digits and '-'.
std::string pbot_probe(std::string_view word, std::int64_t date);

/// The request's JSON cut into lines that a terminal in line mode lets pass (at most 4000 bytes), and the empty line
/// that ends it. No line begins like an answer: a terminal echoes it.
std::string pbot_lines(std::string_view json);

}  // namespace pbotvm::machine
