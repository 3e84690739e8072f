// SPDX-License-Identifier: MIT
#include "c_items.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include "c_words.h"

namespace pbotvm::c {

namespace {

constexpr std::size_t old_style_parameters = 256;  // tokens that are looked at behind `f(a, b)` for `int a, b; {`

class Splitter {
 public:
  explicit Splitter(const std::vector<Token>& tokens) : tokens_(tokens) { find_block_macros(); }

  std::vector<Item> run() {
    std::vector<Item> items;
    for (std::size_t at = 0; at < tokens_.size(); at = items.back().last + 1) items.push_back(read(at));
    return items;
  }

 private:
  // Macros that begin a loop or the like: FOREACH(x) { ... } is no function.
  void find_block_macros() {
    for (const Token& token : tokens_)
      if (token.kind == TokenKind::directive && begins_block(macro_first_word(token.text)))
        block_macros_.insert(macro_name(token.text));
  }

  std::size_t skip(std::size_t at) const { return group_end(tokens_, at); }

  Item read(std::size_t first) const {
    const Token& token = tokens_[first];
    if (token.kind == TokenKind::directive) return {ItemKind::directive, first, first};
    if (token.opens_brace()) return {ItemKind::statement, first, skip(first)};
    if (token.closes_brace()) return {ItemKind::statement, first, first};
    if (begins_block(token.text) || block_macros_.count(token.text) != 0) return read_block(first);
    return read_declaration(first);
  }

  Item read_block(std::size_t first) const {
    bool assigns = false;
    for (std::size_t at = first; at < tokens_.size(); at = skip(at) + 1) {
      if (tokens_[at].is(";")) return {ItemKind::statement, first, at};
      if (tokens_[at].assigns()) assigns = true;
      if (tokens_[at].opens_brace() && !assigns) return {ItemKind::statement, first, skip(at)};
    }
    return unfinished(first);
  }

  // Anything that ends with a semicolon, or with the body of a function.
  Item read_declaration(std::size_t first) const {
    bool assigns = false;
    std::size_t type = 0, body = 0;
    const bool attribute = tokens_[first].is("[") && first + 1 < tokens_.size() && tokens_[first + 1].is("[");
    const bool may_declare = attribute || (tokens_[first].is_word() && !begins_expression(tokens_[first].text));
    for (std::size_t at = first; at < tokens_.size(); at = skip(at) + 1) {
      if (tokens_[at].is(";")) {
        if (may_declare && !assigns)
          if (const auto brace = old_style_body(first, at)) return function(first, *brace);
        return classify(first, at, type, body);
      }
      if (tokens_[at].assigns()) assigns = true;
      if (!tokens_[at].opens_brace() || assigns || !may_declare) continue;
      if (const auto keyword = body == 0 ? type_of_body(first, at) : std::nullopt) {
        type = *keyword;
        body = at;
      } else if (function_name(first, at)) {
        return function(first, at);
      } else {
        return {ItemKind::statement, first, skip(at)};
      }
    }
    return classify_unfinished(first, type, body);
  }

  Item unfinished(std::size_t first) const {
    Item item{ItemKind::statement, first, tokens_.size() - 1};
    item.ended = tokens_.back().kind == TokenKind::directive;
    return item;
  }

  Item classify_unfinished(std::size_t first, std::size_t type, std::size_t body) const {
    Item item = classify(first, tokens_.size() - 1, type, body);
    item.ended = tokens_.back().kind == TokenKind::directive;
    return item;
  }

  Item function(std::size_t first, std::size_t brace) const {
    Item item{ItemKind::function, first, skip(brace)};
    item.name = function_name(first, brace).value_or(first);
    return item;
  }

