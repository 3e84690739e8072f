// SPDX-License-Identifier: MIT
#include "c_members.h"

#include <algorithm>
#include <array>
#include <optional>

#include "c_words.h"
#include "cpp_items.h"

namespace pbotvm::c {

namespace {

constexpr std::size_t max_structures = 8, max_members = 16;

class MemberReader {
 public:
  MemberReader(const std::vector<Token>& tokens, bool cplusplus) : tokens_(tokens), cplusplus_(cplusplus) {}

  std::optional<Structure> read(const Item& item) const {
    std::size_t at = item.first;
    const bool named = tokens_[at].is("typedef");
    if (named) ++at;
    if (at + 2 > item.last || !tokens_[at].is("struct")) return std::nullopt;
    std::string tag;
    if (tokens_[++at].is_word()) tag = tokens_[at++].text;
    if (at >= item.last || !tokens_[at].opens_brace() || tokens_[at].partner <= at) return std::nullopt;
    const std::size_t close = tokens_[at].partner;
    Structure found;
    if (!tag.empty()) found.type = cplusplus_ ? tag : "struct " + tag;
    const bool alone = named && close + 2 == item.last && tokens_[close + 1].is_word() && tokens_[item.last].is(";");
    if (alone) found.type = tokens_[close + 1].text;
    if (found.type.empty() || !read_members(at + 1, close, found.members)) return std::nullopt;
    return found;
  }

 private:
  bool read_members(std::size_t at, std::size_t close, std::vector<Member>& members) const {
    while (at < close) {
      std::size_t end = at;
      bool function = false;
      while (end < close && !tokens_[end].is(";") && !(function && tokens_[end].opens_brace())) {
        function = function || (cplusplus_ && tokens_[end].is("("));
        end = group_end(tokens_, end) + 1;
      }
      if (end >= close) return false;
      if (!function && !read_declaration(at, end, members)) return false;
      at = tokens_[end].is(";") ? end + 1 : group_end(tokens_, end) + 1;
    }
    return !members.empty() && members.size() <= max_members;
  }

  static bool is_refused(std::string_view word) {
    constexpr std::array<std::string_view, 12> all = {"static",   "friend",    "using",  "typedef",
                                                      "template", "operator",  "union",  "private",
                                                      "virtual",  "protected", "public", "enum"};
    return std::find(all.begin(), all.end(), word) != all.end();
  }

  // `unsigned long a, *b[3]`: each declarator ends with its name, and an initializer in C++.
  bool read_declaration(std::size_t at, std::size_t end, std::vector<Member>& members) const {
    bool value = false;
    std::size_t words = 0, dimensions = 0;
    Member member;
    for (; at <= end; at = tokens_[at].is("[") ? group_end(tokens_, at) + 1 : at + 1) {
      const Token& token = tokens_[at];
      if (token.kind == TokenKind::directive || is_refused(token.text)) return false;
      if (at == end || token.is(",")) {
        if (words < 2 || member.name.empty() || is_type_word(member.name) || is_specifier(member.name)) return false;
        member.array = dimensions == 1;
        if (dimensions > 1 && !cplusplus_) return false;
        members.push_back(member);
        member = {};
        dimensions = 0;
        value = false;
      } else if (cplusplus_ && (token.is("=") || token.opens_brace())) {
        value = true;
        if (token.opens_brace()) at = group_end(tokens_, at);
      } else if (value) {
        if (token.is("<") || token.is("(")) return false;
      } else if (token.is_word()) {
        member.name = token.text;
        ++words;
        if (cplusplus_ && tokens_[at + 1].is("<")) {
          const auto behind = behind_angles(tokens_, at + 1);
          if (!behind) return false;
          at = *behind - 1;
        }
      } else if (token.is("[")) {
        ++dimensions;
      } else if (!token.is("*") && !(cplusplus_ && token.is("::"))) {
        return false;
      }
    }
    return true;
  }

  const std::vector<Token>& tokens_;
  bool cplusplus_;
};

}  // namespace

std::vector<Structure> plain_structures(const std::vector<Token>& tokens, const std::vector<Item>& items,
                                        bool cplusplus) {
  std::vector<Structure> found;
  const MemberReader reader(tokens, cplusplus);
  for (const Item& item : items) {
    if (item.kind == ItemKind::directive && directive_name(tokens[item.first].text).substr(0, 2) == "if") return {};
    if (item.kind == ItemKind::directive || item.kind == ItemKind::function || found.size() == max_structures) continue;
    auto structure = reader.read(item);
    if (structure) found.push_back(std::move(*structure));
  }
  return found;
}

}  // namespace pbotvm::c
