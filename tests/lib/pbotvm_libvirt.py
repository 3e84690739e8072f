# SPDX-License-Identifier: MIT
"""A real libvirt of a test's own: daemon, domain, lines. Neither uses nor disturbs another one of this system."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from pbotvm_testing import BUILD, Host, clean_environment, copy_image, free_port, program, wait_for

PROGRAMS = ("libvirtd", "virsh", "unshare", "setpriv", "qemu-img")

# What the daemon sees in the place of the system's own.
PRIVATE = {"etc": "/etc/libvirt", "run": "/run/libvirt", "lib": "/var/lib/libvirt", "cache": "/var/cache/libvirt",
           "log": "/var/log/libvirt"}

LIBVIRTD_CONF = """\
unix_sock_dir = "{sockets}"
unix_sock_rw_perms = "0777"
auth_unix_rw = "none"
auth_unix_ro = "none"
log_outputs = "2:file:{folder}/libvirtd.log"
"""

QEMU_CONF = """\
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
stdio_handler = "file"
"""

SERIALS = """\
    <serial type='tcp'>
      <source mode='bind' host='127.0.0.1' service='{serial}'/><protocol type='raw'/><target type='isa-serial' port='2'/>
    </serial>
    <serial type='tcp'>
      <source mode='bind' host='127.0.0.1' service='{heart}'/><protocol type='raw'/><target type='isa-serial' port='3'/>
    </serial>
"""

CHANNEL = """\
    <channel type='unix'>
      <source mode='bind' path='{lines}/data.sock'/><target type='virtio' name='pbotvm.data'/>
    </channel>
"""

DOMAIN = """\
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>512</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{image}/vmlinuz</kernel>
    <initrd>{image}/initrd</initrd>
    <cmdline>console=ttyS0 loglevel=3 panic=-1 nowatchdog norandmaps</cmdline>
  </os>
  <cpu mode='custom'><model>qemu64</model></cpu>
  <on_reboot>destroy</on_reboot>
  <on_crash>{on_crash}</on_crash>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='{image}/rootfs.squashfs'/><target dev='vda' bus='virtio'/><readonly/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='{disk}'/><target dev='vdb' bus='virtio'/>
    </disk>
    <controller type='virtio-serial' index='0'/>
    <serial type='unix'>
      <source mode='bind' path='{lines}/console.sock'/><target type='isa-serial' port='0'/>
    </serial>
{devices}    <rng model='virtio'><backend model='builtin'/></rng>
    <memballoon model='none'/>
    <panic model='isa'/>
  </devices>
</domain>
"""

YAML = """\
default_machine: main
machines:
  main:
    domain: {name}
    hypervisor: {{plugin: libvirt, uri: "{uri}", fast_revert: {fast}}}
    transports: [virtio-serial, serial]
    cid: {cid}
    serial: {serial}
    heart: {heart}
    virtio_serial: "{virtio}"
