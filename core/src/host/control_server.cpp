// SPDX-License-Identifier: MIT
#include "host/control_server.h"

#include <Poco/Exception.h>
#include <Poco/Logger.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/StreamSocket.h>
#include <Poco/Net/TCPServer.h>
#include <Poco/Net/TCPServerConnection.h>
#include <Poco/Net/TCPServerConnectionFactory.h>
#include <Poco/ThreadPool.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "host/listening_socket.h"
#include "pbotvm/abi.h"
#include "pbotvm/deadline.h"
#include "pbotvm/error.h"
#include "pbotvm/reply_text.h"
#include "service/language_list.h"

namespace pbotvm::host {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr char socket_name[] = "control.sock";
constexpr std::size_t max_command = 4096;  // bytes of a command's line
constexpr auto command_patience = 5s;
constexpr int max_commands = 32;  // at one time: one that reverts waits for its machine, the others must not

Poco::Logger& log() {
  return Poco::Logger::get("control");
}

const auto started_at = std::chrono::steady_clock::now();

json machine_json(const machine::MachineStatus& status) {
  json age = nullptr;
  if (status.heartbeat_age) age = status.heartbeat_age->count();
  return {{"name", status.name},
          {"state", machine::state_name(status.state)},
          {"since_s", status.since.count()},
          {"hypervisor", status.hypervisor},
          {"transport", status.transport},
          {"guest", printable(status.guest)},
          {"slots", status.slots},
          {"running", status.running},
          {"waiting", status.waiting},
          {"jobs", status.jobs},
          {"faults", status.faults},
          {"reverts", status.reverts},
          {"heartbeat_age_s", age},
          {"problem", printable(status.problem)}};
}

// Of the calls for requests, and of those by which languages are read.
json suspended_json(const ControlServer::Context& context) {
  json suspended = json::array();
  const auto add = [&suspended](const std::vector<plugin::Suspension>& suspensions, bool reading) {
    for (const auto& one : suspensions)
      suspended.push_back(
          {{"kind", one.kind}, {"plugin", one.plugin}, {"calls_out", one.calls_out}, {"reading", reading}});
  };
  add(context.service.suspensions(), false);
  add(context.languages.suspensions(), true);
  return suspended;
}

json status_json(const ControlServer::Context& context) {
  json machines = json::array();
  for (const auto& machine : context.machines) machines.push_back(machine_json(machine->status()));
  const std::chrono::duration<double> uptime = std::chrono::steady_clock::now() - started_at;
  return {{"ok", true},
          {"version", PBOTVM_VERSION},
          {"pid", ::getpid()},
          {"uptime_s", uptime.count()},
          {"address", context.address},
          {"requests", context.service.requests()},
          {"machines", machines},
          {"suspended", suspended_json(context)}};
}

machine::Machine& machine_of(const ControlServer::Context& context, const json& command) {
  const auto name = command.value("machine", std::string());
  auto* machine = context.service.find_machine(name);
  if (machine == nullptr) throw Error(ErrorCode::refused, context.service.unknown_machine_text(name));
  return *machine;
}

json revert_json(machine::Machine& machine) {
  const auto begun = std::chrono::steady_clock::now();
  machine.revert();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  return {{"ok", true}, {"state", machine::state_name(machine::State::ready)}, {"seconds", took.count()}};
}

json health_json(machine::Machine& machine) {
  const auto health = machine.health();
  json age = nullptr;
  if (health.heartbeat_age) age = health.heartbeat_age->count();
  return {{"ok", true},
          {"figures", printable(health.figures)},
          {"heartbeat_age_s", age},
          {"round_trip_ms", health.round_trip.count()}};
}

constexpr std::size_t max_snapshot_name = 64;
constexpr char snapshot_name_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

machine::SnapshotRequest snapshot_request(const json& command) {
  using Action = machine::SnapshotRequest::Action;
  static const std::map<std::string, Action> actions = {
      {"list", Action::list}, {"create", Action::create}, {"revert", Action::revert}, {"delete", Action::remove}};
  const auto action = actions.find(command.value("action", std::string("list")));
  if (action == actions.end()) {
    throw Error(ErrorCode::refused, "unknown action of a snapshot", "list, create, revert and delete are known");
  }
  machine::SnapshotRequest request{action->second, command.value("name", std::string())};
  const bool plain = !request.name.empty() && request.name.size() <= max_snapshot_name &&
                     request.name.find_first_not_of(snapshot_name_characters) == request.name.npos;
  if (request.action != Action::list && !plain) {
    throw Error(ErrorCode::refused, "a snapshot cannot be named '" + printable(request.name) + "'",
                "letters, digits, '.', '_' and '-' make a name, at most 64 of them");
  }
  return request;
}

json snapshots_json(machine::Machine& machine, const json& command) {
  json snapshots = json::array();
  for (const auto& one : machine.snapshots(snapshot_request(command))) {
    snapshots.push_back({{"name", one.name}, {"taken", one.taken}, {"bytes", one.bytes}, {"current", one.current}});
  }
  return {{"ok", true}, {"snapshots", snapshots}};
}

json languages_json(const ControlServer::Context& context, const json& command) {
  std::vector<const machine::Machine*> machines;
  if (command.contains("machine")) {
    machines.push_back(&machine_of(context, command));
  } else {
    for (const auto& machine : context.machines) machines.push_back(machine.get());
  }
  const auto catalogue = context.service.catalogue();
  json languages = service::language_list(*catalogue, machines);
  if (command.contains("digest")) {
    // Of one only: it asks the plug-in.
    const auto* entry = catalogue->find(command["digest"].get<std::string>());
    for (auto& language : languages)
      if (entry != nullptr && language["name"] == entry->names.front())
        language["digest"] = context.service.digest(*entry);
  }
  return {{"ok", true}, {"languages", std::move(languages)}};
}

json obey(const ControlServer::Context& context, const std::string& line) {
  try {
    if (line.size() >= max_command) throw Error(ErrorCode::refused, "a command has less than 4096 bytes");
    const auto command = json::parse(line);
    const auto name = command.at("command").get<std::string>();
    if (name == "status") return status_json(context);
    if (name == "revert") return revert_json(machine_of(context, command));
    if (name == "health") return health_json(machine_of(context, command));
    if (name == "languages") return languages_json(context, command);
    if (name == "snapshot") return snapshots_json(machine_of(context, command), command);
    throw Error(ErrorCode::refused, "unknown command '" + name + "'",
                "status, revert, health, snapshot and languages are known");
  } catch (const json::exception&) {
    return {{"ok", false}, {"error", R"(not a command, which is one line such as {"command":"status"})"}};
  } catch (const std::exception& e) {
    return {{"ok", false}, {"error", e.what()}};
  }
}

class Connection : public Poco::Net::TCPServerConnection {
 public:
  Connection(const Poco::Net::StreamSocket& socket, const ControlServer::Context& context)
      : TCPServerConnection(socket), context_(context) {}

