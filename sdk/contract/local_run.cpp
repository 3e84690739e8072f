// SPDX-License-Identifier: MIT
#include "local_run.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <thread>

#include "contracts.h"
#include "pbotvm/deadline.h"

namespace pbotvm::contract {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// Where a step's streams are kept: beside its directory, not in it.
struct Places {
  fs::path job, input, out, err;
};

void write_file(const fs::path& file, const std::string& content, unsigned mode) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << content;
  if (::chmod(file.c_str(), mode) != 0)
    throw Error(ErrorCode::unavailable, errno_text("write " + file.string(), errno));
}

std::string read_file(const fs::path& file) {
  std::ostringstream content;
  content << std::ifstream(file, std::ios::binary).rdbuf();
  return content.str();
}

bool is_due(const Step& step, const Result& result) {
  if (step.when == When::always || result.steps.empty()) return step.when != When::after_crash;
  const auto& last = result.steps.back();
  if (step.when == When::after_crash) return last.signal != 0;
  return last.signal == 0 && last.exit_code == 0 && last.error.empty();
}

std::vector<std::string> environment_of(const Step& step) {
  std::vector<std::string> variables = {"LANG=C.UTF-8", "HOME=/tmp"};
  const char* path = std::getenv("PATH");
  variables.push_back(std::string("PATH=") + (path != nullptr ? path : "/usr/bin:/bin"));
  for (const auto& [name, value] : step.environment) variables.push_back(name + "=" + value);
  return variables;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

// What is started meanwhile leaves no core, wherever this system would write it. Of this process it is the soft limit
// alone that changes, because posix_spawn can set none for the child.
class NoCores {
 public:
  NoCores() {
    ::getrlimit(RLIMIT_CORE, &before_);
    const rlimit none{0, before_.rlim_max};
    ::setrlimit(RLIMIT_CORE, &none);
  }
  NoCores(const NoCores&) = delete;
  NoCores& operator=(const NoCores&) = delete;
  ~NoCores() { ::setrlimit(RLIMIT_CORE, &before_); }

 private:
  rlimit before_{};
};

// The process, or -1 with `error` set.
pid_t spawn(const Step& step, const Places& places, int& error) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, step.reads_input ? places.input.c_str() : "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, places.out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, places.err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addchdir_np(&actions, places.job.c_str());
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  std::vector<std::string> words = step.argv, variables = environment_of(step);
  pid_t child = -1;
  const NoCores no_cores;
  error = ::posix_spawnp(&child, words.at(0).c_str(), &actions, &attributes, pointers(words).data(),
                         pointers(variables).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? child : -1;
}

void await(pid_t child, const Deadline& deadline, StepResult& step) {
  int status = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (deadline.expired()) {
      step.limit = Limit::wall;
      ::kill(-child, SIGKILL);
      ::waitpid(child, &status, 0);
      break;
    }
    std::this_thread::sleep_for(2ms);
  }
  ::kill(-child, SIGKILL);  // what it left behind
  if (WIFSIGNALED(status)) step.signal = WTERMSIG(status);
  if (WIFEXITED(status)) step.exit_code = WEXITSTATUS(status);
}

}  // namespace

Result run_here(const Job& job, std::chrono::seconds patience) {
  const TemporaryFolder folder;
  const Places places{folder.path() / "job", folder.path() / "input", folder.path() / "out", folder.path() / "err"};
  fs::create_directory(places.job);
  for (const auto& directory : job.directories) fs::create_directories(places.job / directory);
  for (const auto& file : job.files) write_file(places.job / file.path, file.content, file.mode);
  write_file(places.input, job.input, 0600);
  Result result;
  result.output_limit = 256 * 1024;
  for (std::uint32_t i = 0; i < job.steps.size(); ++i) {
    if (!is_due(job.steps[i], result)) continue;
    StepResult step;
    step.step = i;
    step.label = job.steps[i].label;
    int error = 0;
    const pid_t child = spawn(job.steps[i], places, error);
    if (child < 0) step.error = errno_text(job.steps[i].argv[0], error);
    if (child >= 0) await(child, Deadline::in(patience), step);
    for (const auto& [stream, file] : {std::pair(Stream::err, places.err), std::pair(Stream::out, places.out)}) {
      if (auto bytes = child < 0 ? std::string() : read_file(file); !bytes.empty())
        result.output.push_back({i, stream, std::move(bytes)});
    }
    result.limit = std::max(result.limit, step.limit);
    result.steps.push_back(std::move(step));
  }
  return result;
}

}  // namespace pbotvm::contract
