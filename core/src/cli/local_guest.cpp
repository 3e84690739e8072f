// SPDX-License-Identifier: MIT
#include "cli/local_guest.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include "cli/command.h"
#include "pbotvm/deadline.h"
#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::cli {

namespace {

using namespace std::chrono_literals;

constexpr auto start_patience = 20s;

// A job is never root's.
std::string user_of_jobs() {
  if (::geteuid() == 0) return "nobody";
  const passwd* entry = ::getpwuid(::geteuid());
  if (entry == nullptr) throw Error(ErrorCode::unavailable, "user " + std::to_string(::geteuid()) + " has no name");
  return entry->pw_name;
}

std::filesystem::path make_folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "pbotvm-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw Error(ErrorCode::internal, errno_text("mkdtemp", errno));
  ::chmod(pattern.c_str(), 0755);  // the user of the jobs works below it
  ::mkdir((pattern + "/work").c_str(), 0755);
  return pattern;
}

}  // namespace

LocalGuest::LocalGuest() : folder_(make_folder()), user_(user_of_jobs()) {
  start();
  const Deadline deadline = Deadline::in(start_patience);
  while (!std::filesystem::exists(folder_ / "data.sock")) {
    const bool ended = ::waitpid(process_, nullptr, WNOHANG) == process_;
    if (ended) process_ = -1;
    if (ended || deadline.expired()) {
      const std::string why = said();
      end();
      throw Error(ErrorCode::unavailable, "pbotvm-guest does not run here: " + why);
    }
    std::this_thread::sleep_for(10ms);
  }
}

LocalGuest::~LocalGuest() {
  end();
}

void LocalGuest::end() {
  if (process_ > 0) {
    ::kill(process_, SIGTERM);
    while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
    }
    process_ = -1;
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void LocalGuest::start() {
  Words words = {program_directory() / "pbotvm-guest",
                 "--listen",
                 "unix:" + (folder_ / "data.sock").string(),
                 "--work",
                 folder_ / "work",
                 "--user",
                 user_,
                 "--allow-missing",
                 "all"};
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const UniqueFd log(::open((folder_ / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const pid_t parent = ::getpid();
  process_ = ::fork();
  if (process_ < 0) throw Error(ErrorCode::internal, errno_text("fork", errno));
  if (process_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::dup2(nothing.get(), STDIN_FILENO);
  ::dup2(log.get(), STDOUT_FILENO);
  ::dup2(log.get(), STDERR_FILENO);
  if (::getppid() == parent) ::execv(argv[0], argv.data());
  ::_exit(127);
}

std::string LocalGuest::said() const {
  std::ifstream log(folder_ / "log");
  const std::string text{std::istreambuf_iterator<char>(log), {}};
  return text.empty() ? "it says nothing; is it beside pbotvm?" : text;
}

bool LocalGuest::has(const std::string& program) const {
  // The PATH of jobs: docs/guests.md.
  for (const char* folder : {"/usr/local/bin", "/usr/bin", "/bin", "/usr/local/games", "/usr/games"})
    if (::access((std::filesystem::path(folder) / program).c_str(), X_OK) == 0) return true;
  return false;
}

config::MachineConfiguration LocalGuest::machine(config::MachineConfiguration like) const {
  like.settings.name = "this-system";
  like.settings.serial = like.settings.heart = Endpoint();
  like.settings.virtio_serial = Endpoint::unix_socket(folder_ / "data.sock");
  like.settings.cid = 0;
  like.protocol = config::Dialect::frames;
  like.transports = {{"virtio-serial", Settings("pbotvm language test")}};
  like.transports_named = true;
  like.hypervisor = {"none", Settings("pbotvm language test")};
  like.aliases.clear();
  return like;
}

}  // namespace pbotvm::cli
