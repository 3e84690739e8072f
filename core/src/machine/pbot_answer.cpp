// SPDX-License-Identifier: MIT
#include "machine/pbot_answer.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace pbotvm::machine {

namespace {

constexpr std::string_view mark = "result:";
constexpr std::string_view end_mark = "end";

using Json = nlohmann::json;

// The text in {"result":"..."}; what is nested deeper is not even built.
std::optional<std::string> text_of(std::string_view json) {
  const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth <= 1; };
  const Json value = Json::parse(json, shallow, false);
  if (!value.is_object()) return std::nullopt;
  const auto found = value.find("result");
  if (found == value.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

}  // namespace

void PbotAnswers::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    if (!passing_over_) {
      line_.append(bytes.substr(0, end));
      if (line_.compare(0, mark.size(), mark, 0, line_.size()) != 0) passing_over_ = true;
      if (line_.size() > max_size) {
        passing_over_ = begun_ = true;
        current_.flaw = "it is longer than " + std::to_string(max_size) + " bytes";
      }
      if (passing_over_) line_ = {};
    }
    if (end == bytes.npos) return;
    if (!passing_over_) take_line();
    line_.clear();
    passing_over_ = false;
    bytes.remove_prefix(end + 1);
  }
}

void PbotAnswers::take_line() {
  std::string_view line = line_;
  while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line.size() < mark.size()) return;
  line.remove_prefix(mark.size());
  if (line != end_mark) return take_result(line);
  if (!begun_) current_.flaw = "its beginning was lost";
  answers_.push_back(std::exchange(current_, {}));
  begun_ = false;
  size_ = 0;
}

void PbotAnswers::take_result(std::string_view json) {
  begun_ = true;
  auto text = text_of(json);
  if (!text) {
    current_.flaw = "it is not a JSON object with a text `result`";
  } else if (size_ += text->size() + 1; size_ > max_size) {
    current_.flaw = "it is longer than " + std::to_string(max_size) + " bytes";
  } else {
    current_.texts.push_back(std::move(*text));
  }
}

std::optional<PbotAnswers::Answer> PbotAnswers::next() {
  if (answers_.empty()) return std::nullopt;
  auto answer = std::move(answers_.front());
  answers_.pop_front();
  return answer;
}

void PbotAnswers::reset() {
  line_ = {};
  passing_over_ = begun_ = false;
  size_ = 0;
  current_ = {};
  answers_.clear();
}

}  // namespace pbotvm::machine
