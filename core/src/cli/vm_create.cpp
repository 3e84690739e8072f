// SPDX-License-Identifier: MIT
#include "cli/vm_create.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/control_client.h"
#include "cli/program.h"
#include "cli/virsh.h"
#include "cli/vm_create_plan.h"
#include "image/layers.h"
#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::cli {

namespace {

namespace fs = std::filesystem;
using Console = CreateWish::Console;

constexpr std::size_t longest_socket = 107;             // bytes of its path
constexpr std::uintmax_t nothing_written = 512 * 1024;  // bytes of a qcow2 image that holds no data yet

// What was made, and goes again unless keep() is called.
class Undo {
 public:
  Undo() = default;
  ~Undo() {
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) take_back(*step);
  }
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;

  /// `undo` returns whether there was anything to remove.
  void add(std::string what, std::function<bool()> undo) { steps_.push_back({std::move(what), std::move(undo)}); }
  void keep() { steps_.clear(); }

 private:
  struct Step {
    std::string what;
    std::function<bool()> undo;
  };

  static void take_back(const Step& step) {
    try {
      if (step.undo()) std::cerr << "removed " << step.what << " again\n";
    } catch (const std::exception& e) {
      std::cerr << "could not remove " << step.what << " again: " << e.what() << '\n';
    }
  }

  std::vector<Step> steps_;
};

// A directory that goes with its files.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string path = fs::temp_directory_path() / "pbotvm-installer-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr)
      throw Error(ErrorCode::unavailable, errno_text("make the directory " + path, errno));
    path_ = path;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// ---- The disk

// Sizes are whole mebibytes here.
std::string disk_size_text(const CreatePlan& plan) {
  return std::to_string(plan.disk_size / (1024 * 1024)) + "M";
}

void check_disk(const CreatePlan& plan) {
  if (plan.disk.empty()) return;
  std::error_code error;
  if (fs::exists(fs::symlink_status(plan.disk, error)))
    throw Error(ErrorCode::refused, "there is a file " + plan.disk.string() + " already, which is not overwritten",
                "name another one with --disk, or remove it");
  const fs::path folder = plan.disk.parent_path();
  if (fs::is_directory(folder, error) || (!plan.wish.disk && !plan.libvirt)) return;
  throw Error(ErrorCode::unavailable, "there is no directory " + folder.string() + " for the disk",
              "make it, or name another place with --disk");
}

void make_disk(const CreatePlan& plan, Undo& undo) {
  if (plan.disk.empty()) return;
  std::error_code error;
  const fs::path folder = plan.disk.parent_path();
  if (fs::create_directories(folder, error)) undo.add(folder.string(), [folder] { return fs::remove(folder); });
  if (error)
    throw Error(ErrorCode::unavailable, errno_text("make the directory " + folder.string(), error.value()),
                "name another place with --disk");
  image::create(plan.disk, plan.disk_size, image::Format::qcow2);
  undo.add(plan.disk.string(), [disk = plan.disk] { return fs::remove(disk); });
}

// To the user, who may own the directory: what is there by now may be his own link to a file of root's.
bool give_file(const fs::path& file, const passwd& user) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct ::stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return false;
  if (!S_ISREG(status.st_mode) || status.st_nlink != 1) return errno = EMLINK, false;
  return ::fchown(fd.get(), user.pw_uid, user.pw_gid) == 0;
}

// A host that root starts opens its disks as another user.
void give_disk_to_host(const CreatePlan& plan) {
  if (plan.disk.empty() || ::geteuid() != 0) return;
  const passwd* user = ::getpwnam(plan.user.c_str());
  if (user == nullptr) {
    std::cerr << "There is no user " << plan.user << " yet, as whom the host will open the disk: chown "
              << plan.disk.string() << " when there is.\n";
  } else if (!give_file(plan.disk, *user)) {
    std::cerr << errno_text("chown " + plan.disk.string(), errno) << ": give it to " << plan.user << '\n';
  }
}

void print_settings(const CreatePlan& plan) {
  std::cout << "\nThe machine as /etc/pbotvm/pbotvm.yaml has it, for the host:\n\n" << settings_yaml(plan);
}

// ---- Programs

