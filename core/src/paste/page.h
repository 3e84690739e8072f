// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "pbotvm/language_facts.h"

namespace pbotvm::paste {

/// What is kept of one request: its source, and below it, in comments of its language, how it was run and what came of
/// it. A copy that can be saved and run again.
struct Page {
  std::string file;                   ///< the name of the source: "prog.c"
  std::string source;                 ///< as the job has it, with what the language put around the client's code
  std::vector<std::string> commands;  ///< of its steps, arguments included, each as a person can paste it
  std::string input;                  ///< standard input; may be empty
  std::string output;                 ///< what a client of text reads
  CommentMarks marks;                 ///< of the language; both empty where it has none
};

/// The page as a text that ends with a newline: the source, a block CMDLINE and a block OUTPUT. Marks in which the word
/// CMDLINE stands, as a shell's here-document has them, have the name of the block in its place. Nothing that a program
/// or a client wrote can end its comment: end marks are parted with a blank (one of a single character becomes a `?`),
/// and whatever some language takes for a line's end begins a new line of the comment. Pure.
std::string page_text(const Page& page);

}  // namespace pbotvm::paste
