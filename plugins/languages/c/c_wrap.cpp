// SPDX-License-Identifier: MIT
#include "c_wrap.h"

#include <algorithm>
#include <set>

#include "c_items.h"
#include "c_tokens.h"

namespace pbotvm::c {

namespace {

constexpr std::size_t padding_budget = 64 * 1024;  // bytes of blanks that keep columns, in all

// Line by line, as on a terminal: a program that is ended from outside has then said what it printed until then. Free
// of headers and of names that the code could use, for it stands before all of them; 1 is _IOLBF.
constexpr std::string_view line_buffering = R"(extern void *pbotvm_stdout_ __asm__("stdout");
extern int pbotvm_setvbuf_(void *, char *, int, __SIZE_TYPE__) __asm__("setvbuf");
static void __attribute__((constructor)) pbotvm_start_(void) { pbotvm_setvbuf_(pbotvm_stdout_, 0, 1, 0); }
)";

// Each header is asked for only where the standard in force has it; those of POSIX are always there.
constexpr std::string_view usual_headers = R"(#define _XOPEN_SOURCE 9001
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <math.h>
#include <limits.h>
#include <sys/types.h>
#include <stddef.h>
#include <stdarg.h>
#include <ctype.h>
#include <float.h>
#include <errno.h>
#include <time.h>
#include <assert.h>
#include <setjmp.h>
#include <wchar.h>
#include <wctype.h>
#include <locale.h>
#include <iso646.h>
#include <signal.h>
#if defined __STDC_VERSION__ && __STDC_VERSION__ >= 199901L
#include <stdint.h>
#include <stdbool.h>
#include <inttypes.h>
#include <complex.h>
#include <tgmath.h>
#include <fenv.h>
#endif
#if defined __STDC_VERSION__ && __STDC_VERSION__ >= 201112L
#include <stdnoreturn.h>
#include <stdalign.h>
#include <uchar.h>
#endif
)";

// Pieces of the author's code, put where the compiler believes that they stand where the author wrote them.
class Emitter {
 public:
  Emitter(std::string_view code, const std::vector<Token>& tokens) : code_(code), tokens_(tokens) {
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
    out_ += "#line " + std::to_string(next - line_starts_.begin()) + " \"" + std::string(source_name) + "\"\n";
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
  std::vector<std::size_t> line_starts_{0};
  std::size_t padding_left_ = padding_budget;
  std::string out_;
};

// A run of tokens that is emitted as it stands.
struct Span {
  std::size_t first, last;
  bool add_semicolon;
};

// Items divided into what stands outside of main and what stands in it.
class Wrapping {
 public:
  explicit Wrapping(std::string_view code)
      : code_(code), tokens_(tokenize(code)), items_(split_items(tokens_)), emitter_(code, tokens_) {
    for (const Token& token : tokens_) includes_ = includes_ || is_include(token);
    for (const Item& item : items_) {
      functions_ = functions_ || item.kind == ItemKind::function;
      has_main_ = has_main_ || (item.kind == ItemKind::function && tokens_[item.name].is("main"));
    }
  }

  WrappedProgram run(const WrapOptions& options) {
    emitter_.raw(line_buffering);
    if (options.headers && !includes_) emitter_.raw(usual_headers);
    for (const std::string& header : options.includes) emitter_.raw("#include <" + header + ">\n");
    if (has_main_ || !options.main) {
      if (!tokens_.empty()) emitter_.tokens(0, tokens_.size() - 1);
    } else {
      divide();
      emit_divided();
    }
    emitter_.end_line();
    return {emitter_.take(), notices()};
  }

 private:
  static bool is_include(const Token& token) {
    return token.kind == TokenKind::directive && directive_name(token.text).substr(0, 7) == "include";
  }

  void divide() {
    const bool lifts_directives = functions_ || includes_;
    for (const Item& item : items_) {
      const bool lifts =
          item.kind == ItemKind::directive ? lifts_directives : functions_ && item.kind != ItemKind::statement;
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
    emitter_.raw("int main(int argc, char *argv[]) {\n");
    std::set<std::string_view> undefined;
    for (const std::size_t token : repeats_) {
      const std::string_view name = macro_name(tokens_[token].text);
      if (!name.empty() && undefined.insert(name).second) emitter_.raw("#undef " + std::string(name) + "\n");
    }
    emit(inside_);
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
    if (tokens_.empty() || code_.find('\n') != std::string_view::npos) return {};
    const Token& last = tokens_.back();
    if (last.kind != TokenKind::directive || directive_name(last.text) != "define") return {};
    return {
        "warning: preprocessor directive not terminated by \\n, the remainder of the line will be part of this "
        "directive"};
  }

  std::string_view code_;
  std::vector<Token> tokens_;
  std::vector<Item> items_;
  Emitter emitter_;
  bool includes_ = false, functions_ = false, has_main_ = false;
  std::vector<Span> outside_, inside_;
  std::vector<std::size_t> repeats_;  // tokens of the directives that stand on both sides
  bool repeats_matter_ = false;
};

}  // namespace

WrappedProgram wrap(std::string_view code, const WrapOptions& options) {
  std::string text;  // without the carriage returns of other systems
  text.reserve(code.size());
  for (std::size_t at = 0; at < code.size(); ++at)
    if (code.substr(at, 2) != "\r\n") text += code[at];
  return Wrapping(text).run(options);
}

}  // namespace pbotvm::c
