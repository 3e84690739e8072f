# SPDX-License-Identifier: MIT
"""Network cards: real machines that send real packets. All of it happens in a network and mounts of the test's own, which have a
loopback interface and a bridge and lead nowhere else."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import unittest

from pbotvm_machine import BareMachine, Console
from pbotvm_testing import BUILD, IMAGE, TOP, Folder, Host, copy_image, free_port, main, wait_for

APART = "PBOTVM_TEST_APART"  # set where this runs in namespaces of its own
HELPER = pathlib.Path("/usr/lib/qemu/qemu-bridge-helper")
BRIDGE = "br-test"
OURS = "192.0.2.1"  # the bridge's address
BUSYBOX = "/usr/local/lib/pbotvm/busybox"
SOON = 60  # seconds that a packet's way or a lease may take on a busy system
# Compilers are not needed here, and trying each takes the longer part of a first start.
PLUGINS = ["hypervisor-qemu", "transport-virtio-serial", "transport-heartbeat", "language-shell", "language-definitions"]

YAML = """\
host: {{language: sh}}
machines:
  pbot-vm:
    network: {network}
    hypervisor: {{plugin: qemu, accel: tcg, cpus: 1, memory: 512 MiB, nics: [{card}], append: "{append}"}}
    transports: [virtio-serial]
    virtio_serial: "unix:machines/pbot-vm/virtio.sock"
    serial: 0
    heart: "unix:machines/pbot-vm/heart.sock"
"""


def command(*words):
    subprocess.run(words, check=True, capture_output=True)


def setUpModule():
    if os.environ.get(APART) is None:
        raise unittest.SkipTest("needs root, and a system that lets it make namespaces")
    command("ip", "link", "set", "lo", "up")


class Greeter:
    """A TCP server that greets whoever connects; `greeted` counts them."""

    def __init__(self, address):
        self.greeted = 0
        self.socket = socket.create_server((address, 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                self.greeted += 1
                with connection:
                    connection.sendall(b"greetings\n")

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Networked(Folder):
    """A host whose machine has one card, `card`; it boots, as no other test has a snapshot of such a machine."""

    network = False
    append = ""
    card = ""
    prefix = []  # of the host's command line

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        plugins = os.path.join(cls.folder, "plugins")
        os.makedirs(plugins)
        for name in PLUGINS:
            shutil.copy(BUILD / "lib" / "pbotvm" / f"{name}.so", plugins)
        yaml = YAML.format(network=json.dumps(cls.network), card=cls.card, append=cls.append)
        cls.host = Host(cls.folder, {"PBOTVM_IMAGE": IMAGE, "PBOTVM_PLUGINS": plugins}, yaml, prefix=cls.prefix)
        cls.prepare()
        cls.host.start()
        cls.addClassCleanup(cls.host.stop)
        cls.host.await_state("ready", 240)

    @classmethod
    def prepare(cls):
        pass

    @contextlib.contextmanager
    def console(self):
        console = Console(os.path.join(self.host.state, "machines", "pbot-vm", "console.sock"))
        try:
            yield console
        finally:
            console.close()

    def in_guest(self, line):
        """By root, in the machine itself."""
        with self.console() as console:
            console.run("stty -echo; PS1=")
            return console.run(line, SOON)

    def greeting_for_guest(self, address, port):
        return self.in_guest(f"timeout {SOON // 2} bash -c 'read -r line </dev/tcp/{address}/{port}; echo \"$line\"'")

    def greeting_for_job(self, address, port):
        return self.host.ask(f"-lang=bash read -r line </dev/tcp/{address}/{port}; echo \"$line\"")

    def restart_from_snapshot(self):
        self.assertEqual(self.host.stop(), 0)
        self.host.start()
        self.host.await_state("ready", 120)
        self.assertIn("runs from its snapshot", self.host.log())

    def revert(self):
        answer = self.host.control("revert", machine="pbot-vm")
        self.assertTrue(answer["ok"], answer)

    def address(self):
        found = re.search(r"inet ([\d.]+)/", self.in_guest(f"{BUSYBOX} ip -4 addr show dev eth0"))
        return found and found.group(1)


class OpenUserNetwork(Networked):
    """Open: the machine reaches this system's loopback interface, and so do jobs."""

    network = True

    @classmethod
    def setUpClass(cls):
        cls.forwarded = free_port()
        cls.card = f'{{type: user, restrict: false, hostfwd: ["tcp:127.0.0.1:{cls.forwarded}-:7000"]}}'
        cls.greeter = Greeter("127.0.0.1")
        cls.addClassCleanup(cls.greeter.close)
        super().setUpClass()

    def assert_everybody_reaches_the_greeter(self):
        self.assertEqual(self.greeting_for_guest("10.0.2.2", self.greeter.port), "greetings")
        self.assertEqual(self.greeting_for_job("10.0.2.2", self.greeter.port), "greetings")

    def test_1_guest_and_jobs_reach_a_server_of_this_system(self):
        self.assert_everybody_reaches_the_greeter()

    def test_2_they_do_after_a_revert(self):
        self.revert()
        self.assert_everybody_reaches_the_greeter()

    def test_3_they_do_after_the_machine_was_restored_from_its_snapshot(self):
        self.restart_from_snapshot()
        self.assert_everybody_reaches_the_greeter()

    def test_4_a_forwarded_port_leads_into_the_machine(self):
        with self.console() as console:
            console.run("stty -echo; PS1=")
            console.run("python3 -c 'import socket; c = socket.create_server((\"\", 7000)).accept()[0]; c.sendall(b\"inside\")' &")

            def answer():
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.forwarded), 10) as s:
                    return s.recv(100)

            self.assertEqual(wait_for("the server in the machine", answer, SOON), b"inside")


