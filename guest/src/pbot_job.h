// SPDX-License-Identifier: MIT
#pragma once

// PBot's own dialect, what a request means: a job like any other, and the text that PBot makes of how it ended.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pbot_request.h"
#include "pbotvm/job.h"

namespace pbotvm::guest {

/// Splits arguments as PBot does: at spaces; a quote counts where it stands at the edges of a word; a backslash takes
/// the next character as it is; a quote that nothing closes is an ordinary character.
std::vector<std::string> split_pbot_words(std::string_view text);

struct PbotPlan {
  Job job;
  std::uint32_t compile_steps = 0;  ///< those before the last one; the messages of the last that has some are shown
};

/// The job of a request. `wall` is for all its steps together.
PbotPlan plan_pbot_job(const PbotRequest& request, std::chrono::milliseconds wall);

/// What became of it.
struct PbotOutcome {
  struct Output {
    std::string out, err;
  };
  std::vector<Output> output;  ///< by step
  std::vector<StepResult> steps;
  Limit limit = Limit::none;
  std::string error;  ///< not empty: the job could not be run, and why
};

/// The text of the result, bytes as the programs wrote them.
std::string pbot_result(const PbotRequest& request, const PbotPlan& plan, const PbotOutcome& outcome);

/// The two lines that bring a result to the host. What is no UTF-8 becomes U+FFFD; only ASCII leaves.
std::string encode_pbot_result(const std::string& text);

}  // namespace pbotvm::guest
