// SPDX-License-Identifier: MIT
#include "sandbox.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <filesystem>
#include <map>

#include "stub.h"

namespace pbotvm::guest {
namespace {

constexpr std::uint64_t cgroup_peak_limit = 4 << 20;  // bytes
constexpr auto end_limit = std::chrono::seconds(2);   // to see that a job is gone; the host waits 3 s for the word
constexpr auto look_again = std::chrono::milliseconds(2);
constexpr auto stub_prepares = std::chrono::milliseconds(4);  // itself, usually in half of that

struct Pair {
  UniqueFd mine, other;
};

Pair make_pipe(bool i_write) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) throw SystemError("pipe2");
  set_nonblocking(ends[i_write ? 1 : 0]);
  return {UniqueFd(ends[i_write ? 1 : 0]), UniqueFd(ends[i_write ? 0 : 1])};
}

Pair make_socket_pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) throw SystemError("socketpair");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Those that a job has of its own, beside its processes and mounts.
std::uint64_t own_namespaces(bool network) {
  return CLONE_NEWIPC | CLONE_NEWUTS | (network ? CLONE_NEWNET : 0);
}

Process make_warden(const WardenPlan& plan, Pair& words) {
  Process warden = fork_process(CLONE_NEWPID | own_namespaces(plan.network), -1);
  if (!warden) run_warden(words.other.get(), plan);
  words.other.reset();
  return warden;
}

std::string job_directory_name() {
  static std::uint64_t last_number = 0;  // one thread
  return "/job-" + std::to_string(getpid()) + "-" + std::to_string(++last_number);
}

/// Parents of all processes, from proc.
std::map<pid_t, pid_t> parents() {
  std::map<pid_t, pid_t> result;
  DIR* directory = opendir("/proc");
  if (!directory) return result;
  while (const dirent* entry = readdir(directory)) {
    const std::string_view name = entry->d_name;
    pid_t pid = 0;
    if (std::from_chars(name.begin(), name.end(), pid).ptr != name.end() || pid == 0) continue;
    result[pid] = static_cast<pid_t>(number_behind(read_file("/proc/" + std::string(name) + "/status"), "PPid", 0));
  }
  closedir(directory);
  return result;
}

}  // namespace

Sandbox::Sandbox(EventLoop& loop, const Containment& containment, const Bounds& expected, bool network)
    : loop_(loop),
      containment_(containment),
      network_(network),
      own_network_(!network && containment.given("network")),
      expected_memory_(expected.memory),
      retry_(loop, [this] { check_ended(); }),
      calm_(loop, [this] { measure_step(); }) {
  if (containment.cgroup_parent() >= 0) cgroup_.emplace(containment.cgroup_parent(), expected);
  if (containment.given("namespaces")) {
    directory_ = containment.work();
  } else {
    make_directory();
  }
}

void Sandbox::start(std::function<void()> on_ready, OnFailed on_failed) {
  on_ready_ = std::move(on_ready);
  on_failed_ = std::move(on_failed);
  if (containment_.given("namespaces")) return start_warden();
  prctl(PR_SET_CHILD_SUBREAPER, 1);  // what a job leaves behind becomes a child of this process
  loop_.at_end_of_round([this] { come_alive(); });
}

Sandbox::~Sandbox() {
  // Without a warden the directory is this program's to remove.
  std::error_code ignored;
  if (!containment_.given("namespaces")) std::filesystem::remove_all(directory_, ignored);
}

void Sandbox::make_directory() {
  directory_ = containment_.work() + job_directory_name();
  if (mkdir(containment_.work().c_str(), 0755) < 0 && errno != EEXIST)
    throw SystemError("mkdir " + containment_.work());
  if (mkdir(directory_.c_str(), 0755) < 0) throw SystemError("mkdir " + directory_);
  if (geteuid() == 0 && chown(directory_.c_str(), containment_.uid(), containment_.gid()) < 0) {
    throw SystemError("chown " + directory_);
  }
}

void Sandbox::start_warden() {
  Pair words = make_socket_pair();
  warden_ = make_warden(containment_.plan(own_network_, expected_memory_), words);
  warden_words_ = std::move(words.mine);
  set_nonblocking(warden_words_.get());
  warden_watch_ =
      std::make_unique<Watch>(loop_, warden_words_.get(), EPOLLIN, [this](std::uint32_t) { on_warden_word(); });
}

