// SPDX-License-Identifier: MIT
#include "job_run.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace pbotvm::guest {
namespace {

using protocol::FrameType;
using std::chrono::microseconds;
using std::chrono::milliseconds;

// What holds where a job names no limit.
constexpr milliseconds default_wall{60'000};
constexpr milliseconds default_cpu{60'000};
constexpr std::uint64_t default_output = 1 << 20;
constexpr std::uint32_t default_processes = 256;
constexpr std::uint64_t default_file_size = 64 << 20;
constexpr std::uint32_t default_open_files = 256;

// Without control groups only all processes of the user can be bounded, whoever started them.
constexpr std::uint32_t others_of_user = 256;
// A step that ends within this is not interrupted for its output, which is read when it has ended; pipes hold so much.
constexpr milliseconds first_look{15};
constexpr std::size_t output_header = 5;         // of an OUTPUT frame's payload
constexpr std::size_t feed_at_once = 64 * 1024;  // bytes of an order that is not whole
// A job whose limit has struck ends within this, or its result goes out without the step's end.
constexpr milliseconds strike_limit{1000};
// After a strike so much output still comes, so that the result is not far behind.
constexpr std::uint64_t last_words_slow = 16 * 1024;
constexpr std::uint64_t last_words_fast = 256 * 1024;

const std::vector<std::string>& base_environment() {
  static const std::vector<std::string> variables = {"PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games",
                                                     "LANG=C.UTF-8", "TERM=dumb", "TMPDIR=/tmp"};
  return variables;
}

std::vector<std::string> environment_of(const Step& step, const Containment& containment, const std::string& home) {
  std::vector<std::string> variables = base_environment();
  variables.push_back("HOME=" + home);
  variables.push_back("USER=" + containment.user());
  variables.push_back("LOGNAME=" + containment.user());
  for (const auto& [name, value] : step.environment) {
    std::erase_if(variables, [&](const std::string& entry) { return entry.starts_with(name + "="); });
    variables.push_back(name + "=" + value);
  }
  return variables;
}

std::uint64_t half_of_memory() {
  struct sysinfo info {};
  sysinfo(&info);
  return static_cast<std::uint64_t>(info.totalram) * info.mem_unit / 2;
}

template <typename Number>
Number or_else(Number value, Number fallback) {
  return value == Number() ? fallback : value;
}

microseconds to_microseconds(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + microseconds(time.tv_usec);
}

std::size_t count_readers(const Job& job) {
  return static_cast<std::size_t>(
      std::count_if(job.steps.begin(), job.steps.end(), [](const Step& step) { return step.reads_input; }));
}

}  // namespace

JobRun::JobRun(EventLoop& loop, const Containment& containment, JobOwner& owner, std::uint32_t id,
               protocol::AnnouncedJob job, std::function<void(JobRun&)> on_done)
    : loop_(loop),
      containment_(containment),
      owner_(&owner),
      id_(id),
      announced_(std::move(job)),
      on_done_(std::move(on_done)),
      input_(loop, count_readers(announced_.job),
             [this](std::uint32_t bytes) { send(FrameType::credit, protocol::encode_credit(bytes)); }),
      last_words_(owner.slow() ? last_words_slow : last_words_fast),
      wall_(loop, [this] { strike(Limit::wall); }),
      watch_delay_(loop, [this] { watch_output(); }),
      struck_(loop, [this] { on_struck_for_long(); }) {
  pipes_[0].stream = Stream::out;
  pipes_[1].stream = Stream::err;
  set_limits();
  begin_files();
  wall_.set(announced_.job.limits.wall);  // anew when the first step begins: until then it bounds the host's dawdling
}

void JobRun::set_limits() {
  Limits& limits = announced_.job.limits;
  limits.wall = or_else(limits.wall, default_wall);
  limits.cpu = or_else(limits.cpu, default_cpu);
  limits.output = or_else(limits.output, default_output);
  limits.memory = or_else(limits.memory, half_of_memory());
  limits.processes = or_else(limits.processes, default_processes);
  limits.file_size = or_else(limits.file_size, default_file_size);
  limits.open_files = or_else(limits.open_files, default_open_files);
  if (containment_.given("memory")) bounds_.memory = limits.memory;
  if (containment_.given("processes")) bounds_.processes = limits.processes;
  process_limits_.cpu_seconds = static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>(limits.cpu).count());
  process_limits_.file_size = limits.file_size;
  process_limits_.open_files = limits.open_files;
  process_limits_.processes = containment_.given("processes") ? 0 : limits.processes + others_of_user;
}

// ---- what the host sends

void JobRun::take(std::unique_ptr<Sandbox> sandbox) {
  sandbox_ = std::move(sandbox);
  state_ = State::feeding;
  if (!choose_step()) return finish("");
  try {
    sandbox_->bound(bounds_);
  } catch (const SystemError& error) {
    return finish(error.what());
  }
  sandbox_->when_stub_ends([this] { on_step_exit(); });
  std::string before = std::exchange(order_, {});
  append_step_order();
  order_ += before;
  feed();
}

void JobRun::fail(const std::string& why) {
  finish("cannot contain it: " + why);
}

void JobRun::append_step_order() {
  const Step& step = announced_.job.steps[step_];
  const bool first = !last_step_;
  append_order(order_, step, environment_of(step, containment_, sandbox_->directory()), process_limits_,
               first ? announced_.job.files.size() : 0);
}

void JobRun::on_file(const protocol::FilePiece& piece) {
  if (state_ != State::waiting && state_ != State::feeding) return;  // the job has ended early
  if (piece.index != file_ || piece.bytes.size() > file_left_) {
    throw protocol::MessageError("file: not the one that is due, or more than its size");
  }
  order_.append(piece.bytes);
  file_left_ -= piece.bytes.size();
  if (file_left_ == 0) {
    ++file_;
    begin_files();
  }
  feed();
}

// Appends the head of the file that is due; and of those before it that are empty, as nothing comes for them.
void JobRun::begin_files() {
  for (const auto& sizes = announced_.file_sizes; file_ < sizes.size(); ++file_) {
    append_order_file(order_, announced_.job.files[file_], sizes[file_]);
    file_left_ = sizes[file_];
    if (file_left_ > 0) return;
  }
}

void JobRun::on_input(std::string_view bytes) {
  if (state_ == State::over) return;
  if (bytes.empty()) return input_.end();
  input_.add(bytes);
}

void JobRun::on_credit(std::uint32_t bytes) {
  credit_ += bytes;
  on_room();
}

void JobRun::cancel() {
  if (state_ == State::over) return;
  strike(Limit::cancelled);
}

void JobRun::abandon() {
  owner_ = nullptr;
  finish("");
}

// ---- a step

// The first step from step_ on that is to be run.
bool JobRun::choose_step() {
  const auto& steps = announced_.job.steps;
  for (; step_ < steps.size(); ++step_) {
    const When when = steps[step_].when;
    const bool success = !last_step_ || (last_step_->signal == 0 && last_step_->exit_code == 0);
    const bool crash = last_step_ && last_step_->signal != 0;
    if (when == When::always || (when == When::after_success && success) || (when == When::after_crash && crash)) {
      return true;
    }
  }
  return false;
}

void JobRun::feed() {
  if (state_ != State::feeding) return;
  const bool whole = file_ == announced_.file_sizes.size();
  if (!whole && !order_watch_ && order_.size() < feed_at_once) return;
  write_order();
  if (order_.empty()) {
    order_watch_.reset();
    if (whole) begin_step();
  } else if (!order_watch_) {
    order_watch_ =
        std::make_unique<Watch>(loop_, sandbox_->stub().order.get(), EPOLLOUT, [this](std::uint32_t) { feed(); });
  }
  if (owner_) owner_->on_job_progress();
}

void JobRun::write_order() {
  while (!order_.empty()) {
    const auto size = ::send(sandbox_->stub().order.get(), order_.data(), order_.size(), MSG_NOSIGNAL);
    if (size < 0 && errno == EAGAIN) return;
    if (size < 0) return order_.clear();  // the stub has ended: its end is on its way
    order_.erase(0, static_cast<std::size_t>(size));
  }
}

void JobRun::begin_step() {
  state_ = State::running;
  step_started_ = Clock::now();
  std::string().swap(order_);
  if (!last_step_) wall_.set(announced_.job.limits.wall);
  StubEnds& stub = sandbox_->stub();
  pipes_[0].fd = &stub.output;
  pipes_[1].fd = &stub.error;
  watch_delay_.set(first_look);
  input_.open(stub.input, announced_.job.steps[step_].reads_input);
}

void JobRun::on_step_exit() {
  if (state_ == State::over) return;
  exit_ = sandbox_->stub().process.reap().value_or(ExitStatus{});
  step_wall_ = std::chrono::duration_cast<microseconds>(Clock::now() - step_started_);
  order_watch_.reset();
  struck_.cancel();
  input_.close();
  const bool begun = state_ == State::running;
  if (limit_ == Limit::none) limit_ = limit_behind(exit_);
  step_error_.clear();
  const std::string complaint = read_complaint();
  if (complaint.starts_with('s')) step_error_ = complaint.substr(1);
  if (complaint.starts_with('j')) return finish("cannot prepare the job: " + complaint.substr(1));
  if (!begun) return finish(limit_ == Limit::none ? "cannot prepare the job: its process ended" : "");
  state_ = State::draining;
  for (auto& pipe : pipes_) {
    pipe.watch.reset();
    int bytes = 0;
    if (*pipe.fd) ioctl(pipe.fd->get(), FIONREAD, &bytes);
    pipe.left = static_cast<std::uint64_t>(bytes);
  }
  drain();
}

std::string JobRun::read_complaint() {
  char text[512];
  const auto size = recv(sandbox_->stub().order.get(), text, sizeof text, MSG_DONTWAIT);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

Limit JobRun::limit_behind(const ExitStatus& status) {
  if (status.signal == SIGXCPU) return Limit::cpu;
  if (status.signal == SIGXFSZ) return Limit::file_size;
  if (status.signal != SIGKILL) return Limit::none;
  if (sandbox_->cgroup() && sandbox_->cgroup()->memory_struck()) return Limit::memory;
  const auto used = to_microseconds(status.usage.ru_utime) + to_microseconds(status.usage.ru_stime);
  return used >= announced_.job.limits.cpu ? Limit::cpu : Limit::none;
}

void JobRun::end_step() {
  StepResult result;
  result.step = static_cast<std::uint32_t>(step_);
  result.label = announced_.job.steps[step_].label;
  result.exit_code = exit_.exit_code;
  result.signal = exit_.signal;
  result.error = step_error_;
  result.wall = step_wall_;
  result.user = to_microseconds(exit_.usage.ru_utime);
  result.system = to_microseconds(exit_.usage.ru_stime);
  result.peak_memory = containment_.given("memory") ? sandbox_->cgroup()->peak_memory()
                                                    : static_cast<std::uint64_t>(exit_.usage.ru_maxrss) * 1024;
  killed_ = killed_ || result.signal == SIGKILL;
  send(FrameType::step, protocol::encode(result));
  last_step_ = std::move(result);
  ++step_;
  if (limit_ != Limit::none || !choose_step()) return finish("");
  state_ = State::sweeping;
  struck_.set(strike_limit);
  sandbox_->sweep([this] { next_step(); });
}

void JobRun::next_step() {
  struck_.cancel();
  try {
    sandbox_->make_stub();
  } catch (const SystemError& error) {
    return finish(error.what());
  }
  state_ = State::feeding;
  append_step_order();
  feed();
}

// ---- output

std::size_t JobRun::output_window() const {
  constexpr std::size_t most = protocol::max_payload - output_header;
  if (!owner_ || limit_ != Limit::none) return most;  // what is too much is thrown away then
  return static_cast<std::size_t>(std::min<std::uint64_t>({most, credit_, owner_->room()}));
}

void JobRun::watch_output() {
  if (state_ != State::running || watch_delay_.active()) return;
  const bool open = output_window() > 0;
  for (auto& pipe : pipes_) {
    if (!open || !*pipe.fd) {
      pipe.watch.reset();
    } else if (!pipe.watch) {
      pipe.watch =
          std::make_unique<Watch>(loop_, pipe.fd->get(), EPOLLIN, [this, &pipe](std::uint32_t) { on_output(pipe); });
    }
  }
}

void JobRun::on_output(OutputPipe& pipe) {
  if (output_window() > 0 && read_pipe(pipe, output_window()) == 0) {
    pipe.watch.reset();  // its end
    pipe.fd->reset();
  }
  watch_output();
}

// Bytes that were read, 0 at the end, -1 when there is nothing now.
ssize_t JobRun::read_pipe(OutputPipe& pipe, std::size_t most) {
  char bytes[protocol::max_payload - output_header];
  const auto size = read(pipe.fd->get(), bytes, std::min(most, sizeof bytes));
  if (size > 0) take_output(pipe.stream, {bytes, static_cast<std::size_t>(size)});
  return size;
}

void JobRun::take_output(Stream stream, std::string_view bytes) {
  std::uint64_t allowed = announced_.job.limits.output - sent_;
  const bool over = limit_ == Limit::none && bytes.size() > allowed;
  if (limit_ == Limit::output) allowed = 0;
  if (limit_ != Limit::none) {  // nothing may hold up the result now
    allowed = std::min({allowed, last_words_, credit_});
    last_words_ -= std::min<std::uint64_t>(last_words_, bytes.size());
  }
  const auto part = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(allowed, bytes.size())));
  sent_ += part.size();
  credit_ -= part.size();
  cut_ += bytes.size() - part.size();
  if (!part.empty()) {
    send(FrameType::output, protocol::encode_output(static_cast<std::uint32_t>(step_), stream, part));
  }
  if (over) strike(Limit::output);
}

