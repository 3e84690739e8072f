// SPDX-License-Identifier: MIT
#include "bridge_helper.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "pbotvm/error.h"
#include "qemu_process.h"

namespace pbotvm::qemu {
namespace {

constexpr std::array usual_places = {"/usr/lib/qemu/qemu-bridge-helper", "/usr/libexec/qemu-bridge-helper",
                                     "/usr/lib/qemu-bridge-helper"};
constexpr std::size_t longest_complaint = 1024;

std::string find_helper(const std::string& named, const std::string& what) {
  if (!named.empty()) {
    if (::access(named.c_str(), X_OK) == 0) return named;
    throw Error(ErrorCode::unavailable, what + ": " + errno_text(named, errno),
                "leave helper out, or name QEMU's qemu-bridge-helper");
  }
  for (const char* place : usual_places)
    if (::access(place, X_OK) == 0) return place;
  throw Error(ErrorCode::unavailable, what + ": there is no qemu-bridge-helper",
              "install it (Debian: apt-get install qemu-system-common) or name it with the card's key helper");
}

/// What it said, in one line.
std::string words_of(const UniqueFd& log) {
  std::string text(longest_complaint, '\0');
  const ssize_t got = ::pread(log.get(), text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  text.erase(text.find_last_not_of(" \r\n\t") + 1);
  for (char& byte : text)
    if (static_cast<unsigned char>(byte) < ' ') byte = ' ';
  return text;
}

std::string remedy_for(const std::string& words, const std::string& bridge, const std::string& helper) {
  const auto said = [&words](const char* part) { return words.find(part) != std::string::npos; };
  if (said("acl file") || said("denied by"))
    return "write the line 'allow " + bridge + "' to /etc/qemu/bridge.conf, which must be root's and readable to it";
  if (said("/dev/net/tun") && said("denied"))
    return "let it be opened, as udev does, which gives it mode 0666: chmod 0666 /dev/net/tun";
  struct stat status {};
  const bool setuid = ::stat(helper.c_str(), &status) == 0 && (status.st_mode & S_ISUID) != 0;
  if ((said("not permitted") || said("denied")) && ::geteuid() != 0 && !setuid)
    return "start the host as root or with that right (in its service AmbientCapabilities=CAP_NET_ADMIN and "
           "CapabilityBoundingSet=CAP_NET_ADMIN), or let the helper be root's: chmod u+s " +
           helper;
  if (said("not permitted")) return "this system does not let root make network devices; it needs CAP_NET_ADMIN";
  if (said("/dev/net/tun")) return "load the kernel module tun";
  if (said("No such device"))
    return "make the bridge: ip link add " + bridge + " type bridge && ip link set " + bridge + " up";
  return "try it by hand: " + helper + " --br=" + bridge + " --fd=0";
}

/// The descriptor that a message of one byte brings; none when the other end was closed first.
UniqueFd receive_descriptor(const UniqueFd& socket) {
  char byte;
  iovec data{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) <= 0) return {};
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) return {};
  int descriptor = -1;
  std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
  return UniqueFd(descriptor);
}

}  // namespace

UniqueFd open_bridge_port(const std::string& bridge, const std::string& named, const Deadline& deadline) {
  const std::string what = "cannot make a port of the bridge '" + bridge + "'";
  const std::string helper = find_helper(named, what);
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw Error(ErrorCode::internal, errno_text("make a socket pair", errno));
  const UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  const UniqueFd log(::memfd_create("bridge-helper", MFD_CLOEXEC));
  if (!log) throw Error(ErrorCode::internal, errno_text("make a file in memory", errno));
  QemuProcess run({helper, "--br=" + bridge, "--fd=" + std::to_string(first_inherited)}, {theirs.get()}, log.get());
  if (!run.wait(deadline)) throw Error(ErrorCode::timed_out, what + ": " + helper + " did not end in time");
  UniqueFd port = receive_descriptor(ours);
  if (port && run.succeeded()) return port;
  const std::string words = words_of(log);
  throw Error(ErrorCode::unavailable,
              what + ": " + helper + " ended with " + run.ending() + (words.empty() ? "" : " and said: " + words),
              remedy_for(words, bridge, helper));
}

}  // namespace pbotvm::qemu
