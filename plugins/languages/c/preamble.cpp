// SPDX-License-Identifier: MIT
#include "preamble.h"

#include <string_view>

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
#include <array>
#include <atomic>
#include <bitset>
#include <cassert>
#include <cctype>
#include <cerrno>
#include <cfloat>
#include <chrono>
#include <climits>
#include <cmath>
#include <complex>
#include <csignal>
#include <cstddef>
#include <cstdint>
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
#include <mutex>
#include <numeric>
#include <queue>
#include <random>
#include <set>
#include <sstream>
#include <stack>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>
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
// of headers and of names that the code could use; 1 is _IOLBF.
constexpr std::string_view line_buffering = R"(extern void *pbotvm_out_ __asm__("stdout");
extern int pbotvm_setvbuf_(void *, char *, int, __SIZE_TYPE__) __asm__("setvbuf");
static void __attribute__((constructor)) pbotvm_start_(void) { pbotvm_setvbuf_(pbotvm_out_, 0, 1, 0); }
)";

void include_if_there(std::string& text, std::string_view header) {
  text += "#if defined __has_include && __has_include(<";
  text += header;
  text += ">)\n#include <";
  text += header;
  text += ">\n#endif\n";
}

void usual_headers(std::string& text, bool cplusplus) {
  include_if_there(text, cplusplus ? "pbotvm/usual.hpp" : "pbotvm/usual.h");
  text += cplusplus ? "#ifndef PBOTVM_USUAL_HPP\n" : "#ifndef PBOTVM_USUAL_H\n";
  text += cplusplus ? usual_cpp : usual_c;
  text += "#endif\n";
}

}  // namespace

std::string preamble(const Preamble& wanted) {
  std::string text;
  if (wanted.usual_headers) usual_headers(text, wanted.cplusplus);
  if (wanted.value) include_if_there(text, "pbotvm/value.h");
  if (wanted.binary) include_if_there(text, "pbotvm/binary.h");
  if (wanted.cplusplus) text += "extern \"C\" {\n";
  text += line_buffering;
  if (wanted.cplusplus) text += "}\n";
  return text;
}

}  // namespace pbotvm::c
