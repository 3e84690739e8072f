// SPDX-License-Identifier: MIT
#include "qemu_hypervisor.h"

#include <Poco/Logger.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "line_listener.h"
#include "vhost_vsock.h"

namespace pbotvm::qemu {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr off_t most_console_log = 4 * 1024 * 1024;  // a guest can print for ever
constexpr std::size_t shown_log_lines = 3;
constexpr auto quit_grace = 2s;   // for QEMU to end by itself, then on SIGTERM
constexpr auto kill_grace = 1s;   // for the kernel to end it
constexpr auto short_life = 60s;  // of a restored machine that something is wrong with
constexpr int tolerated_short_lives = 2;
constexpr mode_t directory_mode = 0750;
constexpr std::size_t isa_serials = 4;  // as many as Debian's kernel makes without being asked
constexpr const char* words_about_a_lock = "Is another process using the image";

Poco::Logger& log() {
  return Poco::Logger::get("qemu");
}

void truncate_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!file) throw Error(ErrorCode::unavailable, errno_text("write " + path, errno));
}

std::pair<UniqueFd, UniqueFd> socket_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw Error(ErrorCode::internal, errno_text("make a socket pair", errno));
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Deadline at_most(std::chrono::milliseconds duration, const Deadline& deadline) {
  return earlier(Deadline::in(duration), deadline);
}

/// QEMU was run and did not come up.
class LaunchError : public Error {
  using Error::Error;
};

/// Nobody waits for QEMU to come up any more, which says nothing against it.
class Interrupted : public Error {
  using Error::Error;
};

}  // namespace

/// The descriptors that QEMU inherits, in the order of their numbers there.
struct QemuHypervisor::Inherited {
  std::vector<int> descriptors;
  std::vector<UniqueFd> owned;  // those that only the child needs

  int add(int descriptor) {
    descriptors.push_back(descriptor);
    return first_inherited + static_cast<int>(descriptors.size()) - 1;
  }
  int add(UniqueFd descriptor) {
    owned.push_back(std::move(descriptor));
    return add(owned.back().get());
  }
};

QemuHypervisor::QemuHypervisor(MachineSettings machine, QemuSettings settings, GuestImage image,
                               std::vector<UniqueFd> taps)
    : machine_(std::move(machine)),
      settings_(std::move(settings)),
      image_(std::move(image)),
      taps_(std::move(taps)),
      interruption_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      console_(Endpoint::unix_socket(machine_.directory + "/console.sock")),
      qmp_socket_(Endpoint::unix_socket(machine_.directory + "/qmp.sock")),
      monitor_socket_(Endpoint::unix_socket(machine_.directory + "/monitor.sock")),
      pid_file_(machine_.directory + "/" + qmp::left_qemu_file),
      console_log_(machine_.directory + "/console.log"),
      qemu_log_(machine_.directory + "/qemu.log"),
      display_socket_(machine_.directory + "/display.sock"),
      snapshots_(machine_.directory) {
  if (!interruption_) throw Error(ErrorCode::internal, errno_text("eventfd", errno));
}

QemuHypervisor::~QemuHypervisor() {
  stop(Deadline::in(quit_grace));
}

void* QemuHypervisor::extension(std::string_view identifier) {
  if (identifier == HypervisorSnapshots::identifier) return static_cast<HypervisorSnapshots*>(this);
  if (identifier == HypervisorEvents::identifier) return static_cast<HypervisorEvents*>(this);
  if (identifier == HypervisorHandover::identifier) return static_cast<HypervisorHandover*>(this);
  if (identifier == HypervisorInterruption::identifier) return static_cast<HypervisorInterruption*>(this);
  return nullptr;
}

// ---- starting

Started QemuHypervisor::start(const Deadline& deadline) {
  stop(deadline);
  events_.clear();
  make_directory();
  accel_ = choose_acceleration(settings_.accel);
  vsock_ = vsock_can_be_had();
  doubt_snapshot_that_does_not_last();
  last_was_restored_ = take_over(deadline);
  if (!last_was_restored_) {
    empty_logs();
    last_was_restored_ = snapshots_.fits(stamp(machine_.snapshot)) && restore(deadline);
  }
  if (!last_was_restored_) {
    launch(command_line(), deadline);
    note("booting, " + description());
  }
  last_start_ = Deadline::Clock::now();
  return last_was_restored_ ? Started::restored : Started::fresh;
}

