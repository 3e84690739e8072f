// SPDX-License-Identifier: MIT
#include "machine/pbot_session.h"

#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include "machine/pbot_request.h"
#include "pbotvm/error.h"

namespace pbotvm::machine {

namespace {

constexpr std::size_t read_at_once = 64 * 1024;
constexpr int reads_at_once = 16;                 // of one pump: the machine's thread has other things to look after
constexpr std::size_t max_input = 16u << 20;      // bytes of a job's input, which must be whole before it is sent
constexpr std::chrono::seconds first_pause{2};    // until a probe is taken for lost
constexpr std::chrono::seconds longest_pause{8};  // few enough wait in the guest's terminal, which holds 4 KiB

std::string random_word() {
  unsigned char bytes[8];
  if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
    throw Error(ErrorCode::internal, errno_text("getrandom", errno));
  }
  constexpr std::string_view digits = "0123456789abcdef";
  std::string word = "pbotvm-";
  for (const auto byte : bytes) {
    word += digits[byte >> 4];
    word += digits[byte & 15];
  }
  return word;
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == text.npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(blanks) - first + 1));
}

protocol::Welcome welcome() {
  protocol::Welcome welcome;
  welcome.version = "pbot";
  welcome.containment.push_back({"unknown", false,
                                 "a guest of PBot's dialect cannot say how it contains jobs, nor whether it is clean "
                                 "after one; a job that it answered is taken for gone"});
  return welcome;
}

// What a guest that knows no such bound may say of a job's output.
void cut(std::string& text, std::uint64_t limit) {
  if (limit == 0 || text.size() <= limit) return;
  std::size_t size = limit;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;  // not within a character
  text.resize(size);
  text += " [Output cut at " + std::to_string(limit) + " bytes]";
}

}  // namespace

PbotSession::PbotSession(UniqueFd stream, std::string description)
    : PbotSession(std::move(stream), std::move(description), nullptr) {}

PbotSession::PbotSession(UniqueFd stream, std::string description, Open open)
    : stream_(std::move(stream)),
      description_(std::move(description)),
      open_(std::move(open)),
      always_writable_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!always_writable_) throw Error(ErrorCode::internal, errno_text("eventfd", errno));
}

int PbotSession::fd() const {
  return stream_ && events_.empty() ? stream_.get() : always_writable_.get();
}

// ---------------------------------------------------------------------------------------------------------------------
// Getting in step.

void PbotSession::hello(const Opening&) {
  running_.reset();
  events_.clear();
  // A request that was begun must go on to its end: the next one would be read as part of it.
  if (written_ == 0) outgoing_.clear();
  if (!outgoing_.empty()) outgoing_.erase(outgoing_.begin() + 1, outgoing_.end());
  in_step_ = false;
  probe_pause_ = first_pause;
  send_probe();
}

void PbotSession::repeat_hello() {
  if (in_step_ || Clock::now() < next_probe_) return;
  probe_pause_ = std::min(probe_pause_ * 2, longest_pause);
  // While the guest takes nothing at all another probe helps nobody.
  if (open_ || outgoing_.empty()) send_probe();
}

void PbotSession::send_probe() {
  use_fresh_stream();
  word_ = random_word();
  next_probe_ = Clock::now() + probe_pause_;
  send_request(pbot_probe(word_, std::time(nullptr)));
}

void PbotSession::use_fresh_stream() {
  if (!open_ || (stream_ && !stream_used_)) return;
  end_stream();
  stream_ = open_();
}

void PbotSession::end_stream() {
  stream_.reset();
  stream_used_ = false;
  answers_.reset();
  outgoing_.clear();
  written_ = 0;
}

void PbotSession::send_request(std::string_view json) {
  stream_used_ = true;
  outgoing_.push_back(pbot_lines(json));
}

// ---------------------------------------------------------------------------------------------------------------------
// Jobs.

void PbotSession::ping(std::string payload) {
  events_.push_back(Ponged{std::move(payload)});
}

void PbotSession::start_job(std::uint32_t id, const Job& job, const JobOptions& options) {
  if (!in_step_ || running_) {
    events_.push_back(Refused{id, {"busy", "a guest of PBot's dialect runs one job at a time"}});
    return;
  }
  running_ = Running{id, job, false};
  if (!options.more_input) ask(*running_);
}

void PbotSession::ask(Running& running) {
  use_fresh_stream();
  running.asked = true;
  send_request(pbot_request(running.job, std::time(nullptr)));
  running.job.files.clear();
  running.job.input.clear();
}