class RestrictedUserNetwork(Networked):
    """As it is where a card is asked for and nothing else is said."""

    card = "{type: user}"

    @classmethod
    def setUpClass(cls):
        cls.greeter = Greeter("127.0.0.1")
        cls.addClassCleanup(cls.greeter.close)
        super().setUpClass()

    def test_1_guest_has_an_address_but_reaches_nothing(self):
        self.assertEqual(wait_for("an address", self.address, SOON), "10.0.2.15")
        self.assertNotIn("default", self.in_guest(f"{BUSYBOX} ip route"))
        self.assertIn("given up", self.in_guest(f"timeout 5 bash -c '</dev/tcp/10.0.2.2/{self.greeter.port}' || echo given up"))
        self.assertEqual(self.greeter.greeted, 0)

    def test_2_jobs_have_no_network_unless_the_configuration_says_so(self):
        self.assertIn("Network is unreachable", self.host.ask(f"-lang=bash echo </dev/tcp/10.0.2.2/{self.greeter.port}"))
        self.assertEqual(self.host.ask("-lang=bash grep -c eth0 /proc/net/dev || true"), "0")

    def test_3_a_network_that_was_opened_since_the_snapshot_is_learnt_of(self):
        yaml = pathlib.Path(self.host.environment["PBOTVM_CONFIG"])
        yaml.write_text(yaml.read_text().replace("{type: user}", "{type: user, restrict: false}"))
        self.restart_from_snapshot()
        wait_for("a default route", lambda: "default via 10.0.2.2 " in self.in_guest(f"{BUSYBOX} ip route"), SOON)
        self.assertEqual(self.greeting_for_guest("10.0.2.2", self.greeter.port), "greetings")


