// SPDX-License-Identifier: MIT
#include "machine/job_receipt.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace pbotvm::machine {

using protocol::Frame;
using protocol::FrameType;
using protocol::MessageError;

namespace {

// How often a job may change from one stream to the other before the order between the two is no longer kept: a byte
// for one and a byte for the other in turns would take fifty times the memory of the output.
constexpr std::size_t max_chunks = 64 * 1024;

bool belong_together(const OutputChunk& a, const OutputChunk& b) {
  return a.step == b.step && a.stream == b.stream;
}

void append(std::vector<OutputChunk>& output, OutputChunk chunk) {
  const auto count = output.size();
  for (std::size_t back = 1; back <= (count < max_chunks ? 1u : 2u) && back <= count; ++back) {
    if (belong_together(output[count - back], chunk)) {
      output[count - back].bytes += chunk.bytes;
      return;
    }
  }
  output.push_back(std::move(chunk));
}

}  // namespace

JobReceipt::JobReceipt(std::uint32_t id, const Job& job, bool progress)
    : id_(id), progress_(progress), steps_(static_cast<std::uint32_t>(job.steps.size())), wanted_(job.collection) {
  result_.output_limit = job.limits.output;
}

void JobReceipt::take(const Frame& frame, std::vector<Session::Event>& events) {
  switch (frame.type) {
    case FrameType::output:
      return take_output(frame.payload, events);
    case FrameType::file:
      return take_file(frame.payload);
    case FrameType::step:
      if (const auto text = step_text_.add(frame.payload, frame.more)) take_step(*text, events);
      return;
    case FrameType::collected:
      if (const auto text = collected_text_.add(frame.payload, frame.more)) take_collected(*text);
      return;
    case FrameType::result:
      if (const auto text = ending_text_.add(frame.payload, frame.more)) take_ending(*text, events);
      return;
    case FrameType::clean:
      if (const auto text = clean_text_.add(frame.payload, frame.more)) {
        if (!ended_) throw MessageError("clean before the result");
        events.push_back(Session::Cleaned{id_, protocol::decode_clean(*text)});
        over_ = true;
      }
      return;
    case FrameType::error:
      if (const auto text = refusal_text_.add(frame.payload, frame.more)) {
        events.push_back(Session::Refused{id_, protocol::decode_refusal(*text)});
        over_ = true;
      }
      return;
    default:
      return;  // a type of a later version: nothing that this side asked for
  }
}

void JobReceipt::take_output(const std::string& payload, std::vector<Session::Event>& events) {
  auto chunk = protocol::decode_output(payload);
  if (ended_ || chunk.step >= steps_) throw MessageError("output of no running step");
  if (chunk.bytes.empty()) throw MessageError("output without a byte");
  output_bytes_ += chunk.bytes.size();
  if (output_bytes_ > result_.output_limit) throw MessageError("more output than was allowed");
  uncredited_ += static_cast<std::uint32_t>(chunk.bytes.size());
  if (progress_) events.push_back(Session::Printed{id_, chunk});
  append(result_.output, std::move(chunk));
}

void JobReceipt::take_step(const std::string& text, std::vector<Session::Event>& events) {
  auto step = protocol::decode_step(text);
  if (ended_ || step.step >= steps_) throw MessageError("a step that the job does not have");
  if (!result_.steps.empty() && step.step <= result_.steps.back().step) throw MessageError("a step out of order");
  if (progress_) events.push_back(Session::StepEnded{id_, step});
  result_.steps.push_back(std::move(step));
}

void JobReceipt::take_collected(const std::string& text) {
  auto collected = protocol::decode_collected(text);
  if (ended_ || collected_ || wanted_.patterns.empty()) throw MessageError("files that were not asked for");
  const std::size_t most = wanted_.files > 0 ? wanted_.files : protocol::max_collected_files;
  const std::uint64_t most_bytes = wanted_.bytes > 0 ? wanted_.bytes : protocol::max_collected_bytes;
  const auto bytes = std::accumulate(collected.sizes.begin(), collected.sizes.end(), std::uint64_t{0});
  if (collected.files.size() > most || bytes > most_bytes) throw MessageError("more files than were asked for");
  collected_ = std::move(collected);
  skip_whole_files();
}

void JobReceipt::take_file(const std::string& payload) {
  const auto piece = protocol::decode_file_piece(payload);
  if (ended_ || !collected_ || file_ >= collected_->files.size() || piece.index != file_) {
    throw MessageError("a file that is not due");
  }
  auto& content = collected_->files[file_].content;
  if (piece.bytes.empty()) throw MessageError("a file's piece without a byte");
  if (content.size() + piece.bytes.size() > collected_->sizes[file_])
    throw MessageError("more of a file than its size");
  uncredited_ += static_cast<std::uint32_t>(piece.bytes.size());
  content.append(piece.bytes);
  skip_whole_files();
}

// Nothing comes for an empty file.
void JobReceipt::skip_whole_files() {
  while (file_ < collected_->files.size() && collected_->files[file_].content.size() == collected_->sizes[file_]) {
    ++file_;
  }
}

void JobReceipt::take_ending(const std::string& text, std::vector<Session::Event>& events) {
  if (ended_) throw MessageError("a second result");
  const auto ending = protocol::decode_ending(text);
  ended_ = true;
  result_.limit = ending.limit;
  result_.bytes_cut = ending.bytes_cut;
  hand_over_files();
  events.push_back(Session::Ended{id_, std::move(result_), ending.error, std::nullopt});
}

// Half a file is none.
void JobReceipt::hand_over_files() {
  if (!collected_) return;
  auto& files = collected_->files;
  result_.left_behind = std::move(collected_->left_behind);
  for (std::size_t i = file_; i < files.size(); ++i) {
    result_.left_behind.push_back({std::move(files[i].path), "it did not come whole"});
  }
  result_.collected = file_ == files.size();
  files.resize(file_);
  result_.files = std::move(files);
}

std::uint32_t JobReceipt::take_credit() {
  if (ended_ || uncredited_ < protocol::initial_output_credit / 2) return 0;
  return std::exchange(uncredited_, 0);
}

Result JobReceipt::abandon() {
  over_ = true;
  return std::move(result_);
}

}  // namespace pbotvm::machine