// A name that no other domain has.
std::string new_uuid() {
  std::string text;
  std::ifstream file("/proc/sys/kernel/random/uuid");
  if (!std::getline(file, text)) throw Error(ErrorCode::unavailable, "cannot read /proc/sys/kernel/random/uuid");
  return text;
}

void check_end(const TerminalEnd& end, const std::string& program, const std::string& package) {
  if (!end.found) throw Error(ErrorCode::unavailable, "there is no program " + program, package);
  if (end.interrupted) throw Error(ErrorCode::unavailable, program + " was ended before it was done");
  if (end.status != 0)
    throw Error(ErrorCode::refused, program + " ended with status " + std::to_string(end.status),
                "what it said stands above");
}

// ---- Plain QEMU

void check_screen(const CreatePlan& plan) {
  if (plan.wish.console == Console::serial) return;
  if (screen_socket(plan).string().size() > longest_socket)
    throw Error(ErrorCode::configuration, "the path " + screen_socket(plan).string() + " is too long for a socket",
                "name a shorter place with --disk");
  const char* scheme = plan.wish.console == Console::spice ? "spice+unix://" : "unix socket, for a VNC viewer: ";
  std::cout << "The installer's screen: " << (plan.wish.console == Console::spice ? "remote-viewer " : "") << scheme
            << screen_socket(plan).string() << std::endl;
}

void show_preparing(const CreatePlan& plan) {
  std::cout << "\nStart it again to run setup-guest in it:\n\n  " << shell_line(preparing_qemu(plan)) << '\n';
  if (!plan.guest_files.empty())
    std::cout << "\nand in it, as root:\n\n  mount -t 9p pbotvm /mnt && mount -t 9p pbotvm-bin /srv && "
                 "/mnt/setup-guest --guest /srv/pbotvm-guest\n";
}

// An end that nobody here asked for may have come after the system was installed.
void keep_installed(const CreatePlan& plan, const TerminalEnd& end, Undo& undo) {
  std::error_code error;
  const auto size = fs::file_size(plan.disk, error);
  if (!end.found || end.interrupted || end.status == 0 || error || size <= nothing_written) return;
  undo.keep();
  std::cerr << "QEMU ended before its time, and something was written to " << plan.disk.string()
            << ", which stays.\nIf the system was installed, its settings are those that the same command shows with "
               "--print; else remove the disk and create the machine again.\n";
}

void install_in_qemu(const CreatePlan& plan) {
  const EndHeld signals;
  Undo undo;
  make_disk(plan, undo);
  const TemporaryDirectory files;
  const fs::path kernel = files.path() / "kernel", initrd = files.path() / "initrd";
  if (plan.installer) {
    extract_from_iso(*plan.wish.iso, plan.installer->kernel, kernel);
    extract_from_iso(*plan.wish.iso, plan.installer->initrd, initrd);
  }
  EndHeld::check();
  check_screen(plan);
  if (plan.wish.console == Console::serial)
    std::cout << "The installer runs on this terminal until it restarts; Ctrl-a x ends it." << std::endl;
  const auto end = run_on_terminal(installing_qemu(plan, kernel, initrd));
  std::error_code ignored;
  if (plan.wish.console != Console::serial) fs::remove(screen_socket(plan), ignored);
  keep_installed(plan, end, undo);
  check_end(end, "qemu-system-x86_64", "install it (Debian: qemu-system-x86, Fedora: qemu-kvm, openSUSE: qemu-x86)");
  undo.keep();
  give_disk_to_host(plan);
  std::cout << plan.machine.name << ": its disk is " << plan.disk.string() << '\n';
  if (fs::file_size(plan.disk) <= nothing_written)
    std::cout << "Nothing was written to it: remove it, and create the machine again, if it was not installed.\n";
}

int create_in_qemu(const CreatePlan& plan) {
  check_disk(plan);
  if (plan.wish.iso) {
    install_in_qemu(plan);
    show_preparing(plan);
  } else {
    const EndHeld signals;
    Undo undo;
    make_disk(plan, undo);
    EndHeld::check();
    undo.keep();
    give_disk_to_host(plan);
    std::cout << plan.machine.name << ": it lives in pbotvm-host, which makes it when it starts\n";
  }
  print_settings(plan);
  return 0;
}

