// SPDX-License-Identifier: MIT
#include "pbotvm/tool_options.h"

#include <algorithm>
#include <optional>

#include "pbotvm/error.h"
#include "pbotvm/reply_text.h"

PBOTVM_BEGIN_NAMESPACE

namespace {

constexpr std::size_t max_named = 20;  // rules that a refusal names

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// With one star to go back to at a time, which is enough: a later star makes an earlier one's choice final.
bool matches(std::string_view pattern, std::string_view text) {
  if (std::any_of(text.begin(), text.end(), is_control)) return false;
  std::size_t p = 0, t = 0;
  std::optional<std::size_t> star;
  std::size_t behind_star = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      behind_star = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star) {
      p = *star + 1;
      t = ++behind_star;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace

ToolOptions::ToolOptions(std::vector<std::string> rules) {
  for (std::string& text : rules) {
    Rule rule;
    const std::string whole = text;
    if (text.starts_with('!')) {
      rule.refuses = true;
      text.erase(0, 1);
    }
    const auto blank = text.find(' ');
    rule.option = text.substr(0, blank);
    if (blank != std::string::npos) {
      rule.takes_value = true;
      rule.value = text.substr(blank + 1);
    }
    if (!rule.option.starts_with('-') || rule.option.size() < 2 || rule.value.find(' ') != std::string::npos ||
        rule.takes_value == rule.value.empty())
      throw Error(ErrorCode::configuration, "'" + whole + "' is no rule for options",
                  "write one such as -w, -W*, \"-include *\" or \"!-Wl,*\"");
    rules_.push_back(std::move(rule));
  }
}

std::vector<std::string> ToolOptions::rules() const {
  std::vector<std::string> texts;
  for (const Rule& rule : rules_)
    texts.push_back((rule.refuses ? "!" : "") + rule.option + (rule.takes_value ? " " + rule.value : ""));
  return texts;
}

std::vector<std::string_view> ToolOptions::with_value() const {
  std::vector<std::string_view> options;
  for (const Rule& rule : rules_)
    if (rule.takes_value) options.push_back(rule.option);
  return options;
}

std::string ToolOptions::first_refused(const std::vector<std::string>& options) const {
  for (std::size_t i = 0; i < options.size(); ++i) {
    const bool takes_value = std::any_of(
        rules_.begin(), rules_.end(), [&](const Rule& rule) { return rule.takes_value && rule.option == options[i]; });
    const bool has_value = takes_value && i + 1 < options.size();
    const std::string value = has_value ? options[i + 1] : "";
    bool allowed = false, refused = takes_value && !has_value;
    for (const Rule& rule : rules_) {
      if (rule.takes_value != takes_value || !matches(rule.option, options[i])) continue;
      if (takes_value && !matches(rule.value, value)) continue;
      (rule.refuses ? refused : allowed) = true;
    }
    if (refused || !allowed) return options[i] + (has_value ? " " + value : "");
    if (has_value) ++i;
  }
  return {};
}

std::string ToolOptions::refusal(std::string_view language, const std::vector<std::string>& options) const {
  const std::string refused = first_refused(options);
  if (refused.empty()) return {};
  std::string text =
      "Option '" + printable(refused) + "' is not allowed for language '" + std::string(language) + "'; ";
  std::size_t named = 0;
  for (const Rule& rule : rules_) {
    if (rule.refuses) continue;
    if (named == max_named) return text + ", ...";
    text += (named++ == 0 ? "allowed are " : ", ") + rule.option + (rule.takes_value ? " " + rule.value : "");
  }
  return named == 0 ? text + "it takes none." : text;
}

PBOTVM_END_NAMESPACE
