// SPDX-License-Identifier: MIT
#include "c_wrap.h"

#include <algorithm>
#include <set>

#include "c_items.h"
#include "c_members.h"
#include "c_tokens.h"
#include "cpp_items.h"
#include "last_value.h"
#include "preamble.h"

namespace pbotvm::c {

namespace {

constexpr std::size_t padding_budget = 64 * 1024;  // bytes of blanks that keep columns, in all
constexpr std::size_t most_divided = 128 * 1024;   // bytes of code; more is no snippet

// %b, %#b, %08llb ... in a format.
bool has_binary_conversion(std::string_view literal) {
  for (std::size_t at = literal.find('%'); at < literal.size(); at = literal.find('%', at)) {
    at = literal.find_first_not_of("-+ #0'123456789.*hljzt", at + 1);
    if (at >= literal.size()) return false;
    if (literal[at] == 'b') return true;
    ++at;
  }
  return false;
}

// Pieces of the author's code, put where the compiler believes that they stand where the author wrote them.
class Emitter {
 public:
  Emitter(std::string_view code, const std::vector<Token>& tokens, std::string_view name)
      : code_(code), tokens_(tokens), name_(name) {
    for (std::size_t at = 0; at < code.size(); ++at)
      if (code[at] == '\n') line_starts_.push_back(at + 1);
  }

  void raw(std::string_view text) { out_ += text; }

  // The tokens from `first` to `last`, with all that stands between them. A directive gets a line of its own.
  void tokens(std::size_t first, std::size_t last) {
    for (std::size_t at = first; at <= last; ++at) {
      const Token& token = tokens_[at];
      const bool beside_directive =
          at > first && !token.line_start &&
          (token.kind == TokenKind::directive || tokens_[at - 1].kind == TokenKind::directive);
      if (at == first || beside_directive) {
        place(token.begin);
      } else {
        out_ += code_.substr(tokens_[at - 1].end, token.begin - tokens_[at - 1].end);
      }
      out_ += token.text;
    }
  }

  // Starts a line that counts as the one of `offset`, at its column.
  void place(std::size_t offset) {
    const auto next = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
    end_line();
    out_ += "#line " + std::to_string(next - line_starts_.begin()) + " \"" + std::string(name_) + "\"\n";
    pad(*(next - 1), offset);
  }

  void end_line() {
    if (!out_.empty() && out_.back() != '\n') out_ += '\n';
  }

  std::string take() { return std::move(out_); }

 private:
  void pad(std::size_t from, std::size_t to) {
    if (to - from > padding_left_) return;
    padding_left_ -= to - from;
    for (const char c : code_.substr(from, to - from)) {
      const bool continues = (static_cast<unsigned char>(c) & 0xc0) == 0x80;
      if (!continues) out_ += c == '\t' ? '\t' : ' ';
    }
  }

  std::string_view code_;
  const std::vector<Token>& tokens_;
  std::string_view name_;  // of the file
  std::vector<std::size_t> line_starts_{0};
  std::size_t padding_left_ = padding_budget;
  std::string out_;
};

// A run of tokens that is emitted as it stands.
struct Span {
  std::size_t first, last;
  bool add_semicolon;
};

// A C string of text on one line.
std::string literal(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '\n') {
      quoted += "\\n";
      continue;
    }
    if (c == '"' || c == '\\' || c == '?') quoted += '\\';  // '?': trigraphs
    quoted += c;
  }
  return quoted + '"';
}

// Items divided into what stands outside of main and what stands in it.
class Wrapping {
 public:
  Wrapping(std::string_view code, const WrapOptions& options)
      : code_(code),
        options_(options),
        tokens_(tokenize(code, options.cplusplus)),
        items_(items_of(code, tokens_, options.cplusplus)),
        emitter_(code, tokens_, options.cplusplus ? "prog.cpp" : "prog.c") {
    for (const Token& token : tokens_) includes_ = includes_ || is_include(token);
    for (const Item& item : items_) {
      lifts_ = lifts_ || item.kind == ItemKind::function || (options.cplusplus && item.kind == ItemKind::declaration);
      has_main_ = has_main_ || (item.kind == ItemKind::function && tokens_[item.name].is("main"));
    }
  }

  WrappedProgram run() {
    const bool whole = has_main_ || !options_.main || is_large();
    if (!whole) divide();
    Preamble wanted;
    wanted.cplusplus = options_.cplusplus;
    wanted.usual_headers = options_.headers && !includes_;
    wanted.value = value_.kind != LastValue::Kind::none;
    wanted.binary = prints_binary();
    emitter_.raw(preamble(wanted));
    for (const std::string& header : options_.includes) emitter_.raw("#include <" + header + ">\n");
    emitter_.raw(options_.prologue);
    if (!whole) {
      emit_divided();
    } else if (!tokens_.empty()) {
      emitter_.tokens(0, tokens_.size() - 1);
    }
    emitter_.end_line();
    return {emitter_.take(), notices()};
  }

