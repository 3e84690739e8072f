// SPDX-License-Identifier: MIT
#pragma once

// Helpers for languages: the options that every language takes, and the texts of replies, which are PBot's own. All of
// them are pure: any thread, at the same time. None of them throws for what a client or a program wrote.

#include <string>
#include <string_view>
#include <vector>

#include "pbotvm/language.h"

PBOTVM_BEGIN_NAMESPACE

/// What stood before and behind the code of a request.
struct CodeOptions {
  std::vector<std::string>
      tool_options;                    ///< leading words that begin with '-', in order, for the compiler or interpreter
  bool info = false;                   ///< -info
  bool paste = false;                  ///< -paste, which the host answers: plan the job as ever
  std::vector<std::string> arguments;  ///< of -args "...", or else of Request::arguments; split as a shell splits words
  std::string input;                   ///< of -stdin TEXT (escapes decoded, and a newline), or else Request::input
  std::string code;                    ///< what is left; unquoted \n are newlines; no white space at its end
};

/// Splits Request::code. An option is a word of '-' or "--" and a letter that stands before the code, without a blank
/// before the first; `takes_options` false leaves those that are not PBot's own in the code. An option named in
/// `with_value` is followed by its value, as a word of its own. `-stdin` may also stand behind the code, outside of
/// quotes, and takes all that follows. Options in the code win over the keys of the request.
PBOTVM_EXPORT CodeOptions parse_code_options(const Request& request, bool takes_options = true,
                                             const std::vector<std::string_view>& with_value = {});

/// Splits words as a POSIX shell does: blanks, single and double quotes, backslash; expands nothing. A quote that is
/// not closed reaches to the end.
PBOTVM_EXPORT std::vector<std::string> split_words(std::string_view text);

/// Joins an argument vector so that a person can read and paste it: quoted only where it must be.
PBOTVM_EXPORT std::string quote_words(const std::vector<std::string>& words);

/// The usage text of a request without code.
PBOTVM_EXPORT std::string usage_text();

/// Bytes of a program as text: invalid UTF-8 to U+FFFD, controls to \xHH forms, backspaces applied, white space at the
/// end cut, as PBot shows them.
PBOTVM_EXPORT std::string printable(std::string_view bytes);

/// All bytes of one stream of one step.
PBOTVM_EXPORT std::string stream_of(const Result& result, std::uint32_t step, Stream stream);

/// What a step printed, as PBot orders it: all of stderr, a space if there is something on both sides, all of stdout.
PBOTVM_EXPORT std::string output_of(const Result& result, std::uint32_t step);

/// The reply to an ordinary program whose last step that ran is the program: stderr, a space, stdout, then ` [Exit N]`
/// or the limit that struck; `Success (no output).` when nothing was printed. `prefix` (say, compiler warnings) comes
/// first. Includes the limit's text, so a language that calls it need not.
PBOTVM_EXPORT std::string program_reply(const Request& request, const Result& result, std::string_view prefix = {});

/// The reply when a step before the program failed and was the last that ran: `messages` (say, the compiler's) alone,
/// then the limit that struck; `Exit N.` when there are none.
PBOTVM_EXPORT std::string failure_reply(const Result& result, std::string_view messages);

/// "[Timed-out]", "[Output cut at N bytes]" ...; each once where the job or its steps met several, such as
/// "[Process limit] [Timed-out]"; empty where none struck.
PBOTVM_EXPORT std::string limit_text(const Result& result);

PBOTVM_END_NAMESPACE