void Sandbox::on_warden_word() {
  char word[512];
  const auto size = read(warden_words_.get(), word, sizeof word);
  if (size < 0) return;
  if (size > 0 && (word[0] == warden_ready || word[0] == warden_renewed)) return come_alive();
  if (size > 0 && word[0] == warden_touched) {
    if (on_failed_) std::exchange(on_failed_, nullptr)("");
    return;
  }
  if (size > 0 && word[0] == warden_swept) {
    if (on_swept_) std::exchange(on_swept_, nullptr)();
    return;
  }
  warden_watch_.reset();
  if (on_failed_) {
    const std::string why = size > 1 ? std::string(word + 1, static_cast<std::size_t>(size) - 1) : "its warden ended";
    std::exchange(on_failed_, nullptr)(why);
  }
}

void Sandbox::come_alive() {
  try {
    meter_.emplace(cgroup(), containment_.given("memory"), containment_.given("processes"));
    make_stub();
  } catch (const SystemError& error) {
    if (on_failed_) std::exchange(on_failed_, nullptr)(error.what());
    return;
  }
  on_failed_ = nullptr;
  if (on_ready_) std::exchange(on_ready_, nullptr)();
}

void Sandbox::measure_step() {
  meter_->begin_step();
  step_measured_ = true;
}

void Sandbox::begin_step() {
  calm_.cancel();
  if (!step_measured_) measure_step();
}

void Sandbox::make_stub() {
  step_measured_ = false;
  calm_.set(stub_prepares);
  Pair order = make_socket_pair(), input = make_pipe(true), output = make_pipe(false), error = make_pipe(false);
  set_nonblocking(order.mine.get());
  const StubPlace place{containment_,      warden_.fd(),      own_namespaces(own_network_), directory_,
                        order.other.get(), input.other.get(), output.other.get(),           error.other.get()};
  // A new process is born into the namespace of processes that its parent has chosen for its children.
  if (warden_ && setns(warden_.fd(), CLONE_NEWPID) < 0) throw SystemError("setns");
  Process process = fork_process(0, cgroup_ ? cgroup_->directory() : -1);
  if (!process) run_stub(place);
  if (warden_ && setns(containment_.pid_namespace(), CLONE_NEWPID) < 0) throw SystemError("setns");
  stub_watch_.reset();
  stub_ = {std::move(process), std::move(order.mine), std::move(input.mine), std::move(output.mine),
           std::move(error.mine)};
  stub_watch_ = std::make_unique<Watch>(loop_, stub_.process.fd(), EPOLLIN, [this](std::uint32_t) {
    stub_watch_.reset();
    if (on_stub_end_) on_stub_end_();
  });
}

void Sandbox::when_stub_ends(std::function<void()> on_exit) {
  on_stub_end_ = std::move(on_exit);
  if (stub_watch_) return;
  loop_.at_end_of_round([this] {  // it has ended before there was anyone to tell
    if (on_stub_end_) on_stub_end_();
  });
}

void Sandbox::bound(const Bounds& bounds) {
  if (cgroup_) cgroup_->bound(bounds);
}

void Sandbox::renew(const Bounds& bounds, std::function<void()> on_ready, OnFailed on_failed) {
  on_ready_ = std::move(on_ready);
  on_failed_ = std::move(on_failed);
  on_stub_end_ = nullptr;
  stub_watch_.reset();
  calm_.cancel();
  stub_ = {};
  try {
    // A group cannot forget its peak: one that a job has filled is not used again.
    if (cgroup_->peak_memory() > cgroup_peak_limit) {
      cgroup_.reset();
      cgroup_.emplace(containment_.cgroup_parent(), bounds);
    }
  } catch (const SystemError& error) {
    return std::exchange(on_failed_, nullptr)(error.what());
  }
  if (!tell_warden({WardenOrder::What::renew, bounds.memory})) {
    std::exchange(on_failed_, nullptr)("its warden takes no orders");
  }
}

bool Sandbox::tell_warden(const WardenOrder& order) {
  return write(warden_words_.get(), &order, sizeof order) == sizeof order;
}