class Bridge:
    """A bridge of this system with an address, a list of QEMU's helper that allows it, and Debian's DHCP server."""

    def __init__(self, folder):
        self.folder = folder
        self.server = None
        layer = os.path.join(folder, "etc")
        os.makedirs(layer)
        command("mount", "-t", "tmpfs", "none", layer)
        for name in ("upper/qemu", "work"):
            os.makedirs(os.path.join(layer, name))
        pathlib.Path(layer, "upper/qemu/bridge.conf").write_text(f"allow {BRIDGE}\n")
        command("mount", "-t", "overlay", "-o", f"lowerdir=/etc,upperdir={layer}/upper,workdir={layer}/work", "none", "/etc")
        # Everybody may open it where udev runs; what it gives needs CAP_NET_ADMIN.
        tun = os.path.join(layer, "tun")
        command("mknod", "-m", "0666", tun, "c", "10", "200")
        command("mount", "--bind", tun, "/dev/net/tun")
        command("ip", "link", "add", BRIDGE, "type", "bridge")
        command("ip", "addr", "add", f"{OURS}/24", "dev", BRIDGE)
        command("ip", "link", "set", BRIDGE, "up")

    def serve(self, address):
        """From now on `address` is the only one to be had, and nothing is known of earlier leases."""
        self.stop_serving()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.folder, "leases"))
        with open(os.path.join(self.folder, "dnsmasq.log"), "ab") as log:
            self.server = subprocess.Popen(
                ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", f"--interface={BRIDGE}",
                 "--bind-interfaces", f"--dhcp-range={address},{address},12h", "--dhcp-authoritative", "--no-ping",
                 f"--dhcp-leasefile={self.folder}/leases", "--pid-file", "--user=root", "--log-facility=-", "--log-dhcp"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop_serving(self):
        if self.server is not None:
            self.server.terminate()
            self.server.wait(60)
            self.server = None

    def remove(self):
        self.stop_serving()
        subprocess.run(["ip", "link", "del", BRIDGE], check=False)
        for place in ("/dev/net/tun", "/etc", os.path.join(self.folder, "etc")):
            subprocess.run(["umount", place], check=False)

    @staticmethod
    def ports():
        return [port["ifname"] for port in json.loads(subprocess.run(
            ["ip", "-json", "link", "show", "master", BRIDGE], check=True, capture_output=True, text=True).stdout)]


class BridgedNetwork(Networked):
    network = True
    card = f"{{type: bridge, bridge: {BRIDGE}}}"

    @classmethod
    def setUpClass(cls):
        if not HELPER.exists() or not os.path.exists("/dev/net/tun"):
            raise unittest.SkipTest("there is no qemu-bridge-helper in Debian's place, or no /dev/net/tun")
        super().setUpClass()

    @classmethod
    def prepare(cls):
        cls.bridge = Bridge(cls.folder)
        cls.addClassCleanup(cls.bridge.remove)
        cls.bridge.serve("192.0.2.50")
        cls.greeter = Greeter(OURS)
        cls.addClassCleanup(cls.greeter.close)

    def await_ping(self, address):
        wait_for(f"{address} to answer", lambda: subprocess.run(
            ["busybox", "ping", "-c", "1", "-W", "2", address], capture_output=True).returncode == 0, SOON)

    def assert_works_as(self, address):
        self.await_ping(address)
        self.assertEqual(self.greeting_for_guest(OURS, self.greeter.port), "greetings")
        self.assertEqual(self.greeting_for_job(OURS, self.greeter.port), "greetings")

    def test_1_packets_go_both_ways(self):
        self.assert_works_as("192.0.2.50")
        self.assertEqual(len(self.bridge.ports()), 1)

    def test_2_and_do_after_a_revert(self):
        self.revert()
        self.assert_works_as("192.0.2.50")

    def test_3_and_do_after_the_machine_was_restored_from_its_snapshot(self):
        self.restart_from_snapshot()
        self.assert_works_as("192.0.2.50")

    def test_4_a_lease_that_has_become_somebody_elses_is_given_up_after_a_revert(self):
        self.bridge.serve("192.0.2.60")
        self.revert()
        self.assert_works_as("192.0.2.60")
        self.assertEqual(self.address(), "192.0.2.60")

    def test_5_neither_host_nor_qemu_keeps_a_right_over_the_network(self):
        qemu = int(re.search(r"pid (\d+)", self.host.machine()["hypervisor"]).group(1))
        for pid in (self.host.process.pid, qemu):
            for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
                status = (thread / "status").read_text()
                self.assertNotRegex(status, r"(?m)^Uid:\s.*\b0\b")
                for kind in ("Inh", "Prm", "Eff", "Amb"):
                    self.assertRegex(status, rf"(?m)^Cap{kind}:\s+0+$")

    def test_6_the_port_goes_with_the_host(self):
        self.assertEqual(self.host.stop(), 0)
        wait_for("the port to be gone", lambda: not self.bridge.ports())


class BridgedNetworkOfAService(BridgedNetwork):
    """Started as the service's drop-in of docs/qemu.md has it: never root, one capability, nothing gained by exec."""

    prefix = ["setpriv", "--reuid", "pbotvm", "--regid", "pbotvm", "--init-groups", "--no-new-privs", "--inh-caps=-all,+net_admin",
              "--ambient-caps=-all,+net_admin", "--bounding-set=-all,+net_admin"]

    @classmethod
    def prepare(cls):
        super().prepare()
        # What that user runs and reads, where he can reach it.
        build = os.path.join(cls.folder, "build")
        os.makedirs(os.path.join(build, "bin"))
        cls.host.program = shutil.copy(BUILD / "bin" / "pbotvm-host", os.path.join(build, "bin"))
        shutil.copytree(BUILD / "lib", os.path.join(build, "lib"), symlinks=True, ignore=shutil.ignore_patterns("pbotvm", "fixtures"))
        cls.host.environment |= {"LD_LIBRARY_PATH": os.path.join(build, "lib"), "PBOTVM_IMAGE": copy_image(cls.folder),
                                 "PBOTVM_LANGUAGES": shutil.copytree(TOP / "etc" / "languages", os.path.join(cls.folder, "languages"))}
        os.makedirs(cls.host.state)
        shutil.chown(cls.host.state, "pbotvm", "pbotvm")


class WhatTheKernelIsTold(Folder):
    """Machines without a host, so that a boot is all there is to it."""

    def boot(self, arguments, cards):
        folder = os.path.join(self.folder, self._testMethodName)
        os.makedirs(folder)
        machine = BareMachine(folder, memory=512)
        machine.arguments[machine.arguments.index("-append") + 1] += " " + arguments
        for number, options in enumerate(cards):
            machine.arguments += ["-netdev", f"user,id=n{number}{options}", "-device", f"virtio-net-pci,netdev=n{number},romfile="]
        self.addCleanup(machine.stop)
        machine.start()
        self.shell = machine.console
        return machine

    def shown(self, card):
        return self.shell.run(f"{BUSYBOX} ip addr show dev {card}")

    def await_in_log(self, text):
        wait_for(text, lambda: text in self.shell.run("dmesg | grep -F 'pbotvm network' || true"), SOON)

    def test_no_card_costs_nothing(self):
        self.boot("", [])
        self.assertEqual(self.shell.run("ls /sys/class/net"), "lo")
        self.assertEqual(self.shell.run("grep -c virtio_net /proc/modules || true"), "0")
        self.assertEqual(self.shell.run("ls /usr/local/lib/pbotvm"), "machine-init")

    def test_address_by_hand(self):
        greeter = Greeter("127.0.0.1")
        self.addCleanup(greeter.close)
        self.boot("PBOTVM_ADDRESS=10.0.2.77/24 PBOTVM_GATEWAY=10.0.2.2 PBOTVM_NAMESERVERS=10.0.2.3,10.0.2.4", [""])
        self.await_in_log("10.0.2.77/24 by hand")
        self.assertEqual(self.shell.run(f"bash -c 'read -r line </dev/tcp/10.0.2.2/{greeter.port}; echo \"$line\"'", SOON), "greetings")
        self.assertIn("default via 10.0.2.2 ", self.shell.run(f"{BUSYBOX} ip route"))
        self.assertEqual(self.shell.run("cat /etc/resolv.conf"), "nameserver 10.0.2.3\nnameserver 10.0.2.4")

    def test_several_greetings_of_a_host_in_a_row_leave_the_address_alone(self):
        self.boot("", [",restrict=on"])
        self.await_in_log("eth0: 10.0.2.15/24 by DHCP")
        place = "/run/pbotvm-network"
        wait_for("the FIFO", lambda: self.shell.run(f"test -p {place}/greeted && echo there || true") == "there", SOON)
        confirmed = lambda: self.shell.run(f"stat -c %y {place}/eth0.names")
        before = confirmed()
        self.shell.run(f"for n in 1 2 3 4 5; do echo; done >{place}/greeted")
        wait_for("an answer of the DHCP server", lambda: confirmed() != before, SOON)
        self.assertIn("inet 10.0.2.15/24", self.shown("eth0"))
        self.assertEqual(self.shell.run("dmesg | grep -c 'by DHCP'"), "1")

    def test_each_card_has_its_own_setting_and_a_wrong_one_leaves_it_down(self):
        self.boot("PBOTVM_ADDRESS=192.0.2.300/24,none,192.0.2.9", [",restrict=on"] * 4)
        self.await_in_log("eth0: PBOTVM_ADDRESS says '192.0.2.300/24'")
        self.await_in_log("eth2: PBOTVM_ADDRESS says '192.0.2.9', accepted are dhcp, none")
        self.await_in_log("eth3: 10.0.2.15/24 by DHCP")
        for card in ("eth0", "eth1", "eth2"):
            self.assertNotRegex(self.shown(card), r"inet|[<,]UP[,>]")


if __name__ == "__main__":
    if os.environ.get(APART) is None and os.geteuid() == 0 and subprocess.run(
            ["unshare", "--net", "--mount", "true"], capture_output=True).returncode == 0:
        os.environ[APART] = "1"
        os.execvp("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv])
    main()
