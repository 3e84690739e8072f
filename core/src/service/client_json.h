// SPDX-License-Identifier: MIT
#pragma once

// What reading a client's JSON object takes, whichever object it is. All of it throws RequestError.

#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace pbotvm::service {

/// One line as an object. Of its keys only those that are named are kept, `keys` with values of a plain type, `lists`
/// with what stands inside: the others are nobody's, and must not cost memory.
nlohmann::json parse_client_object(std::string_view line, std::initializer_list<std::string_view> keys,
                                   std::initializer_list<std::string_view> lists = {});

/// A text; empty when it is absent or null.
std::string text_of(const nlohmann::json& object, const char* key);

/// True or false; false when it is absent or null.
bool boolean_of(const nlohmann::json& object, const char* key);

/// As PBot sends them: whatever Perl calls true.
bool flag_of(const nlohmann::json& object, const char* key);

/// A list; an empty one when it is absent or null.
const nlohmann::json& list_of(const nlohmann::json& object, const char* key);

/// The bytes of one of two keys: a text as it is, or base64. `given` says whether one of them is there; both is an
/// error.
std::string bytes_of(const nlohmann::json& object, const char* text_key, const char* base64_key, bool& given);

}  // namespace pbotvm::service
