// SPDX-License-Identifier: MIT
#pragma once

#include "cli/command.h"

namespace pbotvm::cli {

inline constexpr char devices_usage[] =
    "pbotvm [--config FILE] devices add-serials [MACHINE] [--print-xml | --qemu]        ttyS2 and ttyS3; add-serials\n"
    "       pbotvm [--config FILE] devices add-vsock [MACHINE] [--print-xml | --qemu]          VM socket; add-vsock\n"
    "       pbotvm [--config FILE] devices add-virtio-serial [MACHINE] [--print-xml | --qemu]  virtio-serial port\n"
    "       pbotvm [--config FILE] devices list [MACHINE]                                      what the domain has\n"
    "Adds the lines of a machine to its libvirt domain (PBOTVM_DOMAIN, with PBOTVM_SERIAL, PBOTVM_HEART, PBOTVM_CID,\n"
    "PBOTVM_VIRTIO_SERIAL), for good. --print-xml and --qemu only print the device.\n";

/// `pbotvm devices`, `add-serials`, `add-vsock`.
int run_devices(const Invocation& invocation);

}  // namespace pbotvm::cli
