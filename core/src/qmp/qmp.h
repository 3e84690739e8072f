// SPDX-License-Identifier: MIT
#pragma once

// QEMU's machine protocol: one JSON object a line, commands answered in order, events at any time.
// https://www.qemu.org/docs/master/interop/qmp-spec.html

#include <cstddef>
#include <cstdint>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "pbotvm/deadline.h"
#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::qmp {

inline constexpr std::size_t max_qmp_line = 1024 * 1024;  ///< bytes; a longer line is a protocol error
inline constexpr std::size_t max_qmp_events = 256;        ///< kept between two calls; the oldest are dropped

/// Cuts what QEMU writes into messages.
class QmpParser {
 public:
  /// Throws Error{protocol} when a line grows past max_qmp_line.
  void feed(std::string_view bytes);

  /// The next whole message, none until more is fed. Throws Error{protocol} on a line that is no JSON object.
  std::optional<nlohmann::json> next();

 private:
  std::string buffer_;
  std::size_t start_ = 0;  // of the first line that was not taken yet
};

/// One message, told apart. `body` is the "return" value, the error's object, the event or the greeting's "QMP" object.
struct QmpMessage {
  enum class Kind { greeting, reply, error, event };
  Kind kind{};
  std::string id;  ///< of the command that a reply or an error answers; empty where it carries none
  nlohmann::json body;
};

/// Throws Error{protocol} on an object that is none of the four.
QmpMessage classify(nlohmann::json message);

/// A member of a JSON object as text or number, empty or 0 where it is missing or of another type.
std::string text_at(const nlohmann::json& object, const char* key);
std::int64_t integer_at(const nlohmann::json& object, const char* key);

/// A conversation with one QEMU process. Owns its socket. One thread at a time; every call comes back by its deadline
/// with Error{timed_out}, and with Error{unavailable} when QEMU ended or hung up.
class QmpClient {
 public:
  /// Reads the greeting and leaves negotiation mode: QEMU is then as far as its main loop. `process` is a pidfd of it,
  /// a borrow that outlives the client, or -1.
  QmpClient(UniqueFd socket, int process, const Deadline& deadline);

  /// "7.2.22", from the greeting.
  const std::string& version() const { return version_; }

  /// Runs a command and returns what it returned. Throws Error{refused} with QEMU's own words.
  nlohmann::json execute(const std::string& command, const nlohmann::json& arguments, const Deadline& deadline);

  /// Runs a command that makes a job, and waits for the job to conclude. The answer to such a command says only that
  /// the job was made: its failure is in the job, and thrown as Error{refused}. Adds "job-id" to the arguments.
  void run_job(const std::string& command, nlohmann::json arguments, const Deadline& deadline);

  /// The next event that is there, without waiting. Reads what QEMU wrote, so that it does not pile up there; once QEMU
  /// hung up there are none. Throws nothing but Error{protocol}.
  std::optional<nlohmann::json> take_event();

 private:
  void send(const std::string& line, const Deadline& deadline);
  QmpMessage receive(const Deadline& deadline);
  bool read_available();
  void wait_for(short events, const Deadline& deadline);
  void keep_event(nlohmann::json event);
  std::string post(const std::string& command, const nlohmann::json& arguments, const Deadline& deadline);
  bool wait_concluded(const std::string& job, const Deadline& deadline);
  std::string job_error(const std::string& job, const Deadline& deadline);

  UniqueFd socket_;
  int process_;
  QmpParser parser_;
  std::deque<nlohmann::json> events_;
  std::string version_;
  bool lost_events_ = false;  // since the job that runs was begun
  std::uint64_t last_id_ = 0;
  std::string doing_ = "the greeting";  // for what was tried when a deadline passes
};

}  // namespace pbotvm::qmp
