// SPDX-License-Identifier: MIT
#pragma once

// What a language plug-in hands to the host is looked at here before anything is done with it: a plug-in's mistake
// costs the request that met it. Each function costs little however large its argument is, and throws nothing but
// std::bad_alloc. Any thread.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pbotvm/language.h"

namespace pbotvm::service {

struct LanguageDetails;

inline constexpr std::size_t max_language_name = 64;     ///< bytes of a name
inline constexpr std::size_t max_language_names = 32;    ///< a language's name and its aliases
inline constexpr std::size_t max_language_tools = 64;    ///< programs that one language needs
inline constexpr std::size_t max_hello = 64 * 1024;      ///< bytes of a hello program, or of its stdin program
inline constexpr std::size_t max_fact = 16 * 1024;       ///< bytes of a text that it tells of itself: two paths fit
inline constexpr std::size_t max_facts = 256;            ///< its default options, or its packages of one distribution
inline constexpr std::size_t max_option_rules = 10'000;  ///< of options that a request may hand over
inline constexpr std::size_t max_comment_mark = 64;      ///< bytes

/// Why a plan cannot be run; `text` is empty when it can.
struct PlanFlaw {
  std::string text;
  /// The request brought more than a job can carry (arguments, or a NUL in one): its client can do something about it.
  /// Otherwise the language is at fault.
  bool of_request = false;
};

/// Of a job as the language planned it, before the host adds anything.
PlanFlaw flaw_of_plan(const Job& job, const Request& request);

/// Why a text may not be a client's reply, empty when it may. Longer than any output can make it, or not UTF-8;
/// `output_limit` is what a job may print, bytes.
std::string flaw_of_reply(std::string_view reply, std::uint64_t output_limit);

/// Why no language may be called so, or need these programs; empty when it may. `names` are its name and its aliases.
std::string flaw_of_language(const std::vector<std::string>& names, const std::vector<std::string>& tools);

/// Why what a language tells of itself is not taken; empty when it is.
std::string flaw_of_details(const LanguageDetails& details);

/// Why a language's hello program cannot be sent; empty when it can.
std::string flaw_of_hello(std::string_view hello);

}  // namespace pbotvm::service
