# SPDX-License-Identifier: MIT
"""Two hosts on one system whose machines want the same lines: the second one waits, the first does not notice."""

import os
import pathlib
import shutil

from pbotvm_machine import TEMPLATE, YAML, VirtualMachine
from pbotvm_testing import IMAGE, Host, free_port, main


class SameLines(VirtualMachine):
    serial = free_port()
    heart = free_port()

    def test_the_second_hosts_machine_comes_up_once_the_first_has_ended(self):
        folder = os.path.join(self.folder, "second")
        os.makedirs(folder)
        os.chmod(folder, 0o755)
        second = Host(folder, {"PBOTVM_IMAGE": IMAGE},
                      YAML.format(transports=self.transports, serial=self.serial, heart=self.heart))
        machine = os.path.join(second.state, "machines", "pbot-vm")
        os.makedirs(os.path.dirname(machine))
        shutil.copytree(TEMPLATE, machine)
        if os.geteuid() == 0:
            for path in [second.state, *pathlib.Path(second.state).rglob("*")]:
                shutil.chown(path, "pbotvm", "pbotvm")
        second.start()
        self.addCleanup(second.stop)
        second.await_state("failed")
        self.assertRegex(second.ask("-lang=sh echo second"),
                         rf"\AVirtual machine 'pbot-vm' is unavailable: .*127\.0\.0\.1:{self.serial}.*[Aa]ddress already in use")
        self.assert_works()
        self.assertEqual((self.reverts(), self.host.machine()["faults"]), (0, 0))
        self.host.stop()
        second.await_state("ready", 120)
        self.assertEqual(second.ask("-lang=sh echo second"), "second")


if __name__ == "__main__":
    main()
