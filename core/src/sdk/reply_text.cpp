// SPDX-License-Identifier: MIT
#include "pbotvm/reply_text.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

PBOTVM_BEGIN_NAMESPACE

namespace {

constexpr std::string_view blanks = " \t\r\n\v\f";

bool is_blank(char c) {
  return blanks.find(c) != std::string_view::npos;
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_octal(char c) {
  return c >= '0' && c <= '7';
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void cut_end(std::string& text) {
  text.erase(text.find_last_not_of(blanks) + 1);
}

void skip_blanks(std::string_view text, std::size_t& at) {
  while (at < text.size() && is_blank(text[at])) ++at;
}

// Reads the quoted part that begins at `at`, without its quotes.
void read_quoted(std::string_view text, std::size_t& at, std::string& word) {
  const char quote = text[at++];
  for (; at < text.size() && text[at] != quote; ++at) {
    const bool escape = quote == '"' && text[at] == '\\' && at + 1 < text.size() &&
                        std::string_view("\"\\$`\n").find(text[at + 1]) != std::string_view::npos;
    if (escape && text[++at] == '\n') continue;
    word += text[at];
  }
  if (at < text.size()) ++at;
}

// One word of a shell, from a place that is not a blank.
std::string read_word(std::string_view text, std::size_t& at) {
  std::string word;
  while (at < text.size() && !is_blank(text[at])) {
    if (text[at] == '"' || text[at] == '\'') {
      read_quoted(text, at, word);
    } else {
      if (text[at] == '\\' && at + 1 < text.size()) ++at;
      word += text[at++];
    }
  }
  return word;
}

// A quote of the code only quotes when its partner stands in the same line: an apostrophe of a comment must not turn
// the rest of a program around. Returns the place behind the partner, or of the next character.
std::size_t skip_code_quote(std::string_view code, std::size_t at) {
  for (std::size_t i = at + 1; i < code.size() && code[i] != '\n'; ++i) {
    if (code[i] == '\\') {
      ++i;
    } else if (code[i] == code[at]) {
      return i + 1;
    }
  }
  return at + 1;
}

bool is_quote(char c) {
  return c == '"' || c == '\'';
}

// The word -stdin outside of quotes.
std::optional<std::size_t> find_stdin(std::string_view code) {
  constexpr std::string_view option = "-stdin";
  for (std::size_t at = 0; at < code.size();) {
    const std::size_t end = at + option.size();
    if (is_quote(code[at])) {
      at = skip_code_quote(code, at);
    } else if (code.substr(at, option.size()) == option && (at == 0 || is_blank(code[at - 1])) &&
               (end == code.size() || is_blank(code[end]))) {
      return at;
    } else {
      at += code[at] == '\\' ? 2 : 1;
    }
  }
  return std::nullopt;
}

// One escape of -stdin, whose backslash stands at `at`; nothing is taken when it is not one.
bool decode_escape(std::string_view text, std::size_t& at, std::string& to) {
  if (at + 1 >= text.size()) return false;
  const char c = text[at + 1];
  if (c == 'n' || c == 't') {
    to += c == 'n' ? '\n' : '\t';
    at += 2;
    return true;
  }
  int value = 0;
  std::size_t end = at + 1;
  if (c == 'x') {
    for (++end; end < text.size() && end < at + 4 && hex_digit(text[end]) >= 0; ++end)
      value = value * 16 + hex_digit(text[end]);
    if (end == at + 2) return false;
  } else {
    for (; end < text.size() && end < at + 4 && is_octal(text[end]); ++end) value = value * 8 + (text[end] - '0');
    if (end == at + 1) return false;
  }
  to += static_cast<char>(value & 0xff);
  at = end;
  return true;
}

std::string decode_input(std::string_view text) {
  std::string input;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '\\' && (at == 0 || text[at - 1] != '\\') && decode_escape(text, at, input)) continue;
    input += text[at++];
  }
  return input;
}

// A chat's line cannot hold a newline, so that \n stands for one. Code that came with newlines means what it says.
std::string with_newlines(std::string_view code) {
  if (code.find('\n') != std::string_view::npos) return std::string(code);
  std::string text;
  for (std::size_t at = 0; at < code.size();) {
    if (is_quote(code[at])) {
      const std::size_t end = skip_code_quote(code, at);
      text += code.substr(at, end - at);
      at = end;
    } else if (code[at] == '\\' && at + 1 < code.size()) {
      if (code[at + 1] == 'n') {
        text += '\n';
      } else {
        text += code.substr(at, 2);
      }
      at += 2;
    } else {
      text += code[at++];
    }
  }
  return text;
}

bool begins_option(std::string_view text, std::size_t at) {
  if (at >= text.size() || text[at] != '-') return false;
  if (at + 1 < text.size() && text[at + 1] == '-') ++at;
  return at + 1 < text.size() && is_letter(text[at + 1]);
}

// Takes what stands before the code; returns where the code begins.
std::size_t take_leading(std::string_view text, CodeOptions& options, bool takes_options,
                         const std::vector<std::string_view>& with_value) {
  std::size_t at = 0;
  while (begins_option(text, at)) {
    std::size_t end = at;
    std::string word = read_word(text, end);
    skip_blanks(text, end);
    if (word == "-info") {
      options.info = true;
    } else if (word == "-paste") {
      options.paste = true;
    } else if (word == "-args") {
      options.arguments = split_words(read_word(text, end));
    } else if (word == "-stdin" || !takes_options) {
      break;
    } else {
      const bool valued = std::find(with_value.begin(), with_value.end(), word) != with_value.end();
      options.tool_options.push_back(std::move(word));
      if (valued && end < text.size()) options.tool_options.push_back(read_word(text, end));
    }
    skip_blanks(text, end);
    at = end;
  }
  return at;
}

}  // namespace

