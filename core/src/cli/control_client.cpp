// SPDX-License-Identifier: MIT
#include "cli/control_client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/command.h"
#include "cli/table.h"
#include "config/error_line.h"
#include "pbotvm/deadline.h"
#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::cli {

namespace {

using nlohmann::json;

constexpr char socket_name[] = "control.sock";
constexpr std::chrono::seconds host_patience{10};    // it answers "status" from memory
constexpr std::size_t max_command = 4096;            // bytes of a line that a host reads
constexpr std::size_t max_answer = 4 * 1024 * 1024;  // bytes

[[noreturn]] void cannot_reach(const std::filesystem::path& state, int error) {
  const std::string tried = "cannot reach a host: " + errno_text((state / socket_name).string(), error);
  if (error == EACCES || error == EPERM)
    throw Error(ErrorCode::refused, tried, "ask as the host's user, as one of its group, or as root");
  throw Error(ErrorCode::unavailable, tried, "start pbotvm-host, or name its state directory with PBOTVM_STATE");
}

UniqueFd connect_to(const std::filesystem::path& state) {
  if (::chdir(state.c_str()) != 0) cannot_reach(state, errno);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_name, sizeof socket_name);
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    cannot_reach(state, errno);
  return fd;
}

void send_all(int fd, const std::string& line) {
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t size = ::send(fd, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) throw Error(ErrorCode::unavailable, errno_text("send the command to the host", errno));
    sent += static_cast<std::size_t>(size);
  }
}

std::string receive_line(int fd, const Deadline& deadline) {
  std::string line;
  while (line.find('\n') == std::string::npos) {
    pollfd ready{fd, POLLIN, 0};
    const int count = ::poll(&ready, 1, deadline.poll_timeout());
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) throw Error(ErrorCode::timed_out, "the host did not answer in time", "see its log");
    std::array<char, 4096> bytes;
    const ssize_t size = ::recv(fd, bytes.data(), bytes.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) throw Error(ErrorCode::unavailable, errno_text("read the host's answer", errno));
    if (size == 0) break;
    line.append(bytes.data(), static_cast<std::size_t>(size));
    if (line.size() > max_answer) throw Error(ErrorCode::protocol, "the host's answer is longer than 4 MiB");
  }
  return line.substr(0, line.find('\n'));
}

}  // namespace

json ask_host(const std::filesystem::path& state, const json& command, std::chrono::milliseconds patience) {
  const Deadline deadline = Deadline::in(patience);
  const std::string line = command.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
  if (line.size() > max_command)
    throw Error(ErrorCode::refused, "no host takes a command of more than " + std::to_string(max_command) + " bytes",
                "see the names there are: pbotvm status");
  const UniqueFd fd = connect_to(state);
  send_all(fd.get(), line);
  const json answer = json::parse(receive_line(fd.get(), deadline), nullptr, false);
  if (!answer.is_object() || !answer.contains("ok") || !answer["ok"].is_boolean())
    throw Error(ErrorCode::protocol, "the host did not answer with a JSON object", "use the pbotvm of its version");
  return answer;
}

std::string refusal_of(const json& answer) {
  const auto why = answer.find("error");
  return why != answer.end() && why->is_string() ? error_line(why->get<std::string>())
                                                 : "the host refused and did not say why";
}

json holding_host(const std::filesystem::path& state, const std::string& machine) {
  json status;
  try {
    status = ask_host(state, {{"command", "status"}}, host_patience);
  } catch (const Error& e) {
    if (e.code() == ErrorCode::unavailable) return nullptr;
    throw;
  }
  for (const auto& one : status.value("machines", json::array())) {
    if (one.is_object() && one.value("name", "") == machine) return status;
  }
  return nullptr;
}

namespace {

using Row = std::vector<std::string>;

// A value of whatever type as a person reads it; "-" for what is not there.
std::string cell(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return "-";
  std::string text = found->is_string() ? found->get<std::string>() : found->dump();
  return text.empty() ? "-" : text;
}

double number(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : NAN;
}

std::string seconds(double value) {
  if (std::isnan(value)) return "-";
  char text[64];
  if (value < 60) {
    std::snprintf(text, sizeof text, "%.1f s", value);
  } else {
    const auto whole = static_cast<long long>(value);
    if (whole < 3600) {
      std::snprintf(text, sizeof text, "%lld min %lld s", whole / 60, whole % 60);
    } else {
      std::snprintf(text, sizeof text, "%lld h %lld min", whole / 3600, whole / 60 % 60);
    }
  }
  return text;
}

// A line for each plug-in that is called no more, and what to do about it.
std::string suspended_text(const json& status) {
  std::string text;
  for (const json& one : status.value("suspended", json::array())) {
    if (!one.is_object()) continue;
    text += "plug-in " + cell(one, "kind") + "-" + cell(one, "plugin") + ".so is suspended" +
            (one.value("reading", false) ? " where languages are read" : "") + ": ";
    text += number(one, "calls_out") > 0 ? "a call did not come back; mend or remove it and restart the host\n"
                                         : "a call came back too late; SIGHUP to the host takes it up again\n";
  }
  return text;
}

}  // namespace

std::string status_text(const json& status) {
  std::string text = "pbotvm-host " + cell(status, "version") + " on " + cell(status, "address") + ", process " +
                     cell(status, "pid") + ", up " + seconds(number(status, "uptime_s")) + ", " +
                     cell(status, "requests") + " requests\n";
  std::vector<Row> rows = {{"MACHINE", "STATE", "SINCE", "HEARTBEAT", "TRANSPORT", "GUEST", "RUNNING", "WAITING",
                            "JOBS", "FAULTS", "REVERTS", "HYPERVISOR"}};
  std::string problems;
  const json machines = status.value("machines", json::array());
  for (const json& machine : machines) {
    if (!machine.is_object()) continue;
    rows.push_back({cell(machine, "name"), cell(machine, "state"), seconds(number(machine, "since_s")),
                    seconds(number(machine, "heartbeat_age_s")), cell(machine, "transport"), cell(machine, "guest"),
                    cell(machine, "running") + "/" + cell(machine, "slots"), cell(machine, "waiting"),
                    cell(machine, "jobs"), cell(machine, "faults"), cell(machine, "reverts"),
                    cell(machine, "hypervisor")});
    if (cell(machine, "problem") != "-") problems += cell(machine, "name") + ": " + cell(machine, "problem") + '\n';
  }
  return text + table_text(rows) + problems + suspended_text(status);
}

}  // namespace pbotvm::cli
