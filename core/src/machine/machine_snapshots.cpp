// SPDX-License-Identifier: MIT

// The operator's named snapshots: a list is answered at once, all else when no job runs, on the machine's thread.

#include <chrono>
#include <utility>

#include "machine/machine.h"
#include "pbotvm/error.h"

namespace pbotvm::machine {

namespace {

using namespace std::chrono_literals;
using Action = SnapshotRequest::Action;

constexpr auto list_time = 5s;
constexpr auto change_time = 120s;  // a machine's whole memory is written

}  // namespace

std::vector<Snapshot> Machine::snapshots(const SnapshotRequest& request) {
  if (!named_snapshots_) {
    throw Error(
        ErrorCode::refused,
        "machine '" + name() + "': its hypervisor '" + configuration_.hypervisor.plugin + "' keeps no named snapshots",
        "choose one that does, such as qemu or libvirt, in machines." + name() + ".hypervisor");
  }
  SnapshotCommand command{request, {}};
  auto done = command.done.get_future();
  {
    std::lock_guard lock(mutex_);
    refuse_when_ended();
    snapshot_commands_.push_back(std::move(command));
  }
  wake();
  return done.get();
}

void Machine::take_snapshot_commands(bool serving, const Error& not_now) {
  std::deque<SnapshotCommand> commands;
  {
    std::lock_guard lock(mutex_);
    commands.swap(snapshot_commands_);
  }
  for (auto& command : commands) {
    if (command.request.action != Action::list && !serving) {
      command.done.set_exception(std::make_exception_ptr(not_now));
      continue;
    }
    if (command.request.action != Action::list) {
      snapshots_asked_.push_back(std::move(command));
      set_state(State::draining, "the operator works on its snapshots");
      continue;
    }
    try {
      command.done.set_value(obey(command.request));
    } catch (const Error&) {
      command.done.set_exception(std::current_exception());
    }
  }
}

// What it refuses has touched nothing. After any other failure nobody knows what the machine is like.
void Machine::obey_snapshot_commands() {
  while (!snapshots_asked_.empty()) {
    auto command = std::move(snapshots_asked_.front());
    snapshots_asked_.pop_front();
    try {
      command.done.set_value(obey(command.request));
    } catch (const Error& error) {
      command.done.set_exception(std::current_exception());
      if (command.request.action == Action::revert && error.code() != ErrorCode::refused) throw;
    }
  }
  set_state(State::ready);
}

std::vector<Snapshot> Machine::obey(const SnapshotRequest& request) {
  const auto call = [&](const char* method, auto&& change) {
    hypervisor_call(method, [&] { change(Deadline::in(change_time)); });
    if (heartbeat_) heartbeat_->restart(Clock::now());
  };
  switch (request.action) {
    case Action::create:
      call("create", [&](const Deadline& deadline) { named_snapshots_->create(request.name, deadline); });
      break;
    case Action::remove:
      call("remove", [&](const Deadline& deadline) { named_snapshots_->remove(request.name, deadline); });
      break;
    case Action::revert:
      revert_now(request.name);
      break;
    case Action::list:
      break;
  }
  return hypervisor_call("list", [&] { return named_snapshots_->list(Deadline::in(list_time)); });
}

void Machine::fail_snapshot_commands(const std::string& why) {
  for (auto& command : snapshots_asked_) {
    command.done.set_exception(std::make_exception_ptr(Error(ErrorCode::unavailable, name() + ": " + why)));
  }
  snapshots_asked_.clear();
}

}  // namespace pbotvm::machine
