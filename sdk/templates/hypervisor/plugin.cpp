// The hypervisor '@NAME@': a machine is a command that listens on the lines which the host names. Putting it back is
// ending it and running the command again.

#include <pbotvm/hypervisor.h>
#include <pbotvm/plugin.h>
#include <pbotvm/settings_check.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

namespace {

using namespace std::chrono_literals;
using pbotvm::Deadline;
using pbotvm::Endpoint;
using pbotvm::Error;
using pbotvm::ErrorCode;

constexpr auto look = 5ms;              // between two looks at a process or a socket
constexpr auto patience = 2s;           // for a machine that was asked to end
constexpr std::size_t most_words = 1000;

std::vector<std::string> read_command(const pbotvm::Settings& settings) {
  settings.accept_only({"plugin", "command"});
  std::vector<std::string> words = settings.texts("command", {});
  if (words.empty()) settings.fail("the hypervisor '@NAME@' needs its command, a list: program and arguments");
  if (words.size() > most_words) settings.fail("command has more than " + std::to_string(most_words) + " words");
  return words;
}

class @CLASS@Hypervisor : public pbotvm::Hypervisor, public pbotvm::HypervisorEvents {
 public:
  @CLASS@Hypervisor(pbotvm::MachineSettings machine, std::vector<std::string> command)
      : machine_(std::move(machine)), command_(std::move(command)) {}
  ~@CLASS@Hypervisor() override { end(Deadline::in(patience)); }

  pbotvm::HypervisorAbilities abilities() const noexcept override { return {.starts = true, .reverts = true}; }

  pbotvm::Started start(const Deadline& deadline) override {
    end(deadline);  // what is left of an attempt that failed
    remove_sockets();
    spawn();
    for (const Endpoint& line : {machine_.serial, machine_.virtio_serial, machine_.heart}) await(line, deadline);
    return pbotvm::Started::restored;  // the command is the snapshot
  }

  bool running() noexcept override {
    int status = 0;
    if (process_ < 0 || ::waitpid(process_, &status, WNOHANG) == 0) return process_ >= 0;
    process_ = -1;
    ended_with_ = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                      : "exit status " + std::to_string(WEXITSTATUS(status));
    return false;
  }

  void take_snapshot(const Deadline&) override {}  // never called: no start is a fresh one
  void revert(const Deadline& deadline) override { start(deadline); }
  void stop(const Deadline& deadline) noexcept override { end(deadline); }

  std::string description() const override {
    return command_[0] + (process_ < 0 ? ", not running" : ", pid " + std::to_string(process_));
  }

  void* extension(std::string_view identifier) override {
    return identifier == HypervisorEvents::identifier ? static_cast<HypervisorEvents*>(this) : nullptr;
  }

  std::optional<pbotvm::HypervisorEvent> take_event() override {
    running();
    if (ended_with_.empty()) return std::nullopt;
    return pbotvm::HypervisorEvent{pbotvm::HypervisorEvent::Kind::ended,
                                   command_[0] + " ended: " + std::exchange(ended_with_, {})};
  }

 private:
  void spawn() {
    std::vector<char*> words;
    for (std::string& word : command_) words.push_back(word.data());
    words.push_back(nullptr);
    sigset_t none, all;
    sigemptyset(&none);  // this thread blocks them all
    sigfillset(&all);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);  // its own, so that its children end with it
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    pid_t made = -1;
    const int error = ::posix_spawnp(&made, words[0], nullptr, &attributes, words.data(), environ);
    posix_spawnattr_destroy(&attributes);
    if (error != 0)
      throw Error(ErrorCode::unavailable, pbotvm::errno_text("run " + command_[0], error),
                  "see machines." + machine_.name + ".hypervisor.command");
    process_ = made;
  }

  /// The line of a machine that has just been started takes a moment to be there.
  void await(const Endpoint& line, const Deadline& deadline) {
    if (line.kind == Endpoint::Kind::none) return;
    while (true) {
      try {
        pbotvm::connect_endpoint(line, deadline);
        return;
      } catch (const Error& error) {
        if (!running())
          throw Error(ErrorCode::unavailable, command_[0] + " ended before its line " + line.text() + " was there: " +
                                                  std::exchange(ended_with_, {}),
                      "run it by hand; what it prints is in the host's log");
        if (deadline.expired())
          throw Error(ErrorCode::timed_out, command_[0] + " runs, but: " + error.what(),
                      "it must listen there: machines." + machine_.name);
      }
      std::this_thread::sleep_for(look);
    }
  }

  void remove_sockets() const {
    for (const Endpoint& line : {machine_.serial, machine_.virtio_serial, machine_.heart})
      if (line.kind == Endpoint::Kind::unix_socket) ::unlink(line.path.c_str());
  }

  void end(const Deadline& deadline) noexcept {
    if (!running()) return;
    const pid_t group = process_;
    ::kill(-group, SIGTERM);
    for (const Deadline until = earlier(Deadline::in(patience), deadline); running() && !until.expired();)
      std::this_thread::sleep_for(look);
    ::kill(-group, SIGKILL);  // also what it left behind
    while (running()) std::this_thread::sleep_for(look);
    ended_with_.clear();  // it was asked for
  }

  const pbotvm::MachineSettings machine_;
  std::vector<std::string> command_;  // const but for posix_spawn's sake
  pid_t process_ = -1;
  std::string ended_with_;
};

class @CLASS@Factory : public pbotvm::HypervisorFactory, public pbotvm::SettingsCheck {
 public:
  std::unique_ptr<pbotvm::Hypervisor> create(const pbotvm::MachineSettings& machine,
                                             const pbotvm::Settings& settings) override {
    return std::make_unique<@CLASS@Hypervisor>(machine, read_command(settings));
  }
  std::vector<std::string> check(const pbotvm::MachineSettings&, const pbotvm::Settings& settings) override {
    read_command(settings);
    return {};
  }
};

}  // namespace

PBOTVM_PLUGIN("hypervisor", "@NAME@", "1.0", pbotvm::HypervisorFactory, @CLASS@Factory)
