// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "c_wrap.h"
#include "pbotvm/language.h"
#include "pbotvm/reply_text.h"

namespace pbotvm::c {

/// C of one standard, compiled with gcc in the guest.
class CLanguage final : public Language {
 public:
  /// `standard` is what -lang= and -std= take: c89, c99, c11, c2x.
  explicit CLanguage(std::string standard);

  std::string name() const override { return standard_; }
  std::vector<std::string> aliases() const override { return {}; }
  std::vector<std::string> tools() const override { return {"gcc", "as", "ld"}; }
  std::string hello() const override { return "int main(void) { puts(\"hello\"); return 0; }"; }
  Plan plan(const Request& request) const override;
  std::string reply(const Request& request, const Result& result) const override;

  /// The compiler's command; `options` empty means the default ones.
  std::vector<std::string> compile_command(const std::vector<std::string>& options) const;

 private:
  std::vector<std::string> default_options() const;

  std::string standard_;
};

}  // namespace pbotvm::c
