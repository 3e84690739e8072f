// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "pbotvm/endpoint.h"

PBOTVM_BEGIN_NAMESPACE

/// What a plug-in may know of the machine that it serves: the settings of `machines.NAME` that are not a plug-in's own.
struct MachineSettings {
  std::string name;        ///< [A-Za-z0-9._-]+
  std::string domain;      ///< libvirt domain, QEMU name
  Endpoint serial;         ///< data line, ttyS2 in the guest
  Endpoint heart;          ///< heartbeat line, ttyS3 in the guest
  Endpoint virtio_serial;  ///< virtio-serial port "pbotvm.data"
  /// VM socket context id. 0: none; a back end also gets 0 where no transport of the machine uses it. 1: the guest
  /// program runs on this very system, vsock(7). From 3 on: the machine's own, for which a back end that starts it adds
  /// a vsock device.
  std::uint32_t cid = 0;
  std::uint32_t vport = 0;     ///< VM socket service port
  std::string snapshot = "1";  ///< name of the snapshot to go back to
  std::string image;           ///< directory of the guest image, absolute; for back ends that start machines from one
  /// Directory for this machine's files, relative to the host's working directory, which is STATE. Relative on purpose:
  /// a socket's path is at most 107 bytes long, and the daemon's user need not be able to enter STATE's parents.
  std::string directory;
};

PBOTVM_END_NAMESPACE
