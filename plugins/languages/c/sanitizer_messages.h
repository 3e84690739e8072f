// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace pbotvm::c {

/// What a program printed to stderr, with the reports of sanitizers shortened to what its author can act on: of the
/// address and leak sanitizers one line each, such as "AddressSanitizer: heap-use-after-free: write of 1 byte in f at
/// line 2, 1 byte inside of a 4-byte region, freed in main at line 3, allocated in main at line 3". With `one_line`
/// places are left out: in code of one line they tell nothing. `file`: what the author's code is called, "prog.c".
std::string sanitizer_messages(std::string_view text, std::string_view file, bool one_line);

}  // namespace pbotvm::c
