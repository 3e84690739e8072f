// SPDX-License-Identifier: MIT
#include "last_value.h"

#include <algorithm>
#include <array>
#include <set>

#include "c_words.h"
#include "compiler_lines.h"
#include "cpp_items.h"

namespace pbotvm::c {

namespace {

constexpr std::size_t max_variables = 8;
constexpr std::size_t max_expression = 8192;  // bytes; C repeats it
constexpr std::size_t max_text = 200;         // bytes of it that are shown
constexpr std::size_t max_typedef = 200;      // tokens

// `struct s { int a; }`, but not `(struct s){1}`.
bool defines_type(const std::vector<Token>& tokens, std::size_t at) {
  if (!tokens[at].is_word() || !is_class_key(tokens[at].text)) return false;
  for (++at; at < tokens.size() && !tokens[at].opens_brace(); at = group_end(tokens, at) + 1)
    if (!tokens[at].is_word() && !tokens[at].is("(") && !tokens[at].is("[")) return false;
  return at < tokens.size();
}

bool defines_type(std::string_view directive) {
  const std::vector<Token> tokens = tokenize(directive.substr(1));
  for (std::size_t at = 0; at < tokens.size(); ++at)
    if (defines_type(tokens, at)) return true;
  return false;
}

class Reader {
 public:
  Reader(const std::vector<Token>& tokens, const std::vector<Item>& statements, bool cplusplus)
      : tokens_(tokens), statements_(statements), cplusplus_(cplusplus) {
    for (std::size_t at = 0; at < tokens_.size(); ++at) find_name(at);
  }

  LastValue run() {
    if (statements_.empty() || !is_sound()) return {};
    const Item& last = statements_.back();
    const Token& first = tokens_[last.first];
    if (last.kind != ItemKind::statement || first.is(";") || first.closes_brace()) return {};
    if (first.opens_brace() || begins_block(first.text)) return variables();
    if (block_macros_.count(first.text) != 0) return variables();
    const std::size_t end = behind(last);
    if (first.is_word() && begins_nothing(last.first, end)) return {};
    if (declares(last.first, end)) return variables();
    return expression(last.first, end - 1);
  }

 private:
  void find_name(std::size_t at) {
    const Token& token = tokens_[at];
    if (token.kind == TokenKind::directive) {
      const std::string_view body = macro_first_word(token.text);
      const bool statement = token.text.find(';') != std::string_view::npos ||
                             token.text.find('{') != std::string_view::npos || is_type_word(body) || is_specifier(body);
      if (begins_block(body)) block_macros_.insert(macro_name(token.text));
      if (statement) statement_macros_.insert(macro_name(token.text));
      if (defines_type(token.text)) type_macros_.insert(macro_name(token.text));
    } else if (token.is("typedef")) {
      std::size_t end = at;
      const std::size_t stop = std::min(tokens_.size(), at + max_typedef);
      while (end < stop && !tokens_[end].is(";")) end = group_end(tokens_, end) + 1;
      if (end > at && end < tokens_.size() && tokens_[end - 1].is_word()) types_.insert(tokens_[end - 1].text);
    } else if (at > 0 && token.is_word() &&
               (is_class_key(tokens_[at - 1].text) || tokens_[at - 1].is("using") || tokens_[at - 1].is("typename"))) {
      types_.insert(token.text);
    }
  }

  // No brackets without partners, no directives and no comment without an end in the last statement.
  bool is_sound() const {
    const Item& last = statements_.back();
    for (std::size_t at = last.first; at <= last.last; ++at) {
      if (tokens_[at].kind == TokenKind::directive || tokens_[at].text.substr(0, 2) == "/*") return false;
      if (tokens_[at].kind != TokenKind::punctuation) continue;
      const std::string_view text = tokens_[at].text;
      const bool bracket = text.size() == 1 && std::string_view("()[]{}").find(text) != std::string_view::npos;
      const std::size_t partner = tokens_[at].partner;
      if (bracket && (partner == at || partner < last.first || partner > last.last || tokens_[partner].partner != at))
        return false;
    }
    return true;
  }

  // Behind the last token that is no semicolon.
  std::size_t behind(const Item& item) const { return tokens_[item.last].is(";") ? item.last : item.last + 1; }

  bool word(std::size_t at, std::size_t end) const { return at < end && tokens_[at].is_word(); }
  bool sees(std::size_t at, std::string_view text) const { return at < tokens_.size() && tokens_[at].is(text); }

