// SPDX-License-Identifier: MIT
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <iostream>
#include <set>
#include <thread>

#include "qemu_machine_fixture.h"

namespace pbotvm::testing {
namespace {

/// What stop() leaves in the machine's directory.
std::set<std::string> files_left() {
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) found.insert(entry.path().filename());
  return found;
}

/// Says in the file "hangs" that it runs.
std::string hanging_binary() {
  const std::string path = std::filesystem::absolute("hanging-qemu");
  write_text(path, "#!/bin/sh\n: >" + std::filesystem::absolute("hangs").string() + "\nexec sleep 1000\n");
  std::filesystem::permissions(path, std::filesystem::perms(0755));
  return path;
}

TEST_F(QemuMachine, GoesBackToItsSnapshotInPlaceAndAfterARestart) {
  const auto qemu = make();
  ASSERT_EQ(Started::fresh, qemu->start(soon()));
  in_guest("mkdir /tmp/saved");
  qemu->take_snapshot(soon());
  in_guest("mkdir /tmp/later");
  EXPECT_EQ("there", file_in_guest_is("/tmp/later"));

  const pid_t pid = pid_of(*qemu);
  qemu->revert(soon());
  EXPECT_EQ("absent", file_in_guest_is("/tmp/later"));
  EXPECT_EQ("there", file_in_guest_is("/tmp/saved"));
  EXPECT_EQ(pid, pid_of(*qemu));

  qemu->stop(soon());
  EXPECT_FALSE(qemu->running());
  EXPECT_EQ(-1, ::kill(pid, 0));
  EXPECT_EQ((std::set<std::string>{"console.log", "qemu.log", "snapshot.qcow2", "snapshot.stamp"}), files_left());

  const auto another = make();  // a host that was restarted
  const auto start = Clock::now();
  ASSERT_EQ(Started::restored, another->start(soon()));
  const UniqueFd heart = connect_endpoint(machine_.heart, soon());
  in_guest("true");
  EXPECT_LT(Clock::now() - start, 30s);
  // The guest beats every five seconds, wherever in its pause it was saved.
  EXPECT_TRUE(await(heart.get(), "\n", soon()));
  EXPECT_EQ("absent", file_in_guest_is("/tmp/later"));
  EXPECT_EQ("there", file_in_guest_is("/tmp/saved"));
  another->revert(soon());
  EXPECT_EQ("there", file_in_guest_is("/tmp/saved"));
}

TEST_F(QemuMachine, KeepsItsStreamsOverARevert) {
  const auto qemu = make();
  qemu->start(soon());
  in_guest("true");
  const UniqueFd heart = connect_endpoint(machine_.heart, soon());
  ASSERT_TRUE(await(heart.get(), "\n", soon())) << "no beat after the boot; " << content("machines/console.log");
  qemu->take_snapshot(soon());  // right behind a beat, when the line has just been written to
  qemu->revert(soon());
  EXPECT_TRUE(await(heart.get(), "\n", soon()))
      << "no beat on the same stream after the revert; running: " << qemu->running() << ", QEMU said "
      << content("machines/qemu.log") << ", the console " << content("machines/console.log");
}

TEST_F(QemuMachine, ASecondSnapshotReplacesTheFirst) {
  const auto qemu = make();
  qemu->start(soon());
  in_guest("mkdir /tmp/first");
  qemu->take_snapshot(soon());
  in_guest("mkdir /tmp/second");
  qemu->take_snapshot(soon());
  qemu->revert(soon());
  EXPECT_EQ("there", file_in_guest_is("/tmp/second"));
  qemu->stop(soon());
  EXPECT_EQ(Started::restored, qemu->start(soon()));
  EXPECT_EQ("there", file_in_guest_is("/tmp/second"));
}

TEST_F(QemuMachine, ThatIsKilledIsNoLongerRunningAndStartsAgain) {
  const auto qemu = make();
  EXPECT_FALSE(qemu->running());
  qemu->start(soon());
  EXPECT_TRUE(qemu->running());
  const UniqueFd watch(static_cast<int>(::syscall(SYS_pidfd_open, pid_of(*qemu), 0)));
  ASSERT_EQ(0, ::kill(pid_of(*qemu), SIGKILL));
  pollfd ended{watch.get(), POLLIN, 0};
  ASSERT_EQ(1, ::poll(&ended, 1, 60'000));
  EXPECT_FALSE(qemu->running());
  EXPECT_THAT(complaint([&] { qemu->take_snapshot(soon()); }), HasSubstr("does not run"));
  EXPECT_EQ(Started::fresh, qemu->start(soon()));
  EXPECT_TRUE(qemu->running());
}

TEST_F(QemuMachine, WhoseStartHangsGivesUpWhenTheHostEnds) {
  const auto qemu = make(", binary: " + hanging_binary());
  std::thread host([&] {
    while (!std::filesystem::exists("hangs")) std::this_thread::sleep_for(10ms);
    static_cast<HypervisorInterruption*>(qemu->extension(HypervisorInterruption::identifier))->interrupt();
  });
  const auto begun = Clock::now();
  EXPECT_THAT(complaint([&] { qemu->start(soon()); }), HasSubstr("was given up"));
  EXPECT_LT(Clock::now() - begun, 30s);
  host.join();
  EXPECT_FALSE(qemu->running());
  EXPECT_EQ((std::set<std::string>{"console.log", "qemu.log"}), files_left());
}

TEST_F(QemuMachine, HasNothingToGoBackToBeforeItsFirstSnapshot) {
  const auto qemu = make();
  qemu->start(soon());
  EXPECT_THAT(complaint([&] { qemu->revert(soon()); }), HasSubstr("no snapshot"));
  EXPECT_TRUE(qemu->running());
}

TEST_F(QemuMachine, BootsWhenItsSnapshotIsBroken) {
  const auto qemu = make();
  qemu->start(soon());
  qemu->take_snapshot(soon());
  qemu->stop(soon());
  std::filesystem::resize_file("machines/snapshot.qcow2", std::filesystem::file_size("machines/snapshot.qcow2") / 2);
  EXPECT_EQ(Started::fresh, qemu->start(soon()));
  EXPECT_TRUE(qemu->running());
  EXPECT_FALSE(std::filesystem::exists("machines/snapshot.stamp"));
  qemu->take_snapshot(soon());
  qemu->stop(soon());
  EXPECT_EQ(Started::restored, qemu->start(soon()));
}

TEST_F(QemuMachine, BootsWhenItsSnapshotIsNoSnapshot) {
  const auto qemu = make();
  qemu->start(soon());
  qemu->take_snapshot(soon());
  qemu->stop(soon());
  write_text("machines/snapshot.qcow2", "garbage");
  EXPECT_EQ(Started::fresh, qemu->start(soon()));
}

TEST_F(QemuMachine, BootsWhenAnythingThatTheSnapshotDependsOnChanged) {
  {
    const auto qemu = make();
    qemu->start(soon());
    qemu->take_snapshot(soon());
  }
  EXPECT_EQ(Started::fresh, make(", memory: 512 MiB")->start(soon()));
  EXPECT_EQ(Started::fresh, make(", append: debug")->start(soon()));
  machine_.serial = Endpoint::tcp("127.0.0.1", free_port());  // no part of the guest
  EXPECT_EQ(Started::restored, make()->start(soon()));
}

TEST_F(QemuMachine, DropsASnapshotFromWhichItNeverLasts) {
  const auto qemu = make();
  qemu->start(soon());
  qemu->take_snapshot(soon());
  qemu->stop(soon());
  EXPECT_EQ(Started::restored, qemu->start(soon()));
  qemu->stop(soon());
  EXPECT_EQ(Started::restored, qemu->start(soon()));
  qemu->stop(soon());
  EXPECT_EQ(Started::fresh, qemu->start(soon()));
}

// ---- snapshots with names

HypervisorSnapshots& snapshots_of(Hypervisor& hypervisor) {
  return *static_cast<HypervisorSnapshots*>(hypervisor.extension(HypervisorSnapshots::identifier));
}

std::vector<std::string> names_of(HypervisorSnapshots& snapshots) {
  std::vector<std::string> made;
  for (const Snapshot& snapshot : snapshots.list(Deadline::in(1s)))
    made.push_back((snapshot.current ? "*" : "") + snapshot.name);
  return made;
}

TEST_F(QemuMachine, KeepsSeveralSnapshotsUnderNamesAndRevertsToAny) {
  const auto qemu = make();
  HypervisorSnapshots& snapshots = snapshots_of(*qemu);
  EXPECT_TRUE(names_of(snapshots).empty());
  EXPECT_THAT(complaint([&] { snapshots.create("early", soon()); }), HasSubstr("does not run"));
  qemu->start(soon());
  in_guest("mkdir /tmp/first");
  qemu->take_snapshot(soon());
  in_guest("mkdir /tmp/second");
  snapshots.create("with.second", soon());
  in_guest("mkdir /tmp/third");
  EXPECT_EQ((std::vector<std::string>{"1", "*with.second"}), names_of(snapshots));

  qemu->revert(soon());
  EXPECT_EQ((std::vector<std::string>{"*1", "with.second"}), names_of(snapshots));
  EXPECT_EQ("absent", file_in_guest_is("/tmp/second"));
  snapshots.revert_to("with.second", soon());
  EXPECT_EQ((std::vector<std::string>{"1", "*with.second"}), names_of(snapshots));
  EXPECT_EQ("there", file_in_guest_is("/tmp/second"));
  EXPECT_EQ("absent", file_in_guest_is("/tmp/third"));

  qemu->stop(soon());  // they outlive the process, and are listed without it
  const auto another = make();
  HypervisorSnapshots& later = snapshots_of(*another);
  EXPECT_EQ((std::vector<std::string>{"1", "with.second"}), names_of(later));
  ASSERT_EQ(Started::restored, another->start(soon()));
  EXPECT_EQ("absent", file_in_guest_is("/tmp/second"));
  later.revert_to("with.second", soon());
  EXPECT_EQ("there", file_in_guest_is("/tmp/second"));
  later.revert_to("1", soon());
  EXPECT_EQ("absent", file_in_guest_is("/tmp/second"));

  const Snapshot first = later.list(soon()).front();
  EXPECT_GT(first.bytes, 10'000'000u);
  EXPECT_THAT(first.taken, ::testing::MatchesRegex("20..-..-..T..:..:..Z"));
}

TEST_F(QemuMachine, SaysWhatIsWrongWithTheNameOfASnapshot) {
  const auto qemu = make();
  HypervisorSnapshots& snapshots = snapshots_of(*qemu);
  qemu->start(soon());
  snapshots.create("a", soon());
  EXPECT_THAT(complaint([&] { snapshots.create("a", soon()); }), HasSubstr("has a snapshot 'a' already"));
  EXPECT_THAT(complaint([&] { snapshots.create("../a", soon()); }), HasSubstr("use letters"));
  EXPECT_THAT(complaint([&] { snapshots.revert_to("b", soon()); }), HasSubstr("no snapshot 'b'; it has: a"));
  EXPECT_THAT(complaint([&] { snapshots.remove("b", soon()); }), HasSubstr("no snapshot 'b'; it has: a"));
  snapshots.remove("a", soon());
  EXPECT_THAT(complaint([&] { snapshots.revert_to("a", soon()); }), HasSubstr("no snapshot 'a'; it has none yet"));
  snapshots.create("1", soon());  // the machine's own
  snapshots.remove("1", soon());
  EXPECT_THAT(complaint([&] { qemu->revert(soon()); }), HasSubstr("no snapshot"));
  EXPECT_TRUE(qemu->running());
  EXPECT_EQ((std::set<std::string>{"console.log", "console.sock", "qemu.log", "qmp.sock", "virtio.sock"}),
            files_left());
}

TEST_F(QemuMachine, DoesNotRevertToASnapshotOfAnotherMachine) {
  {
    const auto qemu = make();
    qemu->start(soon());
    snapshots_of(*qemu).create("a", soon());
  }
  const auto changed = make(", memory: 512 MiB");
  changed->start(soon());
  EXPECT_THAT(complaint([&] { snapshots_of(*changed).revert_to("a", soon()); }), HasSubstr("taken of another machine"));
  EXPECT_TRUE(changed->running());
}

TEST_F(QemuMachine, PassesOnWhatQemuSaidOfABrokenSnapshotAndRunsOn) {
  const auto qemu = make();
  qemu->start(soon());
  snapshots_of(*qemu).create("a", soon());
  write_text("machines/snapshot-a.qcow2", "garbage");
  EXPECT_THAT(complaint([&] { snapshots_of(*qemu).revert_to("a", soon()); }),
              HasSubstr("Image is not in qcow2 format"));
  EXPECT_TRUE(qemu->running());
  in_guest("true");
}

TEST_F(QemuMachine, CallsItNoRefusalWhenALoadFailsThatHasStoppedTheMachine) {
  const auto qemu = make();
  qemu->start(soon());
  snapshots_of(*qemu).create("a", soon());
  snapshots_of(*qemu).create("b", soon());
  std::filesystem::copy_file("machines/snapshot-b.qcow2", "machines/snapshot-a.qcow2",
                             std::filesystem::copy_options::overwrite_existing);
  try {
    snapshots_of(*qemu).revert_to("a", soon());
    ADD_FAILURE() << "there is no 'a' in that file";
  } catch (const Error& error) {
    EXPECT_EQ(ErrorCode::unavailable, error.code());
    EXPECT_THAT(error.what(), HasSubstr("Snapshot 'a' does not exist in one or more devices"));
  }
  snapshots_of(*qemu).revert_to("b", soon());
  in_guest("true");
}

// ---- events

HypervisorEvents& events_of(Hypervisor& hypervisor) {
  return *static_cast<HypervisorEvents*>(hypervisor.extension(HypervisorEvents::identifier));
}

/// Those that come until `last` came. Meanwhile types a line every second: what is typed too early is lost.
std::vector<HypervisorEvent> await_events(Hypervisor& hypervisor, HypervisorEvent::Kind last, int shell = -1,
                                          const std::string& again = {}) {
  std::vector<HypervisorEvent> seen;
  Deadline next = Deadline::in(0ms);
  for (const Deadline deadline = Deadline::in(60s); !deadline.expired();) {
    char shown[4096];  // of a console whose reader has stopped the guest prints slowly
    while (shell >= 0 && ::recv(shell, shown, sizeof shown, MSG_DONTWAIT) > 0) {
    }
    if (shell >= 0 && next.expired()) {
      [[maybe_unused]] const ssize_t sent = ::send(shell, again.data(), again.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      next = Deadline::in(1s);
    }
    const auto event = events_of(hypervisor).take_event();
    if (!event) {
      ::poll(nullptr, 0, 10);
      continue;
    }
    seen.push_back(*event);
    if (event->kind == last) break;
  }
  return seen;
}

TEST_F(QemuMachine, ReportsThePanicOfItsGuestAndStartsAgainFromItsSnapshot) {
  using Kind = HypervisorEvent::Kind;
  const auto qemu = make();
  qemu->start(soon());
  in_guest("true");
  qemu->take_snapshot(soon());
  qemu->revert(soon());
  EXPECT_FALSE(events_of(*qemu).take_event());  // what the host does itself is no news
  const UniqueFd shell = console();
  const auto begin = Clock::now();
  const auto seen = await_events(*qemu, Kind::ended, shell.get(), "\necho c >/proc/sysrq-trigger\n");
  const auto noticed = Clock::now();
  ASSERT_EQ(2u, seen.size());
  EXPECT_EQ(Kind::panicked, seen[0].kind);
  EXPECT_THAT(seen[0].text, HasSubstr("GUEST_PANICKED"));
  EXPECT_THAT(seen[1].text, HasSubstr("reason guest-panic"));
  EXPECT_FALSE(qemu->running());
  ASSERT_EQ(Started::restored, qemu->start(soon()));
  in_guest("true");
  const auto ms = [](auto duration) { return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count(); };
  std::cout << "panic noticed after " << ms(noticed - begin) << " ms, mended after " << ms(Clock::now() - begin)
            << " ms\n";
  EXPECT_FALSE(events_of(*qemu).take_event());
}

TEST_F(QemuMachine, ReportsThatItWasKilled) {
  const auto qemu = make();
  qemu->start(soon());
  ASSERT_EQ(0, ::kill(pid_of(*qemu), SIGKILL));
  const auto seen = await_events(*qemu, HypervisorEvent::Kind::ended);
  ASSERT_EQ(1u, seen.size());
  EXPECT_THAT(seen[0].text, HasSubstr("signal 9"));
  qemu->start(soon());
  qemu->stop(soon());
  EXPECT_FALSE(events_of(*qemu).take_event());  // that was asked for
}

TEST_F(QemuMachine, HasAMonitorForOperatorsWhoseJobsAreNotInTheHostsWay) {
  const auto qemu = make();
  qemu->start(soon());
  qemu->take_snapshot(soon());
  struct stat status {};
  ASSERT_EQ(0, ::stat("machines/qmp.sock", &status));
  EXPECT_EQ(0600u, status.st_mode & 07777);

  const UniqueFd operators = connect_endpoint(Endpoint::unix_socket("machines/qmp.sock"), soon());
  const auto ask = [&](const std::string& line, const std::string& wanted) {
    ASSERT_EQ(ssize_t(line.size()), ::send(operators.get(), line.data(), line.size(), MSG_NOSIGNAL));
    ASSERT_TRUE(await(operators.get(), wanted, soon())) << line;
  };
  ask(R"({"execute": "qmp_capabilities", "id": "hello"})", R"("id": "hello")");
  // More events than the host keeps, of jobs that it does not know and that stay.
  for (int i = 0; i < 70; ++i) {
    const std::string id = std::to_string(i);
    ask(R"({"execute": "blockdev-create", "arguments": {"job-id": "operators-)" + id +
            R"(", "options": {"driver": "file", "filename": "made", "size": 0}}})",
        R"("concluded", "id": "operators-)" + id + "\"");
  }
  qemu->revert(soon());
  EXPECT_FALSE(events_of(*qemu).take_event());
  qemu->take_snapshot(soon());
  EXPECT_TRUE(qemu->running());
  ask(R"({"execute": "query-jobs", "id": "jobs"})", R"("id": "operators-69")");
  qemu->stop(soon());
  EXPECT_FALSE(std::filesystem::exists("machines/qmp.sock"));
}

