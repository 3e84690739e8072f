// SPDX-License-Identifier: MIT
#include "conversation.h"

#include <unistd.h>

#include "greeting.h"
#include "pbotvm/abi.h"

namespace pbotvm::guest {
namespace {

using protocol::Frame;
using protocol::FrameType;
using protocol::MessageError;

constexpr std::size_t max_backlog = 256 * 1024;  // bytes for a job beyond which the line is not read

// Each byte on an emulated serial line costs the machine's processor as much as thousands of instructions: output in
// plenty takes the time that other jobs need, unless it is paced.
constexpr auto time_of_byte_paced = std::chrono::microseconds(50);

// Where a job's programs are looked up, see job_run.cpp.
constexpr const char* tool_directories[] = {"/usr/local/bin/", "/usr/bin/", "/bin/", "/usr/local/games/",
                                            "/usr/games/"};

bool have_tool(const std::string& name) {
  if (name.find('/') != std::string::npos) return access(name.c_str(), X_OK) == 0;
  for (const char* directory : tool_directories) {
    if (access((directory + name).c_str(), X_OK) == 0) return true;
  }
  return false;
}

}  // namespace

Conversation::Conversation(EventLoop& loop, const Containment& containment, Jobs& jobs, PbotTurns& turns, UniqueFd fd,
                           LineKind kind, std::string name, std::function<void()> closed)
    : loop_(loop),
      containment_(containment),
      jobs_(jobs),
      on_closed_(std::move(closed)),
      pbot_(loop, containment, jobs, turns, kind,
            {.say = [this](std::string_view text) { line_.send_text(text); },
             .take_back = [this] { line_.drop_unsent(); },
             .all_said = [this] { line_.finish(); }}),
      line_(loop, std::move(fd), kind, std::move(name),
            {.on_frame = [this](Frame&& frame) { on_frame(std::move(frame)); },
             .on_text = [this](std::string_view text) { pbot_.on_text(text); },
             .on_room = [this] { give_turns(); },
             .on_end = [this] { return pbot_.on_end(); },
             .on_closed = [this] { on_closed(); }}) {}

Conversation::~Conversation() {
  jobs_.abandon_all(*this);
}

void Conversation::on_frame(Frame&& frame) {
  try {
    if (frame.type == FrameType::hello) return on_hello(frame);
    if (!open_ && frame.type == FrameType::job && !frame.more) return say_no_conversation(frame);
    if (!open_ || frame.nonce != nonce_) {
      ++stale_frames_;
      return;
    }
    if (frame.type == FrameType::ping) return send(FrameType::pong, frame.job, frame.payload);
    if (frame.type == FrameType::job) return on_job(frame);
    if (JobRun* run = jobs_.find(*this, frame.job)) on_job_frame(*run, frame);
  } catch (const MessageError& error) {
    refuse(frame.job, "bad-message", error.what());
  }
}

// This program was started anew on a line whose host does not know it: that host would wait for a job in vain.
void Conversation::say_no_conversation(const Frame& frame) {
  const protocol::Refusal refusal{"no-conversation", "no hello has come since this program was started"};
  line_.send(FrameType::error, frame.job, frame.nonce, protocol::encode(refusal));
}

void Conversation::on_hello(const Frame& frame) {
  protocol::Hello hello;
  try {
    const auto text = hello_assembler_.add(frame.payload, frame.more);
    if (!text) return;
    hello = protocol::decode_hello(*text);
  } catch (const MessageError& error) {
    line_.send(FrameType::error, 0, frame.nonce, protocol::encode(protocol::Refusal{"bad-message", error.what()}));
    return;
  }
  jobs_.abandon_all(*this);
  pbot_.reset();
  line_.drop_unsent();
  line_.pause(false);
  assembler_.reset();
  assembling_ = 0;
  open_ = true;
  nonce_ = frame.nonce;
  set_system(hello);
  network_ = hello.network;
  jobs_.expect(hello.slots, hello.network);
  send(FrameType::welcome, 0, protocol::encode(welcome(hello)));
  tell_of_greeting();
}

void Conversation::set_system(const protocol::Hello& hello) {
  try {
    if (containment_.given("clock")) set_clock(hello.time_ns);
    if (containment_.given("entropy")) seed_kernel(hello.seed);
  } catch (const SystemError& error) {
    log_line(error.what());
  }
}

protocol::Welcome Conversation::welcome(const protocol::Hello& hello) const {
  protocol::Welcome welcome;
  welcome.version = PBOTVM_VERSION;
  welcome.containment = containment_.pieces();
  welcome.slots = jobs_.slots();
  for (const auto& tool : hello.tools) {
    if (have_tool(tool)) welcome.tools.push_back(tool);
  }
  return welcome;
}

void Conversation::on_job(const Frame& frame) {
  if (assembling_ != 0 && assembling_ != frame.job) {
    assembler_.reset();
    assembling_ = 0;
    return refuse(frame.job, "bad-message", "job: begins while another one's announcement is not whole");
  }
  assembling_ = frame.more ? frame.job : 0;
  const auto text = assembler_.add(frame.payload, frame.more);
  if (!text) return;
  auto announced = protocol::decode_job(*text);
  if (frame.job == 0) return refuse(0, "bad-job", "job number 0 is the conversation's own");
  if (jobs_.find(*this, frame.job)) return refuse(frame.job, "bad-job", "a job of this number is running");
  if (jobs_.full()) return refuse(frame.job, "busy", "no slot is free");
  jobs_.start(*this, frame.job, std::move(announced));
}

void Conversation::on_job_frame(JobRun& run, const Frame& frame) {
  try {
    switch (frame.type) {
      case FrameType::file:
        run.on_file(protocol::decode_file_piece(frame.payload));
        break;
      case FrameType::input:
        run.on_input(frame.payload);
        break;
      case FrameType::credit:
        run.on_credit(protocol::decode_credit(frame.payload));
        break;
      case FrameType::cancel:
        run.cancel();
        break;
      default:
        break;  // of a later version: nothing that was asked for
    }
  } catch (const MessageError&) {
    run.abandon();  // an error ends it: a half-fed job must not run
    on_job_progress();
    throw;
  }
  if (run.backlog() > max_backlog) line_.pause(true);
}

void Conversation::on_job_progress() {
  std::size_t backlog = 0;
  jobs_.for_each(*this, [&](const JobRun& run) { backlog += run.backlog(); });
  if (backlog <= max_backlog) line_.pause(false);
}

void Conversation::on_closed() {
  jobs_.abandon_all(*this);
  pbot_.reset();
  open_ = false;
  if (on_closed_) on_closed_();
}

void Conversation::send(FrameType type, std::uint32_t job, const std::string& payload) {
  line_.send(type, job, nonce_, payload);
}

std::size_t Conversation::jobs() const {
  std::size_t jobs = 0;
  jobs_.for_each(*this, [&](const JobRun&) { ++jobs; });
  return jobs;
}

std::chrono::microseconds Conversation::pace(std::size_t bytes) const {
  const std::size_t all = line_.slow() ? jobs() : 1;
  return time_of_byte_paced * bytes * (all - 1);
}

void Conversation::send_output(std::uint32_t job, std::uint32_t step, Stream stream, std::string_view bytes) {
  line_.send_part(FrameType::output, false, job, nonce_, protocol::encode_output(step, stream, {}), bytes);
}

void Conversation::send_part(FrameType type, bool more, std::uint32_t job, std::string_view head,
                             std::string_view body) {
  line_.send_part(type, more, job, nonce_, head, body);
}

void Conversation::refuse(std::uint32_t job, const std::string& code, const std::string& text) {
  send(FrameType::error, job, protocol::encode(protocol::Refusal{code, text}));
}

}  // namespace pbotvm::guest