// ---- libvirt

// Another one of this name, made meanwhile by somebody else, is not touched.
bool remove_domain(const CreatePlan& plan) {
  const Virsh named(plan.uri, plan.machine.domain), made(plan.uri, plan.uuid);
  const auto is_there = [&] { return named.exists() && named.uuid() == plan.uuid; };
  if (!is_there()) return false;
  if (made.state() != "shut off") made.stop(true);
  if (is_there()) made.undefine();  // while it is installed it may be one that goes with its end
  return true;
}

// With a terminal the installer is on it; else it runs in the background.
void install_in_libvirt(const CreatePlan& plan) {
  const bool terminal = ::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0;
  check_end(run_on_terminal(virt_install_arguments(plan, terminal)), "virt-install",
            "install it (Debian: virtinst, Fedora and openSUSE: virt-install)");
}

int create_in_libvirt(const CreatePlan& plan) {
  const Virsh virsh(plan.uri, plan.machine.domain);
  if (virsh.exists())
    throw Error(ErrorCode::refused, "libvirt has a domain '" + plan.machine.domain + "' already, at " + plan.uri,
                "choose another name, or delete that one: pbotvm vm delete " + plan.machine.name);
  check_disk(plan);
  const EndHeld signals;
  Undo undo;
  make_disk(plan, undo);
  EndHeld::check();
  undo.add("the domain " + plan.machine.domain, [&plan] { return remove_domain(plan); });
  if (plan.wish.iso) {
    install_in_libvirt(plan);
  } else {
    virsh.define(image_domain_xml(plan));
  }
  undo.keep();
  std::cout << plan.machine.domain << ": " << virsh.state() << ", domain of " << plan.uri << ", its disk is "
            << plan.disk.string() << '\n';
  if (plan.wish.iso)
    std::cout
        << "When the installer has ended: pbotvm vm start, and setup-guest in it (pbotvm vm console); both need the "
           "settings below.\n";
  print_settings(plan);
  return 0;
}

// ---- --print

int print_plan(const CreatePlan& plan) {
  if (!plan.disk.empty())
    std::cout << shell_line({"qemu-img", "create", "-f", "qcow2", plan.disk, disk_size_text(plan)}) << '\n';
  if (plan.libvirt && plan.wish.iso) {
    std::cout << shell_line(virt_install_arguments(plan, ::isatty(STDIN_FILENO) != 0)) << '\n';
  } else if (plan.libvirt) {
    std::cout << shell_line({"virsh", "-c", plan.uri, "define", "--validate", "/dev/stdin"}) << " <<'END'\n"
              << image_domain_xml(plan) << "END\n";
  } else if (plan.wish.iso) {
    std::string kernel, initrd;
    if (plan.installer) {
      kernel = "KERNEL", initrd = "INITRD";
      std::cout << shell_line({"xorriso", "-osirrox", "on", "-indev", *plan.wish.iso, "-extract",
                               "/" + plan.installer->kernel, kernel, "-extract", "/" + plan.installer->initrd, initrd})
                << '\n';
    }
    std::cout << shell_line(installing_qemu(plan, kernel, initrd)) << '\n';
  }
  print_settings(plan);
  return 0;
}

void refuse_held(const config::Configuration& configuration, const std::string& name) {
  const auto here = fs::current_path();
  const auto host = holding_host(configuration.state, name);  // goes into STATE
  fs::current_path(here);
  if (host.is_null()) return;
  throw Error(
      ErrorCode::refused,
      "machine '" + name + "' is there, held by pbotvm-host, process " + host.value("pid", nlohmann::json()).dump(),
      "choose another name");
}

}  // namespace

int run_vm_create(const Invocation& invocation) {
  const CreateWish wish = read_create_wish(invocation.words);
  const auto configuration = load_configuration(invocation.file);
  CreatePlan plan = plan_machine(configuration, wish);
  if (wish.print) return print_plan(plan);
  if (plan.libvirt) plan.uuid = new_uuid();
  refuse_held(configuration, plan.machine.name);
  return plan.libvirt ? create_in_libvirt(plan) : create_in_qemu(plan);
}

}  // namespace pbotvm::cli
