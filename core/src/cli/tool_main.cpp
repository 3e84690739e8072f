// SPDX-License-Identifier: MIT

// The program `pbotvm-tool`: the commands of `pbotvm` that need plug-ins or more libraries than a client should load.

#include "cli/command.h"
#include "cli/devices_command.h"
#include "cli/doctor/doctor_command.h"
#include "cli/exec_command.h"
#include "cli/image_command.h"
#include "cli/language_command.h"
#include "cli/languages_command.h"
#include "cli/plugin_new.h"
#include "cli/snapshot_command.h"
#include "cli/vm_command.h"
#include "cli/warm_command.h"

namespace {

using pbotvm::cli::Command;

constexpr Command commands[] = {
    {"devices", pbotvm::cli::devices_usage, pbotvm::cli::run_devices},
    {"exec", pbotvm::cli::exec_usage, pbotvm::cli::run_exec, true},
    {"doctor", pbotvm::cli::doctor_usage, pbotvm::cli::run_doctor},
    {"image", pbotvm::cli::image_usage, pbotvm::cli::run_image},
    {"language", pbotvm::cli::language_usage, pbotvm::cli::run_language},
    {"languages", pbotvm::cli::languages_usage, pbotvm::cli::run_languages},
    {"plugin", pbotvm::cli::plugin_usage, pbotvm::cli::run_plugin},
    {"snapshot", pbotvm::cli::snapshot_usage, pbotvm::cli::run_snapshot},
    {"vm", pbotvm::cli::vm_usage, pbotvm::cli::run_vm},
    {"warm", pbotvm::cli::warm_usage, pbotvm::cli::run_warm},
};

constexpr char usage[] = "usage: pbotvm-tool is a part of pbotvm, which starts it; see pbotvm --help\n";

}  // namespace

int main(int argc, char** argv) {
  return pbotvm::cli::guarded_main([&] {
    return pbotvm::cli::run_command(commands, pbotvm::cli::Words(argv + (argc > 0 ? 1 : 0), argv + argc), usage, {});
  });
}
