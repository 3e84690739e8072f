// SPDX-License-Identifier: MIT
#include "service/pastes.h"

#include <string_view>
#include <vector>

#include "pbotvm/reply_text.h"

namespace pbotvm::service {

namespace {

// Options of compilers and interpreters whose value is a word of its own, behind which -paste may stand. What is such
// an option depends on the language; one that is taken for it wrongly hides at most the word behind it.
const std::vector<std::string_view> valued = {"-include", "-imacros", "-isystem", "-I", "-D", "-U",
                                              "-L",       "-l",       "-x",       "-o", "-O"};

}  // namespace

bool asks_for_paste(const std::string& code) {
  if (code.find("-paste") == std::string::npos) return false;
  Request request;
  request.code = code;
  return parse_code_options(request).paste || parse_code_options(request, true, valued).paste;
}

paste::Page page_of(const Job& job, const CommentMarks& marks) {
  paste::Page page;
  if (!job.files.empty()) {
    page.file = job.files.front().path;
    page.source = job.files.front().content;
  }
  bool reads = false;
  for (const auto& step : job.steps) {
    if (step.when == When::after_crash) continue;  // explains the program, and is no part of it
    page.commands.push_back(quote_words(step.argv));
    reads = reads || step.reads_input;
  }
  if (reads) page.input = job.input;
  page.marks = marks;
  return page;
}

}  // namespace pbotvm::service
