// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "hidden_macros.h"

namespace pbotvm::c {

/// What stands before a snippet.
struct Preamble {
  bool cplusplus = false;
  bool usual_headers = false;  ///< the snippet includes none itself
  bool value = false;          ///< the value of the last expression is to be shown
  bool binary = false;         ///< C: printf is to know %b as the original does
  bool line_buffering = true;  ///< of standard output
  std::string sanitized;       ///< value of PBOTVM_SANITIZED_, which precompiled headers must agree with; may be empty
  Names hidden;                ///< macros that do not hold in it, but for the usual headers
};

/// Directives, then the definition of what makes standard output line-buffered. A guest that has the headers of
/// guest/include/pbotvm takes the usual ones from a single file, which it may hold precompiled: compilers take that
/// only in front of the first declaration. Others get them one by one, and show no values.
std::string preamble(const Preamble& wanted);

}  // namespace pbotvm::c