"""


def why_not():
    if os.geteuid() != 0:
        return "a libvirtd of the test's own, in a mount namespace, is for root"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


class Daemon:
    """A libvirtd with its files in `folder`, without systemd."""

    def __init__(self, folder, uri, socket):
        self.folder, self.uri, self.socket = folder, uri, socket
        self.process = None

    def write(self, name, text):
        path = pathlib.Path(self.folder, name)
        path.write_text(text)
        return str(path)

    def command(self):
        return ["libvirtd", "-f", os.path.join(self.folder, "libvirtd.conf"), "-p", os.path.join(self.folder, "libvirtd.pid")]

    def environment(self):
        return clean_environment()

    def start(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        with open(os.path.join(self.folder, "libvirtd.out"), "ab") as out:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            env=self.environment(), start_new_session=True)
        wait_for("libvirtd's socket", lambda: os.path.exists(self.socket) or self.process.poll() is not None, 60)
        wait_for("libvirtd", lambda: self.process.poll() is not None or self.virsh("uri", check=False).returncode == 0, 120)
        if self.process.poll() is not None:
            raise RuntimeError("libvirtd: " + pathlib.Path(self.folder, "libvirtd.log").read_text()[-2000:])
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def virsh(self, *arguments, check=True):
        done = subprocess.run(["virsh", "-q", "-c", self.uri, *arguments], capture_output=True, text=True, timeout=240,
                              env=self.environment())
        if check and done.returncode != 0:
            raise RuntimeError(f"virsh {' '.join(arguments)}: {done.stderr}")
        return done

    def qemu_pid(self, name):
        """0 while one takes another's place."""
        try:
            return int(pathlib.Path(self.pid_folder(), name + ".pid").read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        # A domain outlives its daemon.
        for file in pathlib.Path(self.pid_folder()).glob("*.pid"):
            if file.name == "driver.pid":
                continue
            with contextlib.suppress(ValueError, ProcessLookupError):
                os.kill(int(file.read_text()), signal.SIGKILL)


class Libvirt(Daemon):
    """The system's kind of daemon, in a mount namespace where its directories are folders of the test's."""

    def __init__(self, folder):
        socket = os.path.join(folder, "run", "libvirt-sock")
        super().__init__(folder, "qemu+unix:///system?socket=" + socket, socket)
        for name, place in PRIVATE.items():
            os.makedirs(os.path.join(folder, name))
            os.makedirs(place, exist_ok=True)
        self.home = os.path.join(folder, "home")
        os.makedirs(self.home, 0o700)
        self.write("libvirtd.conf", LIBVIRTD_CONF.format(folder=folder, sockets="/run/libvirt"))
        self.write("etc/qemu.conf", QEMU_CONF)
        # The daemon demands the user that its package makes, though no QEMU runs as that one here. Root has a home of
        # its own, for what logs in over ssh.
        for name, line in (("passwd", "libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin\n"), ("group", "libvirt-qemu:x:64055:\n")):
            text = pathlib.Path("/etc", name).read_text()
            if name == "passwd":
                text = re.sub(r"(?m)^root:.*$", f"root:x:0:0:root:{self.home}:/bin/sh", text)
            self.write(name, text if "\nlibvirt-qemu:" in text else text.rstrip("\n") + "\n" + line)
        binds = [(os.path.join(folder, name), place) for name, place in PRIVATE.items()]
        binds += [(os.path.join(folder, name), "/etc/" + name) for name in ("passwd", "group")]
        self.write("enter", "set -e\n" + "".join(f"mount --bind '{own}' {place}\n" for own, place in binds) + 'exec "$@"\n')

    def inside(self, *command):
        """The command line that runs `command` where the daemon runs."""
        return ["unshare", "--mount", "--propagation", "private", "sh", os.path.join(self.folder, "enter"), *command]

    def command(self):
        return self.inside(*super().command())

    def pid_folder(self):
        return os.path.join(self.folder, "run", "qemu")


class Session(Daemon):
    """A user's own daemon: qemu:///session of the host's user."""

    user = "pbotvm"

    def __init__(self, folder):
        self.run = os.path.join(folder, "run")
        super().__init__(folder, "qemu:///session", os.path.join(self.run, "libvirt", "libvirt-sock"))
        for name in ("run", "config/libvirt", "cache", "data"):
            os.makedirs(os.path.join(folder, name))
        self.write("config/libvirt/qemu.conf", 'stdio_handler = "file"\nsecurity_driver = "none"\n')
        self.write("libvirtd.conf", f'log_outputs = "2:file:{folder}/libvirtd.log"\n')
        for path in [folder, *pathlib.Path(folder).rglob("*")]:
            shutil.chown(path, self.user, self.user)
        os.chmod(self.run, 0o700)

    def variables(self):
        return {"XDG_RUNTIME_DIR": self.run, "HOME": self.folder,
                **{f"XDG_{name.upper()}_HOME": os.path.join(self.folder, name) for name in ("config", "cache", "data")}}

    def environment(self):
        return clean_environment(**self.variables())

    def as_user(self, *command):
        return ["setpriv", "--reuid", self.user, "--regid", self.user, "--clear-groups", *command]

    def command(self):
        return self.as_user(*super().command())

    def virsh(self, *arguments, check=True):
        done = subprocess.run(self.as_user("virsh", "-q", "-c", self.uri, *arguments), capture_output=True, text=True,
                              timeout=240, env=self.environment(), cwd=self.folder)
        if check and done.returncode != 0:
            raise RuntimeError(f"virsh {' '.join(arguments)}: {done.stderr}")
        return done

    def pid_folder(self):
        return os.path.join(self.run, "libvirt", "qemu", "run")


class Shared:
    """The one daemon and the one domain of a file of tests."""

    libvirt = None
    folder = ""
    name = f"pbotvm-test-{os.getpid()}"
    places = {}


def prepare(devices=SERIALS + CHANNEL, on_crash="destroy", disk_mount=None, disk_size="1M"):
    """For setUpModule: daemon and domain, which the module's end takes away. `disk_mount`: size of a file system of its
    own for the disk."""
    if why_not():
        raise unittest.SkipTest(why_not())
    folder = Shared.folder = tempfile.mkdtemp(prefix="pbotvm-")
    unittest.addModuleCleanup(shutil.rmtree, folder, True)
    os.chmod(folder, 0o755)
    lines, disks = os.path.join(folder, "lines"), os.path.join(folder, "disks")
    os.makedirs(lines)
    shutil.chown(lines, "root", "pbotvm")
    os.chmod(lines, 0o2775)  # sockets in it belong to the group of the host's user
    os.makedirs(disks)
    if disk_mount:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={disk_mount},mode=0755", "none", disks], check=True)
        unittest.addModuleCleanup(subprocess.run, ["umount", "-l", disks], check=True)
    disk = os.path.join(disks, "snapshots.qcow2")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, disk_size], check=True)
    Shared.libvirt = Libvirt(folder)
    unittest.addModuleCleanup(Shared.libvirt.stop)
    Shared.libvirt.start()
    Shared.places = {"name": Shared.name, "folder": folder, "lines": lines, "disk": disk, "image": copy_image(folder),
                     "serial": free_port(), "heart": free_port(), "uri": Shared.libvirt.uri, "fast": "false", "cid": 0,
                     "virtio": f"unix:{lines}/data.sock", "on_crash": on_crash}
    Shared.libvirt.virsh("define", Shared.libvirt.write("domain.xml", domain_xml(devices)))


