// SPDX-License-Identifier: MIT
#include "cli/virsh.h"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <sstream>

#include "cli/program.h"
#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::cli {

namespace {

using namespace std::chrono_literals;

constexpr auto patience = 40s;  // a daemon that was just started asks QEMU for its abilities first

bool has(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

// virsh's lines as one, without "error: " in front of each.
std::string one_line(const std::string& text) {
  std::istringstream lines(text);
  std::string joined, line;
  while (std::getline(lines, line)) {
    if (line.starts_with("error: ")) line.erase(0, 7);
    if (line.empty()) continue;
    joined += (joined.empty() ? "" : "; ") + line;
  }
  return joined.empty() ? "it did not say why" : joined;
}

// A file with this content that goes with it.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content) {
    const char* folder = ::getenv("TMPDIR");
    path_ = std::string(folder != nullptr && *folder != '\0' ? folder : "/tmp") + "/pbotvm-xml-XXXXXX";
    const UniqueFd fd(::mkstemp(path_.data()));
    if (!fd) throw Error(ErrorCode::unavailable, errno_text("make the file " + path_, errno));
    if (::write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
      const int error = errno;
      ::unlink(path_.c_str());
      throw Error(ErrorCode::unavailable, errno_text("write " + path_, error));
    }
  }
  ~TemporaryFile() { ::unlink(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

bool Virsh::is_local(const std::string& uri) {
  return uri.starts_with("qemu:///") || uri.starts_with("qemu+unix:");
}

std::string Virsh::uri_of(const config::MachineConfiguration& machine) {
  return machine.hypervisor.settings.text("uri", "qemu:///system");
}

std::string Virsh::definition() const {
  return ask({"dumpxml", "--inactive", "--domain", domain_});
}

void Virsh::attach(const std::string& xml) const {
  const TemporaryFile file(xml);
  ask({"attach-device", "--domain", domain_, "--file", file.path(), "--config"});
}

std::string Virsh::running_definition() const {
  return ask({"dumpxml", "--domain", domain_});
}

void Virsh::attach_live(const std::string& xml) const {
  const TemporaryFile file(xml);
  ask({"attach-device", "--domain", domain_, "--file", file.path(), "--live"});
}

bool Virsh::exists() const {
  std::istringstream lines(ask({"list", "--all", "--name"}));
  for (std::string line; std::getline(lines, line);)
    if (line == domain_) return true;
  return false;
}

void Virsh::define(const std::string& xml) const {
  const TemporaryFile file(xml);
  ask({"define", "--file", file.path(), "--validate"});
}

void Virsh::undefine() const {
  ask({"undefine", "--domain", domain_, "--managed-save", "--snapshots-metadata", "--nvram"});
}

std::string Virsh::uuid() const {
  const std::string text = ask({"domuuid", "--domain", domain_});
  return text.substr(0, text.find('\n'));
}

std::string Virsh::state() const {
  const std::string text = ask({"domstate", "--domain", domain_});
  return text.substr(0, text.find('\n'));
}

void Virsh::start() const {
  ask({"start", "--domain", domain_});
}

void Virsh::stop(bool now) const {
  ask({now ? "destroy" : "shutdown", "--domain", domain_});
}

std::string Virsh::ask(const std::vector<std::string>& words) const {
  std::vector<std::string> arguments = {"virsh", "-q", "-c", uri_};
  arguments.insert(arguments.end(), words.begin(), words.end());
  const auto end = run_program(arguments, Deadline::in(patience));
  if (!end.found)
    throw Error(
        ErrorCode::unavailable, "there is no program virsh",
        "install it (Debian: libvirt-clients, Fedora and openSUSE: libvirt-client), or use --print-xml or --qemu");
  if (end.timed_out)
    throw Error(ErrorCode::timed_out,
                "libvirt did not answer `virsh -c " + uri_ + " " + words[0] + "` within " +
                    std::to_string(patience.count()) + " s",
                "see `systemctl status libvirtd`");
  if (end.status != 0) fail(words[0], one_line(end.err));
  return end.out;
}

void Virsh::fail(const std::string& command, const std::string& text) const {
  const std::string tried = "virsh -c " + uri_ + " " + command + ": " + text;
  if (has(text, "failed to get domain") || has(text, "Domain not found"))
    throw Error(ErrorCode::unavailable, tried,
                names() +
                    "; name another with PBOTVM_DOMAIN or machines.NAME.domain, or define it first; a machine of "
                    "the hypervisor qemu needs none, pbotvm-host gives it its lines");
  if (has(text, "vhost-vsock"))
    throw Error(ErrorCode::unavailable, tried, "modprobe vhost_vsock, or take the vsock out of the domain");
  if (has(text, "Permission denied") || has(text, "authentication") || has(text, "polkit"))
    throw Error(ErrorCode::refused, tried, "be root, or become one of the group libvirt: adduser $USER libvirt");
  if (has(text, "failed to connect"))
    throw Error(ErrorCode::unavailable, tried,
                "start libvirt's daemon: systemctl enable --now libvirtd; another place is hypervisor.uri");
  throw Error(ErrorCode::refused, tried, "look at the domain: virsh -c " + uri_ + " dumpxml --inactive " + domain_);
}

std::string Virsh::names() const {
  const auto end = run_program({"virsh", "-q", "-c", uri_, "list", "--all", "--name"}, Deadline::in(patience));
  std::istringstream lines(end.out);
  std::string joined, line;
  while (std::getline(lines, line)) {
    if (!line.empty()) joined += (joined.empty() ? "" : ", ") + line;
  }
  if (!end.succeeded()) return "the domains there are cannot be listed";
  return joined.empty() ? "there are no domains" : "there are " + joined;
}

}  // namespace pbotvm::cli
