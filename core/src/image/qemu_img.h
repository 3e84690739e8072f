// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "image/progress.h"

namespace pbotvm::image {

/// Runs `qemu-img` with these arguments to its end. With -p among them its progress is told. Told to end, or killed
/// together with this process, it is ended by SIGTERM. Throws Error: `unavailable` where there is no qemu-img,
/// `refused` with its own words, and with what to do where they are known. One thread at a time.
Outcome run_qemu_img(const std::vector<std::string>& arguments, const Watch& watch = {});

/// The percentage in what `qemu-img -p` printed last, such as "    (12.34/100%)\r"; negative where there is none.
double last_percentage(const std::string& text);

}  // namespace pbotvm::image
