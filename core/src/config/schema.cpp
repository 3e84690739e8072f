// SPDX-License-Identifier: MIT
#include "config/schema.h"

#include <map>
#include <nlohmann/json.hpp>

#include "config/table.h"
#include "pbotvm/error.h"

namespace pbotvm::config {

namespace {

// Keys stay in the order of the table.
using json = nlohmann::ordered_json;

constexpr const char* machine_name_pattern = "^(?!\\.)(?!.*\\.\\.)[A-Za-z0-9._-]{1,64}$";
constexpr const char* bytes_pattern = "^[0-9]+ ?(KiB|MiB|GiB)?$";
constexpr const char* number_pattern = "^[0-9]+$";

// Any scalar is a text; a text that is written as a number is one, too.
json text() {
  return {{"type", {"string", "number", "boolean"}}};
}

json number(double low, double high) {
  return {{"type", "number"}, {"minimum", low}, {"maximum", high}};
}

json integer(std::int64_t low) {
  return {{"type", "integer"}, {"minimum", low}};
}

json port() {
  return {{"type", "integer"}, {"minimum", 1}, {"maximum", 65535}};
}

json list_of(const json& one) {
  return {{"type", "array"}, {"items", one}, {"maxItems", 64}};
}

json any_of(std::initializer_list<json> choices) {
  return {{"anyOf", json(choices)}};
}

// A name, or a map with the plug-in's own keys, which only the plug-in knows.
json plugin(bool must_be_named) {
  json map = {{"type", "object"}, {"properties", {{"plugin", {{"type", "string"}}}}}};
  if (must_be_named) map["required"] = {"plugin"};
  return any_of({{{"type", "string"}, {"pattern", "^[a-z0-9-]+$"}}, map});
}

json endpoint() {
  return any_of({{{"type", "integer"}, {"minimum", 0}, {"maximum", 65535}},
                 {{"type", "string"}, {"pattern", "^([0-9]+|.+:[0-9]+|unix:.+)$"}}});
}

/// "frames or pbot", "a, b or c": nothing but words that are accepted. Empty for another text.
std::vector<std::string> words_of(const std::string& type) {
  std::vector<std::string> words;
  std::string rest = type;
  for (const std::string separator : {", ", " or "}) {
    for (std::size_t at; (at = rest.find(separator)) != std::string::npos; rest.erase(0, at + separator.size()))
      words.push_back(rest.substr(0, at));
  }
  if (words.empty()) return {};
  words.push_back(rest);
  for (const auto& word : words)
    if (word.find(' ') != std::string::npos) return {};
  return words;
}

const std::map<std::string, json>& rules() {
  static const std::map<std::string, json> all = {
      {"address or host name", {{"type", "string"}}},
      {"port", port()},
      {"seconds", number(0.001, 86400)},
      {"number", integer(0)},
      {"bytes", any_of({integer(1), {{"type", "string"}, {"pattern", bytes_pattern}}})},
      {"language", text()},
      {"directory", {{"type", "string"}}},
      {"directories", any_of({{{"type", "string"}}, list_of({{"type", "string"}})})},
      {"user", text()},
      {"text", text()},
      {"machine", text()},
      {"names", list_of(text())},
      {"port, ADDRESS:PORT, unix:PATH, or 0 for none", endpoint()},
      {"plug-in or map", plugin(false)},
      {"plug-in", plugin(false)},
      {"plug-ins", any_of({{{"type", "string"}}, list_of(plugin(true))})},
      {"number or auto", any_of({integer(1), {{"enum", {"auto"}}}, {{"type", "string"}, {"pattern", number_pattern}}})},
      {"true or false", {{"type", "boolean"}}},
      {"URL or none", {{"type", "string"}, {"pattern", "^(none|https?://[^ ]+)$"}}},
  };
  return all;
}

json rule_of(const Row& row) {
  const auto known = rules().find(row.type);
  if (known != rules().end()) return known->second;
  const auto words = words_of(row.type);
  if (words.empty())
    throw Error(ErrorCode::internal, "the type '" + row.type + "' of " + row.yaml + " has no rule in the schema");
  return {{"enum", words}};
}

json property(const Row& row) {
  std::string meaning = row.meaning;
  for (const auto& name : row.environment) meaning += (name == row.environment.front() ? " [" : ", ") + name;
  if (!row.environment.empty()) meaning += "]";
  json result = {{"description", meaning + ". Default: " + (row.fallback.empty() ? "none" : row.fallback)}};
  const json rule = rule_of(row);
  for (const auto& [key, value] : rule.items()) result[key] = value;
  return result;
}

json map_of(const json& properties) {
  return {{"type", {"object", "null"}}, {"properties", properties}, {"additionalProperties", false}};
}

}  // namespace

std::string settings_schema() {
  json top = json::object(), host = json::object(), machine = json::object();
  const std::size_t host_skip = std::string(host_prefix).size(), machine_skip = std::string(machine_prefix).size();
  for (const auto& row : table()) {
    if (row.machine) {
      const std::string key = row.yaml.substr(machine_skip);
      machine[key.substr(0, key.find('.'))] = property(row);
    } else if (row.yaml.starts_with(host_prefix)) {
      host[row.yaml.substr(host_skip)] = property(row);
    } else {
      top[row.yaml] = property(row);
    }
  }
  json properties = {{"host", map_of(host)}};
  for (const auto& [key, value] : top.items()) properties[key] = value;
  properties["machines"] = {{"type", {"object", "null"}},
                            {"propertyNames", {{"pattern", machine_name_pattern}}},
                            {"additionalProperties", map_of(machine)}};
  json schema = {{"$schema", "http://json-schema.org/draft-07/schema#"},
                 {"title", "pbotvm.yaml"},
                 {"description", "Settings of pbotvm-host; made by `pbotvm-host --print-schema`."}};
  const json body = map_of(properties);
  for (const auto& [key, value] : body.items()) schema[key] = value;
  return schema.dump(2) + "\n";
}

}  // namespace pbotvm::config
