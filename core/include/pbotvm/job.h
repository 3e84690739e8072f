// SPDX-License-Identifier: MIT
#pragma once

// Values only: what a language plans, the protocol carries and the guest runs. No code at link time.

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "pbotvm/abi.h"

PBOTVM_BEGIN_NAMESPACE

/// When a step of a job is run, judged by the last step that ran before it.
enum class When {
  always,
  after_success,  ///< it ended with exit code 0
  after_crash,    ///< it was ended by a signal of its own making
};

/// Bounds of a job. Zero means "the host's default" in what a language plans; the host fills in every one before it
/// sends the job, and lowers what exceeds its own settings.
struct Limits {
  std::chrono::milliseconds wall{0};  ///< for the whole job, from its first step
  std::chrono::milliseconds cpu{0};   ///< processor time of one step, all its processes together
  std::uint64_t output = 0;           ///< bytes of both streams of all steps together
  std::uint64_t memory = 0;           ///< bytes, with what the job writes to its directory and /tmp
  std::uint32_t processes = 0;        ///< processes and threads at one time
  std::uint64_t file_size = 0;        ///< bytes of one file
  std::uint32_t open_files = 0;       ///< descriptors of one process
};

/// A file to be written before the first step.
struct JobFile {
  std::string path;     ///< relative to the job's directory, no "..", at most 4095 bytes, 255 between two slashes
  std::string content;  ///< binary
  unsigned mode = 0644;
};

/// One command. It runs in the job's directory as the user `vm`.
struct Step {
  std::string label;                                             ///< "compile", "run": tells a reply which is which
  std::vector<std::string> argv;                                 ///< looked up in PATH; never a shell string
  std::vector<std::pair<std::string, std::string>> environment;  ///< added to the clean one
  bool reads_input = false;  ///< gets Job::input as its standard input, otherwise /dev/null
  When when = When::after_success;
};

/// Which files are taken back when the last step has ended. Only regular files below the job's directory, never through
/// a link; what exceeds a bound is named in Result::left_behind instead.
struct Collection {
  /// Relative paths in which `*`, `?` and `[...]` stand for characters other than '/', and a part `**` for any number
  /// of parts. None: nothing is taken back.
  std::vector<std::string> patterns;
  std::uint32_t files = 0;  ///< at most so many; 0: the host's default
  std::uint64_t bytes = 0;  ///< all together; 0: the host's default
};

struct Job {
  std::string language;  ///< its name as the client wrote it; filled in by the host
  std::vector<JobFile> files;
  std::vector<std::string> directories;  ///< made before the first step, beside those that the files need
  std::vector<Step> steps;               ///< at least one
  std::string input;                     ///< standard input of the steps that read it, binary
  Limits limits;
  Collection collection;
  /// For a guest that keeps such files itself (protocol pbot); on the others the host brings them as files below a
  /// directory of this name and takes them back. Filled in by the host.
  std::string persist_key;
  /// For a guest that words its replies itself (protocol pbot): nothing printed is an empty reply. Filled in by the
  /// host.
  bool factoid = false;
};

/// Which bound ended a job, or was met by it.
enum class Limit {
  none,
  wall,       ///< [Timed-out]
  cpu,        ///< [Timed-out]
  memory,     ///< [Memory limit]
  processes,  ///< [Process limit]: a fork was refused; the job itself went on
  output,     ///< [Output cut at N bytes]
  file_size,  ///< [File size limit]
  cancelled,  ///< [Killed]: the host or the machine ended it
};

enum class Stream : std::uint8_t { out = 1, err = 2 };

/// A piece of output, in the order in which the guest read it.
struct OutputChunk {
  std::uint32_t step = 0;  ///< index into Job::steps
  Stream stream = Stream::out;
  std::string bytes;
};

/// How one step ended.
struct StepResult {
  std::uint32_t step = 0;  ///< index into Job::steps
  std::string label;
  int exit_code = 0;  ///< when signal is 0
  int signal = 0;     ///< what ended it, or 0
  std::string error;  ///< not empty: the command could not be started, and why
  std::chrono::microseconds wall{0}, user{0}, system{0};
  std::uint64_t peak_memory = 0;  ///< bytes, of the job so far
  Limit limit = Limit::none;      ///< the bound that this step met
  std::uint64_t bytes_cut = 0;    ///< of its output, read and thrown away
};

/// A file that asked to be taken back and was not.
struct LeftBehind {
  std::string path;
  std::string why;
};

/// What happened. Steps that were not run do not appear.
struct Result {
  std::vector<StepResult> steps;
  std::vector<OutputChunk> output;
  std::vector<JobFile> files;  ///< that Job::collection asked for, by path
  std::vector<LeftBehind> left_behind;
  bool collected = false;          ///< the guest has looked for those files: when there are none, there were none
  Limit limit = Limit::none;       ///< the first that struck
  std::uint64_t bytes_cut = 0;     ///< of the output of all steps
  std::uint64_t output_limit = 0;  ///< what the job was allowed, bytes
};

PBOTVM_END_NAMESPACE
