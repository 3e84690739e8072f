// SPDX-License-Identifier: MIT
#include "service/client_request.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "service/client_files.h"
#include "service/client_json.h"
#include "service/utf8.h"

namespace pbotvm::service {

namespace {

using nlohmann::json;

constexpr std::string_view blanks = " \t\n";

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// `-lang sh` would become code of the default language, whose compiler's complaint helps nobody.
void refuse_blank_for_equals(std::string_view code) {
  for (const std::string_view option : {"-lang", "-vm"}) {
    if (!code.starts_with(option)) continue;
    const auto rest = code.substr(option.size());
    if (rest.empty() || blanks.find(rest.front()) != std::string_view::npos) {
      throw RequestError("Invalid request: write " + std::string(option) + "=NAME, with '=' and without blanks.");
    }
  }
}

// Behind a word of a shell's kind.
std::size_t word_end(std::string_view text, std::size_t at) {
  for (char quote = 0; at < text.size(); ++at) {
    if (quote == 0 && blanks.find(text[at]) != std::string_view::npos) break;
    if (text[at] == '\\' && quote != '\'') {
      ++at;
    } else if (text[at] == quote) {
      quote = 0;
    } else if (quote == 0 && (text[at] == '"' || text[at] == '\'')) {
      quote = text[at];
    }
  }
  return std::min(at, text.size());
}

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(blanks, at), text.size());
}

// Behind options that every language has: -info -paste -args "a b". What may follow -lang= may stand before it, too.
std::size_t skip_common(std::string_view text, std::size_t at) {
  for (;;) {
    const std::size_t end = word_end(text, at);
    const auto word = text.substr(at, end - at);
    const bool valued = word == "-args";
    if (!valued && word != "-info" && word != "-paste") return at;
    at = skip_blanks(text, end);
    if (valued) at = skip_blanks(text, word_end(text, at));
  }
}

// -lang= and -vm= in front of the code, in any order, repeated; the last one of each wins.
void take_options(ClientRequest& request) {
  std::size_t at = 0;
  for (;;) {
    at = skip_common(request.code, at);
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
    const auto end = std::min(request.code.find_first_of(blanks, start), request.code.size());
    *target = lower(request.code.substr(start, end - start));
    request.code.erase(at, skip_blanks(request.code, end) - at);
  }
  refuse_blank_for_equals(std::string_view(request.code).substr(at));
}

ReplyForm form_of(const json& object) {
  const auto form = text_of(object, "reply");
  if (form.empty() || form == "text") return ReplyForm::text;
  if (form == "json") return ReplyForm::json;
  throw RequestError("Invalid request: the key \"reply\" must be \"text\" or \"json\".");
}

void check_form(const ClientRequest& request) {
  if (request.reply == ReplyForm::json) return;
  const char* key = request.streams_input ? "stdin-stream" : !request.outputs.empty() ? "outputs" : nullptr;
  if (key != nullptr) {
    throw RequestError(std::string("Invalid request: the key \"") + key +
                       "\" needs \"reply\":\"json\" beside it; a reply of text has no place for that.");
  }
}

ClientRequest from_object(const json& object, ReplyForm form) {
  if (!object.contains("code")) {
    throw RequestError("Invalid request: the JSON object has no key \"code\", which holds the code to run.");
  }
  ClientRequest request;
  request.reply = form;
  request.code = text_of(object, "code");
  request.language = lower(text_of(object, "lang"));
  request.machine = lower(text_of(object, "vm"));
  request.nick = text_of(object, "nick");
  request.channel = text_of(object, "channel");
  request.arguments = text_of(object, "arguments");
  request.input = text_of(object, "stdin");
  request.input_given = object.contains("stdin") && !object["stdin"].is_null();
  request.factoid = flag_of(object, "factoid");
  request.files = files_of(object);
  request.outputs = outputs_of(object);
  request.persist_key = persist_key_of(object);
  request.streams_input = boolean_of(object, "stdin-stream");
  check_form(request);
  take_options(request);
  return request;
}

void check_line(std::string_view line) {
  if (line.size() > max_line) {
    throw RequestError("Invalid request: the line is longer than 1 MiB; send less, or in pieces.");
  }
  if (const auto at = find_invalid_utf8(line); at != std::string_view::npos) {
    throw RequestError("Invalid request: byte " + std::to_string(at + 1) + " is not valid UTF-8; send text as UTF-8.");
  }
}

}  // namespace

ClientRequest parse_client_line(std::string_view line) {
  check_line(line);
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
  if (!line.starts_with('{')) {
    ClientRequest request;
    request.code = line;
    take_options(request);
    return request;
  }
  const json object = parse_client_object(line,
                                          {"code", "lang", "vm", "arguments", "stdin", "nick", "channel", "factoid",
                                           "reply", "persist-key", "stdin-stream"},
                                          {"files", "outputs"});
  const ReplyForm form = form_of(object);
  try {
    return from_object(object, form);
  } catch (const RequestError& e) {
    throw RequestError(e.what(), form);
  }
}

ClientWord parse_client_word(std::string_view line, bool streams_input) {
  try {
    check_line(line);
    const json object = parse_client_object(line, {"stdin", "stdin-base64", "stdin-end", "cancel"});
    ClientWord word;
    bool given = false;
    word.input = bytes_of(object, "stdin", "stdin-base64", given);
    word.input_end = boolean_of(object, "stdin-end");
    word.cancel = boolean_of(object, "cancel");
    if (!streams_input && (given || word.input_end)) {
      throw RequestError("Invalid request: input follows a request without \"stdin-stream\":true.");
    }
    return word;
  } catch (const RequestError& e) {
    throw RequestError(e.what(), ReplyForm::json);
  }
}

}  // namespace pbotvm::service
