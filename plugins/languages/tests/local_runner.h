// SPDX-License-Identifier: MIT
#pragma once

// Runs what a language planned with the programs of this system, without a machine, and gives the reply. For tests with
// code of our own only: nothing contains it.

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "pbotvm/language.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::testing {

/// A directory that is gone at the end of the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "pbotvm-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = pattern;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class LocalRunner {
 public:
  Result run(const Job& job) {
    TemporaryDirectory directory;
    for (const JobFile& file : job.files) std::ofstream(directory.path() / file.path, std::ios::binary) << file.content;
    std::ofstream(directory.path() / ".input", std::ios::binary) << job.input;
    Result result;
    for (std::uint32_t i = 0; i < job.steps.size(); ++i) {
      const Step& step = job.steps[i];
      const bool failed =
          !result.steps.empty() && (result.steps.back().exit_code != 0 || result.steps.back().signal != 0);
      const bool crashed = !result.steps.empty() && result.steps.back().signal != 0;
      if ((step.when == When::after_success && failed) || (step.when == When::after_crash && !crashed)) continue;
      result.steps.push_back(run_step(directory.path(), i, step, result));
    }
    return result;
  }

 private:
  static StepResult run_step(const std::filesystem::path& directory, std::uint32_t index, const Step& step,
                             Result& result) {
    int out[2], err[2];
    if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
    UniqueFd ends[4] = {UniqueFd(out[0]), UniqueFd(out[1]), UniqueFd(err[0]), UniqueFd(err[1])};
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("fork failed");
    if (child == 0) become(directory, step, out[1], err[1]);
    ends[1].reset();
    ends[3].reset();
    collect(index, out[0], err[0], result);
    StepResult ended;
    ended.step = index;
    ended.label = step.label;
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) ended.signal = WTERMSIG(status);
    if (WIFEXITED(status)) ended.exit_code = WEXITSTATUS(status);
    return ended;
  }

  [[noreturn]] static void become(const std::filesystem::path& directory, const Step& step, int out, int err) {
    std::vector<char*> argv;
    for (const std::string& word : step.argv) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const int input =
        ::chdir(directory.c_str()) == 0 ? ::open(step.reads_input ? ".input" : "/dev/null", O_RDONLY) : -1;
    if (input < 0 || ::dup2(input, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(err, 2) < 0) ::_exit(126);
    // No core, wherever this system would write it: replies are those of a system that has none.
    // Only the soft limit: what a test runs may raise it.
    rlimit no_core{};
    ::getrlimit(RLIMIT_CORE, &no_core);
    no_core.rlim_cur = 0;
    ::setrlimit(RLIMIT_CORE, &no_core);
    // A job's environment is clean: what the tests themselves are told to report is not a job's to see.
    for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS"}) ::unsetenv(name);
#ifdef PBOTVM_TEST_INCLUDE
    ::setenv("CPATH", PBOTVM_TEST_INCLUDE, 1);  // what a guest has in /usr/include
#endif
    for (const auto& [name, value] : step.environment) ::setenv(name.c_str(), value.c_str(), 1);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }

  static void collect(std::uint32_t index, int out, int err, Result& result) {
    pollfd fds[2] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
      if (::poll(fds, 2, -1) < 0 && errno != EINTR) throw std::runtime_error("poll failed");
      for (pollfd& fd : fds) {
        if (fd.fd < 0 || fd.revents == 0) continue;
        char bytes[4096];
        const ssize_t size = ::read(fd.fd, bytes, sizeof bytes);
        if (size <= 0) {
          fd.fd = -1;
        } else {
          result.output.push_back(
              {index, &fd == fds ? Stream::out : Stream::err, {bytes, static_cast<std::size_t>(size)}});
        }
      }
    }
  }
};

/// The whole way of a request through a language.
inline std::string reply_to(const Language& language, Request request) {
  if (request.language.empty()) request.language = language.name();
  const Plan plan = language.plan(request);
  if (const auto* immediate = std::get_if<ImmediateReply>(&plan)) return immediate->text;
  return language.reply(request, LocalRunner().run(std::get<Job>(plan)));
}

inline std::string reply_to(const Language& language, const std::string& code) {
  Request request;
  request.code = code;
  return reply_to(language, std::move(request));
}

}  // namespace pbotvm::testing
