// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "pbotvm/error.h"

namespace pbotvm::libvirt {

/// What a call of libvirt was about: for the texts of its errors.
struct Subject {
  std::string uri;
  std::string domain;
  std::string snapshot;  ///< empty where the call is about none
};

/// A call of libvirt that failed. what() is what was tried, libvirt's own text and number, and the remedy. The numbers
/// are those of virErrorNumber, https://libvirt.org/html/libvirt-virterror.html
class LibvirtError : public Error {
 public:
  /// `system` is the errno value behind it, 0 where there is none; `names` lists what there is in the place of what was
  /// asked for (domains, snapshots), empty where that does not matter.
  LibvirtError(const std::string& tried, int number, const std::string& text, int system, const Subject& subject,
               const std::string& names = {});
  ~LibvirtError() override;

  int number() const noexcept { return number_; }

 private:
  int number_;
};

/// Keeps libvirt from writing every error to standard error as well. Once a process.
void silence_libvirt();

/// Throws what the last call of this thread left behind.
[[noreturn]] void throw_last_error(const std::string& tried, const Subject& subject, const std::string& names = {});

/// What the operator can do about an error of libvirt; empty where its text says all that is known.
std::string remedy_for(int number, int system, std::string_view text, const Subject& subject, const std::string& names);

/// What the operator can do about a daemon that does not answer, at `uri`.
std::string hung_remedy(std::string_view uri);

}  // namespace pbotvm::libvirt
