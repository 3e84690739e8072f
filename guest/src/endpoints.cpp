// SPDX-License-Identifier: MIT
#include "endpoints.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

// Behind sys/socket.h, whose types it needs.
#include <linux/vm_sockets.h>

#include <cerrno>
#include <cstring>

#include "system.h"

namespace pbotvm::guest {
namespace {

constexpr const char* virtio_ports = "/sys/class/virtio-ports";
constexpr int backlog = 64;

void make_raw(int fd, const std::string& device) {
  termios settings{};
  if (tcgetattr(fd, &settings) < 0) throw SystemError(device);
  cfmakeraw(&settings);
  settings.c_cflag |= CLOCAL | CREAD;
  settings.c_cc[VMIN] = 1;
  settings.c_cc[VTIME] = 0;
  cfsetspeed(&settings, B115200);
  if (tcsetattr(fd, TCSANOW, &settings) < 0) throw SystemError(device);
}

// "vport0p1" for "pbotvm.data"; empty when there is none.
std::string node_of(const std::string& name) {
  DIR* directory = opendir(virtio_ports);
  if (!directory) return "";
  std::string node;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    const std::string found = read_file(std::string(virtio_ports) + "/" + entry->d_name + "/name");
    if (found == name + "\n") node = entry->d_name;
  }
  closedir(directory);
  return node;
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw SystemError(path, ENAMETOOLONG);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// Only a socket, and only when nobody answers on it.
void remove_abandoned(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) < 0 || !S_ISSOCK(info.st_mode)) return;
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = address_of(path);
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 && errno == ECONNREFUSED) {
    unlink(path.c_str());
  }
}

}  // namespace

UniqueFd open_serial(const std::string& device) {
  UniqueFd fd(open(device.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!fd) throw SystemError(device);
  make_raw(fd.get(), device);
  return fd;
}

UniqueFd open_virtio_serial(const std::string& name) {
  std::string path = name;
  if (name.find('/') == std::string::npos) {
    const std::string node = node_of(name);
    if (node.empty()) throw SystemError("virtio-serial port " + name, ENODEV);
    path = "/dev/" + node;
  }
  UniqueFd fd(open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!fd) throw SystemError(path);
  if (isatty(fd.get())) make_raw(fd.get(), path);
  return fd;
}

UniqueFd open_heartbeat(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!fd) throw SystemError(path);
  if (isatty(fd.get())) make_raw(fd.get(), path);
  return fd;
}

UniqueFd listen_on_vsock(std::uint32_t port) {
  const std::string name = "vsock port " + std::to_string(port);
  UniqueFd fd(socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) throw SystemError(name);
  sockaddr_vm address{};
  address.svm_family = AF_VSOCK;
  address.svm_cid = VMADDR_CID_ANY;
  address.svm_port = port;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) throw SystemError(name);
  if (listen(fd.get(), backlog) < 0) throw SystemError(name);
  return fd;
}

UniqueFd listen_on(const std::string& path) {
  remove_abandoned(path);
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto address = address_of(path);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
    throw SystemError("bind " + path);
  if (listen(fd.get(), backlog) < 0) throw SystemError("listen on " + path);
  return fd;
}

}  // namespace pbotvm::guest
