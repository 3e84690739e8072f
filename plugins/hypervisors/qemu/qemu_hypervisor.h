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
#include "qemu_process.h"
#include "qemu_settings.h"
#include "qmp.h"
#include "snapshot_store.h"

namespace pbotvm::qemu {

/// A machine that is a QEMU process of this host. The process ends with the thread that called start(), should the host
/// end without stop(). Its files are console.sock, console.log, qemu.log and the snapshot in the machine's directory.
class QemuHypervisor : public Hypervisor {
 public:
  /// `settings` and `image` come from the start-up; everything from start() on may run as another user.
  QemuHypervisor(MachineSettings machine, QemuSettings settings, GuestImage image);
  ~QemuHypervisor() override;

  HypervisorAbilities abilities() const noexcept override { return {.starts = true, .reverts = true}; }
  Started start(const Deadline& deadline) override;
  bool running() noexcept override;
  void take_snapshot(const Deadline& deadline) override;
  void revert(const Deadline& deadline) override;
  void stop(const Deadline& deadline) noexcept override;
  std::string description() const override;
  void* extension(std::string_view) override { return nullptr; }

 private:
  struct Inherited;

  CommandLine command_line() const;
  std::string stamp() const;
  void prepare_files();
  bool vsock_can_be_had() const;
  void doubt_snapshot_that_does_not_last();
  bool restore(const Deadline& deadline);
  void launch(CommandLine line, const Deadline& deadline);
  void add_lines(CommandLine& line, Inherited& inherited) const;
  std::string log_tail() const;

  std::string add_snapshot_node(const Deadline& deadline);
  void remove_snapshot_node(const std::string& node, const Deadline& deadline);
  QmpClient& monitor(const char* what);
  void log_events();
  void bound_console_log() noexcept;
  void end_process(const Deadline& deadline) noexcept;
  void note(const std::string& text) const;
  void warn(const std::string& text) const;

  const MachineSettings machine_;
  const QemuSettings settings_;
  const GuestImage image_;
  const Endpoint console_;
  const std::string console_log_;
  const std::string qemu_log_;
  SnapshotStore snapshots_;
  Acceleration accel_ = Acceleration::tcg;  // as chosen by the last start()
  bool vsock_ = false;                      // whether the machine of the last start() has such a device

  std::unique_ptr<QemuProcess> process_;
  std::optional<QmpClient> qmp_;  // ends before the process whose pidfd it borrows
  std::string node_;              // block node of the snapshot; empty when there is none to go back to
  int last_node_ = 0;
  bool last_was_restored_ = false;
  int short_lives_ = 0;  // restored starts in a row that did not last
  Deadline::Clock::time_point last_start_{};
};

}  // namespace pbotvm::qemu
