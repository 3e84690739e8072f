// SPDX-License-Identifier: MIT
#include "service/client_request.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

namespace pbotvm::service {

namespace {

using nlohmann::json;

constexpr int max_depth = 16;  // nested values in a request; it needs one

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// -lang= and -vm= in front of the code, in any order, repeated; the last one of each wins.
void take_options(ClientRequest& request) {
  std::size_t at = 0;
  for (;;) {
    std::string* target = nullptr;
    std::size_t start = 0;
    for (const auto& [name, into] : {std::pair{std::string_view("-lang="), &request.language},
                                     std::pair{std::string_view("-vm="), &request.machine}}) {
      if (std::string_view(request.code).substr(at).starts_with(name)) {
        target = into;
        start = at + name.size();
      }
    }
    if (target == nullptr) break;
    const auto end = std::min(request.code.find_first_of(" \t\n", start), request.code.size());
    *target = lower(request.code.substr(start, end - start));
    const auto next = std::min(request.code.find_first_not_of(" \t\n", end), request.code.size());
    at = next;
  }
  request.code.erase(0, at);
}

// Only the object's own keys are kept: what stands inside their values is nobody's, and must not cost memory.
json parse_json(std::string_view line) {
  bool too_deep = false;
  const auto bounded = [&too_deep](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > max_depth;
    return depth <= 1;
  };
  try {
    auto value = json::parse(line, bounded);
    if (too_deep) throw RequestError("Invalid request: its JSON is nested too deeply.");
    return value;
  } catch (const json::out_of_range&) {
    throw RequestError("Invalid request: its JSON holds a number that is too large.");
  } catch (const json::parse_error& e) {
    throw RequestError(
        "Invalid request: a line that begins with '{' must be a JSON object; this one is broken at byte " +
        std::to_string(e.byte) + ". Put code that begins with '{' into the object's key \"code\".");
  }
}

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_string()) {
    throw RequestError(std::string("Invalid request: the key \"") + key + "\" must be a string, not " +
                       (found->is_array() ? "an " : "a ") + found->type_name() + ".");
  }
  return found->get<std::string>();
}

// PBot sends it as whatever Perl calls true.
bool flag_of(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return false;
  if (found->is_boolean()) return found->get<bool>();
  if (found->is_number_integer()) return found->get<std::int64_t>() != 0;
  if (found->is_string()) return !found->get<std::string>().empty() && found->get<std::string>() != "0";
  throw RequestError(std::string("Invalid request: the key \"") + key + "\" must be true or false.");
}

ClientRequest from_json(std::string_view line) {
  const json object = parse_json(line);
  if (!object.contains("code")) {
    throw RequestError("Invalid request: the JSON object has no key \"code\", which holds the code to run.");
  }
  if (const auto form = text_of(object, "reply"); !form.empty() && form != "text") {
    throw RequestError(
        "Invalid request: the key \"reply\" must be \"text\"; no other form is available in this version.");
  }
  if (!text_of(object, "persist-key").empty()) {
    throw RequestError("Invalid request: the key \"persist-key\" is not available in this version; leave it out.");
  }
  ClientRequest request;
  request.code = text_of(object, "code");
  request.language = lower(text_of(object, "lang"));
  request.machine = lower(text_of(object, "vm"));
  request.nick = text_of(object, "nick");
  request.channel = text_of(object, "channel");
  request.arguments = text_of(object, "arguments");
  request.input = text_of(object, "stdin");
  request.factoid = flag_of(object, "factoid");
  return request;
}

}  // namespace

std::size_t find_invalid_utf8(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  std::size_t at = 0;
  while (at < text.size()) {
    const unsigned first = byte(at);
    std::size_t length = 1;
    unsigned low = 0x80, high = 0xBF;  // bounds of the second byte: RFC 3629, section 4
    if (first < 0x80) {
      ++at;
      continue;
    } else if (first >= 0xC2 && first <= 0xDF) {
      length = 2;
    } else if (first >= 0xE0 && first <= 0xEF) {
      length = 3;
      if (first == 0xE0) low = 0xA0;
      if (first == 0xED) high = 0x9F;
    } else if (first >= 0xF0 && first <= 0xF4) {
      length = 4;
      if (first == 0xF0) low = 0x90;
      if (first == 0xF4) high = 0x8F;
    } else {
      return at;
    }
    if (at + length > text.size()) return at;
    for (std::size_t i = 1; i < length; ++i) {
      if (byte(at + i) < low || byte(at + i) > high) return at;
      low = 0x80;
      high = 0xBF;
    }
    at += length;
  }
  return std::string_view::npos;
}

ClientRequest parse_client_line(std::string_view line) {
  if (line.size() > max_line) {
    throw RequestError("Invalid request: the line is longer than 1 MiB; send less, or in pieces.");
  }
  if (const auto at = find_invalid_utf8(line); at != std::string_view::npos) {
    throw RequestError("Invalid request: byte " + std::to_string(at + 1) + " is not valid UTF-8; send text as UTF-8.");
  }
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
  ClientRequest request;
  if (line.starts_with('{')) {
    request = from_json(line);
  } else {
    request.code = line;
  }
  take_options(request);
  return request;
}

}  // namespace pbotvm::service