void Sandbox::kill() {
  if (cgroup_) return cgroup_->kill();
  if (warden_) return warden_.kill();
  sweep_without_warden();
}

void Sandbox::sweep(std::function<void()> done) {
  on_swept_ = std::move(done);
  if (warden_) {
    if (!tell_warden({WardenOrder::What::sweep})) log_line("a warden takes no orders");
  } else {
    check_ended();
  }
}

bool Sandbox::vacant() {
  return cgroup_ && warden_ && !stub_.process && cgroup_->empty();
}

void Sandbox::end(std::function<void(const protocol::Clean&)> done) {
  on_ended_ = std::move(done);
  calm_.cancel();
  on_swept_ = nullptr;
  on_stub_end_ = nullptr;
  stub_watch_.reset();
  end_by_ = Clock::now() + end_limit;
  try {
    if (cgroup_ && !cgroup_->empty()) cgroup_->kill();
  } catch (const SystemError& error) {
    log_line(error.what());
  }
  if (warden_) {
    warden_.kill();
    warden_watch_ = std::make_unique<Watch>(loop_, warden_.fd(), EPOLLIN, [this](std::uint32_t) { check_ended(); });
  }
  retry_.set(look_again);
}

void Sandbox::check_ended() {
  if (!on_swept_ && !on_ended_) return;
  if (on_swept_) {  // without a warden
    if (!sweep_without_warden()) return retry_.set(look_again);
    return std::exchange(on_swept_, nullptr)();
  }
  std::string what;
  const bool gone = nothing_left(what);
  if (!gone && Clock::now() < end_by_) return retry_.set(look_again);
  retry_.cancel();
  const bool namespaces = containment_.given("namespaces");
  const std::string why = !gone         ? what
                          : !namespaces ? "without namespaces files outside the job's directory may be left"
                                        : std::string();
  std::exchange(on_ended_, nullptr)({why.empty(), why});
}

// In this order: a warden's end waits until every process of its namespace was reaped by its parent.
bool Sandbox::nothing_left(std::string& what) {
  if (stub_.process && !stub_.process.reap()) {
    what = "the step's process does not end";
    return false;
  }
  if (warden_ && !warden_.reap()) {
    what = "a process of the job does not end";
    return false;
  }
  warden_watch_.reset();
  if (cgroup_ && !cgroup_->empty()) {
    what = "the job's control group is not empty";
    return false;
  }
  if (!cgroup_ && !containment_.given("namespaces") && !sweep_without_warden()) {
    what = "a process of the job does not end";
    return false;
  }
  return true;
}

// Kills and reaps every descendant of this process but the stub, which is reaped by its owner. True when none was left.
// As what loses its parent becomes a child of this process, none can hide.
bool Sandbox::sweep_without_warden() {
  if (cgroup_ && !cgroup_->empty()) cgroup_->kill();
  const auto parent_of = parents();
  bool left = false;
  for (const auto& [pid, parent] : parent_of) {
    pid_t ancestor = pid;
    while (ancestor > 1 && ancestor != getpid()) {
      const auto found = parent_of.find(ancestor);
      ancestor = found == parent_of.end() ? 0 : found->second;
    }
    if (ancestor != getpid() || pid == getpid()) continue;
    ::kill(pid, SIGKILL);
    if (stub_.process && pid == stub_.process.pid()) continue;
    left = true;
    if (parent == getpid()) waitpid(pid, nullptr, WNOHANG);
  }
  return !left;
}

std::string try_namespaces(const Containment& containment, bool network) {
  try {
    Pair words = make_socket_pair();
    Process warden = make_warden(containment.plan(network, 0), words);
    char word[512];
    const auto size = read(words.mine.get(), word, sizeof word);
    std::string why;
    if (size < 1) why = "its first process ended";
    if (size > 0 && word[0] == warden_failed) why.assign(word + 1, static_cast<std::size_t>(size) - 1);
    if (why.empty() && setns(warden.fd(), CLONE_NEWPID) < 0) why = "setns: " + error_text(errno);
    setns(containment.pid_namespace(), CLONE_NEWPID);
    warden.end();
    return why;
  } catch (const SystemError& error) {
    return error.what();
  }
}

}  // namespace pbotvm::guest
