// SPDX-License-Identifier: MIT
#include "machine/job_upload.h"

#include <algorithm>
#include <utility>

namespace pbotvm::machine {

using protocol::FrameType;

namespace {

constexpr std::size_t file_piece = protocol::max_payload - 4;
constexpr std::size_t kept_sent_input = 256 * 1024;  // bytes, before the rest is moved to the front

}  // namespace

JobUpload::JobUpload(const Job& job, bool input_whole)
    : announcement_(protocol::encode(job)), input_(job.input), input_whole_(input_whole) {
  for (const auto& file : job.files) files_.push_back(file.content);
}

void JobUpload::add_input(std::string_view bytes) {
  if (!input_whole_) input_.append(bytes);
}

void JobUpload::cancel() {
  files_.clear();
  input_.clear();
  file_ = file_sent_ = input_sent_ = 0;
  input_ended_ = cancelled_ = true;
}

void JobUpload::drop() {
  cancel();
  announcement_.clear();
  cancelled_ = false;
}

bool JobUpload::ready() const {
  if (!announcement_.empty() || cancelled_) return true;
  if (std::any_of(files_.begin() + static_cast<std::ptrdiff_t>(file_), files_.end(),
                  [](const auto& content) { return !content.empty(); })) {
    return true;
  }
  if (input_ended_) return false;
  return input_waiting() > 0 ? credit_ > 0 : input_whole_;
}

JobUpload::Piece JobUpload::next() {
  if (!announcement_.empty()) return next_of_announcement();
  if (std::exchange(cancelled_, false)) return {FrameType::cancel, false, {}};
  while (file_ < files_.size() && files_[file_].empty()) ++file_;
  return file_ < files_.size() ? next_of_files() : next_of_input();
}

JobUpload::Piece JobUpload::next_of_announcement() {
  Piece piece{FrameType::job, false, announcement_.substr(announced_, protocol::max_payload)};
  announced_ += piece.payload.size();
  piece.more = announced_ < announcement_.size();
  if (!piece.more) std::string().swap(announcement_);
  return piece;
}

JobUpload::Piece JobUpload::next_of_files() {
  auto& content = files_[file_];
  const auto part = std::string_view(content).substr(file_sent_, file_piece);
  Piece piece{FrameType::file, false, protocol::encode_file_piece(static_cast<std::uint32_t>(file_), part)};
  file_sent_ += part.size();
  if (file_sent_ == content.size()) {
    std::string().swap(content);
    ++file_;
    file_sent_ = 0;
  }
  return piece;
}

JobUpload::Piece JobUpload::next_of_input() {
  const std::size_t size = std::min({input_waiting(), protocol::max_payload, static_cast<std::size_t>(credit_)});
  Piece piece{FrameType::input, false, input_.substr(input_sent_, size)};
  input_sent_ += size;
  credit_ -= size;
  if (size == 0) input_ended_ = true;
  if (input_sent_ == input_.size() || input_sent_ >= kept_sent_input) {
    input_.erase(0, input_sent_);
    input_sent_ = 0;
  }
  return piece;
}

}  // namespace pbotvm::machine