// What was in the pipes when the step's process ended. What others still write is not waited for.
void JobRun::drain() {
  for (auto& pipe : pipes_) {
    while (pipe.left > 0) {
      const std::size_t window = output_window();
      if (window == 0) return;  // on_room() goes on
      const auto size = read_pipe(pipe, static_cast<std::size_t>(std::min<std::uint64_t>(window, pipe.left)));
      pipe.left = size > 0 ? pipe.left - static_cast<std::uint64_t>(size) : 0;
    }
  }
  end_step();
}

void JobRun::on_room() {
  if (state_ == State::running) watch_output();
  if (state_ == State::draining) drain();
}

// ---- the end

void JobRun::strike(Limit limit) {
  if (limit_ != Limit::none || state_ == State::over) return;
  limit_ = limit;
  if (state_ == State::draining && limit != Limit::output) return drain();
  if (state_ == State::draining) return;  // drain() is what found it
  if (state_ != State::running) return finish("");
  struck_.set(strike_limit);
  try {
    sandbox_->kill();
  } catch (const SystemError& error) {
    log_line(error.what());
  }
}

void JobRun::on_struck_for_long() {
  finish(limit_ == Limit::none ? "what a step left behind does not end" : "");
}

void JobRun::finish(const std::string& error) {
  if (state_ == State::over) return;
  state_ = State::over;
  wall_.cancel();
  struck_.cancel();
  order_watch_.reset();
  for (auto& pipe : pipes_) pipe.watch.reset();
  input_.close();
  std::string().swap(order_);
  if (limit_ == Limit::none && sandbox_ && sandbox_->cgroup() && sandbox_->cgroup()->processes_struck()) {
    limit_ = Limit::processes;
  }
  send(FrameType::result, protocol::encode(protocol::Ending{limit_, cut_, error}));
  if (sandbox_ && sandbox_->vacant()) tell_clean({true, ""});
  if (owner_) owner_->on_job_progress();
  loop_.at_end_of_round([this] { on_done_(*this); });
}

void JobRun::tell_clean(const protocol::Clean& clean) {
  cleaned_ = true;
  send(FrameType::clean, protocol::encode(clean));
}

void JobRun::send(FrameType type, const std::string& payload) {
  if (owner_) owner_->send(type, id_, payload);
}

}  // namespace pbotvm::guest
