// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>

#include "pbotvm/abi.h"

PBOTVM_BEGIN_NAMESPACE

/// What kind of failure it was; decides what the caller does next, never parsed from a text.
enum class ErrorCode {
  configuration,  ///< a setting or a file of the operator is wrong
  unavailable,    ///< something that should be there is not (a program, a socket, a machine)
  timed_out,      ///< a deadline passed
  refused,        ///< the other side said no
  protocol,       ///< the other side sent what it must not
  plugin,         ///< a plug-in failed or could not be loaded
  internal,       ///< a defect of this program
};

/// The root of every exception that the project throws. Written for the person who operates the host: `tried` says what
/// was attempted and how it failed, `remedy` what to do about it (may be empty). what() is both, joined by "; ".
class PBOTVM_EXPORT Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& tried, const std::string& remedy = {});
  ~Error() override;

  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

/// A text such as "open /etc/x: No such file or directory" for the given errno value.
PBOTVM_EXPORT std::string errno_text(const std::string& what, int error);

PBOTVM_END_NAMESPACE
