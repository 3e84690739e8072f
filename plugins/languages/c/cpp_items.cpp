// SPDX-License-Identifier: MIT
#include "cpp_items.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "c_words.h"

namespace pbotvm::c {

namespace {

constexpr std::size_t longest_angles = 400;  // tokens that are looked at for the end of a template's arguments
constexpr std::size_t longest_head = 500;    // tokens of a function before its body

class CppSplitter {
 public:
  explicit CppSplitter(const std::vector<Token>& tokens) : tokens_(tokens) { find_names(); }

  std::vector<Item> run() {
    std::vector<Item> items;
    for (std::size_t at = 0; at < tokens_.size(); at = items.back().last + 1) items.push_back(read(at));
    return items;
  }

 private:
  // Macros that begin a loop or the like, and the snippet's own types.
  void find_names() {
    for (std::size_t at = 0; at < tokens_.size(); ++at) {
      const Token& token = tokens_[at];
      if (token.kind == TokenKind::directive && begins_block(macro_first_word(token.text)))
        block_macros_.insert(macro_name(token.text));
      const bool names = is_class_key(token.text) || token.is("using") || token.is("typename") || token.is("concept");
      if (token.is_word() && names && word(at + 1)) types_.insert(tokens_[at + 1].text);
    }
  }

  bool word(std::size_t at) const { return at < tokens_.size() && tokens_[at].is_word(); }
  bool sees(std::size_t at, std::string_view text) const { return at < tokens_.size() && tokens_[at].is(text); }
  std::size_t skip(std::size_t at) const { return group_end(tokens_, at); }

  Item item(ItemKind kind, std::size_t first, std::size_t last) const {
    Item made{kind, first, std::min(last, tokens_.size() - 1)};
    made.ended = last < tokens_.size() || tokens_.back().kind == TokenKind::directive;
    return made;
  }

  Item read(std::size_t first) const {
    const Token& token = tokens_[first];
    if (token.kind == TokenKind::directive) return item(ItemKind::directive, first, first);
    if (token.opens_brace()) return item(ItemKind::statement, first, skip(first));
    if (token.closes_brace()) return item(ItemKind::statement, first, first);
    if (!token.is_word()) return read_declaration(first);
    if (begins_block(token.text) || block_macros_.count(token.text) != 0) return read_block(first);
    if (token.is("namespace") || (token.is("inline") && sees(first + 1, "namespace")) || is_linkage(first))
      return read_scope(first);
    if (token.is("using") || token.is("typedef")) return item(ItemKind::declaration, first, statement_end(first));
    return read_declaration(first);
  }

  bool is_linkage(std::size_t at) const {
    return sees(at, "extern") && at + 2 < tokens_.size() && tokens_[at + 1].kind == TokenKind::literal &&
           tokens_[at + 2].opens_brace();
  }

  // The semicolon, outside of all brackets; tokens_.size() when there is none.
  std::size_t statement_end(std::size_t at) const {
    while (at < tokens_.size() && !tokens_[at].is(";")) at = skip(at) + 1;
    return at;
  }

  // namespace a::b { ... }, namespace c = d;
  Item read_scope(std::size_t first) const {
    for (std::size_t at = first; at < tokens_.size(); at = skip(at) + 1) {
      if (tokens_[at].is(";")) return item(ItemKind::declaration, first, at);
      if (tokens_[at].opens_brace()) return item(ItemKind::declaration, first, skip(at));
    }
    return item(ItemKind::declaration, first, tokens_.size());
  }

  // A statement with statements in it; the last of them ends it.
  Item read_block(std::size_t first) const {
    std::size_t at = first;
    while (at < tokens_.size()) {
      const Token& token = tokens_[at];
      if (token.opens_brace()) return item(ItemKind::statement, first, skip(at));
      if (token.is("do") || token.is("else") || token.is("try")) {
        ++at;
      } else if (token.is("case") || token.is("default")) {
        while (at < tokens_.size() && !tokens_[at].is(":") && !tokens_[at].is(";")) at = skip(at) + 1;
        ++at;
      } else if (token.is_word() && (begins_block(token.text) || block_macros_.count(token.text) != 0)) {
        ++at;
        if (sees(at, "constexpr")) ++at;
        if (sees(at, "(")) at = skip(at) + 1;
      } else {
        return item(ItemKind::statement, first, statement_end(at));
      }
    }
    return item(ItemKind::statement, first, tokens_.size());
  }

