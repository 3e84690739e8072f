// SPDX-License-Identifier: MIT
#pragma once

#include "cli/command.h"

namespace pbotvm::cli {

inline constexpr char image_usage[] =
    "pbotvm [--config FILE] image info FILE [--json]      an image and everything that it lies on\n"
    "       pbotvm image create FILE SIZE [--format FORMAT]      a new one: 10G; FORMAT is qcow2 or raw\n"
    "       pbotvm image overlay BASE FILE [--protect]           a new one that lies on BASE; nobody may write BASE "
    "then\n"
    "       pbotvm image overlay list DIRECTORY|BASE [--json]    the overlays there, or on BASE\n"
    "       pbotvm image commit FILE [--into BASE] [--force] [--keep|--delete] [--rate BYTES] [--qmp SOCKET]\n"
    "                                                            merge it into what it lies on\n"
    "       pbotvm image rebase FILE NEW_BASE [--unsafe]         put it onto another base; --unsafe: one that was "
    "moved\n"
    "       pbotvm image stream FILE [--base BASE] [--rate BYTES] [--qmp SOCKET]\n"
    "                                                            pull in what it has from what it lies on\n"
    "An image that a machine of pbotvm-host has open is merged and pulled in through that machine's QEMU. --qmp: "
    "through\n"
    "another QEMU that runs with the image, by its QMP socket. --rate is in bytes a second.\n";

/// `pbotvm image COMMAND ...`: disk images in layers. Exit status: 1 where something was refused or failed, 64 for
/// wrong usage, 69 where something is not there, 130 when it was told to end.
int run_image(const Invocation& invocation);

}  // namespace pbotvm::cli