CodeOptions parse_code_options(const Request& request, bool takes_options,
                               const std::vector<std::string_view>& with_value) {
  CodeOptions options;
  options.arguments = split_words(request.arguments);
  options.input = request.input;
  std::string_view code = request.code;
  code.remove_prefix(take_leading(code, options, takes_options, with_value));
  if (const auto at = find_stdin(code)) {
    std::size_t text = *at + std::string_view("-stdin").size();
    while (text < code.size() && (code[text] == ' ' || code[text] == '\t')) ++text;
    options.input = decode_input(code.substr(text)) + '\n';
    code = code.substr(0, *at);
  }
  options.code = with_newlines(code);
  cut_end(options.code);
  return options;
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::size_t at = 0;
  for (skip_blanks(text, at); at < text.size(); skip_blanks(text, at)) words.push_back(read_word(text, at));
  return words;
}

std::string quote_words(const std::vector<std::string>& words) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
      "-_=+.,:/@%^";
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += ' ';
    if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) {
      text += word;
      continue;
    }
    text += '\'';
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    text += '\'';
  }
  return text;
}

std::string usage_text() {
  return "Usage: cc [-lang=<language>] [-vm=<virtual machine>] [-info] [-paste] [-args \"command-line arguments\"] "
         "[compiler/language options] <code> [-stdin <stdin input>]";
}

namespace {

// Length of the well-formed UTF-8 sequence at `at` (Unicode 15, table 3-7), or 0; `bad` is then how many bytes one
// replacement character stands for.
std::size_t sequence_length(std::string_view text, std::size_t at, std::size_t& bad) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  bad = 1;
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2
                             : lead >= 0xe0 && lead <= 0xef ? 3
                             : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                            : 0;
  for (std::size_t i = 1; i < length; ++i) {
    unsigned char low = 0x80, high = 0xbf;
    if (i == 1 && lead == 0xe0) low = 0xa0;
    if (i == 1 && lead == 0xed) high = 0x9f;
    if (i == 1 && lead == 0xf0) low = 0x90;
    if (i == 1 && lead == 0xf4) high = 0x8f;
    if (at + i >= text.size() || byte(at + i) < low || byte(at + i) > high) {
      bad = i;
      return 0;
    }
  }
  return length;
}

std::string hex_form(unsigned value) {
  constexpr char digits[] = "0123456789abcdef";
  return {'\\', 'x', digits[value >> 4 & 15], digits[value & 15]};
}

// One byte below 0x80 as it is shown. IRC's formatting codes are kept: a channel's programs use them.
std::string shown(unsigned char c) {
  constexpr std::string_view kept = "\t\r\n\x7f\x02\x03\x0f\x11\x1d\x1e\x1f";
  if (c >= 0x20 || kept.find(static_cast<char>(c)) != std::string_view::npos)
    return std::string(1, static_cast<char>(c));
  if (c == 0x1b) return "<esc>";
  if (c == 0x0c) return "<ff>";
  if (c == 0x07) return "*DING*";
  return hex_form(c);
}

}  // namespace

std::string printable(std::string_view bytes) {
  std::string text;
  std::vector<std::uint8_t> widths;  // bytes of `text` that each character of this line takes, for backspaces
  const auto add = [&](std::string_view piece) {
    text += piece;
    widths.push_back(static_cast<std::uint8_t>(piece.size()));
  };
  for (std::size_t at = 0; at < bytes.size();) {
    std::size_t bad = 0;
    const std::size_t length = sequence_length(bytes, at, bad);
    const auto byte = static_cast<unsigned char>(bytes[at]);
    if (length == 0) {
      add("\xEF\xBF\xBD");
      at += bad;
      continue;
    }
    if (byte == '\b') {
      if (!widths.empty()) {
        text.resize(text.size() - widths.back());
        widths.pop_back();
      }
    } else if (byte == '\n') {
      text += '\n';
      widths.clear();
    } else if (byte == 0xc2 && static_cast<unsigned char>(bytes[at + 1]) < 0xa0) {
      add(hex_form(static_cast<unsigned char>(bytes[at + 1])));  // the C1 controls steer terminals as well
    } else if (length == 1) {
      add(shown(byte));
    } else {
      add(bytes.substr(at, length));
    }
    at += length;
  }
  cut_end(text);
  return text;
}

