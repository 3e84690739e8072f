// SPDX-License-Identifier: MIT
#include "service/json_reply.h"

#include <string.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "protocol/messages.h"
#include "service/base64.h"
#include "service/utf8.h"

namespace pbotvm::service {

namespace {

using Json = nlohmann::ordered_json;

std::string line_of(const Json& object) {
  return object.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

// Text where it can be, base64 where it must be.
void put_bytes(Json& object, const std::string& bytes) {
  if (find_invalid_utf8(bytes) == std::string::npos) {
    object["text"] = bytes;
  } else {
    object["base64"] = encode_base64(bytes);
  }
}

double seconds(std::chrono::microseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

Json limit_json(Limit limit) {
  return limit == Limit::none ? Json(nullptr) : Json(protocol::limit_name(limit));
}

std::string octal(unsigned mode) {
  std::string text = "0";
  for (const int shift : {6, 3, 0}) text += static_cast<char>('0' + (mode >> shift & 7));
  return text;
}

void put_way_out(Json& object, const StepResult& step) {
  if (step.signal == 0) {
    object["exit"] = step.exit_code;
  } else {
    const char* name = ::sigabbrev_np(step.signal);
    object["signal"] = step.signal;
    object["signal-name"] = name == nullptr ? Json(nullptr) : Json(std::string("SIG") + name);
  }
  if (!step.error.empty()) object["error"] = step.error;
}

void put_times(Json& object, const StepResult& step) {
  object["wall"] = seconds(step.wall);
  object["user"] = seconds(step.user);
  object["system"] = seconds(step.system);
  object["memory"] = step.peak_memory;
}

std::string output_line(std::uint32_t step, Stream stream, const std::string& label, const std::string& bytes) {
  Json object = {
      {"event", "output"}, {"step", step}, {"label", label}, {"stream", stream == Stream::out ? "stdout" : "stderr"}};
  put_bytes(object, bytes);
  return line_of(object);
}

std::string step_line(const StepResult& step) {
  Json object = {{"event", "step"}, {"step", step.step}, {"label", step.label}};
  put_way_out(object, step);
  object["limit"] = limit_json(step.limit);
  object["cut"] = step.bytes_cut;
  put_times(object, step);
  return line_of(object);
}

std::string file_line(const JobFile& file) {
  Json object = {{"event", "file"}, {"path", file.path}, {"mode", octal(file.mode)}, {"size", file.content.size()}};
  put_bytes(object, file.content);
  return line_of(object);
}

// The times of all steps together, the most memory of any.
StepResult sum_of(const std::vector<StepResult>& steps) {
  StepResult sum;
  for (const auto& step : steps) {
    sum.wall += step.wall;
    sum.user += step.user;
    sum.system += step.system;
    sum.peak_memory = std::max(sum.peak_memory, step.peak_memory);
  }
  return sum;
}

std::string end_line(const Ended& ended) {
  Json object = {{"event", "end"}};
  if (ended.ran) {
    const auto by_index = [](const StepResult& a, const StepResult& b) { return a.step < b.step; };
    const auto last = std::max_element(ended.steps.begin(), ended.steps.end(), by_index);
    // What ran after a crash looked at it, or cleaned up: it is the crash that counts.
    const auto crashed =
        std::find_if(ended.steps.begin(), ended.steps.end(), [](const auto& s) { return s.signal != 0; });
    if (crashed != ended.steps.end()) {
      put_way_out(object, *crashed);
    } else if (last != ended.steps.end()) {
      put_way_out(object, *last);
    }
    object["limit"] = limit_json(ended.limit);
    object["cut"] = ended.bytes_cut;
    put_times(object, sum_of(ended.steps));
  }
  object["reply"] = ended.reply;
  return line_of(object);
}

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

}  // namespace

std::string JsonReply::lines(const Event& event) {
  return std::visit(
      Overloaded{
          [](const Started& started) {
            return line_of({{"event", "start"}, {"language", started.language}, {"machine", started.machine}});
          },
          [this](const Printed& printed) { return output(printed); },
          [this](const StepResult& step) { return release(step.step) + step_line(step); },
          [](const JobFile& file) { return file_line(file); },
          [](const LeftBehind& left) {
            return line_of({{"event", "left-behind"}, {"path", left.path}, {"why", left.why}});
          },
          [](const NotSaved& lost) {
            return line_of({{"event", "not-saved"}, {"persist-key", lost.key}, {"why", lost.why}});
          },
          [this](const Ended& ended) { return release_all() + end_line(ended); },
          [this](const Failed& failed) {
            return release_all() +
                   line_of({{"event", "error"}, {"code", failed.code}, {"text", failed.text}, {"reply", failed.reply}});
          },
      },
      event);
}

std::string JsonReply::output(const Printed& printed) {
  const Channel channel{printed.chunk.step, printed.chunk.stream};
  std::string bytes = printed.chunk.bytes;
  if (const auto found = held_.find(channel); found != held_.end()) {
    bytes.insert(0, found->second.bytes);
    held_.erase(found);
  }
  const std::size_t whole = bytes.size() - incomplete_utf8_tail(bytes);
  if (whole < bytes.size()) held_[channel] = {bytes.substr(whole), printed.label};
  bytes.resize(whole);
  return bytes.empty() ? std::string() : output_line(channel.first, channel.second, printed.label, bytes);
}

// The rest of a character will not come any more.
std::string JsonReply::release(std::uint32_t step) {
  std::string lines;
  for (const Stream stream : {Stream::out, Stream::err}) {
    const auto found = held_.find({step, stream});
    if (found == held_.end()) continue;
    lines += output_line(step, stream, found->second.label, found->second.bytes);
    held_.erase(found);
  }
  return lines;
}

std::string JsonReply::release_all() {
  std::string lines;
  while (!held_.empty()) lines += release(held_.begin()->first.first);
  return lines;
}

}  // namespace pbotvm::service
