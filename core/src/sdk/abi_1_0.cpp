// SPDX-License-Identifier: MIT

// What plug-ins of the SDK's minor 0 link to and its headers no longer offer. Nothing here goes before the ABI's major
// does: they bind every symbol when they are loaded.

#include <initializer_list>

#include "pbotvm/reply_text.h"

PBOTVM_BEGIN_NAMESPACE

PBOTVM_EXPORT std::string paste_text();

PBOTVM_EXPORT CodeOptions parse_code_options(const Request& request, bool takes_options,
                                             std::initializer_list<std::string_view> with_value);

// The host serves -paste by itself; a plug-in that answers it never sees it.
std::string paste_text() {
  return "-paste is not supported by this language; send the request without it.";
}

CodeOptions parse_code_options(const Request& request, bool takes_options,
                               std::initializer_list<std::string_view> with_value) {
  return parse_code_options(request, takes_options, std::vector<std::string_view>(with_value));
}

PBOTVM_END_NAMESPACE