  // return, labels, using, macros that are statements; and what prints for certain.
  bool begins_nothing(std::size_t first, std::size_t end) const {
    const std::string_view begin = tokens_[first].text;
    constexpr std::array<std::string_view, 4> values = {"sizeof", "alignof", "_Alignof", "_Generic"};
    constexpr std::array<std::string_view, 3> more = {"new", "this", "not"};
    const bool value = std::find(values.begin(), values.end(), begin) != values.end() ||
                       (cplusplus_ && std::find(more.begin(), more.end(), begin) != more.end());
    if (begins_expression(begin) && !value) return true;
    if (sees(first + 1, ":") || statement_macros_.count(begin) != 0) return true;
    constexpr std::array<std::string_view, 13> rest = {"using", "namespace", "typedef", "template", "printf",
                                                       "puts",  "putchar",   "fprintf", "fputs",    "exit",
                                                       "abort", "assert",    "perror"};
    if (std::find(rest.begin(), rest.end(), begin) != rest.end()) return true;
    std::size_t stream = first;
    if (cplusplus_ && sees(stream, "std") && sees(stream + 1, "::")) stream += 2;
    return cplusplus_ && stream + 1 < end && (sees(stream, "cout") || sees(stream, "cerr")) && sees(stream + 1, "<<");
  }

  // Behind `std::vector<int>` or `unsigned long`, which begins at `at`; `at` where nothing of the kind does.
  std::size_t behind_type(std::size_t at, std::size_t end) const {
    if (!cplusplus_) return word(at, end) ? at + 1 : at;
    if (sees(at, "::")) ++at;
    while (word(at, end)) {
      ++at;
      if (sees(at, "<")) at = behind_angles(tokens_, at).value_or(at);
      if (!sees(at, "::")) break;
      ++at;
    }
    return at;
  }

  bool declares(std::size_t first, std::size_t end) const {
    const Token& begin = tokens_[first];
    if (begin.is("[") && sees(first + 1, "[")) return true;
    if (!begin.is_word() && !begin.is("::")) return false;
    if (is_specifier(begin.text) || is_class_key(begin.text) || begin.is("_Static_assert")) return true;
    if (is_type_word(begin.text)) return !cplusplus_ || (!sees(first + 1, "(") && !sees(first + 1, "{"));
    std::size_t at = behind_type(first, end);
    if (word(at, end) && !is_operator_word(tokens_[at].text)) return true;
    bool pointer = false;
    while (at < end &&
           (tokens_[at].is("*") || tokens_[at].is("&") || tokens_[at].is("&&") || tokens_[at].is("const"))) {
      pointer = true;
      ++at;
    }
    if (!pointer || !word(at, end)) return false;
    const bool known = types_.count(begin.text) != 0 || begins_type_name(begin.text);
    return known || (at + 1 < end && (tokens_[at + 1].is("=") || tokens_[at + 1].opens_brace()));
  }

  static bool is_operator_word(std::string_view text) {
    constexpr std::array<std::string_view, 11> all = {"and",    "or",    "xor",    "bitand", "bitor", "not_eq",
                                                      "and_eq", "or_eq", "xor_eq", "compl",  "if"};
    return std::find(all.begin(), all.end(), text) != all.end();
  }

  // ---- variables

  LastValue variables() const {
    LastValue value;
    value.kind = LastValue::Kind::variables;
    for (const Item& item : statements_) {
      if (item.kind == ItemKind::directive || tokens_[item.first].opens_brace()) continue;
      const std::string_view begin = tokens_[item.first].text;
      if (tokens_[item.first].is_word() && (begins_block(begin) || begins_nothing(item.first, behind(item)))) continue;
      if (item.kind == ItemKind::tagged) {
        read_declarators(tokens_[item.body].partner + 1, behind(item), value.variables);
      } else if (begin != "typedef" && begin != "using" && begin != "register" && declares(item.first, behind(item))) {
        read_declaration(item.first, behind(item), value.variables);
      }
    }
    if (value.variables.empty()) return {};
    if (value.variables.size() > max_variables)
      value.variables.erase(value.variables.begin(), value.variables.end() - max_variables);
    return value;
  }

  void read_declaration(std::size_t first, std::size_t end, std::vector<ShownVariable>& found) const {
    std::size_t at = first;
    while (at < end && (is_specifier(tokens_[at].text) || is_class_key(tokens_[at].text))) {
      if (tokens_[at].is("extern") || tokens_[at].is("register")) return;
      ++at;
    }
    while (word(at, end) && is_type_word(tokens_[at].text) && word(at + 1, end) &&
           (is_type_word(tokens_[at + 1].text) || is_specifier(tokens_[at + 1].text)))
      ++at;
    read_declarators(behind_type(at, end), end, found);
  }

