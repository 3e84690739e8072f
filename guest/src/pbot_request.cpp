// SPDX-License-Identifier: MIT
#include "pbot_request.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "protocol/json_shape.h"

namespace pbotvm::guest {
namespace {

using Json = nlohmann::json;

constexpr std::string_view end_mark = ":end:";
constexpr std::size_t max_name = 255;
constexpr protocol::JsonBounds bounds{8, 10'000};

[[noreturn]] void fail(const std::string& problem) {
  throw PbotError("Bad request: " + problem + ".");
}

Json parse_object(std::string_view text) {
  if (const auto flaw = protocol::flaw_of_shape(text, bounds); !flaw.empty()) fail(std::string(flaw));
  try {
    Json object = Json::parse(text);
    if (!object.is_object()) fail("not a JSON object");
    return object;
  } catch (const Json::parse_error& error) {
    fail("not JSON (at byte " + std::to_string(error.byte) + ")");
  } catch (const Json::out_of_range&) {
    fail("a number that is too large");
  }
}

// Perl makes no difference between a text and a number.
std::string text_in(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (found->is_number()) return found->dump();
  fail(std::string("'") + key + "' is not a text");
}

// What becomes a C string: a NUL would cut it short behind everyone's back.
std::string c_text_in(const Json& object, const char* key) {
  std::string text = text_in(object, key);
  if (text.find('\0') != text.npos) fail(std::string("'") + key + "' holds a NUL");
  return text;
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

std::string name_in(const Json& object, const char* key) {
  const std::string name = c_text_in(object, key);
  bool plain = name != "." && name != ".." && name.size() <= max_name;
  for (const char c : name) plain = plain && c != '/' && !is_control(c);
  if (!plain) fail(std::string("'") + key + "' is not a plain file name");
  return name;
}

// True as Perl sees it.
bool truth_in(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return false;
  if (found->is_boolean()) return found->get<bool>();
  if (found->is_object() || found->is_array()) return true;
  const std::string text = text_in(object, key);
  return !text.empty() && text != "0";
}

std::optional<std::int64_t> date_in(const Json& object) {
  const std::string text = text_in(object, "date");
  std::int64_t seconds = 0;
  const auto end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, seconds);
  if (error != std::errc() || (stop != end && *stop != '.')) return std::nullopt;
  return seconds;
}

}  // namespace

PbotRequest parse_pbot_request(std::string_view json) {
  const Json object = parse_object(json);
  if (!object.contains("code")) fail("no 'code'");
  PbotRequest request;
  request.language = c_text_in(object, "lang");
  request.source_file = name_in(object, "sourcefile");
  request.exec_file = name_in(object, "execfile");
  request.command = c_text_in(object, "cmdline");
  request.code = text_in(object, "code");
  request.input = text_in(object, "input");
  request.arguments = c_text_in(object, "arguments");
  request.persist_key = name_in(object, "persist-key");
  request.date = date_in(object);
  request.factoid = truth_in(object, "factoid");
  if (request.source_file.empty()) fail("no 'sourcefile'");
  if (request.command.find_first_not_of(" \t") == std::string::npos) fail("no 'cmdline'");
  if (request.exec_file.empty()) request.exec_file = "prog";
  if (request.persist_key == request.source_file) fail("'persist-key' is the name of the source file");
  return request;
}

std::vector<PbotReader::Found> PbotReader::feed(std::string_view text) {
  std::vector<Found> found;
  for (const char c : text) {
    if (state_ == State::outside && c == '{') state_ = State::inside;
    if (state_ == State::outside || c == '\r') continue;
    if (c == '\n') {
      if (end_line()) found.push_back(take());
    } else {
      add(c);
    }
  }
  return found;
}

void PbotReader::add(char c) {
  // Of a request that is too long only so much of a line is kept as shows whether it ends there.
  if (state_ == State::too_long && json_.size() > end_mark.size()) return;
  json_ += c;
  if (json_.size() <= max_pbot_request) return;
  state_ = State::too_long;
  json_.erase(0, line_begin_);
  json_.resize(std::min(json_.size(), end_mark.size() + 1));
  json_.shrink_to_fit();
  line_begin_ = 0;
}

// Whether the line that ends here ends the request.
bool PbotReader::end_line() {
  const bool empty = json_.size() == line_begin_;
  const bool marked = json_.compare(line_begin_, json_.npos, end_mark) == 0;
  if (marked) json_.resize(line_begin_);
  if (state_ == State::too_long) json_.clear();
  line_begin_ = json_.size();
  return empty || marked;
}

PbotReader::Found PbotReader::take() {
  Found found{std::move(json_), state_ == State::too_long};
  if (found.too_long) found.json.clear();
  reset();
  return found;
}

std::optional<PbotReader::Found> PbotReader::end() {
  if (!partial()) return std::nullopt;
  end_line();
  return take();
}

void PbotReader::reset() {
  state_ = State::outside;
  std::string().swap(json_);
  line_begin_ = 0;
}

}  // namespace pbotvm::guest
