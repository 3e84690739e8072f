// SPDX-License-Identifier: MIT
#include "qemu_settings.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#include "device_settings.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::qemu {
namespace {

constexpr std::uint64_t mib = 1024 * 1024;
constexpr std::size_t most_kernel_arguments = 1500;  // bytes; x86 kernels cut what they are told at 2048
constexpr std::uint64_t default_memory = 1024 * mib;
constexpr std::uint64_t least_memory = 128 * mib;
constexpr std::uint64_t most_memory = 1024 * 1024 * mib;
constexpr int most_cpus = 64;
constexpr int most_usual_cpus = 8;
constexpr const char* default_binary = "qemu-system-x86_64";
constexpr const char* kvm_device = "/dev/kvm";

std::uint64_t read_memory(const Settings& settings) {
  const std::uint64_t bytes = settings.bytes("memory", default_memory, least_memory, most_memory);
  if (bytes % mib != 0)
    settings.find("memory")->fail("memory is " + std::to_string(bytes) +
                                  " bytes, accepted are whole MiB: 1 GiB, 768 MiB");
  return bytes / mib;
}

// As many as the system has, so that the slots of a machine are worth something; more than eight would mostly wait.
// One where the processor is emulated: with two, QEMU 7.2 hangs in one boot of thirty, while the kernel loads modules.
int usual_cpus(Acceleration chosen) {
  if (chosen == Acceleration::tcg) return 1;
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, most_usual_cpus);
}

int read_cpus(const Settings& settings, Acceleration chosen) {
  const auto node = settings.find("cpus");
  if (!node || node->text() == "auto") return usual_cpus(chosen);
  return static_cast<int>(settings.integer("cpus", 1, 1, most_cpus));
}

Acceleration read_accel(const Settings& settings) {
  const auto node = settings.find("accel");
  if (!node) return Acceleration::automatic;
  const std::string text = node->text();
  if (text == "auto") return Acceleration::automatic;
  if (text == "kvm") return Acceleration::kvm;
  if (text == "tcg") return Acceleration::tcg;
  node->fail("accel is '" + text + "', accepted are auto, kvm and tcg");
}

bool executable(const std::filesystem::path& file) {
  std::error_code error;
  return std::filesystem::is_regular_file(file, error) && ::access(file.c_str(), X_OK) == 0;
}

std::filesystem::path read_binary(const Settings& settings, const std::string& path) {
  const auto node = settings.find("binary");
  const Settings& place = node ? *node : settings;
  const std::filesystem::path named = node ? node->text() : default_binary;
  if (named.is_absolute()) {
    if (!executable(named)) place.fail("QEMU '" + named.string() + "' is no program that can be run");
    return named;
  }
  if (named.empty() || named.has_parent_path())
    place.fail("binary is '" + named.string() + "', accepted are a name to be found in PATH and an absolute path");
  std::istringstream directories(path);
  for (std::string directory; std::getline(directories, directory, ':');)
    if (directory.starts_with('/') && executable(directory / named)) return directory / named;
  place.fail("QEMU '" + named.string() +
             "' is not in PATH; install it (Debian: apt-get install qemu-system-x86) or set binary");
}

/// The value of the first line of /proc/cpuinfo that begins with `key`.
std::string processor_line(const std::string& key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(key)) return line.substr(std::min(line.size(), line.find(':') + 1));
  return {};
}

bool kvm_works() {
  const std::string flags = processor_line("flags") + " ";
  if (flags.find(" vmx ") == std::string::npos && flags.find(" svm ") == std::string::npos) return false;
  return static_cast<bool>(UniqueFd(::open(kvm_device, O_RDWR | O_CLOEXEC)));
}

// Whether it is the first disk that the machine is booted from.
bool read_boot(const Settings& settings, const QemuSettings& made) {
  const std::string boot = settings.text("boot", "image");
  if (boot == "image") return false;
  const Settings place = *settings.find("boot");
  if (boot != "disk") place.fail("boot is '" + boot + "', accepted are image and disk");
  if (made.disks.empty()) place.fail("boot is 'disk', but there are no disks; the first of them is booted from");
  if (const auto append = settings.find("append"))
    append->fail(
        "append is for the kernel of a guest image; with boot: disk it is the disk's boot loader that has one");
  return true;
}

}  // namespace

QemuSettings read_settings(const Settings& settings, const std::string& path) {
  settings.accept_only({"plugin", "memory", "cpus", "accel", "cpu", "binary", "machine", "boot", "disks", "nics",
                        "serials", "display", "rng", "balloon", "outlive", "extra", "append"});
  QemuSettings made;
  made.memory_mib = read_memory(settings);
  made.accel = read_accel(settings);
  made.cpus = read_cpus(settings, choose_acceleration(made.accel));
  if (const auto node = settings.find("cpu")) made.cpu = read_words(*node, "cpu", false);
  if (made.cpu.substr(0, made.cpu.find(',')) == "host" && choose_acceleration(made.accel) == Acceleration::tcg)
    settings.find("cpu")->fail(
        "cpu is 'host', which needs hardware virtualisation; leave it out, or name a model such as max");
  made.binary = read_binary(settings, path);
  made.machine = read_machine(settings);
  made.disks = read_disks(settings);
  made.boot_disk = read_boot(settings, made);
  made.nics = read_nics(settings);
  made.serials = read_serials(settings);
  made.display = read_display(settings);
  made.rng = settings.boolean("rng", true);
  made.balloon = settings.boolean("balloon", false);
  made.outlive = settings.boolean("outlive", false);
  made.extra = read_extra(settings);
  if (const auto node = settings.find("append")) {
    made.append = read_words(*node, "append", true);
    if (made.append.size() > most_kernel_arguments)
      node->fail("append has " + std::to_string(made.append.size()) + " bytes; the kernel takes " +
                 std::to_string(most_kernel_arguments) + " beside those that the machine needs");
  }
  return made;
}

Acceleration choose_acceleration(Acceleration wanted) {
  if (wanted != Acceleration::automatic) return wanted;
  return kvm_works() ? Acceleration::kvm : Acceleration::tcg;
}

std::string acceleration_name(Acceleration chosen) {
  return chosen == Acceleration::kvm ? "kvm" : "tcg";
}

std::string default_cpu(Acceleration chosen) {
  // Emulated, the plainest model starts a program in two thirds of the time that the richest one takes (5 against 7
  // ms).
  return chosen == Acceleration::kvm ? "host" : "qemu64";
}

std::string default_kernel_arguments(Acceleration chosen) {
  const std::string always = "console=ttyS0 loglevel=3 panic=-1 nowatchdog";
  // Emulated code that was translated is found again only at the same address: starting a program takes a sixth of the
  // time. The price, addresses that a program can foretell, is paid inside a machine that runs nothing but foreign
  // code.
  return chosen == Acceleration::kvm ? always : always + " norandmaps";
}

std::string host_processor() {
  return processor_line("model name");
}

}  // namespace pbotvm::qemu