void QemuHypervisor::make_directory() {
  if (::mkdir(machine_.directory.c_str(), directory_mode) != 0 && errno != EEXIST)
    throw Error(ErrorCode::unavailable, errno_text("make the directory " + machine_.directory, errno));
}

void QemuHypervisor::empty_logs() {
  truncate_file(qemu_log_);
  truncate_file(console_log_);
}

/// A machine without the device is still of use where it has another transport, and so it starts.
bool QemuHypervisor::vsock_can_be_had() const {
  if (machine_.cid < first_own_cid) return false;
  try {
    open_vhost_vsock();
    return true;
  } catch (const Error& error) {
    warn(std::string("starts without a vsock device: ") + error.what());
    return false;
  }
}

/// A snapshot can load and yet hold a guest that is of no use. A host that keeps restarting such a machine gets a new
/// one in the end.
void QemuHypervisor::doubt_snapshot_that_does_not_last() {
  const bool short_lived = last_was_restored_ && Deadline::Clock::now() - last_start_ < short_life;
  short_lives_ = short_lived ? short_lives_ + 1 : 0;
  if (short_lives_ < tolerated_short_lives) return;
  warn("the machine did not last after being restored, " + std::to_string(short_lives_) +
       " times in a row: its snapshot is dropped");
  snapshots_.forget();
  short_lives_ = 0;
}

/// False when QEMU could not start from the snapshot, which is dropped then: it is a cache, a boot makes another.
bool QemuHypervisor::restore(const Deadline& deadline) {
  CommandLine line = command_line();
  line.restore = CommandLine::Restore{snapshots_.file(), machine_.snapshot};
  const bool waits = !line.writable_nodes().empty();  // to be told what to load
  try {
    launch(std::move(line), deadline);
    if (waits) load_at_start(deadline);
  } catch (const LaunchError& error) {
    end_process(Deadline::in(0ms));
    snapshots_.forget();
    if (error.code() == ErrorCode::timed_out) throw;
    warn(std::string("cannot start from the snapshot, booting instead: ") + error.what());
    return false;
  }
  node_ = std::string(snapshot_node);
  current_ = machine_.snapshot;
  note("restored from snapshot '" + machine_.snapshot + "', " + description());
  return true;
}

void QemuHypervisor::load_at_start(const Deadline& deadline) {
  try {
    load(machine_.snapshot, std::string(snapshot_node), deadline);
  } catch (const Error& error) {
    throw LaunchError(error.code(), error.what());
  }
}

CommandLine QemuHypervisor::command_line() const {
  CommandLine line;
  line.binary = settings_.binary;
  line.name = machine_.domain.empty() ? machine_.name : machine_.domain;
  line.accel = acceleration_name(accel_);
  line.cpu = settings_.cpu.empty() ? default_cpu(accel_) : settings_.cpu;
  line.memory_mib = settings_.memory_mib;
  line.cpus = settings_.cpus;
  line.kernel_arguments = default_kernel_arguments(accel_);
  if (vsock_) line.kernel_arguments += " PBOTVM_VPORT=" + std::to_string(machine_.vport);
  line.machine = settings_.machine;
  line.boot_disk = settings_.boot_disk;
  line.console_log = console_log_;
  line.disks = settings_.disks;
  line.nics = settings_.nics;
  for (std::size_t i = 0; i < line.nics.size(); ++i)
    if (line.nics[i].mac.empty()) line.nics[i].mac = usual_mac(machine_.name, i);
  line.display = settings_.display;
  if (line.display.socket.empty() && line.display.port == 0) line.display.socket = display_socket_;
  line.serials.resize(settings_.serials.size());
  if (settings_.serials.size() > 1)
    line.kernel_arguments += " 8250.nr_uarts=" + std::to_string(isa_serials + settings_.serials.size() - 1);
  if (!settings_.append.empty()) line.kernel_arguments += " " + settings_.append;
  line.rng = settings_.rng;
  line.balloon = settings_.balloon;
  line.extra = settings_.extra;
  // Their numbers are given out in launch(); what the guest sees of the machine is complete without.
  if (machine_.serial.kind != Endpoint::Kind::none) line.data = InheritedLine{};
  if (machine_.heart.kind != Endpoint::Kind::none) line.heart = InheritedLine{};
  if (machine_.virtio_serial.kind != Endpoint::Kind::none) line.virtio = InheritedLine{};
  if (vsock_) line.vsock = VsockDevice{.cid = machine_.cid};
  return line;
}

