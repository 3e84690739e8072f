// SPDX-License-Identifier: MIT
#include "job_run.h"

#include <sys/epoll.h>
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

// Bytes that are written of an explained step's core file: pages that were never used leave holes in it. The kernel
// bounds it by the limit of file sizes, too, and by that where it writes, holes included. The stack comes last: it is
// missing of a program that filled more memory than this, or has touched areas of together more than a file's size,
// such as one large block or the stacks of several threads. The core is paid for by the job's memory, beside the
// program that is still there; hence a part of that only, but always a deep stack of 8 MiB.
constexpr std::uint64_t least_core = 16 << 20, most_core = 64 << 20;
constexpr std::uint64_t core_part = 8;
// Without control groups only all processes of the user can be bounded, whoever started them.
constexpr std::uint32_t others_of_user = 256;
constexpr std::size_t feed_at_once = 64 * 1024;  // bytes of an order that is not whole
constexpr std::size_t order_kept = 256 * 1024;   // written bytes of an order that are not worth moving the rest
// What is left of a used-up processor time is looked at again not sooner than this.
constexpr milliseconds cpu_look{5};
// A job whose limit has struck ends within this, or its result goes out without the step's end.
constexpr milliseconds strike_limit{1000};
// After a strike so much output still comes, so that the result is not far behind.
constexpr std::uint64_t last_words_slow = 16 * 1024;
constexpr std::uint64_t last_words_fast = 256 * 1024;
// A collection that makes no progress for so long, because of the collector or the host, is given up.
constexpr milliseconds collection_limit{10'000};
constexpr std::uint64_t collector_memory = 16 << 20;  // beyond the job's bound: its files may have used that up

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

std::uint64_t explained_core(std::uint64_t memory) {
  return std::clamp(memory / core_part, least_core, most_core);
}

long processors() {
  static const long count = std::max(1L, sysconf(_SC_NPROCESSORS_ONLN));
  return count;
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
      network_(owner.network()),
      input_(loop, count_readers(announced_.job),
             [this](std::uint32_t bytes) { send(FrameType::credit, protocol::encode_credit(bytes)); }),
      output_(loop, or_else(announced_.job.limits.output, default_output),
              {.want_turn = [this] { want_turn(); },
               .print =
                   [this](Stream stream, std::string_view bytes) {
                     if (!owner_) return;
                     owner_->send_output(id_, static_cast<std::uint32_t>(step_), stream, bytes);
                     rest(bytes.size());
                   },
               .on_limit = [this] { strike(Limit::output); }}),
      wall_(loop,
            [this] {
              strike(Limit::wall);
              check_drained();
            }),
      cpu_(loop, [this] { check_cpu(); }),
      late_(loop, [this] { on_late(); }),
      rest_(loop, [this] { want_turn(); }) {
  set_limits();
  begin_files();
  wall_.set(announced_.job.limits.wall);  // anew when the first step begins: until then it bounds the host's dawdling
}

JobRun::~JobRun() {
  if (owner_) owner_->drop_turn(*this);
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

void JobRun::take(std::unique_ptr<Sandbox> sandbox, std::size_t crowd) {
  crowd_ = crowd;
  sandbox_ = std::move(sandbox);
  state_ = State::feeding;
  if (!choose_step()) return finish("");
  try {
    sandbox_->bound(bounds_);
  } catch (const SystemError& error) {
    return finish(error.what());
  }
  sandbox_->when_stub_ends([this] { on_stub_exit(); });
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
  process_limits_.core_size = is_explained(step_) ? explained_core(announced_.job.limits.memory) : 0;
  append_order(order_, step, environment_of(step, containment_, sandbox_->directory()), process_limits_,
               first ? announced_.job.directories : std::vector<std::string>(),
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
  output_.add_credit(bytes);
  check_drained();
  if (collection_) collection_->settle();
}

void JobRun::cancel() {
  if (state_ == State::over) return;
  if (!collection_) {
    strike(Limit::cancelled);
    return check_drained();
  }
  if (limit_ == Limit::none) limit_ = Limit::cancelled;
  finish("");
}

void JobRun::abandon() {
  if (owner_) owner_->drop_turn(*this);
  owner_ = nullptr;
  finish("");
}

void JobRun::want_turn() {
  if (owner_ && state_ != State::over && !rest_.active()) owner_->want_turn(*this);
}

void JobRun::on_turn(std::size_t room) {
  if (state_ == State::collecting) {
    collection_->turn(room);
  } else {
    output_.turn(room);
  }
  check_drained();
}

// After so many bytes in a turn.
void JobRun::rest(std::size_t bytes) {
  const auto pause = owner_->pace(bytes);
  if (pause.count() > 0) rest_.set(pause);
}

// ---- a step

// Whether the next step is one that looks at what a crash of this one left: only then it may leave a core file.
bool JobRun::is_explained(std::size_t step) const {
  const auto& steps = announced_.job.steps;
  return step + 1 < steps.size() && steps[step + 1].when == When::after_crash;
}

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
  if (!whole && !order_watch_ && backlog() < feed_at_once) return;
  write_order();
  if (backlog() == 0) {
    order_watch_.reset();
    if (collection_) {
      state_ = State::collecting;
      collection_->open(sandbox_->stub().output);
    } else if (whole) {
      begin_step();
    }
  } else if (!order_watch_) {
    order_watch_ =
        std::make_unique<Watch>(loop_, sandbox_->stub().order.get(), EPOLLOUT, [this](std::uint32_t) { feed(); });
  }
  if (owner_) owner_->on_job_progress();
}

void JobRun::write_order() {
  while (order_sent_ < order_.size()) {
    const auto size =
        ::send(sandbox_->stub().order.get(), order_.data() + order_sent_, order_.size() - order_sent_, MSG_NOSIGNAL);
    if (size < 0 && errno == EAGAIN) break;
    order_sent_ = size < 0 ? order_.size()  // the stub has ended: its end is on its way
                           : order_sent_ + static_cast<std::size_t>(size);
  }
  if (order_sent_ < order_.size() && order_sent_ < order_kept) return;
  order_.erase(0, order_sent_);
  order_sent_ = 0;
}

void JobRun::begin_step() {
  state_ = State::running;
  step_started_ = Clock::now();
  std::string().swap(order_);
  if (!last_step_) wall_.set(announced_.job.limits.wall);
  StubEnds& stub = sandbox_->stub();
  output_.open(stub.output, stub.error, crowd_);
  input_.open(stub.input, announced_.job.steps[step_].reads_input);
  sandbox_->begin_step();
  if (sandbox_->meter().counts_cpu()) cpu_.set(announced_.job.limits.cpu / processors());
}

// All processes of the step together; the kernel's own limit is on each of them.
void JobRun::check_cpu() {
  const auto left = announced_.job.limits.cpu - sandbox_->meter().step_cpu();
  if (left <= microseconds(0)) return strike(Limit::cpu);
  cpu_.set(std::max<Clock::duration>(left / processors(), cpu_look));
}

void JobRun::on_stub_exit() {
  if (state_ == State::over) return;
  exit_ = sandbox_->stub().process.reap().value_or(ExitStatus{});
  order_watch_.reset();
  if (!collection_) return on_step_exit();
  if (state_ != State::collecting) return give_up_collection(read_complaint());
  check_collected();
}

void JobRun::on_step_exit() {
  step_wall_ = std::chrono::duration_cast<microseconds>(Clock::now() - step_started_);
  late_.cancel();
  cpu_.cancel();
  input_.close();
  const bool begun = state_ == State::running;
  if (limit_ == Limit::none) limit_ = limit_behind(exit_);
  step_error_.clear();
  const std::string complaint = read_complaint();
  if (complaint.starts_with('s')) step_error_ = complaint.substr(1);
  if (complaint.starts_with('j')) return finish("cannot prepare the job: " + complaint.substr(1));
  if (!begun) return finish(limit_ == Limit::none ? "cannot prepare the job: its process ended" : "");
  state_ = State::draining;
  if (limit_ != Limit::none) output_.cut_short(last_words());
  output_.end();
  check_drained();
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
  return cpu_time(status).used >= announced_.job.limits.cpu ? Limit::cpu : Limit::none;
}

void JobRun::check_drained() {
  if (state_ == State::draining && output_.ended()) end_step();
}

void JobRun::end_step() {
  output_.close();
  StepResult result = step_result();
  killed_ = killed_ || result.signal == SIGKILL;
  send(FrameType::step, protocol::encode(result));
  last_step_ = std::move(result);
  ++step_;
  if (limit_ != Limit::none || !choose_step()) return end_steps();
  sweep();
}

StepResult JobRun::step_result() {
  StepResult result;
  result.step = static_cast<std::uint32_t>(step_);
  result.label = announced_.job.steps[step_].label;
  result.exit_code = exit_.exit_code;
  result.signal = exit_.signal;
  result.error = step_error_;
  result.wall = step_wall_;
  result.limit = limit_;
  if (limit_ == Limit::none && sandbox_->meter().step_met_processes()) result.limit = Limit::processes;
  result.bytes_cut = output_.step_bytes_cut();
  sandbox_->meter().end_step(exit_, result);
  return result;
}

// Nothing that a step leaves running is there when the next process begins.
void JobRun::sweep() {
  state_ = State::sweeping;
  late_.set(strike_limit);
  sandbox_->sweep([this] { begin_stub(); });
}

void JobRun::begin_stub() {
  if (state_ != State::sweeping) return;
  late_.cancel();
  try {
    if (collection_ && bounds_.memory > 0) {
      Bounds more = bounds_;
      more.memory += collector_memory;
      sandbox_->bound(more);
    }
    sandbox_->make_stub();
  } catch (const SystemError& error) {
    return collection_ ? give_up_collection(error.what()) : finish(error.what());
  }
  state_ = State::feeding;
  if (collection_) {
    late_.set(collection_limit);
    append_collect_order(order_, announced_.job.collection);
  } else {
    append_step_order();
  }
  feed();
}

// ---- files that are taken back

// A job that a limit has ended gives nothing back: its files may be halves.
bool JobRun::wants_collection() const {
  const bool went_on = limit_ == Limit::none || limit_ == Limit::processes || limit_ == Limit::file_size;
  return owner_ && !announced_.job.collection.patterns.empty() && went_on;
}

void JobRun::end_steps() {
  if (!wants_collection()) return finish("");
  wall_.cancel();
  collection_ = std::make_unique<JobCollection>(
      loop_, output_,
      JobCollection::Events{.want_turn = [this] { want_turn(); },
                            .send = [this](FrameType type, bool more, std::string_view head,
                                           std::string_view body) { send_part(type, more, head, body); },
                            .on_progress = [this] { late_.set(collection_limit); },
                            .on_whole =
                                [this] {
                                  collected_ = true;
                                  check_collected();
                                },
                            .on_broken = [this](const std::string& why) { give_up_collection(why); }});
  sweep();
}

// The list that was announced, if one was, stays as it is: the host sees that its content is not whole.
void JobRun::give_up_collection(const std::string& why) {
  if (!collection_->announced()) {
    collection_->refuse(announced_.job.collection,
                        "could not be collected: " + why.substr(why.starts_with('j') ? 1 : 0));
  }
  finish("");
}

// The collector must be gone, too, before the sandbox can be vacant.
void JobRun::check_collected() {
  if (collected_ && !sandbox_->stub().process) finish("");
}

// ---- the end

std::uint64_t JobRun::last_words() const {
  return owner_ && owner_->slow() ? last_words_slow : last_words_fast;
}

void JobRun::strike(Limit limit) {
  if (limit_ != Limit::none || state_ == State::over || collection_) return;
  limit_ = limit;
  cpu_.cancel();
  output_.cut_short(last_words());
  if (state_ == State::draining) return;  // whoever called looks whether that was the last of it
  if (state_ != State::running) return finish("");
  late_.set(strike_limit);
  try {
    sandbox_->kill();
  } catch (const SystemError& error) {
    log_line(error.what());
  }
}

void JobRun::on_late() {
  if (collection_) return give_up_collection("it took too long");
  finish(limit_ == Limit::none ? "what a step left behind does not end" : "");
}

void JobRun::finish(const std::string& error) {
  if (state_ == State::over) return;
  state_ = State::over;
  for (Timer* timer : {&wall_, &cpu_, &late_, &rest_}) timer->cancel();
  order_watch_.reset();
  output_.close();
  if (collection_) collection_->close();
  if (owner_) owner_->drop_turn(*this);
  input_.close();
  std::string().swap(order_);
  order_sent_ = 0;
  if (limit_ == Limit::none && sandbox_ && sandbox_->cgroup() && sandbox_->cgroup()->processes_struck()) {
    limit_ = Limit::processes;
  }
  send(FrameType::result, protocol::encode(protocol::Ending{limit_, output_.bytes_cut(), error}));
  if (sandbox_ && sandbox_->vacant()) tell_clean({true, ""});
  if (owner_) owner_->on_job_progress();
  loop_.at_end_of_round([this] { on_done_(*this); });
}

void JobRun::tell_clean(const protocol::Clean& clean) {
  cleaned_ = true;
  send(FrameType::clean, protocol::encode(clean));
}

void JobRun::send_part(FrameType type, bool more, std::string_view head, std::string_view body) {
  if (!owner_) return;
  owner_->send_part(type, more, id_, head, body);
  rest(body.size());
}

void JobRun::send(FrameType type, const std::string& payload) {
  if (owner_) owner_->send(type, id_, payload);
}

}  // namespace pbotvm::guest
