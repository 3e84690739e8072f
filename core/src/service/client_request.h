// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace pbotvm::service {

inline constexpr std::size_t max_line = 1024 * 1024;  ///< bytes of a client's line

/// What a client got wrong. what() is the reply: one line that says what, and what to do instead.
class RequestError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A client's request, whichever front end it came through. All texts are valid UTF-8.
struct ClientRequest {
  std::string language;  ///< -lang=, else the key `lang`, lower case; empty: the host's default
  std::string machine;   ///< -vm=, else the key `vm`, lower case; empty: the host's default
  std::string code;      ///< without the two options above
  std::string nick, channel, arguments, input;
  bool factoid = false;
};

/// Reads one line (without its line end): a JSON object, or plain text that is code. Throws RequestError.
ClientRequest parse_client_line(std::string_view line);

/// The offset of the first byte that is not UTF-8, or npos.
std::size_t find_invalid_utf8(std::string_view text);

}  // namespace pbotvm::service