  Item read_declaration(std::size_t first) const {
    const std::size_t start = behind_template(first);
    const bool is_template = start != first;
    if (const auto body = class_body(start)) return read_class(first, *body);
    bool assigned = false;
    for (std::size_t at = start; at < tokens_.size();) {
      const Token& token = tokens_[at];
      if (token.is("operator")) {
        at = behind_operator(at);
        continue;
      }
      if (token.is(";")) return classify(first, at, is_template);
      assigned = assigned || token.assigns();
      const bool may_be_body =
          !assigned && at - start < longest_head && (token.opens_brace() || token.is(":") || token.is("try"));
      if (may_be_body)
        if (const auto body = function_body(start, at)) return read_function(first, start, *body);
      at = next(at);
    }
    return classify(first, tokens_.size(), is_template);
  }

  // Behind the token at `at` with what it opens; a name takes its template arguments along.
  std::size_t next(std::size_t at) const {
    if (tokens_[at].is_word() && sees(at + 1, "<"))
      if (const auto behind = behind_angles(tokens_, at + 1)) return *behind;
    return skip(at) + 1;
  }

  // template <class T> requires ..., template <>, and attributes.
  std::size_t behind_template(std::size_t at) const {
    while (sees(at, "template") && sees(at + 1, "<")) {
      at = behind_angles(tokens_, at + 1).value_or(at + 2);
      if (sees(at, "requires")) at = behind_constraint(at + 1);
    }
    return at;
  }

  // (a || b) && c<T>
  std::size_t behind_constraint(std::size_t at) const {
    while (at < tokens_.size()) {
      if (sees(at, "requires")) {  // requires (T a) { ... }
        ++at;
        if (sees(at, "(")) at = skip(at) + 1;
      }
      while (word(at) && sees(at + 1, "::")) at = next(at) + 1;
      if (at < tokens_.size()) at = next(at);
      if (!sees(at, "&&") && !sees(at, "||") && !sees(at, "::")) return at;
      ++at;
    }
    return at;
  }

  // The parameters' parenthesis behind operator(), operator new[], operator""_x, operator bool ...
  std::size_t behind_operator(std::size_t at) const {
    ++at;
    if (sees(at, "(") && skip(at) == at + 1) return at + 2;
    while (at < tokens_.size() && !tokens_[at].is("(") && !tokens_[at].is(";") && !tokens_[at].opens_brace())
      at = skip(at) + 1;
    return at;
  }

  std::size_t behind_attributes(std::size_t at) const {
    for (;;) {
      if (sees(at, "[") && sees(at + 1, "[")) {
        at = skip(at) + 1;
      } else if (word(at) && takes_parenthesis(tokens_[at].text) && sees(at + 1, "(")) {
        at = skip(at + 1) + 1;
      } else {
        return at;
      }
    }
  }

  // The brace of `class A final : public B<int> {`, `enum class e : int {`, if the definition of a type begins here.
  std::optional<std::size_t> class_body(std::size_t at) const {
    at = behind_attributes(at);
    while (word(at) && is_specifier(tokens_[at].text)) at = behind_attributes(at + 1);
    if (!word(at) || !is_class_key(tokens_[at].text)) return std::nullopt;
    if (word(at + 1) && is_class_key(tokens_[at + 1].text)) ++at;
    at = behind_attributes(at + 1);
    if (word(at)) at = next(at);
    while (sees(at, "::") && word(at + 1)) at = next(at + 1);
    if (sees(at, "final")) ++at;
    if (sees(at, ":"))
      while (at < tokens_.size() && !tokens_[at].opens_brace() && !tokens_[at].is(";")) at = next(at);
    if (at < tokens_.size() && tokens_[at].opens_brace()) return at;
    return std::nullopt;
  }

  // With the variables that it may define as well: they are the functions' to use.
  Item read_class(std::size_t first, std::size_t body) const {
    return item(ItemKind::declaration, first, statement_end(skip(body) + 1));
  }