  // `*p = 0, a[3] = {1}, v{1, 2}, s("x")`: those with a value.
  void read_declarators(std::size_t at, std::size_t end, std::vector<ShownVariable>& found) const {
    while (at < end) {
      std::size_t stop = at;
      while (stop < end && !tokens_[stop].is(",")) stop = step(stop, end);
      read_declarator(at, stop, found);
      at = stop + 1;
    }
  }

  std::size_t step(std::size_t at, std::size_t end) const { return std::min(group_end(tokens_, at) + 1, end); }

  void read_declarator(std::size_t at, std::size_t end, std::vector<ShownVariable>& found) const {
    while (at < end && (tokens_[at].is("*") || tokens_[at].is("&") || tokens_[at].is("&&") || tokens_[at].is("const")))
      ++at;
    if (!word(at, end)) return;
    ShownVariable variable{std::string(tokens_[at].text), false};
    if (is_type_word(variable.text) || is_specifier(variable.text)) return;
    std::size_t dimensions = 0;
    for (++at; at < end && tokens_[at].is("["); at = step(at, end)) ++dimensions;
    const bool initialized =
        at < end &&
        (tokens_[at].is("=") || (cplusplus_ && (tokens_[at].opens_brace() || (tokens_[at].is("(") && at + 1 < end))));
    if (!initialized || (dimensions > 1 && !cplusplus_)) return;
    variable.array = dimensions == 1;
    found.push_back(std::move(variable));
  }

  // ---- expressions

  LastValue expression(std::size_t first, std::size_t last) const {
    if (last + 1 <= first || tokens_[last].end - tokens_[first].begin > max_expression) return {};
    std::size_t assigned = 0;
    for (std::size_t at = first; at <= last; at = group_end(tokens_, at) + 1) {
      if (tokens_[at].is(",") || tokens_[at].is(";")) return {};
      if (tokens_[at].assigns() && assigned == 0) assigned = at;
    }
    if (!cplusplus_)
      for (std::size_t at = first; at < last; ++at)
        if (tokens_[at].is("(") && tokens_[at + 1].opens_brace()) return {};  // a GNU statement expression
    if (!cplusplus_)
      for (std::size_t at = first; at <= last; ++at)  // each time it would be another one
        if (defines_type(tokens_, at) || type_macros_.count(tokens_[at].text) != 0) return {};
    if (assigned != 0) return assigned > first ? target(first, assigned - 1) : LastValue{};
    if (tokens_[last].is("++") || tokens_[last].is("--")) return target(first, last - 1);
    if (tokens_[first].is("++") || tokens_[first].is("--")) return target(first + 1, last);
    LastValue value;
    value.kind = LastValue::Kind::expression;
    value.first = first;
    value.last = last;
    value.text = cut(text(first, last));
    return value;
  }

  // What an assignment changes, where looking at it changes nothing: x, a[i], p->x, *p.
  LastValue target(std::size_t first, std::size_t last) const {
    if (first > last) return {};
    for (std::size_t at = first; at <= last; ++at) {
      const Token& token = tokens_[at];
      const bool quiet = token.is_word() || token.kind == TokenKind::number || token.is("[") || token.is("]") ||
                         token.is(".") || token.is("->") || token.is("*") || token.is("+") || token.is("-") ||
                         token.is("::");
      if (!quiet) return {};
    }
    LastValue value;
    value.kind = LastValue::Kind::variables;
    value.variables.push_back({text(first, last), false});
    return value.variables.front().text.size() > max_text ? LastValue{} : value;
  }

  // On one line, a blank where there was room.
  std::string text(std::size_t first, std::size_t last) const {
    std::string joined;
    for (std::size_t at = first; at <= last; ++at) {
      if (at > first && tokens_[at].begin > tokens_[at - 1].end) joined += ' ';
      joined += tokens_[at].text;
    }
    return joined;
  }

  static std::string cut(std::string text) {
    return text.size() <= max_text ? text : std::string(c::cut(text, max_text)) + "...";
  }

  const std::vector<Token>& tokens_;
  const std::vector<Item>& statements_;
  bool cplusplus_;
  std::set<std::string_view> types_, block_macros_, statement_macros_, type_macros_;
};

}  // namespace

LastValue last_value(const std::vector<Token>& tokens, const std::vector<Item>& statements, bool cplusplus) {
  return Reader(tokens, statements, cplusplus).run();
}

}  // namespace pbotvm::c
