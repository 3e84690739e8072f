// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pbotvm/abi.h"

PBOTVM_BEGIN_NAMESPACE

/// Which options a request may hand to a compiler or interpreter. What no rule names is refused, so that an option
/// which loads code, reads other options from a file or writes outside of the job is never a matter of forgetting it.
///
/// A rule is an option as it is written. In it `*` stands for any characters and `?` for one, none of them a control
/// character. A rule with a blank, such as `-include *`, is an option and its value, two words. A rule that begins with
/// `!` refuses what it matches, whatever the others say. Immutable: any thread.
class PBOTVM_EXPORT ToolOptions {
 public:
  /// Throws Error{configuration} for a rule that is empty, does not begin with '-' (behind the '!'), or has more than
  /// one blank.
  explicit ToolOptions(std::vector<std::string> rules);

  /// As they were given.
  std::vector<std::string> rules() const;

  /// The options of the rules that are followed by a value: "-include". Views into this object.
  std::vector<std::string_view> with_value() const;

  /// The first of `options`, in the order of the request, that is not allowed, with its value; empty when all are.
  std::string first_refused(const std::vector<std::string>& options) const;

  /// What a client reads: "Option '-fplugin=x' is not allowed for language 'c11'; allowed are -O?, -W*, ...", shortened
  /// where there are many; for what a rule with `!` excludes that rule, and whether a value is missing. Empty when all
  /// are allowed.
  std::string refusal(std::string_view language, const std::vector<std::string>& options) const;

 private:
  struct Rule {
    std::string option, value;  // patterns
    bool takes_value = false, refuses = false;
  };
  std::vector<Rule> rules_;
};

PBOTVM_END_NAMESPACE