  void run() override {
    try {
      const auto line = read_line();
      if (line.empty()) return;
      const auto answer = obey(context_, line).dump(-1, ' ', true, json::error_handler_t::replace) + "\n";
      for (std::size_t sent = 0; sent < answer.size();) {
        sent +=
            static_cast<std::size_t>(socket().sendBytes(answer.data() + sent, static_cast<int>(answer.size() - sent)));
      }
    } catch (const Poco::Exception& e) {
      log().information("a client of control.sock is gone: %s", e.displayText());
    }
  }

 private:
  std::string read_line() {
    const auto deadline = Deadline::in(command_patience);
    std::string line;
    char c;
    // To its end also where it is too long: what is left unread would take the answer away.
    while (!deadline.expired() &&
           socket().poll(Poco::Timespan(deadline.remaining().count() * 1000), Poco::Net::Socket::SELECT_READ)) {
      if (socket().receiveBytes(&c, 1) != 1 || c == '\n') break;
      if (line.size() < max_command) line += c;
    }
    return line;
  }

  const ControlServer::Context& context_;
};

class ConnectionFactory : public Poco::Net::TCPServerConnectionFactory {
 public:
  explicit ConnectionFactory(ControlServer::Context context) : context_(std::move(context)) {}
  Poco::Net::TCPServerConnection* createConnection(const Poco::Net::StreamSocket& socket) override {
    return new Connection(socket, context_);
  }

 private:
  const ControlServer::Context context_;
};

Poco::ThreadPool& control_threads() {
  static Poco::ThreadPool pool(1, max_commands + 1, 60);
  return pool;
}

}  // namespace

ControlServer::ControlServer(Context context) {
  ::unlink(socket_name);  // of a host that was killed; the lock on STATE tells that it is gone
  const mode_t before = ::umask(0117);
  try {
    const Poco::Net::SocketAddress where(Poco::Net::SocketAddress::UNIX_LOCAL, socket_name);
    auto socket = listening_socket();
    socket.bind(where);
    socket.listen();
    ::umask(before);
    auto* parameters = new Poco::Net::TCPServerParams;  // owned by the server
    parameters->setMaxThreads(max_commands);
    server_ = std::make_unique<Poco::Net::TCPServer>(new ConnectionFactory(std::move(context)), control_threads(),
                                                     socket, parameters);
  } catch (const Poco::Exception& e) {
    ::umask(before);
    throw Error(ErrorCode::unavailable, std::string("listen on ") + socket_name + ": " + e.displayText());
  }
}

ControlServer::~ControlServer() {
  server_->stop();
  ::unlink(socket_name);
}

void ControlServer::start() {
  server_->start();
}

bool ControlServer::stop(std::chrono::milliseconds patience) {
  server_->stop();
  // Poco tells of a connection's end only by this count.
  for (const auto until = Deadline::in(patience); server_->currentConnections() > 0 && !until.expired();) {
    std::this_thread::sleep_for(5ms);
  }
  return server_->currentConnections() == 0;
}

}  // namespace pbotvm::host
