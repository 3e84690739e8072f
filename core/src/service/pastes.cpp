// SPDX-License-Identifier: MIT
#include "service/pastes.h"

#include <string_view>
#include <vector>

#include "pbotvm/reply_text.h"

namespace pbotvm::service {

bool asks_for_paste(const std::string& code, const LanguageDetails& language) {
  if (code.find("-paste") == std::string::npos) return false;
  Request request;
  request.code = code;
  const auto& valued = language.options_with_value;
  return parse_code_options(request, language.takes_options, {valued.begin(), valued.end()}).paste;
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
