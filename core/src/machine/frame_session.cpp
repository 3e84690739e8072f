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

constexpr std::size_t send_ahead = 64 * 1024;   // bytes queued towards a guest; more would hold up what comes behind
constexpr std::size_t max_outgoing = 1u << 20;  // with what is sent without waiting for its turn
constexpr std::size_t read_at_once = 64 * 1024;
constexpr int rounds_at_once = 16;  // of one pump: the machine's thread has other things to look after
// What a line in order never reaches: a guest that sends so much rubbish does it on purpose, and checking it costs
// time.
constexpr std::uint64_t tolerated_damage = 256;        // frames
constexpr std::uint64_t tolerated_garbage = 4u << 20;  // bytes
constexpr std::uint32_t tolerated_refusals = 8;
constexpr std::uint32_t tolerated_strays = 65'536;  // frames; a job that was given up sends a few hundred at most

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
  last_sent_ = pings_ = refusals_ = strays_ = 0;
  damaged_before_ = reader_.damaged_frames();
  skipped_before_ = reader_.skipped_bytes();
  outbox_.drop_unsent();  // what was queued for the old conversation is worthless
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
  const std::string text = protocol::encode(hello);
  for (std::size_t at = 0; at < text.size(); at += protocol::max_payload) {
    const auto piece = std::string_view(text).substr(at, protocol::max_payload);
    outbox_.add(FrameType::hello, at + piece.size() < text.size(), 0, nonce_, piece);
  }
}

void FrameSession::ping(std::string payload) {
  ++pings_;
  send(FrameType::ping, 0, payload);
}

void FrameSession::start_job(std::uint32_t id, const Job& job, const JobOptions& options) {
  jobs_.erase(id);
  jobs_.emplace(id, Running{JobUpload(job, !options.more_input), JobReceipt(id, job, options.progress)});
  fill_outbox();
}

void FrameSession::add_input(std::uint32_t id, std::string_view bytes) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  found->second.upload.add_input(bytes);
  fill_outbox();
}

void FrameSession::end_input(std::uint32_t id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  found->second.upload.end_input();
  fill_outbox();
}

std::size_t FrameSession::input_waiting(std::uint32_t id) const {
  const auto found = jobs_.find(id);
  return found == jobs_.end() ? 0 : found->second.upload.input_waiting();
}

void FrameSession::cancel(std::uint32_t id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end() || found->second.receipt.ended()) return;
  auto& upload = found->second.upload;
  const bool announced = upload.announced();
  upload.cancel();
  // It does not wait for its turn, unless the guest does not know the job yet.
  if (announced) {
    upload.drop();
    send(FrameType::cancel, id, {});
  } else {
    fill_outbox();
  }
}

Result FrameSession::abandon(std::uint32_t id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return {};
  const bool known = found->second.upload.announced();
  if (known && !found->second.receipt.ended() && !broken_) send(FrameType::cancel, id, {});
  Result result = found->second.receipt.abandon();
  jobs_.erase(found);
  return result;
}

void FrameSession::send(FrameType type, std::uint32_t job, std::string_view payload) {
  outbox_.add(type, false, job, nonce_, payload);
  if (outbox_.waiting() > max_outgoing) {
    throw Error(ErrorCode::protocol, description_ + ": the guest takes no more of what it is sent");
  }
}

// One frame of each job in turns, as long as little waits: a large file does not hold up another job's small one.
void FrameSession::fill_outbox() {
  while (outbox_.waiting() < send_ahead) {
    const auto turn = next_to_send();
    if (turn == jobs_.end()) return;
    const auto piece = turn->second.upload.next();
    outbox_.add(piece.type, piece.more, turn->first, nonce_, piece.payload);
    last_sent_ = turn->first;
  }
}

FrameSession::Jobs::iterator FrameSession::next_to_send() {
  const auto announcing =
      std::find_if(jobs_.begin(), jobs_.end(), [](const auto& job) { return job.second.upload.announcing(); });
  const auto may_send = [&](Jobs::iterator job) {
    const auto& upload = job->second.upload;
    return upload.ready() && (upload.announced() || announcing == jobs_.end() || announcing == job);
  };
  auto job = jobs_.upper_bound(last_sent_);
  for (std::size_t looked_at = 0; looked_at < jobs_.size(); ++looked_at, ++job) {
    if (job == jobs_.end()) job = jobs_.begin();
    if (may_send(job)) return job;
  }
  return jobs_.end();
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
  for (int round = 0; round < rounds_at_once; ++round) {
    fill_outbox();
    const std::size_t before = outbox_.waiting();
    outbox_.write_some(stream_.get(), description_);
    const bool wrote = outbox_.waiting() < before;
    const bool read = read_some();
    while (const auto frame = reader_.next()) {
      handle(*frame, events);
      check_damage();
    }
    check_damage();
    if (!read && !wrote) return;
  }
  fill_outbox();  // so that what became possible last is known to be wanted, see wants_to_write()
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
  if (frame.nonce != nonce_) return count_stray();
  if (frame.job == 0) return handle_conversation_frame(frame, events);
  const auto found = jobs_.find(frame.job);
  if (found == jobs_.end()) return count_stray();
  try {
    handle_job_frame(frame, found->second, events);
    if (found->second.receipt.over()) jobs_.erase(found);
  } catch (const protocol::MessageError& e) {
    events.push_back(
        Faulted{frame.job, description_ + ": the guest sent a bad message: " + e.what(), abandon(frame.job)});
  }
}

void FrameSession::handle_conversation_frame(const Frame& frame, std::vector<Event>& events) {
  try {
    if (frame.type == FrameType::welcome && !welcomed_) {
      const auto text = welcome_text_.add(frame.payload, frame.more);
      if (!text) return;
      welcomed_ = true;
      events.push_back(Welcomed{protocol::decode_welcome(*text)});
    } else if (frame.type == FrameType::ping) {
      send(FrameType::pong, 0, frame.payload);
    } else if (frame.type == FrameType::pong && pings_ > 0) {
      --pings_;
      events.push_back(Ponged{frame.payload});
    } else if (frame.type == FrameType::error) {
      const auto text = refusal_text_.add(frame.payload, frame.more);
      if (!text) return;
      if (++refusals_ > tolerated_refusals) throw protocol::MessageError("one refusal after the other");
      events.push_back(Refused{0, protocol::decode_refusal(*text)});
    } else {
      count_stray();
    }
  } catch (const protocol::MessageError& e) {
    throw Error(ErrorCode::protocol, description_ + ": the guest sent a bad message: " + e.what());
  }
}

void FrameSession::handle_job_frame(const Frame& frame, Running& running, std::vector<Event>& events) {
  if (frame.type == FrameType::credit) return running.upload.grant(protocol::decode_credit(frame.payload));
  running.receipt.take(frame, events);
  if (running.receipt.ended()) running.upload.drop();  // who has ended reads nothing
  if (const auto credit = running.receipt.take_credit(); credit > 0) {
    send(FrameType::credit, frame.job, protocol::encode_credit(credit));
  }
}

// Nothing that an honest guest sends in such numbers; each costs time.
void FrameSession::count_stray() {
  if (++strays_ > tolerated_strays) {
    throw Error(ErrorCode::protocol, description_ + ": the guest sends frames that belong to nothing");
  }
}

}  // namespace pbotvm::machine
