// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "config/configuration.h"
#include "paste/page.h"
#include "plugin/registry.h"
#include "service/assembly.h"

namespace pbotvm::service {
namespace {

// A line comment of a language that ends nowhere but at its line's end, or the one mark that ends a block.
const std::vector<std::string> line_marks = {"# ", "// ", "-- ", "; ", "% ", "! ", "*> ", "\\ "};
struct BlockMarks {
  std::string begin, terminator;
};
const std::vector<BlockMarks> block_marks = {{"/*", "*/"}, {"(*", "*)"}, {"/'", "'/"}, {"[-][", "]"}};
constexpr std::string_view here_document = ": <<'";

void replace_all(std::string& text, const std::string& what, const std::string& with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

std::vector<std::string> split(std::string text) {
  for (const char* end : {"\r", "\v", "\f", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"}) replace_all(text, end, "\n");
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// What of the text some reader of a language takes for code.
std::string code_in(std::string text, const CommentMarks& marks) {
  if (marks.end.empty()) {
    std::string code;
    for (const auto& line : split(text)) {
      if (!line.empty() && !line.starts_with(marks.begin)) code += line + '\n';
    }
    return code;
  }
  if (marks.begin.starts_with(here_document)) {
    text.erase(std::remove(text.begin(), text.end(), '\0'), text.end());  // as shells do
    std::string code, end;
    for (const auto& line : split(text)) {
      if (!end.empty()) {
        if (line == end) end.clear();
      } else if (line.starts_with(here_document)) {
        end = line.substr(here_document.size(), line.size() - here_document.size() - 1);
      } else if (!line.empty()) {
        code += line + '\n';
      }
    }
    return code + (end.empty() ? "" : "no end of " + end);
  }
  for (const char* splice : {"\\\n", "?\?/\n"}) replace_all(text, splice, "");  // C
  replace_all(text, "\\u002a", "*");                                            // Java
  const auto known = std::find_if(block_marks.begin(), block_marks.end(),
                                  [&](const auto& one) { return marks.begin.starts_with(one.begin); });
  std::string code;
  for (std::size_t at = 0; at < text.size();) {
    const auto begin = known->begin.size();
    if (text.compare(at, begin, known->begin) != 0) {
      if (text[at] != '\n') code += text[at];
      ++at;
      continue;
    }
    const auto end = text.find(known->terminator, at + begin);
    if (end == std::string::npos) return code + "no end";
    if (text.substr(at + begin, end - at - begin).find(known->begin) != std::string::npos) return code + "nested";
    at = end + known->terminator.size();
  }
  return code;
}

bool is_known(const CommentMarks& marks) {
  if (marks.end.empty()) return std::find(line_marks.begin(), line_marks.end(), marks.begin) != line_marks.end();
  if (marks.begin == ": <<'CMDLINE'") return marks.end == "CMDLINE";
  return std::any_of(block_marks.begin(), block_marks.end(), [&](const auto& one) {
    return marks.begin.starts_with(one.begin) && marks.end.ends_with(one.terminator);
  });
}

std::vector<std::string> hostile_texts(const Catalogue& catalogue) {
  std::vector<std::string> marks = {"OUTPUT", "\\u002a/", "\\u000a", "*\\\n/", "*?\?/\n/", "*\\\n\\\n/", "?>", "%>"};
  marks.emplace_back("OUT\0PUT", 7);
  for (const auto& entry : catalogue.entries()) {
    marks.push_back(entry.details.marks.begin);
    marks.push_back(entry.details.marks.end);
  }
  std::vector<std::string> texts;
  for (const auto& mark : marks) {
    for (const char* end : {"\n", "\r", "\r\n", "\v", "\f", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"})
      texts.push_back(mark + mark + end + mark + end + "CODE " + mark + end + "CODE");
    if (!mark.empty()) texts.push_back(mark.substr(0, mark.size() - 1) + "\n" + mark.substr(mark.size() - 1) + " CODE");
  }
  std::string all;
  for (const auto& text : texts) all += text;
  texts.push_back(all);
  return texts;
}

TEST(CommentMarksTest, WhatIsPastedStaysInsideTheCommentsOfEveryLanguageThatIsShipped) {
  const plugin::Registry plugins({PLUGIN_DIRECTORY});
  config::Configuration configuration;
  configuration.languages = {DEFINITION_DIRECTORY};
  const auto catalogue = make_catalogue(plugins, configuration);
  ASSERT_GT(catalogue->entries().size(), 50u);
  const auto texts = hostile_texts(*catalogue);
  for (const auto& entry : catalogue->entries()) {
    const auto& marks = entry.details.marks;
    ASSERT_TRUE(is_known(marks)) << entry.names.front() << ": " << marks.begin << " " << marks.end;
    for (const auto& text : texts) {
      const paste::Page page{entry.details.file, "", {"run '" + text + "'"}, text, text, marks};
      ASSERT_EQ(code_in(paste::page_text(page), marks), "") << entry.names.front() << ": " << text;
    }
  }
}

}  // namespace
}  // namespace pbotvm::service
