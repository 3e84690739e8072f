// SPDX-License-Identifier: MIT
#include "config/values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cmath>

namespace pbotvm::config {

namespace {

constexpr std::size_t max_text = 255;                // bytes
constexpr std::size_t max_machine_name = 64;         // bytes; its directory stands in the paths of sockets
constexpr std::size_t max_list = 64;                 // entries
constexpr double shortest = 0.001, longest = 86400;  // seconds
constexpr std::string_view lower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view digits = "0123456789";

std::string all_of(std::initializer_list<std::string_view> sets) {
  std::string characters;
  for (const auto set : sets) characters += set;
  return characters;
}

bool consists_of(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == std::string_view::npos;
}

bool outside_the_file(const Given& given) {
  return given.origin == Origin::environment || given.origin == Origin::command_line;
}

/// The parts of a list that a variable or an option holds in one text; an empty part is a mistake.
std::vector<Settings> split(const Settings& value, char separator) {
  std::vector<Settings> parts;
  const std::string text = value.text();
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(separator, start), text.size());
    if (end == start) value.fail("found '" + text + "', a list without empty parts is accepted");
    parts.push_back(Settings::scalar(text.substr(start, end - start), value.position()));
    start = end + 1;
  }
  return parts;
}

std::vector<Settings> list(const Given& given, char separator) {
  std::vector<Settings> parts;
  if (!given.value.is_scalar())
    parts = given.value.items();
  else if (outside_the_file(given))
    parts = split(given.value, separator);
  else
    parts.push_back(given.value);
  if (parts.empty()) given.value.fail("found an empty list, at least one entry is accepted");
  if (parts.size() > max_list) given.value.fail("found more than " + std::to_string(max_list) + " entries");
  return parts;
}

bool is_host_name(const std::string& text) {
  if (text.empty() || text.front() == '-' || text.front() == '.' || text.back() == '.') return false;
  if (!consists_of(text, all_of({lower, upper, digits, ".-_"}))) return false;
  // A name whose last part is a number is a mistyped address.
  return !consists_of(text.substr(text.rfind('.') + 1), digits);
}

}  // namespace

std::string plain_text(const Settings& value) {
  std::string text = value.text();
  const bool control = std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (text.empty()) value.fail("found an empty text, one with at least one character is accepted");
  if (control) value.fail("found a text with control characters, one without them is accepted");
  if (text.size() > max_text) value.fail("found a text of more than " + std::to_string(max_text) + " bytes");
  return text;
}

std::string word(const Settings& value, std::string_view characters, const std::string& accepted) {
  std::string text = plain_text(value);
  if (!consists_of(text, characters)) value.fail("found '" + text + "', accepted are " + accepted);
  return text;
}

std::string machine_name(const Settings& value, const std::string& name) {
  if (name.empty() || name.size() > max_machine_name || name.front() == '.' || name.front() == '-' ||
      name.find("..") != std::string::npos || !consists_of(name, all_of({lower, upper, digits, "._-"})))
    value.fail(
        "found the machine name '" + name.substr(0, max_machine_name) +
        "', accepted are 1 to 64 letters, digits, '.', '_' and '-' without a leading '.' or '-', and without '..'");
  return name;
}

std::string host_address(const Settings& value) {
  std::string text = plain_text(value);
  unsigned char bytes[sizeof(in6_addr)];
  if (inet_pton(AF_INET, text.c_str(), bytes) != 1 && inet_pton(AF_INET6, text.c_str(), bytes) != 1 &&
      !is_host_name(text))
    value.fail("found '" + text + "', an IPv4 or IPv6 address or a host name is accepted");
  return text;
}

std::chrono::milliseconds duration(const Settings& value) {
  return std::chrono::milliseconds(std::llround(value.number(shortest, longest) * 1000));
}

Endpoint endpoint(const Settings& value) {
  const std::string text = value.text();
  try {
    return Endpoint::parse(text);
  } catch (const Error& error) {
    value.fail(error.what());
  }
}

std::size_t choice(const Settings& value, const std::vector<std::string>& choices) {
  const std::string text = value.text();
  const auto found = std::find(choices.begin(), choices.end(), text);
  if (found != choices.end()) return static_cast<std::size_t>(found - choices.begin());
  std::string accepted;
  for (const auto& one : choices) accepted += (accepted.empty() ? "" : ", ") + one;
  const std::string near = nearest(text, choices);
  value.fail("found '" + text.substr(0, max_text) + "', accepted are " + accepted +
             (near.empty() ? "" : "; did you mean '" + near + "'?"));
}

std::filesystem::path path(const Given& given, const Settings& value) {
  std::filesystem::path full = (given.base / plain_text(value)).lexically_normal();
  return full.has_filename() || full == full.root_path() ? full : full.parent_path();
}

std::vector<std::filesystem::path> paths(const Given& given) {
  std::vector<std::filesystem::path> result;
  for (const auto& part : list(given, ':')) result.push_back(path(given, part));
  return result;
}

namespace {

std::string plugin_name(const Settings& value) {
  return word(value, all_of({lower, digits, "-"}), "names of plug-ins: small letters, digits and '-'");
}

}  // namespace

PluginChoice plugin_choice(const Settings& value, const std::string& fallback) {
  if (value.is_scalar()) return {plugin_name(value), Settings(value.position())};
  if (!value.is_mapping())
    value.fail("found neither a plug-in's name nor a map, accepted is NAME or {plugin: NAME, ...}");
  const auto named = value.find("plugin");
  if (!named && fallback.empty()) value.fail("found a map without the key 'plugin', accepted is {plugin: NAME, ...}");
  return {named ? plugin_name(*named) : fallback, value.without("plugin")};
}

std::vector<PluginChoice> plugin_choices(const Given& given) {
  std::vector<PluginChoice> result;
  for (const auto& part : list(given, ',')) {
    PluginChoice next = plugin_choice(part, {});
    const bool twice =
        std::any_of(result.begin(), result.end(), [&](const auto& r) { return r.plugin == next.plugin; });
    if (twice) part.fail("duplicate name '" + next.plugin + "', each is accepted once");
    result.push_back(std::move(next));
  }
  return result;
}

}  // namespace pbotvm::config
