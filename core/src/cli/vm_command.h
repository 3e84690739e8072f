// SPDX-License-Identifier: MIT
#pragma once

#include "cli/command.h"

namespace pbotvm::cli {

inline constexpr char vm_usage[] =
    "pbotvm [--config FILE] vm list                      every configured machine\n"
    "       pbotvm [--config FILE] vm status [MACHINE]          one of them\n"
    "       pbotvm [--config FILE] vm start [MACHINE]           start its libvirt domain\n"
    "       pbotvm [--config FILE] vm stop [MACHINE]            ask the domain's guest to shut down\n"
    "       pbotvm [--config FILE] vm destroy [MACHINE]         end the domain at once\n"
    "       pbotvm [--config FILE] vm console [MACHINE]         its console; Ctrl-] leaves it\n"
    "       pbotvm [--config FILE] vm delete MACHINE [--disks]  what it has outside the settings; not while it runs\n"
    "       pbotvm [--config FILE] vm create MACHINE --iso FILE | --image DIR [--hypervisor libvirt|qemu]\n"
    "           [--disk FILE] [--disk-size 12G] [--memory 2G] [--cpus N] [--console serial|spice|vnc]\n"
    "           [--network user|none|bridge=NAME] [--print]     a new one, from an installer or from our guest image;\n"
    "                                                        --print: only say what would be run\n"
    "A machine of qemu lives in pbotvm-host: it starts with it and, unless its setting outlive is true, ends with "
    "it.\n";

/// `pbotvm vm`.
int run_vm(const Invocation& invocation);

}  // namespace pbotvm::cli