TEST_F(QemuMachine, GivesBackEveryDescriptor) {
  const auto open_files = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}); };
  const auto qemu = make();
  const auto before = open_files();
  qemu->start(soon());
  qemu->take_snapshot(soon());
  qemu->revert(soon());
  qemu->stop(soon());
  EXPECT_EQ(before, open_files());
}

TEST_F(QemuMachine, SaysWhatIsWrongWithItsProgram) {
  EXPECT_THAT(complaint([&] { make(", binary: /nonexistent/qemu"); }), HasSubstr("p.yaml:1:"));
  const auto qemu = make(", binary: /bin/false");
  const std::string text = complaint([&] { qemu->start(soon()); });
  EXPECT_THAT(text, HasSubstr("exit status 1"));
  EXPECT_THAT(text, HasSubstr("qemu.log"));
}

TEST_F(QemuMachine, PassesOnWhatQemuSaid) {
  const auto qemu = make(", extra: [-device, nonsense]");
  EXPECT_THAT(complaint([&] { qemu->start(soon()); }), HasSubstr("'nonsense' is not a valid device model name"));
  EXPECT_FALSE(qemu->running());
}

TEST_F(QemuMachine, SaysWhatIsMissingOfItsImage) {
  const std::string text = complaint([&] { make({}, "/nonexistent/image"); });
  EXPECT_THAT(text, HasSubstr("machines.m.image: error:"));
  EXPECT_THAT(text, HasSubstr("/nonexistent/image/vmlinuz"));
}

