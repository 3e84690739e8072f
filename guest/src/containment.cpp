// SPDX-License-Identifier: MIT
#include "containment.h"

#include <fcntl.h>
#include <linux/random.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "mount_view.h"
#include "rights.h"
#include "sandbox.h"
#include "seccomp_filter.h"
#include "system.h"

namespace pbotvm::guest {
namespace {

constexpr std::size_t max_seed = 256;
constexpr const char* core_pattern = "/proc/sys/kernel/core_pattern";

// A static program has no name service: the file is read.
bool find_user(const std::string& name, uid_t& uid, gid_t& gid) {
  const UniqueFd file(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
  std::string text(64 * 1024, '\0');
  const auto size = file ? read(file.get(), text.data(), text.size()) : -1;
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  bool found = false;
  for_each_part(text, '\n', [&](std::string_view line) {
    if (found || !line.starts_with(name + ":")) return;
    std::array<std::string_view, 4> fields;
    for (auto& field : fields) {
      field = line.substr(0, line.find(':'));
      line.remove_prefix(std::min(field.size() + 1, line.size()));
    }
    const auto a = std::from_chars(fields[2].begin(), fields[2].end(), uid);
    const auto b = std::from_chars(fields[3].begin(), fields[3].end(), gid);
    found = a.ec == std::errc() && b.ec == std::errc();
  });
  return found;
}

}  // namespace

Containment::Containment(const Options& options)
    : allow_missing_(options.allow_missing), user_(options.user), work_(options.work) {
  bound_resources();
  record("user", prepare_user());
  record("filter", try_filter());
  prepare_cgroup();
  prepare_namespaces();
  record("core", accepted("core") ? "left alone by option" : prepare_core());
  record("clock", accepted("clock") ? "left alone by option" : prepare_clock());
  record("entropy", accepted("entropy") ? "left alone by option" : prepare_entropy());
  record("priority", accepted("priority") ? "left alone by option" : prepare_priority());
}

void Containment::record(std::string_view piece, const std::string& why) {
  pieces_.push_back({std::string(piece), why.empty(), why});
}

bool Containment::accepted(std::string_view piece) const {
  return allow_missing_.contains(std::string(piece));
}

bool Containment::given(std::string_view piece) const {
  return std::any_of(pieces_.begin(), pieces_.end(),
                     [&](const auto& entry) { return entry.name == piece && entry.given; });
}

std::vector<std::string> Containment::complaints() const {
  std::vector<std::string> lines;
  for (const auto& piece : pieces_) {
    if (piece.given || accepted(piece.name)) continue;
    lines.push_back("cannot contain jobs: no " + piece.name + ": " + piece.why + "; --allow-missing " + piece.name +
                    " goes on without");
  }
  return lines;
}

std::string Containment::prepare_user() {
  const std::string why = settle_rights();
  if (geteuid() != 0) {
    uid_ = geteuid();
    gid_ = getegid();
    return why;
  }
  if (find_user(user_, uid_, gid_)) return uid_ == 0 ? "user '" + user_ + "' is root" : why;
  return "no user '" + user_ + "' in /etc/passwd";
}

void Containment::prepare_cgroup() {
  std::string why;
  try {
    cgroup_parent_.emplace();
  } catch (const SystemError& error) {
    why = error.what();
  }
  record("cgroup", why);
  const auto controller = [&](const std::string& name) {
    return cgroup_parent_ ? cgroup_parent_->missing(name) : "needs the piece cgroup: " + why;
  };
  record("memory", controller("memory"));
  record("processes", controller("pids"));
  record("cpu", controller("cpu"));
}

std::string Containment::open_view(bool devices) {
  try {
    view_ = make_mount_view(work_, devices);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

// What fails with a piece and works without it is missing that piece; what fails without it, too, is missing
// namespaces.
void Containment::prepare_namespaces() {
  pid_namespace_.reset(open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
  std::string devices = open_view(true);
  std::string namespaces = devices.empty() ? "" : open_view(false);
  record("devices", namespaces.empty() ? devices : "needs the piece namespaces: " + namespaces);
  std::string network = namespaces;
  if (namespaces.empty()) {
    network = try_namespaces(*this, true);
    if (!network.empty()) namespaces = try_namespaces(*this, false);
  }
  record("namespaces", namespaces);
  record("network", namespaces.empty() ? network : "needs the piece namespaces: " + namespaces);
}

WardenPlan Containment::plan(bool network, std::uint64_t memory) const {
  return {view_.get(), given("devices"), network, work_, uid_, gid_, memory};
}

// A handler that the kernel pipes core files to is a program of the machine that every job could start, as root; a path
// may lead to where jobs find the files of others. A bare name is a file where the program that dies happens to be.
std::string Containment::prepare_core() const {
  try {
    write_file(core_pattern, "core");
  } catch (const SystemError& error) {
    return error.what();
  }
  return "";
}

std::string Containment::prepare_clock() const {
  // An adjustment by nothing needs the same right as setting the clock.
  timex change{};
  change.modes = ADJ_SETOFFSET | ADJ_NANO;
  return adjtimex(&change) < 0 ? "no right to set it: " + error_text(errno) : "";
}

std::string Containment::prepare_entropy() const {
  try {
    seed_kernel({});
  } catch (const SystemError& error) {
    return error.what();
  }
  return "";
}

std::string Containment::prepare_priority() const {
  try {
    write_file("/proc/self/oom_score_adj", "-1000");
  } catch (const SystemError& error) {
    return error.what();
  }
  sched_param lowest{};
  lowest.sched_priority = sched_get_priority_min(SCHED_RR);
  if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &lowest) < 0)
    return "sched_setscheduler: " + error_text(errno);
  if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0) return "mlockall: " + error_text(errno);
  return "";
}

void set_clock(std::int64_t time_ns) {
  timespec time{};
  time.tv_sec = static_cast<time_t>(time_ns / 1'000'000'000);
  time.tv_nsec = static_cast<long>(time_ns % 1'000'000'000);
  if (clock_settime(CLOCK_REALTIME, &time) < 0) throw SystemError("clock_settime");
}

void seed_kernel(std::string_view seed) {
  const UniqueFd device(open("/dev/urandom", O_WRONLY | O_CLOEXEC));
  if (!device) throw SystemError("open /dev/urandom");
  if (!seed.empty()) {
    alignas(rand_pool_info) char pool[sizeof(rand_pool_info) + max_seed];
    const auto size = static_cast<int>(std::min(seed.size(), max_seed));
    rand_pool_info header{};
    header.entropy_count = size * 8;
    header.buf_size = size;
    std::memcpy(pool, &header, sizeof header);
    std::memcpy(pool + offsetof(rand_pool_info, buf), seed.data(), static_cast<std::size_t>(size));
    if (ioctl(device.get(), RNDADDENTROPY, pool) < 0) throw SystemError("RNDADDENTROPY");
  }
  if (ioctl(device.get(), RNDRESEEDCRNG) < 0) throw SystemError("RNDRESEEDCRNG");
}

}  // namespace pbotvm::guest
