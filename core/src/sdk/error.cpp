// SPDX-License-Identifier: MIT
#include "pbotvm/error.h"

#include <system_error>

PBOTVM_BEGIN_NAMESPACE

Error::Error(ErrorCode code, const std::string& tried, const std::string& remedy)
    : std::runtime_error(remedy.empty() ? tried : tried + "; " + remedy), code_(code) {}

// Out of line, so that the type information lives in libpbotvm.so alone and a throw in a plug-in is caught in the host.
Error::~Error() = default;

std::string errno_text(const std::string& what, int error) {
  return what + ": " + std::generic_category().message(error);
}

PBOTVM_END_NAMESPACE
