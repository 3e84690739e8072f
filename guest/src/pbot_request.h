// SPDX-License-Identifier: MIT
#pragma once

// PBot's own dialect, what comes in: a request is one JSON object. docs/pbot-compatibility.md tells all of it.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace pbotvm::guest {

inline constexpr std::size_t max_pbot_request = 4 * 1024 * 1024;  ///< bytes of one request

/// A request that cannot be served. what() is for the client who wrote it.
class PbotError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct PbotRequest {
  std::string language;
  std::string source_file;  ///< a plain name, below the job's directory
  std::string exec_file;    ///< a plain name; "prog" where there is none
  std::string command;      ///< for bash, or what compiles
  std::string code, input;
  std::string arguments;             ///< one text, not split yet
  std::string persist_key;           ///< empty or a plain name
  std::optional<std::int64_t> date;  ///< seconds since 1970 UTC
  bool factoid = false;              ///< says nothing where there is nothing to say
};

/// Throws PbotError on anything that is no request.
PbotRequest parse_pbot_request(std::string_view json);

/// Cuts text into requests. A request begins with '{'; what stands before it is passed over. It ends with an empty
/// line, with a line of ":end:", or with the text (end()). Its newlines do not count: PBot's host adds some. Keeps at
/// most one request; never throws.
class PbotReader {
 public:
  struct Found {
    std::string json;
    bool too_long = false;  ///< it was longer than max_pbot_request, and is not kept
  };

  /// The requests that are whole now, in order.
  std::vector<Found> feed(std::string_view text);
  /// No more will come: what has begun is whole now.
  std::optional<Found> end();
  /// Forgets what has begun.
  void reset();
  /// Whether a request has begun that is not whole.
  bool partial() const { return state_ != State::outside; }

 private:
  enum class State { outside, inside, too_long };

  void add(char c);
  bool end_line();
  Found take();

  State state_ = State::outside;
  std::string json_;            // without newlines
  std::size_t line_begin_ = 0;  // in json_, of the line that is being read
};

}  // namespace pbotvm::guest
