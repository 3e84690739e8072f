// SPDX-License-Identifier: MIT
#include "machine/frame_session.h"

#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "pbotvm/error.h"

namespace pbotvm::machine {

using protocol::Frame;
using protocol::FrameType;

namespace {

constexpr std::size_t max_outgoing = 64u << 20;  // bytes queued towards a guest: one job with its files, and some more
constexpr std::size_t read_at_once = 64 * 1024;
constexpr int reads_at_once = 16;  // of one pump: the machine's thread has other things to look after
// What a line in order never reaches: a guest that sends so much rubbish does it on purpose, and checking it costs
// time.
constexpr std::uint64_t tolerated_damage = 256;        // frames
constexpr std::uint64_t tolerated_garbage = 4u << 20;  // bytes
constexpr std::uint32_t tolerated_refusals = 8;

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  if (::getrandom(bytes.data(), count, 0) != static_cast<ssize_t>(count)) {
    throw Error(ErrorCode::internal, errno_text("getrandom", errno));
  }
  return bytes;
}

std::uint64_t random_nonce() {
  std::uint64_t nonce = 0;
  for (const char c : random_bytes(sizeof nonce)) nonce = nonce << 8 | static_cast<unsigned char>(c);
  return nonce;
}

std::int64_t time_of_day_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

FrameSession::FrameSession(UniqueFd stream, std::string description)
    : stream_(std::move(stream)), description_(std::move(description)) {}

void FrameSession::hello(const Opening& opening) {
  nonce_ = random_nonce();
  opening_ = opening;
  welcomed_ = false;
  reader_.reset();
  welcome_text_.reset();
  refusal_text_.reset();
  jobs_.clear();
  pings_ = refusals_ = 0;
  damaged_before_ = reader_.damaged_frames();
  skipped_before_ = reader_.skipped_bytes();
  // What was queued for the old conversation is worthless. A frame cut short by this is skipped by the guest's reader.
  outgoing_.clear();
  written_ = 0;
  send_hello();
}

void FrameSession::repeat_hello() {
  send_hello();
}

void FrameSession::send_hello() {
  protocol::Hello hello;
  hello.time_ns = time_of_day_ns();
  hello.seed = random_bytes(32);
  hello.tools = opening_.tools;
  hello.slots = opening_.slots;
  hello.network = opening_.network;
  protocol::append_message(outgoing_, FrameType::hello, 0, nonce_, protocol::encode(hello));
}

void FrameSession::ping(std::string payload) {
  ++pings_;
  send(FrameType::ping, 0, std::move(payload));
}

void FrameSession::start_job(std::uint32_t id, const Job& job, const JobOptions& options) {
  auto& running = jobs_[id];
  running = Running{};
  running.result.output_limit = job.limits.output;
  running.options = options;
  running.input = job.input;
  running.input_whole = !options.more_input;
  running.steps = static_cast<std::uint32_t>(job.steps.size());
  protocol::append_message(outgoing_, FrameType::job, id, nonce_, protocol::encode(job));
  constexpr std::size_t piece = protocol::max_payload - 4;
  for (std::uint32_t index = 0; index < job.files.size(); ++index) {
    const std::string_view content = job.files[index].content;
    for (std::size_t at = 0; at < content.size(); at += piece) {
      send(FrameType::file, id, protocol::encode_file_piece(index, content.substr(at, piece)));
    }
  }
  send_input(id, running);
}

void FrameSession::add_input(std::uint32_t id, std::string_view bytes) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end() || found->second.ended || found->second.input_whole) return;
  found->second.input.append(bytes);
  send_input(id, found->second);
}

void FrameSession::end_input(std::uint32_t id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end() || found->second.ended) return;
  found->second.input_whole = true;
  send_input(id, found->second);
}

void FrameSession::cancel(std::uint32_t id) {
  send(FrameType::cancel, id, {});
}

Result FrameSession::abandon(std::uint32_t id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return {};
  Result result = std::move(found->second.result);
  jobs_.erase(found);
  return result;
}

void FrameSession::send(FrameType type, std::uint32_t job, std::string payload) {
  Frame frame;
  frame.type = type;
  frame.job = job;
  frame.nonce = nonce_;
  frame.payload = std::move(payload);
  protocol::append_frame(outgoing_, frame);
  if (outgoing_.size() - written_ > max_outgoing) {
    throw Error(ErrorCode::protocol, description_ + ": the guest takes no more of what it is sent");
  }
}

void FrameSession::send_input(std::uint32_t id, Running& running) {
  while (!running.input.empty() && running.input_credit > 0) {
    const std::size_t size =
        std::min({running.input.size(), protocol::max_payload, static_cast<std::size_t>(running.input_credit)});
    send(FrameType::input, id, running.input.substr(0, size));
    running.input.erase(0, size);
    running.input_credit -= size;
  }
  if (running.input.empty() && running.input_whole && !running.input_ended) {
    send(FrameType::input, id, {});
    running.input_ended = true;
  }
}

std::vector<Session::Event> FrameSession::pump() {
  std::vector<Event> events;
  try {
    if (!broken_) exchange(events);
  } catch (const Error&) {
    broken_ = std::current_exception();
  }
  return events;
}