TEST_F(QemuMachine, SaysWhichPortIsTaken) {
  const auto first = make();
  first->start(soon());
  machine_.directory = "other";
  machine_.virtio_serial = Endpoint::unix_socket("other/virtio.sock");
  const auto second = make();
  EXPECT_THAT(complaint([&] { second->start(soon()); }), HasSubstr("cannot listen on " + machine_.serial.text()));
  EXPECT_TRUE(first->running());
}

TEST_F(QemuMachine, EndsWithItsHost) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // the orphan becomes this process' child, which waits for its end
  int pid_pipe[2];
  ASSERT_EQ(0, ::pipe(pid_pipe));
  const pid_t host = ::fork();
  if (host == 0) {
    const auto qemu = make();
    qemu->start(soon());
    const pid_t pid = pid_of(*qemu);
    [[maybe_unused]] const ssize_t told = ::write(pid_pipe[1], &pid, sizeof pid);
    ::pause();
    ::_exit(0);
  }
  pid_t pid = -1;
  ASSERT_EQ(ssize_t(sizeof pid), ::read(pid_pipe[0], &pid, sizeof pid));
  ::kill(host, SIGKILL);
  ::waitpid(host, nullptr, 0);
  int status = 0;
  EXPECT_EQ(pid, ::waitpid(pid, &status, 0));
  EXPECT_TRUE(WIFSIGNALED(status));
  ::close(pid_pipe[0]);
  ::close(pid_pipe[1]);
}

