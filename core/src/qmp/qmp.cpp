// SPDX-License-Identifier: MIT
#include "qmp/qmp.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace pbotvm::qmp {
namespace {

using nlohmann::json;

constexpr std::size_t quoted_garbage = 80;  // bytes of a broken line that an error shows

Error garbage(std::string_view line) {
  std::string shown;
  for (const char byte : line.substr(0, quoted_garbage)) shown += byte >= ' ' && byte <= '~' ? byte : '?';
  return Error(ErrorCode::protocol, "QEMU's monitor sent a line that is no message: " + shown);
}

std::string version_of(const json& greeting) {
  if (!greeting.contains("version") || !greeting["version"].contains("qemu")) return "of unknown version";
  const json& qemu = greeting["version"]["qemu"];
  return std::to_string(integer_at(qemu, "major")) + "." + std::to_string(integer_at(qemu, "minor")) + "." +
         std::to_string(integer_at(qemu, "micro"));
}

}  // namespace

std::string text_at(const json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t integer_at(const json& object, const char* key) {
  if (!object.is_object()) return 0;
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

void QmpParser::feed(std::string_view bytes) {
  buffer_.erase(0, std::exchange(start_, 0));
  buffer_.append(bytes);
  const std::size_t last_end = buffer_.rfind('\n');
  const std::size_t unfinished = last_end == std::string::npos ? buffer_.size() : buffer_.size() - last_end - 1;
  if (unfinished > max_qmp_line)
    throw Error(ErrorCode::protocol,
                "QEMU's monitor sent a line of more than " + std::to_string(max_qmp_line) + " bytes");
}

std::optional<json> QmpParser::next() {
  for (;;) {
    const std::size_t end = buffer_.find('\n', start_);
    if (end == std::string::npos) return std::nullopt;
    std::string_view line(buffer_.data() + start_, end - start_);
    start_ = end + 1;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty()) continue;
    json message = json::parse(line, nullptr, false);
    if (!message.is_object()) throw garbage(line);
    return message;
  }
}

QmpMessage classify(json message) {
  const std::string id = text_at(message, "id");
  if (message.contains("QMP")) return {QmpMessage::Kind::greeting, id, std::move(message["QMP"])};
  if (message.contains("return")) return {QmpMessage::Kind::reply, id, std::move(message["return"])};
  if (message.contains("error")) return {QmpMessage::Kind::error, id, std::move(message["error"])};
  if (message.contains("event")) return {QmpMessage::Kind::event, id, std::move(message)};
  throw garbage(message.dump(-1, ' ', true, json::error_handler_t::replace));
}

QmpClient::QmpClient(UniqueFd socket, int process, const Deadline& deadline)
    : socket_(std::move(socket)), process_(process) {
  QmpMessage greeting = receive(deadline);
  if (greeting.kind != QmpMessage::Kind::greeting)
    throw Error(ErrorCode::protocol, "QEMU's monitor did not open with a greeting");
  version_ = version_of(greeting.body);
  execute("qmp_capabilities", json::object(), deadline);
}

json QmpClient::execute(const std::string& command, const json& arguments, const Deadline& deadline) {
  doing_ = "the answer to " + command;
  const std::string id = post(command, arguments, deadline);
  for (;;) {
    QmpMessage message = receive(deadline);
    if (message.kind == QmpMessage::Kind::event) {
      keep_event(std::move(message.body));
      continue;
    }
    // An answer to an earlier command, whose deadline passed before it came, is nobody's any more. An error without an
    // id is QEMU's way to say that it could not read the line at all.
    if (message.id != id && !(message.kind == QmpMessage::Kind::error && message.id.empty())) continue;
    if (message.kind == QmpMessage::Kind::reply) return std::move(message.body);
    throw Error(ErrorCode::refused, "QEMU refused " + command + ": " + text_at(message.body, "desc"));
  }
}

/// Returns the id of the answer, which comes later.
std::string QmpClient::post(const std::string& command, const json& arguments, const Deadline& deadline) {
  const std::string id = std::to_string(++last_id_);
  send(json{{"execute", command}, {"arguments", arguments}, {"id", id}}.dump() + "\n", deadline);
  return id;
}

void QmpClient::run_job(const std::string& command, json arguments, const Deadline& deadline) {
  const std::string job = "job" + std::to_string(last_id_ + 1);
  arguments["job-id"] = job;
  lost_events_ = false;
  execute(command, arguments, deadline);
  doing_ = "the end of " + command;
  const bool aborted = wait_concluded(job, deadline);
  std::string error = aborted || lost_events_ ? job_error(job, deadline) : std::string();
  if (aborted && error.empty()) error = "it was aborted";
  // Nobody waits for the answer: while a guest that was just loaded is emulated, each takes its time.
  post("job-dismiss", {{"id", job}}, deadline);
  if (!error.empty()) throw Error(ErrorCode::refused, "QEMU's " + command + " failed: " + error);
}

/// Whether it was aborted: a job that fails passes through that state before it concludes.
bool QmpClient::wait_concluded(const std::string& job, const Deadline& deadline) {
  bool aborted = false;
  for (;;) {
    for (auto event = events_.begin(); event != events_.end();) {
      if (text_at(*event, "event") != "JOB_STATUS_CHANGE") {  // left to whoever takes events
        ++event;
        continue;
      }
      const json data = event->value("data", json::object());
      const std::string status = text_at(data, "id") == job ? text_at(data, "status") : std::string();
      event = events_.erase(event);
      if (status == "aborting") aborted = true;
      if (status == "concluded") return aborted;
    }
    QmpMessage message = receive(deadline);
    if (message.kind == QmpMessage::Kind::event) keep_event(std::move(message.body));
  }
}

std::string QmpClient::job_error(const std::string& job, const Deadline& deadline) {
  const json jobs = execute("query-jobs", json::object(), deadline);
  for (const json& entry : jobs)
    if (text_at(entry, "id") == job) return text_at(entry, "error");
  throw Error(ErrorCode::protocol, "QEMU does not know the job that it just concluded");
}

std::optional<json> QmpClient::take_event() {
  while (read_available()) {
  }
  while (auto message = parser_.next()) {
    QmpMessage told = classify(std::move(*message));
    if (told.kind == QmpMessage::Kind::event) keep_event(std::move(told.body));
  }
  if (events_.empty()) return std::nullopt;
  json event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void QmpClient::keep_event(json event) {
  if (events_.size() == max_qmp_events) {
    events_.pop_front();
    lost_events_ = true;
  }
  events_.push_back(std::move(event));
}

void QmpClient::send(const std::string& line, const Deadline& deadline) {
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t sent = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      wait_for(POLLOUT, deadline);
    } else if (errno != EINTR) {
      throw Error(ErrorCode::unavailable, errno_text("talk to QEMU's monitor", errno));
    }
  }
}