 private:
  // None of code that is too large to be divided.
  static std::vector<Item> items_of(std::string_view code, const std::vector<Token>& tokens, bool cplusplus) {
    if (code.size() > most_divided) return {};
    return cplusplus ? split_cpp_items(tokens) : split_items(tokens);
  }
  bool is_large() const { return code_.size() > most_divided; }

  static bool is_include(const Token& token) {
    return token.kind == TokenKind::directive && directive_name(token.text).substr(0, 7) == "include";
  }

  // printf("%b"), which compilers and libraries of today are only learning.
  bool prints_binary() const {
    return std::any_of(tokens_.begin(), tokens_.end(), [](const Token& token) {
      return token.kind == TokenKind::literal && has_binary_conversion(token.text);
    });
  }

  void divide() {
    const bool lifts_directives = lifts_ || includes_;
    std::vector<Item> statements;
    for (const Item& item : items_) {
      const bool lifts =
          item.kind == ItemKind::directive ? lifts_directives : lifts_ && item.kind != ItemKind::statement;
      if (item.kind != ItemKind::directive && (!lifts || item.kind == ItemKind::tagged)) statements.push_back(item);
      if (item.kind == ItemKind::directive && !is_include(tokens_[item.first])) statements.clear();
      if (!lifts) {
        add(inside_, item.first, item.last, !item.ended);
      } else if (item.kind == ItemKind::tagged) {
        const std::size_t end = tokens_[item.body].partner;
        add(outside_, item.type, end, true);
        add(inside_, item.first, item.body - 1, false);
        add(inside_, end + 1, item.last, !item.ended);
      } else {
        add(outside_, item.first, item.last, !item.ended);
        if (item.kind == ItemKind::directive && !is_include(tokens_[item.first])) repeat(item);
      }
    }
    if (!repeats_matter_) drop_repeats();
    if (options_.value) value_ = last_value(tokens_, statements, options_.cplusplus);
    if (value_.kind != LastValue::Kind::none) structures_ = plain_structures(tokens_, items_, options_.cplusplus);
  }

  // Conditions and definitions hold for both sides, in their order: where one stands behind a statement, the body of
  // main goes through all of them again.
  void repeat(const Item& item) {
    repeats_.push_back(item.first);
    repeats_matter_ = repeats_matter_ || inside_.size() > repeats_.size() - 1;
    add(inside_, item.first, item.last, false);
  }

  void drop_repeats() {
    inside_.erase(inside_.begin(), inside_.begin() + static_cast<std::ptrdiff_t>(repeats_.size()));
    repeats_.clear();
  }

  static void add(std::vector<Span>& spans, std::size_t first, std::size_t last, bool semicolon) {
    spans.push_back({first, last, semicolon});
  }

  void emit_divided() {
    emit(outside_);
    emitter_.end_line();
    if (options_.cplusplus && value_.kind != LastValue::Kind::none) emit_value_header();
    emitter_.raw("int main(int argc, char *argv[]) {\n");
    std::set<std::string_view> undefined;
    for (const std::size_t token : repeats_) {
      const std::string_view name = macro_name(tokens_[token].text);
      if (!name.empty() && undefined.insert(name).second) emitter_.raw("#undef " + std::string(name) + "\n");
    }
    if (value_.kind == LastValue::Kind::expression) {
      inside_.pop_back();
      emit(inside_);
      emit_expression();
    } else {
      emit(inside_);
      emit_variables();
    }
    if (!tokens_.empty()) emitter_.place(tokens_.back().begin);
    emitter_.raw("return 0;\n}\n");
  }

  // C++: in front of main, behind the types that the code defines.
  void emit_value_header() {
    emitter_.raw("#if defined PBOTVM_VALUE_H && !defined PBOTVM_VALUE_HPP\n#include <pbotvm/value.hpp>\n#endif\n");
    if (structures_.empty()) return;
    std::string text = "#ifdef PBOTVM_VALUE_HPP\nnamespace pbotvm_ {\n";
    for (const Structure& structure : structures_) {
      text += "template <> struct members_<::" + structure.type + "> {\nstatic constexpr bool known_ = true;\n";
      text += "template <class F_> static void each_(const ::" + structure.type + "& of_, F_& f_) {";
      for (const Member& member : structure.members) text += " f_(\"" + member.name + "\", of_." + member.name + ");";
      text += " }\n};\n";
    }
    emitter_.raw(text + "}\n#endif\n");
  }

