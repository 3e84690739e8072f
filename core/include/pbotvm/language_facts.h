// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pbotvm/abi.h"

PBOTVM_BEGIN_NAMESPACE

/// How a block of comment begins and ends in a language's source. `end` may be empty: the comment ends with its line
/// then, and `begin` stands before every line. Both are empty where the language has none.
struct CommentMarks {
  std::string begin, end;
};

/// What a language can tell about itself beyond running code: for `pbotvm languages`, for -paste, for building images,
/// and for the reply to who asks for a language whose tools are missing. An extension of Language: it returns this
/// interface from extension(LanguageFacts::identifier). Called by any thread, at the same time; pure. Never gains
/// virtuals.
class PBOTVM_EXPORT LanguageFacts {
 public:
  static constexpr std::string_view identifier = "pbotvm.language.facts/1";

  virtual ~LanguageFacts();

  /// What the code is written to, in the job's directory: "prog.py".
  virtual std::string file() const = 0;

  /// What the compiler or interpreter is given when the request brings no options of its own.
  virtual std::vector<std::string> default_options() const = 0;

  virtual CommentMarks comment_marks() const = 0;

  /// The packages that bring the tools; `distribution` is "debian", "fedora" or "opensuse", others may come. Empty
  /// where that distribution has none, or nobody has looked.
  virtual std::vector<std::string> packages(std::string_view distribution) const = 0;

  /// A whole program that copies its standard input to its standard output; empty where there is none.
  virtual std::string stdin_program() const = 0;

  /// One line for people: why no distribution packages it, where to get it, what is odd about it. May be empty.
  virtual std::string note() const = 0;

  /// Where it was read from, for people: "/etc/pbotvm/languages/ruby.yaml", and what it replaces. Empty for code.
  virtual std::string origin() const = 0;
};

PBOTVM_END_NAMESPACE
