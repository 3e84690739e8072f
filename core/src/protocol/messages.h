// SPDX-License-Identifier: MIT
#pragma once

// The JSON messages that frames carry, as values. docs/protocol.md is the specification.

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "pbotvm/job.h"

namespace pbotvm::protocol {

inline constexpr std::size_t max_message = 4 * 1024 * 1024;  ///< bytes of a job or of what was collected, all frames
inline constexpr std::size_t max_small_message = 64 * 1024;  ///< bytes of every other JSON message
inline constexpr std::size_t max_job_files = 256;            ///< files of one job
inline constexpr std::size_t max_file_bytes = 16u << 20;     ///< content of all files of one job
inline constexpr std::size_t max_steps = 16;                 ///< steps of one job
inline constexpr std::size_t max_arguments = 4096;           ///< words of one command; variables of its environment
inline constexpr std::size_t max_argument = 128 * 1024 - 1;  ///< bytes of one of them, as Linux bounds it
inline constexpr std::size_t max_collected_files = 256;      ///< files taken back from one job
inline constexpr std::size_t max_collected_bytes = 16u << 20;
inline constexpr std::uint32_t max_slots = 64;                      ///< jobs at one time on one machine
inline constexpr std::uint32_t initial_output_credit = 256 * 1024;  ///< bytes of output before the first credit
inline constexpr std::uint32_t initial_input_credit = 64 * 1024;    ///< bytes of input before the first credit

/// A message that is not what docs/protocol.md says. what() tells which field.
class MessageError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Hello {
  std::int64_t time_ns = 0;        ///< host's time of day, ns since 1970 UTC
  std::string seed;                ///< 32 random bytes
  std::vector<std::string> tools;  ///< programs that the host wants to know about
  std::uint32_t slots = 1;         ///< jobs at one time that the host wants; the guest says how many it gives
  bool network = false;            ///< jobs use the machine's own network instead of an empty one
};

/// A piece of containment that the guest can give, and whether it does.
struct Containment {
  std::string name;  ///< "namespaces", "cgroup", "user", "memory", "processes"
  bool given = false;
  std::string why;  ///< when not
};

struct Welcome {
  std::string version;  ///< of the guest program
  std::vector<Containment> containment;
  std::vector<std::string> tools;  ///< those of Hello::tools that there are
  std::uint32_t slots = 1;         ///< jobs at one time
};

/// Whether the guest could prove that nothing of a job is left.
struct Clean {
  bool proven = false;
  std::string why;  ///< when not
};

struct Refusal {
  std::string code;  ///< "busy", "bad-message", "bad-job", "no-conversation"
  std::string text;
};

/// The files that were found for Job::collection; their content follows in `file` frames.
struct Collected {
  std::vector<JobFile> files;  ///< without their content
  std::vector<std::uint64_t> sizes;
  std::vector<LeftBehind> left_behind;
};

/// How a job ended, beyond what its steps said.
struct Ending {
  Limit limit = Limit::none;
  std::uint64_t bytes_cut = 0;  ///< output read and thrown away
  std::string error;            ///< not empty: the guest could not run the job, and why
};

std::string encode(const Hello&);
std::string encode(const Welcome&);
std::string encode(const Job&);  ///< with the sizes of its files, not their content
std::string encode(const StepResult&);
std::string encode(const Collected&);
std::string encode(const Ending&);
std::string encode(const Clean&);
std::string encode(const Refusal&);

// Each throws MessageError on anything but a message of its kind: unknown keys are ignored, wrong types, sizes over the
// bounds and escaping file names are not.
Hello decode_hello(std::string_view);
Welcome decode_welcome(std::string_view);
/// The files come with their sizes only: `content` is empty, file_sizes[i] says how much is to follow.
struct AnnouncedJob {
  Job job;
  std::vector<std::uint64_t> file_sizes;
  std::uint64_t input_size_hint = 0;
};
AnnouncedJob decode_job(std::string_view);
StepResult decode_step(std::string_view);
Collected decode_collected(std::string_view);
Ending decode_ending(std::string_view);
Clean decode_clean(std::string_view);
Refusal decode_refusal(std::string_view);

std::string_view limit_name(Limit);  ///< "none", "wall", ...
std::optional<Limit> limit_from_name(std::string_view);

// Binary payloads.
std::string encode_output(std::uint32_t step, Stream stream, std::string_view bytes);
OutputChunk decode_output(std::string_view payload);
std::string encode_file_piece(std::uint32_t index, std::string_view bytes);
struct FilePiece {
  std::uint32_t index;
  std::string_view bytes;  ///< into the payload
};
FilePiece decode_file_piece(std::string_view payload);
std::string encode_credit(std::uint32_t bytes);
std::uint32_t decode_credit(std::string_view payload);

/// Joins the frames of one message type: give it every payload, get the message when it is whole. Bounded by `limit`,
/// bytes.
class MessageAssembler {
 public:
  explicit MessageAssembler(std::size_t limit = max_message) : limit_(limit) {}

  /// Throws MessageError when the message grows too long, and for a frame that says nothing but that more comes.
  std::optional<std::string> add(std::string_view payload, bool more);
  void reset() { pending_.clear(); }

 private:
  std::size_t limit_;
  std::string pending_;
};

}  // namespace pbotvm::protocol
