// SPDX-License-Identifier: MIT
#pragma once

// Helpers for languages: the options that every language takes, and the texts of replies, which are PBot's own.

#include <string>
#include <string_view>
#include <vector>

#include "pbotvm/language.h"

PBOTVM_BEGIN_NAMESPACE

/// What stood before and behind the code of a request.
struct CodeOptions {
  std::vector<std::string> tool_options;  ///< leading words that begin with '-', in order, for the compiler or interpreter
  bool info = false;                      ///< -info
  std::vector<std::string> arguments;     ///< of -args "...", or else of Request::arguments; split as a shell splits words
  std::string input;                      ///< of -stdin TEXT (escapes decoded), or else of Request::input
  std::string code;                       ///< what is left; unquoted \n are newlines
};

/// Splits Request::code. A leading option that an interpreter would take is one that begins with '-' and stands before
/// the code; `takes_options` false leaves them in the code. Options in the code win over the keys of the request.
PBOTVM_EXPORT CodeOptions parse_code_options(const Request& request, bool takes_options = true);

/// Splits words as a POSIX shell does: blanks, single and double quotes, backslash; expands nothing.
PBOTVM_EXPORT std::vector<std::string> split_words(std::string_view text);

/// Joins an argument vector so that a person can read and paste it: quoted only where it must be.
PBOTVM_EXPORT std::string quote_words(const std::vector<std::string>& words);

/// The usage text of a request without code.
PBOTVM_EXPORT std::string usage_text();

/// Bytes of a program as text: invalid UTF-8 to U+FFFD, controls to \xHH forms, backspaces applied, as PBot shows them.
PBOTVM_EXPORT std::string printable(std::string_view bytes);

/// All bytes of one stream of one step.
PBOTVM_EXPORT std::string stream_of(const Result& result, std::uint32_t step, Stream stream);

/// The reply to an ordinary program whose last step that ran is the program: stderr, a space, stdout, then ` [Exit N]`
/// or the limit that struck; `Success (no output).` when nothing was printed. `prefix` (say, compiler warnings) comes
/// first. Includes the limit's text, so a language that calls it need not.
PBOTVM_EXPORT std::string program_reply(const Request& request, const Result& result, std::string_view prefix = {});

/// "[Timed-out]", "[Output cut at N bytes]" ...; empty for Limit::none.
PBOTVM_EXPORT std::string limit_text(const Result& result);

PBOTVM_END_NAMESPACE
