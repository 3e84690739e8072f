// SPDX-License-Identifier: MIT
#include "image/qemu_img.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "image/image_name.h"
#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::image {

namespace {

constexpr const char* program = "qemu-img";
constexpr const char* package = "install it: apt install qemu-utils (Fedora: qemu-img, openSUSE: qemu-tools)";
constexpr std::size_t max_kept = 16 * 1024;  // bytes of its output; the rest is dropped from the front
constexpr int look_around = 100;             // ms between two looks at whether it is to end
constexpr int cannot_run = 127;

struct Pipe {
  UniqueFd read, write;

  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw Error(ErrorCode::unavailable, errno_text("make a pipe", errno));
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
};

/// A child with its standard output and error in two pipes. Waited for at the latest by the destructor, which ends it.
class Child {
 public:
  explicit Child(const std::vector<std::string>& words) {
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const char* path = ::getenv("PATH");
    std::string search = std::string("PATH=") + (path != nullptr ? path : "/usr/bin:/bin"), language = "LC_ALL=C";
    std::array<char*, 3> environment{search.data(), language.data(), nullptr};
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw Error(ErrorCode::unavailable, errno_text("start qemu-img", errno));
    if (pid_ == 0) run(argv.data(), environment.data(), parent);
    out_.write.reset();
    err_.write.reset();
  }
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int out() const { return out_.read.get(); }
  int err() const { return err_.read.get(); }
  void end() { ::kill(pid_, SIGTERM); }

  /// As waitpid(2) has it.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  [[noreturn]] void run(char** argv, char** environment, pid_t parent) const {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(cannot_run);  // it was killed before the line above
    const int nothing = ::open("/dev/null", O_RDONLY);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(out_.write.get(), STDOUT_FILENO);
    ::dup2(err_.write.get(), STDERR_FILENO);
    ::execvpe(argv[0], argv, environment);
    ::_exit(cannot_run);
  }

  Pipe out_, err_;
  pid_t pid_ = -1;
};

// Whether there may be more.
bool read_some(int fd, std::string& text) {
  std::array<char, 4096> bytes;
  const ssize_t got = ::read(fd, bytes.data(), bytes.size());
  if (got < 0 && errno == EINTR) return true;
  if (got <= 0) return false;
  text.append(bytes.data(), static_cast<std::size_t>(got));
  if (text.size() > max_kept) text.erase(0, text.size() - max_kept);
  return true;
}

// Its own words on one line, without its name in front.
std::string one_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  for (std::size_t at; (at = text.find("qemu-img: ")) != std::string::npos;) text.erase(at, std::strlen("qemu-img: "));
  for (std::size_t at; (at = text.find('\n')) != std::string::npos;) text.replace(at, 1, " | ");
  return printable(text);
}

std::string remedy_for(const std::string& words) {
  const auto says = [&words](const char* part) { return words.find(part) != std::string::npos; };
  if (says("Failed to get") && says("lock"))
    return "stop the machine that uses it, or go through it: --qmp SOCKET of its QEMU";
  if (says("No space left")) return "make room; nothing is lost, and the command can be given again";
  if (says("Permission denied")) return "do it as the owner of the files, and let him write the one that is changed";
  if (says("Unknown option") || says("unrecognized option")) return "QEMU 7.0 or a later one is needed";
  return {};
}

[[noreturn]] void fail(const std::vector<std::string>& words, int status, const std::string& errors) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == cannot_run)
    throw Error(ErrorCode::unavailable, "qemu-img cannot be run", package);
  std::string why = one_line(errors);
  if (WIFSIGNALED(status)) why += (why.empty() ? "" : " | ") + ("ended by signal " + std::to_string(WTERMSIG(status)));
  if (why.empty()) why = "exit status " + std::to_string(WEXITSTATUS(status));
  throw Error(ErrorCode::refused, "qemu-img " + words[1] + ": " + why, remedy_for(why));
}

}  // namespace

double last_percentage(const std::string& text) {
  const std::size_t end = text.rfind("/100%)");
  const std::size_t start = end == std::string::npos ? end : text.rfind('(', end);
  if (start == std::string::npos) return -1;
  const double value = std::strtod(text.c_str() + start + 1, nullptr);
  return value >= 0 && value <= 100 ? value : -1;
}

Outcome run_qemu_img(const std::vector<std::string>& arguments, const Watch& watch) {
  std::vector<std::string> words = {program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  Child child(words);
  std::string output, errors;
  bool ended = false, cancelled = false;
  std::array<pollfd, 2> ready{{{child.out(), POLLIN, 0}, {child.err(), POLLIN, 0}}};
  while (ready[0].fd >= 0 || ready[1].fd >= 0) {
    if (!cancelled && watch.wants_end()) {
      cancelled = true;
      child.end();
    }
    if (::poll(ready.data(), ready.size(), look_around) <= 0) continue;
    if (ready[0].revents != 0 && !read_some(child.out(), output)) ready[0].fd = -1;
    if (ready[1].revents != 0 && !read_some(child.err(), errors)) ready[1].fd = -1;
    if (const double percent = last_percentage(output); percent >= 0 && !cancelled) watch.report(percent);
  }
  const int status = child.wait();
  ended = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (ended) return Outcome::done;
  // A terminal's Ctrl-C reaches the child before this program has seen it.
  if (cancelled || (WIFSIGNALED(status) && watch.wants_end())) return Outcome::cancelled;
  fail(words, status, errors);
}

}  // namespace pbotvm::image