void QemuHypervisor::add_lines(CommandLine& line, Inherited& inherited) const {
  const auto listen = [&inherited](InheritedLine& to, const Endpoint& endpoint, const std::string& what,
                                   mode_t mode = line_mode) {
    to.listener = inherited.add(listen_on(endpoint, what, mode));
    to.tcp = endpoint.kind == Endpoint::Kind::tcp;
  };
  listen(line.console, console_, "console of machine '" + machine_.name + "'");
  listen(line.qmp, qmp_socket_, "operators' monitor of machine '" + machine_.name + "'", monitor_mode);
  if (line.data) listen(*line.data, machine_.serial, "data line (serial) of machine '" + machine_.name + "'");
  if (line.heart) listen(*line.heart, machine_.heart, "heartbeat line (heart) of machine '" + machine_.name + "'");
  if (line.virtio)
    listen(*line.virtio, machine_.virtio_serial,
           "virtio-serial line (virtio_serial) of machine '" + machine_.name + "'");
  for (std::size_t i = 0; i < line.serials.size(); ++i)
    listen(line.serials[i], settings_.serials[i], "further serial line of machine '" + machine_.name + "'");
  auto tap = taps_.begin();
  for (Nic& nic : line.nics)
    if (nic.kind == Nic::Kind::bridge) nic.tap = inherited.add((tap++)->get());
}

/// Runs QEMU and waits until its main loop answers: by then a snapshot to start from is loaded.
void QemuHypervisor::launch(CommandLine line, const Deadline& deadline) {
  Inherited inherited;
  if (!settings_.boot_disk) {
    line.kernel = inherited.add(image_.kernel.get());
    line.initrd = inherited.add(image_.initrd.get());
    line.rootfs = inherited.add(image_.rootfs.get());
  }
  UniqueFd monitor;
  if (settings_.outlive) {
    line.identity = qmp::new_identity();
    line.monitor =
        inherited.add(listen_on(monitor_socket_, "monitor of machine '" + machine_.name + "'", monitor_mode));
  } else {
    auto [ours, theirs] = socket_pair();
    line.monitor = inherited.add(std::move(theirs));
    monitor = std::move(ours);
  }
  add_lines(line, inherited);
  if (line.vsock) {
    UniqueFd vhost = open_vhost_vsock();
    claim_cid(vhost, machine_.cid, machine_.name);
    line.vsock->vhost = inherited.add(std::move(vhost));
  }
  try {
    run_qemu(line, inherited.descriptors);
    inherited.owned.clear();
    if (!monitor) monitor = connect_endpoint(monitor_socket_, deadline);
    await_greeting(monitor, deadline);
    qmp_.emplace(std::move(monitor), process_->pidfd(), deadline);
  } catch (const Interrupted&) {
    end_process(Deadline::in(0ms));
    throw;
  } catch (const Error& error) {
    const bool ended = process_ && process_->wait(at_most(100ms, deadline));
    const std::string why = ended ? "it ended with " + process_->ending() : std::string(error.what());
    const std::string said = log_tail();
    end_process(Deadline::in(0ms));
    if (said.find(words_about_a_lock) != std::string::npos)
      throw Error(ErrorCode::unavailable,
                  "machine '" + machine_.name + "': a disk is in use by somebody else; QEMU said: " + said,
                  "end what has the file open, or give this machine an overlay of its own");
    throw LaunchError(error.code(), "QEMU did not start: " + why + (said.empty() ? "" : "; it said: " + said),
                      "all of its words are in " + qemu_log_ + " below the host's state directory");
  }
}

/// Comes back when there is something for the QMP client to find, be it that QEMU ended or that the time is over.
void QemuHypervisor::await_greeting(const UniqueFd& monitor, const Deadline& deadline) {
  std::array<pollfd, 3> waiting{
      {{monitor.get(), POLLIN, 0}, {process_->pidfd(), POLLIN, 0}, {interruption_.get(), POLLIN, 0}}};
  while (::poll(waiting.data(), waiting.size(), deadline.poll_timeout()) < 0 && errno == EINTR) {
  }
  if (waiting[2].revents != 0)
    throw Interrupted(ErrorCode::unavailable, "machine '" + machine_.name + "': its start was given up");
}

void QemuHypervisor::interrupt() noexcept {
  ::eventfd_write(interruption_.get(), 1);
}

