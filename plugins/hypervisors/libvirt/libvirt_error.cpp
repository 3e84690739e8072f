// SPDX-License-Identifier: MIT
#include "libvirt_error.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <cerrno>

namespace pbotvm::libvirt {
namespace {

ErrorCode code_of(int number) {
  switch (number) {
    case VIR_ERR_OPERATION_TIMEOUT:
    case VIR_ERR_AGENT_UNRESPONSIVE:
      return ErrorCode::timed_out;
    case VIR_ERR_OPERATION_DENIED:
    case VIR_ERR_OPERATION_INVALID:
    case VIR_ERR_OPERATION_FAILED:
    case VIR_ERR_OPERATION_UNSUPPORTED:
    case VIR_ERR_CONFIG_UNSUPPORTED:
    case VIR_ERR_NO_DOMAIN_SNAPSHOT:
    case VIR_ERR_SNAPSHOT_REVERT_RISKY:
      return ErrorCode::refused;
    default:
      return ErrorCode::unavailable;
  }
}

std::string there_are(const std::string& names, const std::string& kind) {
  return names.empty() ? "there is no " + kind + " at all" : "there are: " + names;
}

std::string permission_remedy() {
  return "add the user that the host runs as to the group of libvirt's socket (usermod -aG libvirt USER) and start the "
         "host anew";
}

bool says(std::string_view text, std::string_view words) {
  return text.find(words) != text.npos;
}

/// Whether the daemon is another system's: a transport other than a Unix socket, or a system's name after the slashes.
bool is_remote(std::string_view uri) {
  if (says(uri, "+unix:")) return false;
  return says(uri.substr(0, uri.find(':')), "+") || !says(uri, ":///");
}

/// What QEMU or libvirt say of the system itself, under whatever number.
std::string remedy_for_text(std::string_view text) {
  if (says(text, "vhost-vsock"))
    return "load the module with 'modprobe vhost_vsock', or remove the device and set cid: 0";
  if (says(text, "Address already in use"))
    return "something else listens there, perhaps this machine under another host: 'ss -ltnp' says what";
  if (says(text, "bind to UNIX socket"))
    return "the directory of that socket must be there, and QEMU's user must be able to write to it";
  if (says(text, "polkit") || says(text, "system bus"))
    return "polkit needs a running D-Bus; without it set auth_unix_rw = \"none\" and unix_sock_group = \"libvirt\" "
           "in libvirtd.conf";
  if (says(text, "user runtime directory"))
    return "qemu:///session is the daemon of the user that the host runs as: set HOME and XDG_RUNTIME_DIR to "
           "directories of that user";
  return {};
}

/// Of an error of the system itself, most of which mean that the daemon cannot be reached.
std::string system_remedy(int system, std::string_view text, const Subject& subject) {
  const bool denied = system == EACCES || system == EPERM || says(text, "Permission denied");
  const bool connecting = says(text, "connect socket") || says(text, "connect to server") || says(text, "recv data");
  if (connecting && is_remote(subject.uri))
    return "the user that the host runs as must get there by itself (over ssh: with a key, no_tty=1 and a known host "
           "key): virsh -c '" +
           subject.uri + "' uri";
  if (connecting || says(text, "libvirt-sock"))
    return denied
               ? permission_remedy()
               : "start libvirt's daemon: systemctl start libvirtd (where a distribution splits it: virtqemud.socket)";
  if (denied) return "QEMU's user (Debian: libvirt-qemu) must be able to enter every directory on the way to that file";
  return says(text, "No such file") ? "the domain names a file that is not there: 'virsh edit " + subject.domain + "'"
                                    : "";
}

}  // namespace

std::string hung_remedy(std::string_view uri) {
  if (is_remote(uri))
    return "see whether that system can be reached and its daemon answers: virsh -c '" + std::string(uri) + "' uri";
  return "restart its daemon, while the domains go on: systemctl restart libvirtd (where a distribution splits it: "
         "virtqemud)";
}

std::string remedy_for(int number, int system, std::string_view text, const Subject& subject,
                       const std::string& names) {
  if (const std::string found = remedy_for_text(text); !found.empty()) return found;
  switch (number) {
    case VIR_ERR_NO_CONNECT:
    case VIR_ERR_INVALID_ARG:
    case VIR_ERR_NO_SUPPORT:
      return "hypervisor.uri is '" + subject.uri +
             "'; usual are qemu:///system, qemu:///session and qemu+ssh://USER@HOST/system";
    case VIR_ERR_SYSTEM_ERROR:
      return system_remedy(system, text, subject);
    case VIR_ERR_AUTH_FAILED:
    case VIR_ERR_AUTH_CANCELLED:
    case VIR_ERR_AUTH_UNAVAILABLE:
    case VIR_ERR_ACCESS_DENIED:
      return permission_remedy();
    case VIR_ERR_NO_DOMAIN:
      return there_are(names, "domain") + "; set machines.NAME.domain to one of them, or define it with 'virsh define'";
    case VIR_ERR_NO_DOMAIN_SNAPSHOT:
      return there_are(names, "snapshot") + "; with the machine ready, make it with 'virsh snapshot-create-as " +
             subject.domain + " " + subject.snapshot + "'";
    case VIR_ERR_CONFIG_UNSUPPORTED:
    case VIR_ERR_OPERATION_UNSUPPORTED:
      return "a snapshot needs every writable disk of the domain to be qcow2, and at least one: docs/libvirt.md";
    case VIR_ERR_OPERATION_TIMEOUT:
      return "libvirt is busy with this domain: 'virsh domjobinfo " + subject.domain + "' says with what";
    case VIR_ERR_OPERATION_INVALID:
      return "'virsh domstate --reason " + subject.domain + "' says what state the domain is in";
    default:
      return {};
  }
}

LibvirtError::LibvirtError(const std::string& tried, int number, const std::string& text, int system,
                           const Subject& subject, const std::string& names)
    : Error(code_of(number), tried + ": " + text + " (libvirt error " + std::to_string(number) + ")",
            remedy_for(number, system, text, subject, names)),
      number_(number) {}

LibvirtError::~LibvirtError() = default;

void silence_libvirt() {
  virSetErrorFunc(nullptr, [](void*, virErrorPtr) {});
}

void throw_last_error(const std::string& tried, const Subject& subject, const std::string& names) {
  const virErrorPtr last = virGetLastError();
  if (last == nullptr) throw LibvirtError(tried, VIR_ERR_INTERNAL_ERROR, "libvirt gave no reason", 0, subject, names);
  const int system = last->code == VIR_ERR_SYSTEM_ERROR ? last->int1 : 0;
  throw LibvirtError(tried, last->code, last->message == nullptr ? "no text" : last->message, system, subject, names);
}

}  // namespace pbotvm::libvirt
