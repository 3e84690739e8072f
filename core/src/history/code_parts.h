// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pbotvm::history {

/// A request's text: `-O2 -args "a b" int x; -stdin 5` has two options, the code `int x;` and the input `-stdin 5`.
/// Edits change the code alone. All parts are verbatim, so that put together again they mean what they meant.
struct CodeParts {
  std::vector<std::string> options;  ///< each with its value, where it has one
  std::string code;
  std::string input;  ///< from the word -stdin to the end; empty where there is none
};

/// What a language says of the options in front of its code.
struct OptionReading {
  bool takes_options = true;            ///< false: words that begin with '-' are code, but for PBot's own options
  std::vector<std::string> with_value;  ///< those that are followed by a value, a word of its own
};

/// Takes a text apart as its language does (docs/clients.md, section 1).
CodeParts take_apart(std::string_view text, const OptionReading& reading = {});

std::string put_together(const CodeParts& parts);

/// Takes those options out that are meant for one request only, -info and -paste, and returns them.
std::vector<std::string> take_one_off_options(CodeParts& parts);

}  // namespace pbotvm::history
