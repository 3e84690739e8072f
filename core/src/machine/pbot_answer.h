// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pbotvm::machine {

/// Finds the answers in what PBot's guest-server writes: lines `result:{"result":"..."}`, then `result:end`. Whatever
/// else stands on the line (an echo, a boot message) is passed over. Keeps at most max_size of an answer.
class PbotAnswers {
 public:
  static constexpr std::size_t max_size = 4u << 20;  ///< bytes of one answer, and of one line

  struct Answer {
    std::vector<std::string> texts;  ///< of its lines; one, as a rule
    std::string flaw;                ///< not empty: it was not what it must be, and `texts` is not all of it
  };

  void feed(std::string_view bytes);
  std::optional<Answer> next();
  /// Forgets what was read.
  void reset();

 private:
  void take_line();
  void take_result(std::string_view json);

  std::string line_;           // the beginning of the one that is being read
  bool passing_over_ = false;  // it is none of an answer
  bool begun_ = false;         // current_ has a line
  std::size_t size_ = 0;       // of current_
  Answer current_;
  std::deque<Answer> answers_;
};

}  // namespace pbotvm::machine