def domain_xml(devices, **changes):
    places = {**Shared.places, **changes}
    return DOMAIN.format(devices=devices.format(**places), **places)


def plugins():
    """A folder with the plug-ins that these tests need: one language alone, as warming a machine up for all takes time."""
    folder = os.path.join(Shared.folder, "plugins")
    if not os.path.exists(folder):
        os.mkdir(folder)
        for name in ("hypervisor-libvirt", "transport-virtio-serial", "transport-serial", "transport-heartbeat", "language-shell"):
            os.symlink(BUILD / "lib" / "pbotvm" / f"{name}.so", os.path.join(folder, f"{name}.so"))
    return folder


def make_host(folder, environment=None, **changes):
    languages = os.path.join(folder, "languages")
    os.makedirs(languages)
    return Host(folder, {"PBOTVM_TIMEOUT": 10, "PBOTVM_QUEUE_TIMEOUT": 120, "PBOTVM_PLUGINS": plugins(),
                         "PBOTVM_LANGUAGES": languages, "PBOTVM_LANGUAGE": "sh", **(environment or {})},
                YAML.format(**{**Shared.places, **changes}))


def pbotvm(host, *arguments):
    """What the operator's command prints, with the host's configuration."""
    done = subprocess.run([program("pbotvm"), *arguments], capture_output=True, text=True, timeout=240, env=host.environment)
    if done.returncode != 0:
        raise RuntimeError(f"pbotvm {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout


def domain_state():
    return Shared.libvirt.virsh("domstate", Shared.name).stdout.strip()


def seconds_of_reverts(host):
    return [float(s) for s in re.findall(r"reverted in ([0-9.]+) s", host.log())]