void PbotSession::add_input(std::uint32_t id, std::string_view bytes) {
  if (!runs(id) || running_->asked) return;
  auto& input = running_->job.input;
  if (input.size() + bytes.size() > max_input) {
    events_.push_back(Refused{id,
                              {"bad-message", "its input is longer than " + std::to_string(max_input) +
                                                  " bytes, which a guest of PBot's dialect takes at most"}});
    running_.reset();
    return;
  }
  input.append(bytes);
}

void PbotSession::end_input(std::uint32_t id) {
  if (runs(id) && !running_->asked) ask(*running_);
}

void PbotSession::cancel(std::uint32_t id) {
  if (!runs(id)) return;
  Result result;
  result.limit = Limit::cancelled;
  result.output_limit = running_->job.limits.output;
  const bool asked = running_->asked;
  give_up_job();
  events_.push_back(Ended{id, std::move(result), {}, {}});
  events_.push_back(Cleaned{id, {!asked, asked ? "a guest of PBot's dialect cannot be told to end a job" : ""}});
}

Result PbotSession::abandon(std::uint32_t id) {
  Result result;
  if (!runs(id)) return result;
  result.output_limit = running_->job.limits.output;
  give_up_job();
  return result;
}

// Its answer may come at any time, or never.
void PbotSession::give_up_job() {
  if (running_->asked) {
    in_step_ = false;
    if (open_) end_stream();
  }
  running_.reset();
}

void PbotSession::fault(const std::string& why) {
  Result printed;
  printed.output_limit = running_->job.limits.output;
  events_.push_back(Faulted{running_->id, why, std::move(printed)});
  give_up_job();
}

// ---------------------------------------------------------------------------------------------------------------------
// The stream.

std::vector<Session::Event> PbotSession::pump() {
  try {
    if (!broken_) exchange();
  } catch (const Error&) {
    broken_ = std::current_exception();
  }
  return std::exchange(events_, {});
}

void PbotSession::check() const {
  if (broken_) std::rethrow_exception(broken_);
}

void PbotSession::exchange() {
  write_some();
  for (int i = 0; i < reads_at_once && read_some(); ++i) {
    while (auto answer = answers_.next()) take_answer(std::move(*answer));
  }
  write_some();
}

void PbotSession::write_some() {
  while (stream_ && !outgoing_.empty()) {
    const std::string& request = outgoing_.front();
    const ssize_t put =
        ::send(stream_.get(), request.data() + written_, request.size() - written_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (put < 0) return on_end_of_stream(errno_text(description_, errno));
    written_ += static_cast<std::size_t>(put);
    if (written_ < request.size()) continue;
    outgoing_.pop_front();
    written_ = 0;
  }
}

bool PbotSession::read_some() {
  if (!stream_) return false;
  char buffer[read_at_once];
  ssize_t got;
  do {
    got = ::recv(stream_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
  if (got <= 0) {
    on_end_of_stream(got == 0 ? description_ + ": the line was closed" : errno_text(description_, errno));
    return false;
  }
  answers_.feed(std::string_view(buffer, static_cast<std::size_t>(got)));
  return true;
}

void PbotSession::on_end_of_stream(const std::string& why) {
  if (!open_) throw Error(ErrorCode::unavailable, why);
  end_stream();
  if (running_ && running_->asked) fault("the guest ended the connection before it had answered");
}

void PbotSession::take_answer(PbotAnswers::Answer answer) {
  if (!word_.empty()) return take_probe_answer(answer);
  if (!running_ || !running_->asked) {
    throw Error(ErrorCode::protocol, description_ + ": the guest answers what nobody asked");
  }
  if (!answer.flaw.empty()) return fault("the guest's answer is none: " + answer.flaw);
  std::string text;
  for (const auto& line : answer.texts) text += (text.empty() ? "" : "\n") + line;
  Result result;
  result.output_limit = running_->job.limits.output;
  cut(text, result.output_limit);
  const auto id = running_->id;
  running_.reset();
  if (open_) end_stream();
  events_.push_back(Ended{id, std::move(result), {}, std::move(text)});
  events_.push_back(Cleaned{id, {true, ""}});
}

// An answer that was written while its line was being echoed may have run into the one before.
void PbotSession::take_probe_answer(const PbotAnswers::Answer& answer) {
  const auto& texts = answer.texts;
  if (std::none_of(texts.begin(), texts.end(), [this](const auto& text) { return trimmed(text) == word_; })) return;
  word_.clear();
  in_step_ = true;
  if (open_) end_stream();
  events_.push_back(Welcomed{welcome(), false});
}

}  // namespace pbotvm::machine
