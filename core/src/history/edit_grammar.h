// SPDX-License-Identifier: MIT
#pragma once

// What people write to change the last code of their channel; docs/history.md describes it for them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pbotvm::history {

inline constexpr std::size_t max_changes = 32;     ///< of one request
inline constexpr std::uint32_t max_undo = 10'000;  ///< entries taken back by one request

/// Which occurrences of a text are meant.
struct Which {
  enum class Kind { nth, last, all };
  Kind kind = Kind::nth;
  std::uint32_t nth = 1;  ///< counted from 1
  bool operator==(const Which&) const = default;
};

/// `replace 'from' with 'to'`; `remove 'from'` has an empty `to`.
struct Replace {
  Which which;
  std::string from, to;
  bool operator==(const Replace&) const = default;
};
struct Prepend {
  std::string text;
  bool operator==(const Prepend&) const = default;
};
struct Append {
  std::string text;
  bool operator==(const Append&) const = default;
};
/// `s/regex/text/gi`
struct Substitute {
  std::string regex, text;
  bool all = false, ignore_case = false;
  bool operator==(const Substitute&) const = default;
};
using Change = std::variant<Replace, Prepend, Append, Substitute>;

/// What becomes of the code once it is changed.
enum class Ending { run, paste, show, diff };

/// A whole request of this kind, in the order in which it is done: copy or undo, changes, ending.
struct Edits {
  std::optional<std::string> copy_from;  ///< a channel
  std::uint32_t undo = 0;                ///< entries to be taken back
  std::vector<Change> changes;
  Ending ending = Ending::run;
  std::optional<std::string> of_channel;  ///< `show` and `diff` of another channel; they stand alone then
  bool operator==(const Edits&) const = default;
};

/// Ordinary code.
struct NotAnEdit {
  bool operator==(const NotAnEdit&) const = default;
};

/// Cannot be meant as code, and is no edit either: one line that says what is wrong and how it is written.
struct EditMistake {
  std::string text;
};

/// How much may be taken for an edit in a language.
struct EditReading {
  bool substitutions = true;  ///< s/// is one; false where it is a program of the language
  bool guess = true;          ///< half an s/// is a mistake rather than code; false where it may be code
};

/// Reads a text without its options. Only a text that is edits from its beginning to its end is one.
std::variant<Edits, NotAnEdit, EditMistake> parse_edits(std::string_view text, const EditReading& reading = {});

/// What somebody wrote as an error repeats it: in quotes, on one line, shortened.
std::string quoted(std::string_view text);

}  // namespace pbotvm::history
