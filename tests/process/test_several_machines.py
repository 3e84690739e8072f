# SPDX-License-Identifier: MIT
"""Several machines in one host, and two hosts side by side."""

import json
import os
import shutil
import subprocess
import unittest

from pbotvm_testing import Folder, Guest, Host, main, program

MACHINES = """\
default_machine: first
machines:
  first:
    hypervisor: none
    transports: [serial]
    serial: unix:{first}/data.sock
    heart: unix:{first}/heart.sock
  second:
    aliases: [other, spare]
    hypervisor: none
    transports: [virtio-serial]
    virtio_serial: unix:{second}/data.sock
    serial: "0"
    heart: unix:{second}/heart.sock
"""


class Several(Folder):
    def guest(self, name):
        folder = os.path.join(self.folder, name)
        os.makedirs(folder)
        os.chmod(folder, 0o755)
        guest = Guest(folder)
        self.addCleanup(guest.stop)
        return folder

    def test_one_host_runs_a_request_on_the_machine_that_it_names(self):
        folders = {name: self.guest(name) for name in ("first", "second")}
        host = Host(self.folder, None, MACHINES.format(**folders)).start()
        self.addCleanup(host.stop)
        for name in folders:
            host.await_state("ready", name=name)
        jobs = lambda: {machine["name"]: machine["jobs"] for machine in host.control("status")["machines"]}
        self.assertEqual(host.ask("-lang=sh echo one"), "one")
        self.assertEqual(jobs(), {"first": 1, "second": 0})
        for name in ("second", "SECOND", "other", "spare"):
            self.assertEqual(host.ask(f"-vm={name} -lang=sh echo two"), "two")
        self.assertEqual(jobs(), {"first": 1, "second": 4})
        self.assertEqual(host.ask("-vm=third -lang=sh echo"), "Unknown machine 'third'; available machines are: first, second")
        self.assertTrue(host.control("health", machine="spare")["ok"])

    def test_two_hosts_serve_a_machine_each_from_the_same_file(self):
        hosts = []
        for name in ("here", "there"):
            folder = self.guest(name)
            host = Host(folder, {"PBOTVM_DOMAIN": name, "PBOTVM_HYPERVISOR": "none", "PBOTVM_TRANSPORTS": "serial",
                                 "PBOTVM_SERIAL": f"unix:{folder}/data.sock", "PBOTVM_HEART": f"unix:{folder}/heart.sock"})
            hosts.append(host.start())
            self.addCleanup(host.stop)
        for host in hosts:
            host.await_state("ready")
        for n, host in enumerate(hosts):
            self.assertEqual(host.ask(f"-lang=sh echo {n}"), str(n))
        hosts[0].stop()
        self.assertEqual(hosts[1].ask("-lang=sh echo still"), "still")

    @unittest.skipUnless(os.geteuid() == 0, "the state directories are made in /run, which takes root")
    def test_two_hosts_that_differ_in_their_ports_need_no_more_to_differ_in(self):
        hosts = []
        for name in ("pbot-vm", "other-vm"):
            folder = self.guest(name + "-guest")
            host = Host(folder, {"PBOTVM_DOMAIN": name, "PBOTVM_HYPERVISOR": "none", "PBOTVM_TRANSPORTS": "serial",
                                 "PBOTVM_SERIAL": f"unix:{folder}/data.sock", "PBOTVM_HEART": f"unix:{folder}/heart.sock"})
            del host.environment["PBOTVM_STATE"]
            host.state = f"/run/pbotvm-{host.port}"
            self.addCleanup(shutil.rmtree, host.state, True)
            hosts.append(host)
            self.addCleanup(host.stop)
            with open(host.log_path, "ab") as log:  # by the name that PBot's users know
                host.process = subprocess.Popen([program("vm-server")], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                                env=host.environment, start_new_session=True)
        for n, host in enumerate(hosts):
            host.await_state("ready")
            self.assertEqual(host.ask(f"-lang=sh echo {n}"), str(n))
            done = subprocess.run([program("pbotvm"), "status", "--json"], capture_output=True, text=True, timeout=60,
                                  env=host.environment)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout)["address"], f"127.0.0.1:{host.port}")


if __name__ == "__main__":
    main()