  Item read_function(std::size_t first, std::size_t start, std::size_t body) const {
    std::size_t last = skip(body);
    while (sees(last + 1, "catch") && sees(last + 2, "(")) {
      const std::size_t brace = skip(last + 2) + 1;
      if (brace >= tokens_.size() || !tokens_[brace].opens_brace()) break;
      last = skip(brace);
    }
    Item made = item(ItemKind::function, first, last);
    made.name = start;
    if (const auto open = parameters(start, body)) made.name = *open - 1;
    return made;
  }

  // The parenthesis of the parameters, if what stands from `start` to before `end` begins as a function does:
  // specifiers, a name, parameters.
  std::optional<std::size_t> parameters(std::size_t start, std::size_t end) const {
    for (std::size_t at = start; at < end;) {
      const Token& token = tokens_[at];
      if (token.is("operator")) {
        at = behind_operator(at);
        return at < end && tokens_[at].is("(") ? std::optional(at) : std::nullopt;
      }
      if (token.is("(")) return at > start && names_function(at - 1) ? std::optional(at) : std::nullopt;
      if (token.is_word()) {
        if (begins_expression(token.text)) return std::nullopt;
        const bool group = takes_parenthesis(token.text) && sees(at + 1, "(");
        at = group ? skip(at + 1) + 1 : next(at);
      } else if (token.is("[") && sees(at + 1, "[")) {
        at = skip(at) + 1;
      } else if (token.is("::") || token.is("*") || token.is("&") || token.is("&&") || token.is("~")) {
        ++at;
      } else {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  bool names_function(std::size_t at) const {
    if (tokens_[at].is(">")) return true;  // an explicit specialization: f<int>(...)
    return tokens_[at].is_word() && !is_type_word(tokens_[at].text);
  }

  // The body of the function that began at `start`, whose brace, list of initializers or `try` stands at `at`.
  std::optional<std::size_t> function_body(std::size_t start, std::size_t at) const {
    const auto open = parameters(start, at);
    if (!open || *open >= at || skip(*open) >= at) return std::nullopt;
    for (std::size_t behind = skip(*open) + 1; behind < at;) {
      const Token& token = tokens_[behind];
      const bool fits = token.is_word() || token.is("&") || token.is("&&") || token.is("->") || token.is("::") ||
                        token.is("*") || token.is("(") || token.is("[") || token.is("||") || token.is("...");
      if (!fits || begins_expression(token.text)) return std::nullopt;
      behind = next(behind);
    }
    if (sees(at, "try")) ++at;
    if (sees(at, ":")) at = behind_initializers(at + 1);
    if (at < tokens_.size() && tokens_[at].opens_brace()) return at;
    return std::nullopt;
  }

  // : a(1), B<int>{2}, rest(more)...
  std::size_t behind_initializers(std::size_t at) const {
    while (at < tokens_.size()) {
      while (word(at) || sees(at, "::")) at = word(at) ? next(at) : at + 1;
      if (at >= tokens_.size() || (!tokens_[at].is("(") && !tokens_[at].opens_brace())) return tokens_.size();
      at = skip(at) + 1;
      if (sees(at, "...")) ++at;
      if (!sees(at, ",")) return at;
      ++at;
    }
    return at;
  }

  Item classify(std::size_t first, std::size_t last, bool is_template) const {
    Item made = item(ItemKind::statement, first, last);
    const std::string_view begin = tokens_[first].text;
    constexpr std::array<std::string_view, 9> outside = {
        "extern", "static", "constexpr", "inline", "thread_local", "consteval", "constinit", "concept", "_Noreturn"};
    const bool lifted = std::find(outside.begin(), outside.end(), begin) != outside.end();
    const bool forward = is_class_key(begin) && last == first + 2;
    if (is_template || lifted || forward || is_constant(first, last) || is_member(first, last) ||
        is_prototype(first, last))
      made.kind = ItemKind::declaration;
    return made;
  }

  // const int n = 5; of nothing but literals.
  bool is_constant(std::size_t first, std::size_t last) const {
    if (!sees(first, "const")) return false;
    std::size_t at = first;
    while (at < last && !tokens_[at].assigns() && !tokens_[at].is("(") && !tokens_[at].opens_brace()) ++at;
    if (at >= last || !tokens_[at].assigns()) return false;
    for (++at; at < last; ++at)
      if (tokens_[at].is_word()) return false;
    return true;
  }

  // int A::count = 5;
  bool is_member(std::size_t first, std::size_t last) const {
    for (std::size_t at = first; at + 2 < last && (tokens_[at].is_word() || tokens_[at].is("*")); ++at) {
      if (!sees(at + 1, "::")) continue;
      const bool declares = at > first && types_.count(tokens_[at].text) != 0 && word(at + 2);
      return declares && (at + 3 == last || tokens_[at + 3].is("=") || tokens_[at + 3].opens_brace());
    }
    return false;
  }

  // `int f(int);` but neither `f(x);` nor `std::sort(a, b);` nor `std::string s(x);`.
  bool is_prototype(std::size_t first, std::size_t last) const {
    const auto open = parameters(first, std::min(last, tokens_.size()));
    if (!open) return false;
    std::size_t name = *open - 1;
    while (name > first + 1 && tokens_[name - 1].is("::")) name -= 2;
    if (name <= first || skip(*open) >= last) return false;
    for (std::size_t at = skip(*open) + 1; at < last; at = next(at)) {
      const Token& token = tokens_[at];
      const bool fits = token.is_word() || token.is("->") || token.is("::") || token.is("*") || token.is("&") ||
                        token.is("(") || token.is("=") || token.is("[");
      if (!fits) return false;
    }
    return are_parameters(*open);
  }

  bool are_parameters(std::size_t open) const {
    const std::size_t at = open + 1, close = skip(open);
    if (at >= close || tokens_[at].is("...")) return true;
    if (!tokens_[at].is_word()) return false;
    const std::string_view begin = tokens_[at].text;
    if (is_type_word(begin) || is_specifier(begin) || is_class_key(begin) || begins_type_name(begin)) return true;
    if (types_.count(begin) != 0 && !sees(at + 1, "(") && !sees(at + 1, "{")) return true;
    std::size_t behind = next(at);
    const bool angles = behind > at + 1;
    while (sees(behind, "::") && word(behind + 1)) behind = next(behind + 1);
    const bool declares = word(behind) || (angles && (sees(behind, "&") || sees(behind, "*") || behind == close));
    return declares;
  }

  const std::vector<Token>& tokens_;
  std::set<std::string_view> block_macros_, types_;
};

bool fits_angles(const Token& token) {
  if (token.kind == TokenKind::directive) return false;
  if (token.kind != TokenKind::punctuation) return true;
  constexpr std::array<std::string_view, 15> all = {"::", ",", "*", "&", "&&", "...", "<", ">",
                                                    "(",  "[", "-", "=", "~",  ">=",  "->"};
  return std::find(all.begin(), all.end(), token.text) != all.end();
}

// `T&` and `T&&` are types, `a & b` is none.
bool is_operation(const std::vector<Token>& tokens, std::size_t at) {
  if (!tokens[at].is("&&") && !tokens[at].is("&") && !tokens[at].is("*")) return false;
  if (at + 1 >= tokens.size()) return true;
  const Token& next = tokens[at + 1];
  return next.kind == TokenKind::number || next.kind == TokenKind::literal ||
         (next.is_word() && !next.is("const") && !next.is("volatile")) || tokens[at - 1].kind == TokenKind::number;
}

}  // namespace

std::optional<std::size_t> behind_angles(const std::vector<Token>& tokens, std::size_t at) {
  const bool declares = at > 0 && tokens[at - 1].is("template");  // where parameters may be named and have defaults
  const std::size_t stop = std::min(tokens.size(), at + longest_angles);
  std::size_t depth = 0;
  while (at < stop) {
    const Token& token = tokens[at];
    if (!fits_angles(token) || (!declares && (is_operation(tokens, at) || token.is("=") || token.is(">="))))
      return std::nullopt;
    if (token.is("<")) ++depth;
    if (token.is(">") && --depth == 0) return at + 1;
    at = group_end(tokens, at) + 1;
  }
  return std::nullopt;
}

std::vector<Item> split_cpp_items(const std::vector<Token>& tokens) {
  return CppSplitter(tokens).run();
}

}  // namespace pbotvm::c
