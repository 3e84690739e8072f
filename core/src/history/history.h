// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "history/code_parts.h"
#include "history/edit_grammar.h"
#include "history/store.h"

namespace pbotvm::history {

/// What is to be run: the request's own text, or what an edit made of earlier code; options in front.
struct RunThis {
  std::string code;
};

/// The request is answered: `show`, `diff`, or an edit that cannot be done.
struct Reply {
  std::string text;
  bool failed = false;  ///< the client asked for what cannot be done, and the text says why
};

using Answer = std::variant<RunThis, Reply>;

/// What was run in each channel and language, so that `s/5/6/`, `run` or `undo` can change and repeat it;
/// docs/history.md. Kept in one file, which is made with the first request. A file that cannot be used costs no request
/// anything but its edits: one line of the log says why, and a damaged one is put aside under the name PATH.damaged.
/// Any thread.
class History {
 public:
  /// `path`: of the file; relative to the working directory, which is the host's STATE.
  History(std::string path, Bounds bounds);
  ~History();

  /// Remembers a request's text (options, code, -stdin; without -lang and -vm), or does the edits that it consists of.
  /// `language`: the name under which the catalogue has it, so that its aliases share one history. Upper and lower case
  /// of a channel are the same. `options`: what its language takes for options. Never throws for what a client wrote,
  /// nor for the file.
  Answer apply(const std::string& channel, const std::string& language, const std::string& text,
               const OptionReading& options = {});

 private:
  struct Asked;
  Answer edited(const Asked& asked);
  Answer changed_code(const Asked& asked);
  Reply nothing_to_change(const Asked& asked, bool has_any);
  Reply shown(const Owner& owner, bool of_another);
  Reply compared(const Owner& owner, bool of_another);
  bool keep(const Owner& owner, std::optional<std::int64_t> expected, std::size_t drop, const std::string& text);
  template <typename Function>
  auto with_store(Function function);
  Store& store();
  void put_aside(const std::string& why);
  void complain(const std::string& why);

  const std::string path_;
  const Bounds bounds_;
  std::mutex mutex_;  // of what follows
  std::unique_ptr<Store> store_;
  std::string complained_;  // the last complaint
  std::chrono::steady_clock::time_point complained_at_{}, write_again_at_{};
};

}  // namespace pbotvm::history
