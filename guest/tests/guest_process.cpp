// SPDX-License-Identifier: MIT
#include "guest_process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>

namespace pbotvm::guest_test {

using protocol::Frame;
using protocol::FrameType;

namespace {

std::string read_whole(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> guest_command(const std::filesystem::path& directory, const std::vector<std::string>& more) {
  std::vector<std::string> argv = {GUEST_PROGRAM,
                                   "--listen",
                                   "unix:" + (directory / "line").string(),
                                   "--heartbeat",
                                   "unix:" + (directory / "heart").string(),
                                   "--work",
                                   directory / "work",
                                   "--user",
                                   "nobody",
                                   "--allow-missing",
                                   "all"};
  argv.insert(argv.end(), more.begin(), more.end());
  return argv;
}

}  // namespace

ChildProgram::ChildProgram(std::vector<std::string> argv, const std::filesystem::path& errors) : errors_(errors) {
  std::vector<char*> pointers;
  for (auto& argument : argv) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  setenv("PBOTVM_TEST_SECRET", "must not reach a job", 1);
  pid_ = fork();
  if (pid_ != 0) return;
  const int file = open(errors.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  dup2(file, STDOUT_FILENO);
  dup2(file, STDERR_FILENO);
  execv(pointers[0], pointers.data());
  _exit(127);
}

ChildProgram::~ChildProgram() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool ChildProgram::running() {
  if (pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
  return pid_ > 0;
}

int ChildProgram::wait() {
  const UniqueFd fd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  pollfd end{fd.get(), POLLIN, 0};
  const int milliseconds = static_cast<int>(std::chrono::milliseconds(patience).count());
  if (poll(&end, 1, milliseconds) <= 0) return -1;
  int status = 0;
  waitpid(std::exchange(pid_, -1), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string ChildProgram::errors() const {
  return read_whole(errors_);
}

TemporaryDirectory::TemporaryDirectory() {
  std::string name = std::filesystem::temp_directory_path() / "pbotvm-guest-XXXXXX";
  if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
  path_ = name;
  std::filesystem::permissions(path_, std::filesystem::perms(0755));  // a job's user passes through it
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Stream::Stream(const std::filesystem::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
  const auto end = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < end) {
    fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return;
    usleep(2000);  // there is no event that tells of a listener
  }
  throw std::runtime_error("nobody listens on " + socket.string());
}

void Stream::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto size = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size < 0) throw std::runtime_error("the guest closed the line");
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
}

std::optional<std::string> Stream::read(std::chrono::milliseconds wait) {
  pollfd ready{fd_.get(), POLLIN, 0};
  if (poll(&ready, 1, static_cast<int>(wait.count())) <= 0) return std::nullopt;
  std::string bytes(64 * 1024, '\0');
  const auto size = recv(fd_.get(), bytes.data(), bytes.size(), 0);
  bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return bytes;
}

protocol::Welcome Client::hello(const std::vector<std::string>& tools, std::uint32_t slots) {
  std::random_device random;
  nonce_ = static_cast<std::uint64_t>(random()) << 32 | random();
  send(FrameType::hello, 0, protocol::encode(protocol::Hello{1, std::string(32, 's'), tools, slots}));
  while (const auto frame = next()) {
    if (frame->type == FrameType::welcome && frame->nonce == nonce_) return protocol::decode_welcome(frame->payload);
  }
  throw std::runtime_error("no welcome");
}

void Client::send(FrameType type, std::uint32_t job, std::string payload) {
  std::string bytes;
  protocol::append_frame(bytes, {type, false, job, nonce_, std::move(payload)});
  stream_.write(bytes);
}

void Client::start(std::uint32_t id, const Job& job, bool with_input) {
  std::string bytes;
  protocol::append_message(bytes, FrameType::job, id, nonce_, protocol::encode(job));
  constexpr std::size_t piece = protocol::max_payload - 4;
  for (std::uint32_t index = 0; index < job.files.size(); ++index) {
    const std::string_view content = job.files[index].content;
    for (std::size_t at = 0; at < content.size(); at += piece) {
      const auto part = protocol::encode_file_piece(index, content.substr(at, piece));
      protocol::append_frame(bytes, {FrameType::file, false, id, nonce_, part});
    }
  }
  stream_.write(bytes);
  if (!with_input) return;
  if (!job.input.empty()) send(FrameType::input, id, job.input);
  send(FrameType::input, id, "");
}

std::optional<Frame> Client::next(std::chrono::milliseconds wait) {
  const auto end = std::chrono::steady_clock::now() + wait;
  while (true) {
    if (auto frame = reader_.next()) return frame;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() < 0) return std::nullopt;
    const auto bytes = stream_.read(left);
    if (!bytes || bytes->empty()) return std::nullopt;
    reader_.feed(*bytes);
  }
}

JobOutcome Client::finish(std::uint32_t id, bool give_credit) {
  std::map<std::uint32_t, JobOutcome> outcomes = {{id, {}}};
  finish_all(outcomes, give_credit);
  return std::move(outcomes.at(id));
}

void Client::finish_all(std::map<std::uint32_t, JobOutcome>& outcomes, bool give_credit) {
  const auto over = [&] {
    return std::all_of(outcomes.begin(), outcomes.end(), [](const auto& entry) { return entry.second.over(); });
  };
  while (!over()) {
    const auto frame = next();
    if (!frame) {
      ADD_FAILURE() << "the end of a job did not come";
      return;
    }
    EXPECT_EQ(frame->nonce, nonce_);
    const auto found = outcomes.find(frame->job);
    if (found == outcomes.end()) {
      ADD_FAILURE() << "a frame of job " << frame->job;
    } else {
      EXPECT_FALSE(found->second.over()) << "a frame after the end of job " << frame->job;
      take(*frame, found->second, give_credit);
    }
  }
}

void Client::take(const Frame& frame, JobOutcome& outcome, bool credit) {
  if (frame.type == FrameType::output) {
    EXPECT_FALSE(outcome.ending);
    const auto chunk = protocol::decode_output(frame.payload);
    outcome.output[static_cast<int>(chunk.stream)] += chunk.bytes;
    if (credit) give_credit(frame.job, chunk.bytes.size());
  } else if (frame.type == FrameType::step) {
    outcome.steps.push_back(protocol::decode_step(frame.payload));
  } else if (frame.type == FrameType::collected) {
    EXPECT_FALSE(outcome.ending);
    if (const auto text = collected_text_[frame.job].add(frame.payload, frame.more)) {
      outcome.collected = protocol::decode_collected(*text);
      outcome.files.resize(outcome.collected->files.size());
    }
  } else if (frame.type == FrameType::file) {
    const auto piece = protocol::decode_file_piece(frame.payload);
    outcome.files.at(piece.index) += piece.bytes;
    if (credit) give_credit(frame.job, piece.bytes.size());
  } else if (frame.type == FrameType::result) {
    outcome.ending = protocol::decode_ending(frame.payload);
  } else if (frame.type == FrameType::clean) {
    outcome.clean = protocol::decode_clean(frame.payload);
  } else if (frame.type == FrameType::error) {
    outcome.refusal = protocol::decode_refusal(frame.payload);
  }
}

void Client::give_credit(std::uint32_t id, std::size_t bytes) {
  send(FrameType::credit, id, protocol::encode_credit(static_cast<std::uint32_t>(bytes)));
}

std::string Client::next_output(std::uint32_t id) {
  const auto frame = next();
  if (!frame || frame->type != FrameType::output || frame->job != id) throw std::runtime_error("no output");
  return protocol::decode_output(frame->payload).bytes;
}

void Client::expect_pong() {
  send(FrameType::ping, 0, "are you there");
  const auto frame = next();
  ASSERT_TRUE(frame);
  EXPECT_EQ(*frame, (Frame{FrameType::pong, false, 0, nonce_, "are you there"}));
}

Guest::Guest(std::vector<std::string> more)
    : program_(guest_command(directory_.path(), more), directory_.path() / "errors") {}

Job shell_job(const std::string& code) {
  Job job;
  job.files = {{"prog.sh", code + "\n", 0644}};
  job.steps = {{"run", {"sh", "prog.sh"}, {}, true, When::after_success}};
  job.limits.wall = std::chrono::seconds(15);
  job.limits.cpu = std::chrono::seconds(15);
  job.limits.output = 256 * 1024;
  job.limits.memory = 256u << 20;
  job.limits.processes = 64;
  job.limits.file_size = 1 << 20;
  job.limits.open_files = 64;
  return job;
}

bool process_runs(const std::string& text) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    if (read_whole(entry.path() / "cmdline").find(text) != std::string::npos) return true;
  }
  return false;
}

bool goes_away(const std::string& text) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (process_runs(text)) {
    if (std::chrono::steady_clock::now() > end) return false;
    usleep(2000);  // a process of someone else's: there is no event to wait for
  }
  return true;
}

}  // namespace pbotvm::guest_test
