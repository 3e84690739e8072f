// SPDX-License-Identifier: MIT
#include "pbot_session.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "protocol/messages.h"

namespace pbotvm::guest {
namespace {

using protocol::FrameType;

constexpr std::size_t max_jobs = 8;  // at one time, on all lines
constexpr std::size_t max_requests = 16;
constexpr std::size_t max_held = 2 * max_pbot_request;  // bytes of the requests of one line
constexpr std::size_t max_refused = 256;  // requests that wait for nothing but to be refused in their order
constexpr auto idle_limit = std::chrono::seconds(2);

// A clock outside of these is wrong: a host without a clock of its own says 1970. A request's date has whole seconds.
constexpr std::int64_t earliest_date = 1'577'836'800;  // 2020
constexpr std::int64_t latest_date = 4'102'444'800;    // 2100
constexpr std::int64_t date_tolerance = 2;

std::size_t size_of(const PbotRequest& request) {
  return request.code.size() + request.input.size() + request.arguments.size() + request.command.size();
}

}  // namespace

void PbotTurns::ask(PbotSession& session) {
  waiting_.push_back(&session);
  loop_.at_end_of_round([this] { call_next(); });
}

void PbotTurns::give_back(PbotSession& session) {
  waiting_.remove(&session);
  running_.remove(&session);
  loop_.at_end_of_round([this] { call_next(); });
}

void PbotTurns::call_next() {
  while (running_.size() < max_jobs && !waiting_.empty()) {
    running_.splice(running_.end(), waiting_, waiting_.begin());
    running_.back()->on_turn();
  }
}

PbotSession::PbotSession(EventLoop& loop, const Containment& containment, Jobs& jobs, PbotTurns& turns, LineKind kind,
                         Ways ways)
    : loop_(loop),
      containment_(containment),
      jobs_(jobs),
      turns_(turns),
      kind_(kind),
      ways_(std::move(ways)),
      idle_(loop, [this] { reader_.reset(); }) {}

PbotSession::~PbotSession() {
  *alive_ = false;
  reset();
}

void PbotSession::reset() {
  jobs_.abandon_all(*this);
  turns_.give_back(*this);
  reader_.reset();
  idle_.cancel();
  requests_.clear();
  held_ = 0;
  ++epoch_;
  outcome_ = {};
  plan_ = {};
  state_ = State::idle;
  spoke_ = false;
}

// ---- what comes in

void PbotSession::on_text(std::string_view text) {
  const auto now = Clock::now();
  const bool after_silence = now - std::exchange(last_text_, now) > idle_limit;
  const bool begun = reader_.partial();
  auto found = reader_.feed(text);
  // Nobody tells when a host leaves a serial line, but hosts of this dialect ask once and wait: who asks now is another
  // one, and what the first one asked for is nothing for its eyes.
  const bool asks = !begun && (reader_.partial() || !found.empty());
  if (asks && after_silence && kind_ == LineKind::serial && state_ != State::idle) {
    PbotReader reader = std::move(reader_);
    reset();
    reader_ = std::move(reader);
    ways_.take_back();
  }
  if (reader_.partial()) {
    idle_.set(idle_limit);
  } else {
    idle_.cancel();
  }
  for (auto& one : found) take(std::move(one));
}

bool PbotSession::on_end() {
  ended_ = true;
  idle_.cancel();
  if (auto last = reader_.end()) take(std::move(*last));
  if (state_ == State::idle && spoke_) later(&PbotSession::start_next);
  return state_ != State::idle || spoke_;
}

void PbotSession::take(PbotReader::Found found) {
  if (requests_.size() >= max_refused) return;
  spoke_ = true;
  Request taken;
  try {
    if (found.too_long) {
      throw PbotError("Bad request: longer than " + std::to_string(max_pbot_request) + " bytes.");
    }
    if (requests_.size() >= max_requests || held_ + found.json.size() > max_held) {
      throw PbotError("Too many requests wait; try again later.");
    }
    taken.request = parse_pbot_request(found.json);
    held_ += size_of(taken.request);
    set_time(taken.request);
  } catch (const PbotError& error) {
    taken.refusal = error.what();
  }
  requests_.push_back(std::move(taken));
  if (state_ == State::idle) start_next();
}

void PbotSession::set_time(const PbotRequest& request) const {
  if (!request.date || *request.date < earliest_date || *request.date >= latest_date) return;
  if (!containment_.given("clock") || std::llabs(*request.date - std::time(nullptr)) < date_tolerance) return;
  try {
    set_clock(*request.date * 1'000'000'000);
  } catch (const SystemError& error) {
    log_line(error.what());
  }
}

// ---- one request

// Serves the first of those that wait, when its turn has come: what cannot be served needs none.
void PbotSession::start_next() {
  if (requests_.empty()) {
    state_ = State::idle;
    if (ended_) ways_.all_said();
    return;
  }
  state_ = State::waiting;
  if (!requests_.front().refusal.empty()) return later(&PbotSession::on_result);
  turns_.ask(*this);
}

void PbotSession::on_turn() {
  try {
    plan_ = plan_pbot_job(requests_.front().request, turns_.time());
    start_job();
  } catch (const PbotError& error) {
    requests_.front().refusal = error.what();
    later(&PbotSession::on_result);
  }
}

void PbotSession::start_job() {
  state_ = State::running;
  ++job_;
  outcome_ = {};
  outcome_.output.resize(plan_.job.steps.size());
  input_sent_ = 0;
  input_allowed_ = protocol::initial_input_credit;
  protocol::AnnouncedJob announced;
  announced.job = plan_.job;
  for (auto& file : announced.job.files) announced.file_sizes.push_back(std::exchange(file.content, {}).size());
  announced.job.input.clear();
  announced.input_size_hint = plan_.job.input.size();
  jobs_.start(*this, job_, std::move(announced));
  JobRun* const run = jobs_.find(*this, job_);
  if (!run) return;
  run->on_credit(static_cast<std::uint32_t>(plan_.job.limits.output));  // all of it is wanted at once
  for (std::uint32_t index = 0; index < plan_.job.files.size(); ++index) {
    run->on_file({index, plan_.job.files[index].content});
  }
  feed_input();
}

void PbotSession::feed_input() {
  JobRun* const run = jobs_.find(*this, job_);
  if (!run || state_ != State::running) return;
  const std::string_view input = plan_.job.input;
  while (input_sent_ < input.size() && input_sent_ < input_allowed_) {
    const auto piece = input.substr(input_sent_, std::min(input_allowed_ - input_sent_, protocol::max_payload));
    input_sent_ += piece.size();
    run->on_input(piece);
  }
  if (input_sent_ == input.size()) run->on_input("");
}

// What the job says, as it would to a host of frames.
void PbotSession::send(FrameType type, std::uint32_t job, const std::string& payload) {
  if (state_ != State::running || job != job_) return;
  if (type == FrameType::output) {
    const auto chunk = protocol::decode_output(payload);
    auto& printed = outcome_.output.at(chunk.step);
    (chunk.stream == Stream::err ? printed.err : printed.out) += chunk.bytes;
  } else if (type == FrameType::step) {
    outcome_.steps.push_back(protocol::decode_step(payload));
  } else if (type == FrameType::credit) {
    input_allowed_ += protocol::decode_credit(payload);
    later(&PbotSession::feed_input);
  } else if (type == FrameType::result) {
    const auto ending = protocol::decode_ending(payload);
    outcome_.limit = ending.limit;
    outcome_.error = ending.error;
    state_ = State::waiting;  // nothing more of this job counts
    later(&PbotSession::on_result);
  }
}

void PbotSession::on_result() {
  const Request served = std::move(requests_.front());
  requests_.pop_front();
  held_ -= size_of(served.request);
  turns_.give_back(*this);
  ++epoch_;
  answer(served.refusal.empty() ? pbot_result(served.request, plan_, outcome_) : served.refusal);
  outcome_ = {};
  plan_ = {};
  start_next();
}

void PbotSession::answer(const std::string& text) {
  ways_.say(encode_pbot_result(text));
}

// Not from within the job's own doings. A reset in between makes it void.
void PbotSession::later(void (PbotSession::*task)()) {
  loop_.at_end_of_round([this, task, alive = alive_, epoch = epoch_] {
    if (*alive && epoch == epoch_) (this->*task)();
  });
}

}  // namespace pbotvm::guest