  // C: of pbotvm_value_, whichever structure it is.
  std::string show_value(const std::string& name) const {
    std::string text = "PBOTVM_SHOW_VALUE_(" + name + ");";
    for (const Structure& structure : structures_) {
      text +=
          "\nif (__builtin_types_compatible_p(pbotvm_type_, " + structure.type + ") && pbotvm_name_(" + name + ")) { ";
      text +=
          structure.type + " *pbotvm_of_ = (" + structure.type + " *)(void *)&pbotvm_value_; pbotvm_put_(\"{\", 1);";
      bool first = true;
      for (const Member& member : structure.members) {
        text += member.array ? " PBOTVM_ELEMENTS_(" : " PBOTVM_MEMBER_(";
        text += std::string(first ? "\"" : "\", ") + member.name + " = \", pbotvm_of_->" + member.name + ");";
        first = false;
      }
      text += " pbotvm_put_(\"}\", 1); pbotvm_end_(\"" + structure.type + "\"); }";
    }
    return text;
  }

  void emit_expression() {
    emitter_.end_line();
    if (options_.cplusplus) {
      emitter_.raw("#ifdef PBOTVM_VALUE_HPP\n::pbotvm_::value_(" + literal(value_.text) + "),\n#endif\n");
      emitter_.tokens(value_.first, value_.last);
      emitter_.raw(";");
      return;
    }
    emitter_.raw("#ifdef PBOTVM_VALUE_H\n{ __extension__ typedef __typeof__(((void)0, (");
    emitter_.tokens(value_.first, value_.last);
    emitter_.raw("\n))) pbotvm_type_; PBOTVM_HOLDER_ = __builtin_choose_expr(PBOTVM_IS_VOID_, ((void)(");
    emitter_.tokens(value_.first, value_.last);
    emitter_.raw("\n), 0), (");
    emitter_.tokens(value_.first, value_.last);
    emitter_.raw("\n)); " + show_value(literal(value_.text)) + " }\n#else\n");
    emitter_.tokens(value_.first, value_.last);
    emitter_.raw(";\n#endif\n");
  }

  void emit_variables() {
    if (value_.variables.empty()) return;
    emitter_.end_line();
    emitter_.raw(options_.cplusplus ? "#ifdef PBOTVM_VALUE_HPP\n" : "#ifdef PBOTVM_VALUE_H\n");
    for (const ShownVariable& variable : value_.variables) {
      const std::string name = literal(variable.text);
      if (options_.cplusplus) {
        emitter_.raw("::pbotvm_::value_(" + name + "), " + variable.text + ";\n");
      } else if (variable.array) {
        emitter_.raw("PBOTVM_SHOW_ARRAY_(" + name + ", " + variable.text + ");\n");
      } else {
        emitter_.raw("{ __extension__ typedef __typeof__(((void)0, (" + variable.text +
                     "))) pbotvm_type_; PBOTVM_HOLDER_ = (" + variable.text + "); " + show_value(name) + " }\n");
      }
    }
    emitter_.raw("#endif\n");
  }

  // Neighbours go out in one piece.
  void emit(const std::vector<Span>& spans) {
    for (std::size_t at = 0; at < spans.size(); ++at) {
      const std::size_t first = spans[at].first;
      while (!spans[at].add_semicolon && at + 1 < spans.size() && spans[at + 1].first == spans[at].last + 1) ++at;
      emitter_.tokens(first, spans[at].last);
      if (spans[at].add_semicolon) emitter_.raw(";");
    }
  }

  std::vector<std::string> notices() const {
    const auto is_main = [](const Token& token) { return token.is("main"); };
    if (is_large() && options_.main && std::none_of(tokens_.begin(), tokens_.end(), is_main))
      return {"warning: code of more than 128 KiB is taken as a whole program, and this has no main"};
    if (tokens_.empty() || code_.find('\n') != std::string_view::npos) return {};
    const Token& last = tokens_.back();
    if (last.kind != TokenKind::directive || directive_name(last.text) != "define") return {};
    return {
        "warning: preprocessor directive not terminated by \\n, the remainder of the line will be part of this "
        "directive"};
  }

  std::string_view code_;
  const WrapOptions& options_;
  std::vector<Token> tokens_;
  std::vector<Item> items_;
  Emitter emitter_;
  bool includes_ = false, lifts_ = false, has_main_ = false;
  std::vector<Span> outside_, inside_;
  LastValue value_;
  std::vector<Structure> structures_;  // whose values can be shown
  std::vector<std::size_t> repeats_;   // tokens of the directives that stand on both sides
  bool repeats_matter_ = false;
};

}  // namespace

WrappedProgram wrap(std::string_view code, const WrapOptions& options) {
  std::string text;  // without the carriage returns of other systems
  text.reserve(code.size());
  for (std::size_t at = 0; at < code.size(); ++at)
    if (code.substr(at, 2) != "\r\n") text += code[at];
  return Wrapping(text, options).run();
}

}  // namespace pbotvm::c
