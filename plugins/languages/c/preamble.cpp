// SPDX-License-Identifier: MIT
#include "preamble.h"

#include <string_view>

#include "source_emitter.h"

namespace pbotvm::c {

namespace {

// The same as in guest/include/pbotvm/usual.h.
constexpr std::string_view usual_c = R"(#define _XOPEN_SOURCE 9001
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <iso646.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>
#if defined __STDC_VERSION__ && __STDC_VERSION__ >= 199901L
#include <complex.h>
#include <fenv.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <tgmath.h>
#endif
#if defined __STDC_VERSION__ && __STDC_VERSION__ >= 201112L
#include <stdalign.h>
#include <stdnoreturn.h>
#include <uchar.h>
#endif
)";

// The same as in guest/include/pbotvm/usual.hpp.
constexpr std::string_view usual_cpp = R"(#include <unistd.h>
#include <algorithm>
#include <bitset>
#include <cassert>
#include <cctype>
#include <cerrno>
#include <cfloat>
#include <climits>
#include <cmath>
#include <complex>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <exception>
#include <fstream>
#include <functional>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <numeric>
#include <queue>
#include <set>
#include <sstream>
#include <stack>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>
#if __cplusplus >= 201103L
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <random>
#include <thread>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#endif
#if __cplusplus >= 201703L
#include <any>
#include <optional>
#include <string_view>
#include <variant>
#endif
#if __cplusplus >= 202002L
#include <bit>
#include <compare>
#include <concepts>
#include <numbers>
#include <ranges>
#include <span>
#endif
using namespace std;
)";

// Line by line, as on a terminal: a program that is ended from outside has then said what it printed until then. Free
// of headers, of names that the code could use and of what a warning is about: neither literals nor arguments that are
// converted. A macro counts as used when it is asked for. Once: what -paste kept has it already.
constexpr std::string_view line_buffering = R"(#ifndef PBOTVM_LINES_
#define PBOTVM_LINES_
#ifdef PBOTVM_LINES_
extern void *pbotvm_out_ __asm__("stdout");
extern void pbotvm_by_line_(void *) __asm__("setlinebuf");
static void __attribute__((__constructor__)) pbotvm_start_(void) {
if (pbotvm_out_) pbotvm_by_line_(pbotvm_out_);
}
#endif
#endif
)";

// Nothing but a compiler knows whether __has_include is there.
void include_if_there(std::string& text, std::string_view header) {
  text += "#ifdef __has_include\n#if __has_include(<";
  text += header;
  text += ">)\n#include <";
  text += header;
  text += ">\n#endif\n#endif\n";
}

void usual_headers(std::string& text, bool cplusplus) {
  include_if_there(text, cplusplus ? "pbotvm/usual.hpp" : "pbotvm/usual.h");
  text += cplusplus ? "#ifndef PBOTVM_USUAL_HPP\n" : "#ifndef PBOTVM_USUAL_H\n";
  text += cplusplus ? usual_cpp : usual_c;
  text += "#endif\n";
}

}  // namespace

std::string preamble(const Preamble& wanted) {
  std::string text = "#line 1 \"" + std::string(around_name) + "\"\n";
  if (wanted.usual_headers && !wanted.sanitized.empty()) text += "#define PBOTVM_SANITIZED_ " + wanted.sanitized + "\n";
  if (wanted.usual_headers) usual_headers(text, wanted.cplusplus);
  text += hide_macros(wanted.hidden);
  if (wanted.value) include_if_there(text, "pbotvm/value.h");
  if (wanted.binary) include_if_there(text, "pbotvm/binary.h");
  if (wanted.line_buffering)
    text += wanted.cplusplus ? "extern \"C\" {\n" + std::string(line_buffering) + "}\n" : std::string(line_buffering);
  return text + restore_macros(wanted.hidden);
}

}  // namespace pbotvm::c
