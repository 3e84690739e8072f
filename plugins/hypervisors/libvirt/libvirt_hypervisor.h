// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "call_worker.h"
#include "domain_watch.h"
#include "event_loop.h"
#include "libvirt_settings.h"
#include "pbotvm/hypervisor.h"

namespace pbotvm::libvirt {

/// A machine that is a domain of libvirt: defined by the operator, run by libvirt's daemon. Nothing is connected to
/// before start(), so that the daemon sees the user that the host runs as for good. Calls run on a thread of their own
/// (CallWorker), events on libvirt's loop.
class LibvirtHypervisor : public Hypervisor, public HypervisorSnapshots, public HypervisorEvents {
 public:
  /// `loop` is shared by all machines of the process.
  LibvirtHypervisor(MachineSettings machine, LibvirtSettings settings, std::shared_ptr<EventLoop> loop);
  ~LibvirtHypervisor() override;

  HypervisorAbilities abilities() const noexcept override { return {.starts = true, .reverts = true}; }
  Started start(const Deadline& deadline) override;
  bool running() noexcept override;
  void take_snapshot(const Deadline& deadline) override;
  void revert(const Deadline& deadline) override;
  void stop(const Deadline& deadline) noexcept override;
  std::string description() const override;
  void* extension(std::string_view identifier) override;

  std::vector<Snapshot> list(const Deadline& deadline) override;
  void create(const std::string& name, const Deadline& deadline) override;
  void revert_to(const std::string& name, const Deadline& deadline) override;
  void remove(const std::string& name, const Deadline& deadline) override;

  std::optional<HypervisorEvent> take_event() override;

 private:
  void make_directory() const;
  void warn_of_missing_devices(const std::string& domain_xml);
  void revert_as_configured(const std::string& name, const Deadline& deadline);

  const MachineSettings machine_;
  const LibvirtSettings settings_;
  const std::shared_ptr<EventLoop> loop_;     // shared by the machines; ends after their connections
  const std::shared_ptr<DomainWatch> watch_;  // shared with the loop and the worker
  CallWorker worker_;
  bool was_started_ = false;
  bool out_of_hand_ = false;  // a revert or a stop failed: what runs is not what it should be, start() puts it right
  std::string last_warning_;
};

}  // namespace pbotvm::libvirt