  // `struct`, `struct tag`, `enum tag : int`, with attributes, before a brace: where the keyword stands.
  std::optional<std::size_t> type_of_body(std::size_t first, std::size_t brace) const {
    constexpr std::size_t near = 16;
    for (std::size_t at = brace; at > first && brace - at < near;) {
      --at;
      if (is_class_key(tokens_[at].text)) return at;
      if (tokens_[at].is(")") && tokens_[at].partner > first &&
          takes_parenthesis(tokens_[tokens_[at].partner - 1].text)) {
        at = tokens_[at].partner;
      } else if (!tokens_[at].is_word() && !tokens_[at].is(":")) {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  // The name of the function that the tokens from `first` to before `end` declare, if nothing else stands there.
  std::optional<std::size_t> function_name(std::size_t first, std::size_t end) const {
    std::optional<std::size_t> name;
    for (std::size_t at = first; at < end; at = skip(at) + 1) {
      const Token& token = tokens_[at];
      if (token.is_word()) {
        const bool called = at + 1 < end && tokens_[at + 1].is("(");
        if (called && !takes_parenthesis(token.text) && !name) name = at;
      } else if (token.is("(")) {
        if (!name && !(at > first && takes_parenthesis(tokens_[at - 1].text))) name = name_inside(at);
        if (!name && !(at > first && takes_parenthesis(tokens_[at - 1].text))) return std::nullopt;
      } else if (!token.is("*") && !token.is("[") && !token.is(",") && !token.is(";") && !token.opens_brace()) {
        return std::nullopt;
      }
    }
    return name;
  }

  // Of a declarator in parentheses: `(f)`, `(*f(int a))`.
  std::optional<std::size_t> name_inside(std::size_t open) const {
    const std::size_t close = skip(open);
    std::size_t at = open + 1;
    while (at < close && tokens_[at].is("*")) ++at;
    if (at >= close || !tokens_[at].is_word()) return std::nullopt;
    const bool only = at + 1 == close && at == open + 1;
    return only || tokens_[at + 1].is("(") ? std::optional(at) : std::nullopt;
  }

  // The body of `int f(a, b) int a, b; {`, whose first semicolon stands at `semicolon`.
  std::optional<std::size_t> old_style_body(std::size_t first, std::size_t semicolon) const {
    std::size_t open = first;
    while (open < semicolon && !tokens_[open].is("(")) ++open;
    if (open == semicolon || open < first + 1 || !tokens_[open - 1].is_word() || skip(open) + 1 >= semicolon) return {};
    if (!tokens_[skip(open) + 1].is_word() || takes_parenthesis(tokens_[skip(open) + 1].text)) return {};
    for (std::size_t at = open + 1; at < skip(open); ++at)
      if (!tokens_[at].is_word() && !tokens_[at].is(",")) return {};
    const std::size_t stop = std::min(tokens_.size(), semicolon + old_style_parameters);
    for (std::size_t at = semicolon; at < stop; at = skip(at) + 1) {
      const Token& token = tokens_[at];
      if (token.opens_brace()) return tokens_[at - 1].is(";") ? std::optional(at) : std::nullopt;
      const bool declares =
          token.is_word() || token.is("*") || token.is(",") || token.is(";") || token.is("[") || token.is("(");
      if (!declares || (token.is_word() && (begins_block(token.text) || begins_expression(token.text)))) return {};
    }
    return {};
  }

  // What a finished declaration or statement is.
  Item classify(std::size_t first, std::size_t last, std::size_t type, std::size_t body) const {
    Item item{ItemKind::statement, first, last};
    const std::string_view begin = tokens_[first].text;
    if (begin == "typedef" || begin == "static" || begin == "extern" || begin == "_Noreturn" || begin == "inline") {
      item.kind = ItemKind::declaration;
    } else if (body != 0) {
      classify_type(item, type, body);
    } else if (tokens_[first].is_word() && !begins_expression(begin) && is_prototype(first, last)) {
      item.kind = ItemKind::declaration;
    }
    return item;
  }

  void classify_type(Item& item, std::size_t type, std::size_t body) const {
    std::size_t behind = skip(body) + 1;
    while (behind + 1 < tokens_.size() && takes_parenthesis(tokens_[behind].text)) behind = skip(behind + 1) + 1;
    bool is_typedef = false;
    for (std::size_t at = item.first; at < type; ++at) is_typedef = is_typedef || tokens_[at].is("typedef");
    if (behind >= item.last || is_typedef) {
      item.kind = ItemKind::declaration;
    } else if (body == type + 2 && behind == skip(body) + 1) {
      item.kind = ItemKind::tagged;
      item.type = type;
      item.body = body;
    }
  }

  // `int f(int);` and `struct s *f(void);`, but not `f(x);`.
  bool is_prototype(std::size_t first, std::size_t last) const {
    const auto name = function_name(first, last);
    return name && *name > first;
  }

  const std::vector<Token>& tokens_;
  std::set<std::string_view> block_macros_;
};

}  // namespace

std::vector<Item> split_items(const std::vector<Token>& tokens) {
  return Splitter(tokens).run();
}

}  // namespace pbotvm::c