void FrameSession::exchange(std::vector<Event>& events) {
  write_some();
  for (int i = 0; i < reads_at_once && read_some(); ++i) {
    while (const auto frame = reader_.next()) {
      handle(*frame, events);
      check_damage();
    }
    check_damage();
  }
  write_some();
}

void FrameSession::check() const {
  if (broken_) std::rethrow_exception(broken_);
}

void FrameSession::check_damage() const {
  if (reader_.damaged_frames() - damaged_before_ > tolerated_damage ||
      reader_.skipped_bytes() - skipped_before_ > tolerated_garbage) {
    throw Error(ErrorCode::protocol, description_ + ": the guest sends what are no frames");
  }
}

void FrameSession::write_some() {
  while (written_ < outgoing_.size()) {
    const ssize_t put =
        ::send(stream_.get(), outgoing_.data() + written_, outgoing_.size() - written_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (put < 0) throw Error(ErrorCode::unavailable, errno_text(description_, errno));
    written_ += static_cast<std::size_t>(put);
  }
  outgoing_.clear();
  written_ = 0;
}

bool FrameSession::read_some() {
  char buffer[read_at_once];
  ssize_t got;
  do {
    got = ::recv(stream_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
  if (got < 0) throw Error(ErrorCode::unavailable, errno_text(description_, errno));
  if (got == 0) throw Error(ErrorCode::unavailable, description_ + ": the line was closed");
  reader_.feed(std::string_view(buffer, static_cast<std::size_t>(got)));
  return true;
}

void FrameSession::handle(const Frame& frame, std::vector<Event>& events) {
  // The nonce keeps a late word of an earlier conversation from ever being taken for this one's.
  if (frame.nonce != nonce_) return;
  try {
    if (frame.job != 0) {
      const auto found = jobs_.find(frame.job);
      if (found != jobs_.end()) handle_job_frame(frame, found->second, events);
      return;
    }
    if (frame.type == FrameType::welcome) {
      const auto text = welcome_text_.add(frame.payload, frame.more);
      if (!text || welcomed_) return;
      welcomed_ = true;
      events.push_back(Welcomed{protocol::decode_welcome(*text)});
    } else if (frame.type == FrameType::pong && pings_ > 0) {
      --pings_;
      events.push_back(Ponged{frame.payload});
    } else if (frame.type == FrameType::error) {
      if (const auto text = refusal_text_.add(frame.payload, frame.more)) {
        if (++refusals_ > tolerated_refusals) throw protocol::MessageError("one refusal after the other");
        events.push_back(Refused{0, protocol::decode_refusal(*text)});
      }
    }
  } catch (const protocol::MessageError& e) {
    throw Error(ErrorCode::protocol, description_ + ": the guest sent a bad message: " + e.what());
  }
}

void FrameSession::handle_job_frame(const Frame& frame, Running& running, std::vector<Event>& events) {
  const std::uint32_t id = frame.job;
  switch (frame.type) {
    case FrameType::output:
      take_output(id, running, frame.payload);
      break;
    case FrameType::step:
      if (const auto text = running.steps_text.add(frame.payload, frame.more)) {
        auto step = protocol::decode_step(*text);
        if (running.ended || step.step >= running.steps || running.result.steps.size() >= running.steps) {
          throw protocol::MessageError("a step that the job does not have");
        }
        running.result.steps.push_back(std::move(step));
      }
      break;
    case FrameType::result:
      if (const auto text = running.ending_text.add(frame.payload, frame.more)) {
        if (running.ended) throw protocol::MessageError("a second result");
        const auto ending = protocol::decode_ending(*text);
        running.ended = true;
        running.result.limit = ending.limit;
        events.push_back(Ended{id, std::move(running.result), ending.error});
      }
      break;
    case FrameType::clean:
      if (const auto text = running.clean_text.add(frame.payload, frame.more)) {
        if (!running.ended) throw protocol::MessageError("clean before the result");
        events.push_back(Cleaned{id, protocol::decode_clean(*text)});
        jobs_.erase(id);
      }
      break;
    case FrameType::credit:
      running.input_credit += protocol::decode_credit(frame.payload);
      send_input(id, running);
      break;
    case FrameType::error:
      if (const auto text = running.refusal_text.add(frame.payload, frame.more)) {
        events.push_back(Refused{id, protocol::decode_refusal(*text)});
        jobs_.erase(id);
      }
      break;
    default:
      break;  // a type of a later version: nothing that this side asked for
  }
}

void FrameSession::take_output(std::uint32_t id, Running& running, const std::string& payload) {
  auto chunk = protocol::decode_output(payload);
  if (running.ended || chunk.step >= running.steps) throw protocol::MessageError("output of no running step");
  if (chunk.bytes.empty()) throw protocol::MessageError("output without a byte");
  running.output_bytes += chunk.bytes.size();
  if (running.output_bytes > running.result.output_limit) throw protocol::MessageError("more output than was allowed");
  running.uncredited += static_cast<std::uint32_t>(chunk.bytes.size());
  auto& output = running.result.output;
  if (!output.empty() && output.back().step == chunk.step && output.back().stream == chunk.stream) {
    output.back().bytes += chunk.bytes;
  } else {
    output.push_back(std::move(chunk));
  }
  if (running.uncredited >= protocol::initial_output_credit / 2) {
    send(FrameType::credit, id, protocol::encode_credit(running.uncredited));
    running.uncredited = 0;
  }
}

}  // namespace pbotvm::machine
