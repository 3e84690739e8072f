// SPDX-License-Identifier: MIT
#include "qemu_events.h"

#include <utility>

#include "qmp/qmp.h"

namespace pbotvm::qemu {

using nlohmann::json;
using Kind = HypervisorEvent::Kind;

std::string QemuEvents::take(const json& event, bool asked_for) {
  const std::string name = qmp::text_at(event, "event");
  const json data = event.contains("data") && event["data"].is_object() ? event["data"] : json::object();
  std::string text = "QEMU reports " + name;
  if (!data.empty()) text += " " + data.dump(-1, ' ', true, json::error_handler_t::replace);
  if (name == "GUEST_PANICKED") {
    add(Kind::panicked, text);
  } else if (name == "SHUTDOWN") {
    shutdown_ = qmp::text_at(data, "reason");
  } else if (name == "BLOCK_IO_ERROR") {
    if (!take_io_error(data, text)) return {};
  } else if (name == "STOP" && !asked_for) {
    if (!paused_by_disk_) add(Kind::paused, text);
  } else if (name == "RESUME" && !asked_for) {
    paused_by_disk_ = false;
    add(Kind::resumed, text);
  } else {
    return {};
  }
  return text;
}

/// What stops the machine is told once, with its reason: a full disk has many requests fail. So is the first error that
/// the guest was left to deal with. Whether it is news.
bool QemuEvents::take_io_error(const json& data, const std::string& text) {
  if (qmp::text_at(data, "action") != "stop") return !std::exchange(io_error_told_, true);
  if (std::exchange(paused_by_disk_, true)) return false;
  add(Kind::paused, text);
  return true;
}

void QemuEvents::ended(const std::string& how) {
  add(Kind::ended, how + (shutdown_.empty() ? "" : "; before that it reported SHUTDOWN, reason " + shutdown_));
}

std::optional<HypervisorEvent> QemuEvents::next() {
  if (events_.empty()) return std::nullopt;
  HypervisorEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void QemuEvents::clear() {
  *this = QemuEvents();
}

void QemuEvents::add(Kind kind, const std::string& text) {
  if (events_.size() == max_machine_events) events_.pop_front();
  events_.push_back({kind, text});
}

}  // namespace pbotvm::qemu
