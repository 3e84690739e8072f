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

// What the rules make of the option at a place, and the word behind it where that is its value.
template <class Rule>
struct Verdict {
  std::string text;  // the option, with its value
  bool takes_value = false, has_value = false;
  const Rule* allows = nullptr;   // the first that does
  const Rule* refuses = nullptr;  // likewise

  bool lacks_value() const { return takes_value && !has_value; }
  bool allowed() const { return allows != nullptr && refuses == nullptr && !lacks_value(); }
};

template <class Rule>
Verdict<Rule> judge(const std::vector<Rule>& rules, const std::vector<std::string>& options, std::size_t at) {
  Verdict<Rule> verdict;
  const std::string& option = options[at];
  verdict.takes_value = std::any_of(rules.begin(), rules.end(),
                                    [&](const Rule& rule) { return rule.takes_value && rule.option == option; });
  verdict.has_value = verdict.takes_value && at + 1 < options.size();
  const std::string value = verdict.has_value ? options[at + 1] : "";
  verdict.text = option + (verdict.has_value ? " " + value : "");
  for (const Rule& rule : rules) {
    if (rule.takes_value != verdict.takes_value || !matches(rule.option, option)) continue;
    if (verdict.takes_value && !matches(rule.value, value)) continue;
    const Rule*& first = rule.refuses ? verdict.refuses : verdict.allows;
    if (first == nullptr) first = &rule;
  }
  return verdict;
}

template <class Rule>
std::optional<Verdict<Rule>> first_not_allowed(const std::vector<Rule>& rules,
                                               const std::vector<std::string>& options) {
  for (std::size_t at = 0; at < options.size(); ++at) {
    auto verdict = judge(rules, options, at);
    if (!verdict.allowed()) return verdict;
    if (verdict.has_value) ++at;
  }
  return std::nullopt;
}

template <class Rule>
std::string pattern_of(const Rule& rule) {
  return rule.option + (rule.takes_value ? " " + rule.value : "");
}

template <class Rule>
std::string list_of_allowed(const std::vector<Rule>& rules) {
  std::string text;
  std::size_t named = 0;
  for (const Rule& rule : rules) {
    if (rule.refuses) continue;
    if (named == max_named) return text + ", ...";
    text += (named++ == 0 ? "allowed are " : ", ") + pattern_of(rule);
  }
  return named == 0 ? "it takes none." : text;
}

// These are the host's, which has taken them from where it reads them.
bool is_of_the_request(std::string_view option) {
  return option.starts_with("-lang=") || option.starts_with("-vm=");
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
  const auto refused = first_not_allowed(rules_, options);
  return refused ? refused->text : "";
}

std::string ToolOptions::refusal(std::string_view language, const std::vector<std::string>& options) const {
  const auto refused = first_not_allowed(rules_, options);
  if (!refused) return {};
  const std::string begin = "Option '" + printable(refused->text) + "' ";
  const std::string for_language = "for language '" + std::string(language) + "'";
  if (refused->lacks_value()) return begin + "needs a value " + for_language + ": a word behind it.";
  std::string text = begin + "is not allowed " + for_language + "; ";
  if (is_of_the_request(refused->text)) return text + "it stands in front of the language's options.";
  if (refused->allows != nullptr && refused->refuses != nullptr)
    return text + "of " + pattern_of(*refused->allows) + ", " + pattern_of(*refused->refuses) + " is excluded.";
  return text + list_of_allowed(rules_);
}

PBOTVM_END_NAMESPACE
