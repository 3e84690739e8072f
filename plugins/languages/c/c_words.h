// SPDX-License-Identifier: MIT
#pragma once

// What words tell about the places in which they stand.

#include <string_view>

namespace pbotvm::c {

/// if, while, ...: what ends with the brace, or the statement, of its body.
bool begins_block(std::string_view word);

/// return, sizeof, ...: what begins no declaration.
bool begins_expression(std::string_view word);

/// alignas, decltype, ...: words with a parenthesis that are no function's name.
bool takes_parenthesis(std::string_view word);

/// struct, union, enum, class.
bool is_class_key(std::string_view word);

/// int, unsigned, auto, void, ...
bool is_type_word(std::string_view word);

/// static, const, inline, ...
bool is_specifier(std::string_view word);

/// Names of types that everybody knows and nobody uses for something else: size_t, FILE, uint8_t.
bool begins_type_name(std::string_view word);

}  // namespace pbotvm::c
