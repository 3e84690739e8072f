// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "pbotvm/job.h"

namespace pbotvm::service {

inline constexpr std::size_t max_line = 1024 * 1024;  ///< bytes of a client's line

/// How a client wants to be answered: with one text, or with one JSON object a line, as it happens.
enum class ReplyForm { text, json };

/// What a client got wrong. what() is the reply: one line that says what, and what to do instead.
class RequestError : public std::runtime_error {
 public:
  explicit RequestError(const std::string& text, ReplyForm wanted = ReplyForm::text)
      : std::runtime_error(text), form(wanted) {}

  ReplyForm form;  ///< the form that the request asked for, as far as it could be read
};

/// A client's request, whichever front end it came through. All texts but the contents of files are valid UTF-8.
struct ClientRequest {
  std::string language;  ///< -lang=, else the key `lang`, lower case; empty: the host's default
  std::string machine;   ///< -vm=, else the key `vm`, lower case; empty: the host's default
  std::string code;      ///< without the two options above, which may stand among -info, -paste and -args
  std::string nick, channel, arguments, input;
  bool factoid = false;
  bool input_given = false;  ///< the key `stdin` is there, also where its text is empty
  ReplyForm reply = ReplyForm::text;
  std::vector<JobFile> files;        ///< beside the language's own; paths are checked
  std::vector<std::string> outputs;  ///< patterns of files to be taken back; only with ReplyForm::json
  std::string persist_key;           ///< empty: nothing is kept
  bool streams_input = false;        ///< more input follows `input`; only with ReplyForm::json
};

/// Reads one line (without its line end): a JSON object, or plain text that is code. Throws RequestError.
ClientRequest parse_client_line(std::string_view line);

/// What a client says to its request while it runs.
struct ClientWord {
  std::string input;       ///< to be added, binary
  bool input_end = false;  ///< no more comes
  bool cancel = false;
};

/// Reads one line of a client whose request runs and has a reply in JSON. Throws RequestError; input for a request that
/// does not stream it in (`streams_input` false) is such a mistake.
ClientWord parse_client_word(std::string_view line, bool streams_input);

}  // namespace pbotvm::service
