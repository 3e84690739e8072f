// SPDX-License-Identifier: MIT
#include "service/refusal.h"

namespace pbotvm::service {

void refuse(const std::string& code, const std::string& text) {
  throw Refused{failure(code, text)};
}

void refuse_if_cancelled(const RequestControl& control) {
  if (const auto wrong = control.refusal(); !wrong.empty()) refuse("bad-request", wrong);
  if (control.cancelled()) refuse("cancelled", "The request was cancelled before its job was begun.");
}

}  // namespace pbotvm::service
