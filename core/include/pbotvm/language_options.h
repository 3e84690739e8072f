// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pbotvm/abi.h"

PBOTVM_BEGIN_NAMESPACE

/// Which words in front of a request's code are options of a language's compiler or interpreter. The host asks for it
/// where it looks at requests itself: to find -paste behind other options, and to keep options apart from the code in a
/// channel's history. An extension of Language: it returns this interface from extension(LanguageOptions::identifier).
/// A language without it is taken for one that takes options, none of them with a value of its own. Called by any
/// thread, at the same time; pure. Never gains virtuals.
class PBOTVM_EXPORT LanguageOptions {
 public:
  static constexpr std::string_view identifier = "pbotvm.language.options/1";

  virtual ~LanguageOptions();

  /// False: words that begin with '-' are code, but for PBot's own options. What plan() gives parse_code_options() as
  /// `takes_options`.
  virtual bool takes_options() const = 0;

  /// What a request may hand over, as ToolOptions has it: rules with a blank are options that are followed by a value.
  /// At most 10 000.
  virtual std::vector<std::string> option_rules() const = 0;
};

PBOTVM_END_NAMESPACE