void QemuHypervisor::run_qemu(const CommandLine& line, const std::vector<int>& inherited) {
  const auto announce = [&](pid_t pid) {
    qmp::write_left_qemu(pid_file_, qmp::describe_process(pid, line.identity, purpose()));
  };
  process_ = settings_.outlive ? std::make_unique<QemuProcess>(line.arguments(), inherited, qemu_log_, announce)
                               : std::make_unique<QemuProcess>(line.arguments(), inherited, qemu_log_);
}

std::string QemuHypervisor::log_tail() const {
  return last_lines(qemu_log_, shown_log_lines);
}

// ---- running

bool QemuHypervisor::running() noexcept {
  if (!process_) return false;
  const bool alive = process_->alive();  // first: what it said before its end is then there to be read
  try {
    collect_events();
  } catch (const std::exception& error) {
    warn(error.what());
    qmp_.reset();
  }
  bound_console_log();
  if (alive) return true;
  const std::string said = log_tail();
  const std::string how = "QEMU ended with " + process_->ending() + (said.empty() ? "" : "; it said: " + said);
  warn(how);
  events_.ended(how);
  end_process(Deadline::in(0ms));
  return false;
}

/// Whether the last of them that tell of it says that the machine runs.
bool QemuHypervisor::collect_events(bool asked_for) {
  bool resumed = false;
  while (const auto event = qmp_ ? qmp_->take_event() : std::nullopt) {
    const std::string name = qmp::text_at(*event, "event");
    if (name == "RESUME" || name == "STOP") resumed = name == "RESUME";
    if (const std::string line = events_.take(*event, asked_for); !line.empty()) note(line);
  }
  return resumed;
}

std::optional<HypervisorEvent> QemuHypervisor::take_event() {
  running();
  return events_.next();
}

void QemuHypervisor::bound_console_log() noexcept {
  struct stat status {};
  if (::stat(console_log_.c_str(), &status) == 0 && status.st_size > most_console_log) [[maybe_unused]]
    const int done = ::truncate(console_log_.c_str(), 0);
}

qmp::QmpClient& QemuHypervisor::monitor(const char* what) {
  if (!process_ || !qmp_ || !process_->alive())
    throw Error(ErrorCode::unavailable,
                "machine '" + machine_.name + "' cannot be " + what + ": its QEMU does not run");
  return *qmp_;
}

std::string QemuHypervisor::description() const {
  if (!process_ || !qmp_) return "QEMU, not running";
  return "QEMU " + qmp_->version() + ", " + acceleration_name(accel_) + ", pid " + std::to_string(process_->pid());
}

// ---- stopping

void QemuHypervisor::stop(const Deadline& deadline) noexcept {
  if (!process_) return;
  try {
    if (qmp_ && process_->alive()) qmp_->execute("quit", json::object(), at_most(quit_grace, deadline));
  } catch (const std::exception&) {
    // It may hang up before it answers; whether it ended is seen below.
  }
  if (qmp_ && !process_->wait(at_most(quit_grace, deadline))) warn("QEMU does not end on quit, ending it by force");
  process_->signal(SIGTERM);
  process_->wait(at_most(quit_grace / 2, deadline));
  end_process(Deadline::in(0ms));
  note("stopped");
}

/// Whatever it takes.
void QemuHypervisor::end_process(const Deadline& deadline) noexcept {
  if (process_ && !process_->wait(deadline)) {
    process_->signal(SIGKILL);
    process_->wait(Deadline::in(kill_grace));
  }
  ::unlink(pid_file_.c_str());
  forget_process();
  for (const Endpoint* endpoint :
       {&console_, &qmp_socket_, &monitor_socket_, &machine_.serial, &machine_.heart, &machine_.virtio_serial})
    remove_socket(*endpoint);
  for (const Endpoint& endpoint : settings_.serials) remove_socket(endpoint);
  if (settings_.display.kind != Display::Kind::none) ::unlink(command_line().display.socket.c_str());
}

void QemuHypervisor::forget_process() noexcept {
  qmp_.reset();
  process_.reset();
  node_.clear();
  current_.clear();
}

void QemuHypervisor::note(const std::string& text) const {
  log().information("machine " + machine_.name + ": " + text);
}

void QemuHypervisor::warn(const std::string& text) const {
  log().warning("machine " + machine_.name + ": " + text);
}

}  // namespace pbotvm::qemu
