// SPDX-License-Identifier: MIT
#include "c_wrap.h"

#include <algorithm>
#include <set>

#include "c_items.h"
#include "c_members.h"
#include "c_tokens.h"
#include "cpp_items.h"
#include "hidden_macros.h"
#include "last_value.h"
#include "preamble.h"
#include "shown_value.h"
#include "source_emitter.h"

namespace pbotvm::c {

namespace {

constexpr std::size_t most_divided = 128 * 1024;  // bytes of code; more is no snippet
constexpr std::size_t most_macros = 64;           // of the code, where its value is shown

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

// A run of tokens that is emitted as it stands.
struct Span {
  std::size_t first, last;
  bool add_semicolon;
};

// Items divided into what stands outside of main and what stands in it.
class Wrapping {
 public:
  Wrapping(std::string_view code, const WrapOptions& options)
      : code_(code),
        options_(options),
        tokens_(tokenize(code, options.cplusplus)),
        items_(items_of(code, tokens_, options.cplusplus)),
        file_(options.cplusplus ? "prog.cpp" : "prog.c"),
        emitter_(code, tokens_, file_, hidden()) {
    for (const Token& token : tokens_) {
      includes_ = includes_ || is_include(token);
      includes_itself_ = includes_itself_ || may_include_itself(token);
    }
    for (const Item& item : items_) {
      lifts_ = lifts_ || item.kind == ItemKind::function || (options.cplusplus && item.kind == ItemKind::declaration);
      has_main_ = has_main_ || (item.kind == ItemKind::function && tokens_[item.name].is("main"));
    }
  }

  WrappedProgram run() {
    const bool whole = has_main_ || !options_.main || is_large() || includes_itself_;
    if (!whole) divide();
    if (includes_itself_) emitter_.raw("#if __INCLUDE_LEVEL__ == 0\n");
    emit_preamble();
    if (includes_itself_) emitter_.raw("#endif\n");
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

  // In it is what was put around the code, which is to be there once: such code is a whole program.
  bool may_include_itself(const Token& token) const {
    if (token.kind != TokenKind::directive) return false;
    return token.text.find(file_) != std::string_view::npos || token.text.find("__FILE__") != std::string_view::npos ||
           token.text.find("__BASE_FILE__") != std::string_view::npos;
  }

  // Code that speaks of what is ours may be about it.
  bool knows_ours() const {
    return code_.find("pbotvm_") != std::string_view::npos || code_.find("PBOTVM_") != std::string_view::npos;
  }

  // The macros of the code.
  Names defined() const {
    Names names;
    for (const Token& token : tokens_)
      if (token.kind == TokenKind::directive && directive_name(token.text) == "define")
        names.emplace(macro_name(token.text));
    names.erase("");
    return names;
  }

  // What the system's headers ask for begins with an underscore: _GNU_SOURCE.
  Names of_options() const {
    Names names(options_.macros.begin(), options_.macros.end());
    std::erase_if(names, [](const std::string& name) { return name.front() == '_' && !is_used_around(name); });
    return names;
  }

  Names of_both() const {
    Names names = defined();
    names.merge(of_options());
    return names;
  }

  Names hidden() const {
    Names names = of_both();
    std::erase_if(names, [](const std::string& name) { return !is_used_around(name); });
    return names;
  }

  void emit_preamble() {
    Preamble wanted;
    wanted.cplusplus = options_.cplusplus;
    wanted.usual_headers = options_.headers && !includes_;
    wanted.value = value_.kind != LastValue::Kind::none;
    wanted.binary = options_.library && prints_binary();
    wanted.line_buffering = options_.library;
    wanted.sanitized = options_.sanitized;
    wanted.hidden = of_options();
    emitter_.raw(preamble(wanted));
    for (const std::string& header : options_.includes) emitter_.raw("#include <" + header + ">\n");
    emitter_.raw(options_.prologue);
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
    if (options_.value && options_.library && !knows_ours() && defined().size() <= most_macros)
      value_ = last_value(tokens_, statements, options_.cplusplus);
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
    if (options_.cplusplus && value_.kind != LastValue::Kind::none) emit_value_header(emitter_, structures_, of_both());
    emitter_.around("int main(int argc __attribute__((__unused__)), char *argv[] __attribute__((__unused__))) {");
    std::set<std::string_view> undefined;
    for (const std::size_t token : repeats_) {
      const std::string_view name = macro_name(tokens_[token].text);
      if (!name.empty() && undefined.insert(name).second) emitter_.raw("#undef " + std::string(name) + "\n");
    }
    if (value_.kind == LastValue::Kind::expression) {
      inside_.pop_back();
      emit(inside_);
      emit_expression(emitter_, value_, structures_, options_.cplusplus);
    } else {
      emit(inside_);
      emit_variables(emitter_, value_, structures_, options_.cplusplus);
    }
    emitter_.hide();
    if (!tokens_.empty()) emitter_.place(tokens_.back().begin);
    emitter_.raw("return 0;\n}\n");
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
  std::string_view file_;  // what it is called
  SourceEmitter emitter_;
  bool includes_ = false, includes_itself_ = false, lifts_ = false, has_main_ = false;
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
