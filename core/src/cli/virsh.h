// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "config/configuration.h"

namespace pbotvm::cli {

/// A libvirt domain through the program virsh, for what is asked for once by an operator. Blocking, bounded; every
/// failure is an Error with virsh's own text and what to do about it.
class Virsh {
 public:
  /// The domain of a machine, at hypervisor.uri or at the system's libvirt.
  explicit Virsh(const config::MachineConfiguration& machine) : Virsh(uri_of(machine), machine.settings.domain) {}
  Virsh(std::string uri, std::string domain) : uri_(std::move(uri)), domain_(std::move(domain)) {}

  /// The definition that the domain is started from next time.
  std::string definition() const;

  /// Adds a device to that definition.
  void attach(const std::string& xml) const;

  /// What the domain that runs has now.
  std::string running_definition() const;

  /// Gives the domain that runs a device, without a change of its definition.
  void attach_live(const std::string& xml) const;

  /// Whether libvirt has a domain of this name.
  bool exists() const;

  /// The UUID of the domain of this name, as text.
  std::string uuid() const;

  /// Makes a domain of this XML. Nothing may be there under its name.
  void define(const std::string& xml) const;

  /// Takes the definition away, with its snapshots' descriptions, saved state and firmware variables; its disks stay.
  void undefine() const;

  /// "running", "shut off": domstate of virsh(1).
  std::string state() const;

  void start() const;
  /// Asks the guest to shut down; `now`: as if its power was cut.
  void stop(bool now) const;

  static std::string uri_of(const config::MachineConfiguration& machine);

  /// Whether the files that a libvirt at that URI names are this system's.
  static bool is_local(const std::string& uri);

 private:
  std::string ask(const std::vector<std::string>& words) const;
  [[noreturn]] void fail(const std::string& command, const std::string& text) const;
  std::string names() const;

  std::string uri_, domain_;
};

}  // namespace pbotvm::cli