QmpMessage QmpClient::receive(const Deadline& deadline) {
  for (;;) {
    if (auto message = parser_.next()) return classify(std::move(*message));
    if (!read_available()) wait_for(POLLIN, deadline);
  }
}

/// Whether something was read.
bool QmpClient::read_available() {
  std::array<char, 16 * 1024> buffer;
  const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got <= 0) return false;
  parser_.feed({buffer.data(), static_cast<std::size_t>(got)});
  return true;
}

void QmpClient::wait_for(short events, const Deadline& deadline) {
  std::array<pollfd, 2> waiting{{{socket_.get(), events, 0}, {process_, POLLIN, 0}}};
  const int ready = ::poll(waiting.data(), waiting.size(), deadline.poll_timeout());
  if (ready < 0 && errno != EINTR) throw Error(ErrorCode::internal, errno_text("poll", errno));
  if (ready == 0) throw Error(ErrorCode::timed_out, "QEMU's monitor: " + doing_ + " did not come in time");
  if (ready > 0 && (waiting[0].revents & events) == 0)
    throw Error(ErrorCode::unavailable, "QEMU ended while its monitor was asked for " + doing_);
  // A socket at its end is readable for ever: tell that from bytes that are there.
  char byte;
  if (ready > 0 && (events & POLLIN) && ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
    throw Error(ErrorCode::unavailable, "QEMU hung up while its monitor was asked for " + doing_);
}

}  // namespace pbotvm::qmp
