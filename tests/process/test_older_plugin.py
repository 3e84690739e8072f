# SPDX-License-Identifier: MIT
"""A language plug-in that was built against an older minor of the SDK serves requests in today's host."""

import subprocess

from pbotvm_testing import BUILD, HostAndGuest, main, program

OLD = BUILD / "lib" / "fixtures" / "abi-1.0"


class OlderPlugin(HostAndGuest):
    settings = {"PBOTVM_PLUGINS": f"{BUILD / 'lib' / 'pbotvm'}:{OLD}", "PBOTVM_LANGUAGES": OLD}

    def test_is_loaded(self):
        listed = subprocess.run([program("pbotvm-host"), "--list-plugins"], capture_output=True, text=True, timeout=60,
                                env=self.host.environment).stdout
        self.assertIn(f"loaded\tlanguage\told\t{OLD}/language-old.so\tversion 1.0\n", listed)

    def test_serves_requests_by_both_of_its_names(self):
        self.assertEqual(self.host.ask("-lang=old -args 'x y' echo $1; cat -stdin typed"), "x\ntyped")
        self.assertEqual(self.host.ask("-lang=older exit 3"), "Exit 3.")
        self.assertEqual(self.host.ask("-lang=old kill -9 $$"), "Exit 137.")


if __name__ == "__main__":
    main()