std::string stream_of(const Result& result, std::uint32_t step, Stream stream) {
  std::string bytes;
  for (const OutputChunk& chunk : result.output)
    if (chunk.step == step && chunk.stream == stream) bytes += chunk.bytes;
  return bytes;
}

std::string output_of(const Result& result, std::uint32_t step) {
  std::string text = stream_of(result, step, Stream::err);
  const std::string out = stream_of(result, step, Stream::out);
  if (!text.empty() && !out.empty()) text += ' ';
  return text + out;
}

namespace {

std::string text_of_limit(Limit limit, const Result& result) {
  switch (limit) {
    case Limit::none:
      return {};
    case Limit::wall:
    case Limit::cpu:
      return "[Timed-out]";
    case Limit::memory:
      return "[Memory limit]";
    case Limit::processes:
      return "[Process limit]";
    case Limit::output:
      return "[Output cut at " + std::to_string(result.output_limit) + " bytes]";
    case Limit::file_size:
      return "[File size limit]";
    case Limit::cancelled:
      return "[Killed]";
  }
  return {};
}

bool met(const Result& result, Limit limit) {
  return result.limit == limit || std::any_of(result.steps.begin(), result.steps.end(),
                                              [limit](const StepResult& step) { return step.limit == limit; });
}

// Whether no limit ended anything: a job goes on after a fork that was refused.
bool went_on(const Result& result) {
  const auto harmless = [](Limit limit) { return limit == Limit::none || limit == Limit::processes; };
  return harmless(result.limit) && std::all_of(result.steps.begin(), result.steps.end(),
                                               [&](const StepResult& step) { return harmless(step.limit); });
}

}  // namespace

std::string limit_text(const Result& result) {
  // What a job can meet and go on comes before what ends it.
  constexpr Limit order[] = {Limit::processes, Limit::file_size, Limit::memory,   Limit::output,
                             Limit::wall,      Limit::cpu,       Limit::cancelled};
  std::string text;
  for (const Limit limit : order) {
    if (!met(result, limit) || (limit == Limit::cpu && met(result, Limit::wall))) continue;
    text += (text.empty() ? "" : " ") + text_of_limit(limit, result);
  }
  return text;
}

namespace {

// The step that ran last. One that a limit cut short may be known by its output alone.
std::uint32_t last_step(const Result& result) {
  std::uint32_t last = 0;
  for (const StepResult& step : result.steps) last = std::max(last, step.step);
  for (const OutputChunk& chunk : result.output) last = std::max(last, chunk.step);
  return last;
}

const StepResult* find_step(const Result& result, std::uint32_t index) {
  for (const StepResult& step : result.steps)
    if (step.step == index) return &step;
  return nullptr;
}

// A signal is told as a shell tells it.
int exit_status(const StepResult* step) {
  if (step == nullptr) return 0;
  return step->signal != 0 ? 128 + step->signal : step->exit_code;
}

bool nothing_in(std::string_view text) {
  return text.find_first_not_of(blanks) == std::string_view::npos;
}

// Puts a remark such as [Exit 3] behind what was printed.
void append_remark(std::string& text, const std::string& remark) {
  if (remark.empty()) return;
  if (nothing_in(text)) text.clear();
  if (!text.empty()) text += ' ';
  text += remark;
}

// The end of a program that printed nothing.
std::string silent_end(int status) {
  return status == 0 ? "Success (no output)." : "Exit " + std::to_string(status) + ".";
}

std::string program_text(const Request& request, const Result& result) {
  const std::uint32_t last = last_step(result);
  const StepResult* step = find_step(result, last);
  std::string text = output_of(result, last);
  if (step != nullptr && !step->error.empty()) append_remark(text, step->error);
  const bool started = step == nullptr || step->error.empty();
  if (went_on(result) && started) {
    const int status = exit_status(step);
    if (nothing_in(text)) {
      text.clear();
      const bool says_more = met(result, Limit::processes) && status == 0;
      if (!request.factoid && !says_more) text = silent_end(status);
    } else if (status != 0) {
      append_remark(text, "[Exit " + std::to_string(status) + "]");
    }
  }
  append_remark(text, limit_text(result));
  return text;
}

}  // namespace

std::string program_reply(const Request& request, const Result& result, std::string_view prefix) {
  std::string text = printable(program_text(request, result));
  if (prefix.empty()) return text;
  std::string first = printable(prefix);
  if (text.empty()) return first;
  return first + '\n' + text;
}

std::string failure_reply(const Result& result, std::string_view messages) {
  const StepResult* step = find_step(result, last_step(result));
  std::string text(messages);
  if (step != nullptr && !step->error.empty()) append_remark(text, step->error);
  if (nothing_in(text) && went_on(result)) text = silent_end(exit_status(step));
  append_remark(text, limit_text(result));
  return printable(text);
}

PBOTVM_END_NAMESPACE
