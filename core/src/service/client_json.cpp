// SPDX-License-Identifier: MIT
#include "service/client_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "service/base64.h"
#include "service/client_request.h"

namespace pbotvm::service {

namespace {

using nlohmann::json;

constexpr int max_depth = 16;             // nested values in a line; it needs three
constexpr std::size_t max_nested = 4096;  // values and keys inside lists

[[noreturn]] void wrong_type(const char* key, const std::string& accepted, const json& found) {
  throw RequestError(std::string("Invalid request: the key \"") + key + "\" must be " + accepted + ", not " +
                     (found.is_array() || found.is_object() ? "an " : "a ") + found.type_name() + ".");
}

// Null is as good as absent.
const json* value_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

bool among(std::initializer_list<std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

json parse_client_object(std::string_view line, std::initializer_list<std::string_view> keys,
                         std::initializer_list<std::string_view> lists) {
  bool too_deep = false, keeps = false;
  std::size_t nested = 0;
  const auto bounded = [&](int depth, json::parse_event_t event, json& value) {
    too_deep = too_deep || depth > max_depth;
    if (depth == 1 && event == json::parse_event_t::key) {
      const auto& key = value.get_ref<const std::string&>();
      keeps = among(lists, key);
      return keeps || among(keys, key);
    }
    if (depth <= 1) return true;
    return keeps && depth <= 3 && ++nested <= max_nested;
  };
  json value;
  try {
    value = json::parse(line, bounded);
  } catch (const json::out_of_range&) {
    throw RequestError("Invalid request: its JSON holds a number that is too large.");
  } catch (const json::parse_error& e) {
    throw RequestError(
        "Invalid request: a line that begins with '{' must be a JSON object; this one is broken at byte " +
        std::to_string(e.byte) + ". Put code that begins with '{' into the object's key \"code\".");
  }
  if (too_deep) throw RequestError("Invalid request: its JSON is nested too deeply.");
  if (nested > max_nested) {
    throw RequestError("Invalid request: its lists hold more than " + std::to_string(max_nested) + " values.");
  }
  if (!value.is_object()) throw RequestError("Invalid request: the line must be a JSON object.");
  return value;
}

std::string text_of(const json& object, const char* key) {
  const json* value = value_of(object, key);
  if (value == nullptr) return {};
  if (!value->is_string()) wrong_type(key, "a string", *value);
  return value->get<std::string>();
}

bool boolean_of(const json& object, const char* key) {
  const json* value = value_of(object, key);
  if (value == nullptr) return false;
  if (!value->is_boolean()) wrong_type(key, "true or false", *value);
  return value->get<bool>();
}

bool flag_of(const json& object, const char* key) {
  const json* value = value_of(object, key);
  if (value == nullptr) return false;
  if (value->is_boolean()) return value->get<bool>();
  if (value->is_number_integer()) return value->get<std::int64_t>() != 0;
  if (value->is_string()) return !value->get<std::string>().empty() && value->get<std::string>() != "0";
  throw RequestError(std::string("Invalid request: the key \"") + key + "\" must be true or false.");
}

const json& list_of(const json& object, const char* key) {
  static const json none = json::array();
  const json* value = value_of(object, key);
  if (value == nullptr) return none;
  if (!value->is_array()) wrong_type(key, "a list", *value);
  return *value;
}

std::string bytes_of(const json& object, const char* text_key, const char* base64_key, bool& given) {
  const bool text = value_of(object, text_key) != nullptr;
  const bool base64 = value_of(object, base64_key) != nullptr;
  if (text && base64) {
    throw RequestError(std::string("Invalid request: give either \"") + text_key + "\" or \"" + base64_key +
                       "\", not both.");
  }
  given = text || base64;
  if (!base64) return text_of(object, text_key);
  auto bytes = decode_base64(text_of(object, base64_key));
  if (!bytes) {
    throw RequestError(std::string("Invalid request: the key \"") + base64_key +
                       "\" must be base64 (RFC 4648, section 4, padded, without line ends).");
  }
  return std::move(*bytes);
}

}  // namespace pbotvm::service
