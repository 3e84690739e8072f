// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "guest_image.h"
#include "pbotvm/hypervisor.h"
#include "qemu_command_line.h"
#include "qemu_events.h"
#include "qemu_process.h"
#include "qemu_settings.h"
#include "qmp/left_qemu.h"
#include "qmp/qmp.h"
#include "snapshot_store.h"

namespace pbotvm::qemu {

/// A machine that is a QEMU process of this host. Unless it may outlive the host, the process ends with the thread that
/// called start(), should the host end without stop(). Its files are console.sock, qmp.sock, console.log, qemu.log and
/// the snapshots in the machine's directory.
class QemuHypervisor : public Hypervisor,
                       public HypervisorSnapshots,
                       public HypervisorEvents,
                       public HypervisorHandover,
                       public HypervisorInterruption {
 public:
  /// `settings`, `image` and `taps`, one for each card on a bridge, come from the start-up; everything from start() on
  /// may run as another user.
  QemuHypervisor(MachineSettings machine, QemuSettings settings, GuestImage image, std::vector<UniqueFd> taps = {});
  ~QemuHypervisor() override;

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

  /// Those of this life of the machine: start() forgets what was not taken of an earlier one.
  std::optional<HypervisorEvent> take_event() override;

  bool leave() noexcept override;

  void interrupt() noexcept override;

 private:
  struct Inherited;

  // Starting and stopping: qemu_hypervisor.cpp
  CommandLine command_line() const;
  void make_directory();
  void empty_logs();
  bool vsock_can_be_had() const;
  void doubt_snapshot_that_does_not_last();
  bool restore(const Deadline& deadline);
  void load_at_start(const Deadline& deadline);
  void launch(CommandLine line, const Deadline& deadline);
  void await_greeting(const UniqueFd& monitor, const Deadline& deadline);
  void run_qemu(const CommandLine& line, const std::vector<int>& inherited);
  void add_lines(CommandLine& line, Inherited& inherited) const;
  std::string log_tail() const;
  qmp::QmpClient& monitor(const char* what);
  bool collect_events(bool asked_for = false);
  void bound_console_log() noexcept;
  void end_process(const Deadline& deadline) noexcept;
  void note(const std::string& text) const;
  void warn(const std::string& text) const;

  // Outliving the host: qemu_handover.cpp
  std::string purpose() const;
  bool take_over(const Deadline& deadline);
  std::string reason_to_end(const qmp::LeftQemu& left) const;
  void adopt(const qmp::LeftQemu& left, const Deadline& deadline);
  void check_monitor(const qmp::LeftQemu& left, const Deadline& deadline);
  void clear_left_jobs(const Deadline& deadline);
  void remove_left_nodes(const Deadline& deadline);
  void forget_process() noexcept;

  // Saving and putting back: qemu_snapshots.cpp
  std::string stamp(const std::string& tag) const;
  SnapshotStore store_of(const std::string& name) const;
  bool exists(const std::string& name) const;
  [[noreturn]] void refuse_unknown(const std::string& name);
  std::string save(SnapshotStore& store, const std::string& tag, const Deadline& deadline);
  void load(const std::string& tag, const std::string& node, const Deadline& deadline);
  bool run_job(const std::string& command, const nlohmann::json& arguments, const Deadline& deadline);
  nlohmann::json snapshot_arguments(const std::string& tag, const std::string& node) const;
  void forget_in_disks(const std::string& tag, const Deadline& deadline);
  std::string make_snapshot_node(const std::string& file, const Deadline& deadline);
  std::string open_snapshot_node(const std::string& file, const Deadline& deadline);
  void remove_snapshot_node(const std::string& node, const Deadline& deadline);
  void remove_nodes(const std::vector<std::string>& nodes, const Deadline& deadline);

  const MachineSettings machine_;
  const QemuSettings settings_;
  const GuestImage image_;
  const std::vector<UniqueFd> taps_;
  const UniqueFd interruption_;  // an eventfd, readable once the host ends
  const Endpoint console_;
  const Endpoint qmp_socket_;
  const Endpoint monitor_socket_;  // of a QEMU that may outlive the host
  const std::string pid_file_;
  const std::string console_log_;
  const std::string qemu_log_;
  const std::string display_socket_;
  SnapshotStore snapshots_;
  Acceleration accel_ = Acceleration::tcg;  // as chosen by the last start()
  bool vsock_ = false;                      // whether the machine of the last start() has such a device

  std::unique_ptr<QemuProcess> process_;
  std::optional<qmp::QmpClient> qmp_;  // ends before the process whose pidfd it borrows
  QemuEvents events_;
  std::string node_;     // block node of the snapshot; empty when there is none to go back to
  std::string current_;  // name of the snapshot that was last taken or gone back to
  int last_node_ = 0;
  bool last_was_restored_ = false;
  int short_lives_ = 0;  // restored starts in a row that did not last
  Deadline::Clock::time_point last_start_{};
};

}  // namespace pbotvm::qemu
