// SPDX-License-Identifier: MIT
#pragma once

// The real pbotvm-guest in a directory of its own, and a client that speaks frames to it.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pbotvm/job.h"
#include "pbotvm/unique_fd.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

namespace pbotvm::guest_test {

inline constexpr std::chrono::seconds patience{60};  // for what must come

/// A started program; its standard error goes to a file.
class ChildProgram {
 public:
  ChildProgram(std::vector<std::string> argv, const std::filesystem::path& errors);
  ~ChildProgram();
  ChildProgram(const ChildProgram&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  int wait();  ///< exit status; waits at most `patience`, then ends it and returns -1
  std::string errors() const;

 private:
  pid_t pid_;
  std::filesystem::path errors_;
};

class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A stream of bytes from a Unix socket.
class Stream {
 public:
  explicit Stream(const std::filesystem::path& socket);  ///< waits until somebody listens
  void write(std::string_view bytes);
  /// What came; empty at the end of the stream, nothing when nothing came in time.
  std::optional<std::string> read(std::chrono::milliseconds wait);
  void close() { fd_.reset(); }

 private:
  UniqueFd fd_;
};

struct JobOutcome {
  std::map<int, std::string> output;  ///< by stream
  std::vector<StepResult> steps;
  std::optional<protocol::Ending> ending;
  std::optional<protocol::Clean> clean;
  std::optional<protocol::Refusal> refusal;
  std::optional<protocol::Collected> collected;
  std::vector<std::string> files;  ///< content of those in `collected`, as far as it came
  bool over() const { return clean || refusal; }
  std::string out() const { return output.contains(1) ? output.at(1) : ""; }
  std::string err() const { return output.contains(2) ? output.at(2) : ""; }
};

class Client {
 public:
  explicit Client(const std::filesystem::path& socket) : stream_(socket) {}

  protocol::Welcome hello(const std::vector<std::string>& tools = {}, std::uint32_t slots = 1);
  std::uint64_t nonce() const { return nonce_; }

  void send(protocol::FrameType type, std::uint32_t job, std::string payload);
  void send_raw(std::string_view bytes) { stream_.write(bytes); }
  void start(std::uint32_t id, const Job& job, bool with_input = true);

  /// The next frame, whatever it is.
  std::optional<protocol::Frame> next(std::chrono::milliseconds wait = patience);
  /// Reads until CLEAN or a refusal of this job; fails the test when another job's frame comes.
  JobOutcome finish(std::uint32_t id, bool give_credit = true);
  /// Reads until each of these jobs is over; what comes of them is added to what is there.
  void finish_all(std::map<std::uint32_t, JobOutcome>& outcomes, bool give_credit = true);
  JobOutcome run(const Job& job) {
    start(++last_id_, job);
    return finish(last_id_);
  }
  /// Waits for the next output of a job and returns its bytes.
  std::string next_output(std::uint32_t id);
  /// That the conversation still works, and nothing else was on its way.
  void expect_pong();
  void disconnect() { stream_.close(); }

 private:
  void take(const protocol::Frame& frame, JobOutcome& outcome, bool give_credit);
  void give_credit(std::uint32_t id, std::size_t bytes);
  guest_test::Stream stream_;
  std::map<std::uint32_t, protocol::MessageAssembler> collected_text_;
  protocol::FrameReader reader_;
  std::uint64_t nonce_ = 0;
  std::uint32_t last_id_ = 1000;
};

class Guest {
 public:
  explicit Guest(std::vector<std::string> more = {});
  Client connect() { return Client(directory_.path() / "line"); }
  guest_test::Stream heartbeat() { return guest_test::Stream(directory_.path() / "heart"); }
  ChildProgram& program() { return program_; }

 private:
  TemporaryDirectory directory_;
  ChildProgram program_;
};

/// `sh prog.sh` with small limits.
Job shell_job(const std::string& code);

/// Whether a process with this text in its command line runs anywhere.
bool process_runs(const std::string& text);
/// Waits until none does; false when one still does after `patience`.
bool goes_away(const std::string& text);

}  // namespace pbotvm::guest_test