/// What a host does that root started: opens its files, then becomes another user, who cannot enter the image's
/// parents.
int live_as_nobody(Hypervisor& qemu) {
  const passwd* nobody = ::getpwnam("nobody");
  if (!nobody || ::setgroups(0, nullptr) != 0 || ::setgid(nobody->pw_gid) != 0 || ::setuid(nobody->pw_uid) != 0)
    return 10;
  try {
    if (qemu.start(Deadline::in(60s)) != Started::fresh) return 11;
    struct stat status {};
    if (::stat(("/proc/" + std::to_string(pid_of(qemu))).c_str(), &status) != 0 || status.st_uid != nobody->pw_uid)
      return 12;
    qemu.take_snapshot(Deadline::in(60s));
    qemu.revert(Deadline::in(60s));
    qemu.stop(Deadline::in(60s));
    return qemu.start(Deadline::in(60s)) == Started::restored ? 0 : 13;
  } catch (const std::exception& error) {
    ::dprintf(STDERR_FILENO, "%s\n", error.what());
    return 14;
  }
}

TEST_F(QemuMachine, RunsAsAnUnprivilegedUserWithTheImageOutOfItsReach) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const TemporaryDirectory closed;  // mode 0700
  const std::string image = closed.file("image");
  std::filesystem::create_directory(image);
  for (const char* name : {"vmlinuz", "initrd", "rootfs.squashfs", "image.id"}) {
    std::error_code error;
    std::filesystem::create_hard_link(image_directory() + "/" + name, image + "/" + name, error);
    if (error) std::filesystem::copy_file(image_directory() + "/" + name, image + "/" + name);
  }
  const TemporaryDirectory above;  // STATE is below a directory that nobody may enter either
  const std::string state = above.file("state");
  std::filesystem::create_directory(state);
  const passwd* nobody = ::getpwnam("nobody");
  ASSERT_TRUE(nobody);
  ASSERT_EQ(0, ::chown(state.c_str(), nobody->pw_uid, nobody->pw_gid));
  ASSERT_EQ(0, ::chdir(state.c_str()));

  const pid_t host = ::fork();
  if (host == 0) {
    auto qemu = make({}, image);
    const int outcome = live_as_nobody(*qemu);
    qemu.reset();
    ::_exit(outcome);
  }
  int status = -1;
  ASSERT_EQ(host, ::waitpid(host, &status, 0));
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(0, WEXITSTATUS(status));
}

}  // namespace
}  // namespace pbotvm::testing
