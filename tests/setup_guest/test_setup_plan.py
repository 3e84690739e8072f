# SPDX-License-Identifier: MIT
"""What setup-guest plans for each distribution, and what it refuses. It changes nothing here: dry runs, as nobody where root runs the tests."""

import os
import pathlib
import re
import shutil
import subprocess

from pbotvm_testing import TOP, Folder, clean_environment, main, program

# Every name under which the original's host knows a language.
NAMES = """c89 c99 c11 c2x clang clang2x clang11 clang99 clang89 c++ clang++ tendra java go haskell freebasic qbasic bash ksh sh zsh python
python3 perl ruby php lua tcl javascript clisp scheme bc bf""".split()

RELEASES = {
    "debian": "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
    "ubuntu": "NAME=Ubuntu\nID=ubuntu\nID_LIKE=debian\n",
    "mint": "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
    "fedora": "ID=fedora\nVARIANT_ID=server\n",
    "nobara": "ID=nobara\nID_LIKE=\"fedora\"\n",
    "tumbleweed": "ID=\"opensuse-tumbleweed\"\nID_LIKE=\"opensuse suse\"\n",
    "rocky": "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nPRETTY_NAME=\"Rocky Linux 9\"\n",
    "leap": "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n",
    "arch": "ID=arch\nPRETTY_NAME=\"Arch Linux\"\n",
}
MANAGERS = {"debian": "apt-get", "fedora": "dnf", "tumbleweed": "zypper"}


class Plan(Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # A copy, for nobody may not be let into this tree.
        cls.guest = pathlib.Path(cls.folder, "guest")
        cls.guest.mkdir()
        for name in ("setup", "include"):
            shutil.copytree(TOP / "guest" / name, cls.guest / name)
        shutil.copy(TOP / "guest" / "setup-guest", cls.guest)
        shutil.copy(program("pbotvm-guest"), cls.guest)
        for name, text in RELEASES.items():
            pathlib.Path(cls.folder, name).write_text(text)

    def run_it(self, *arguments):
        identity = {"user": "nobody", "extra_groups": []} if os.geteuid() == 0 else {}
        return subprocess.run(["bash", self.guest / "setup-guest", *arguments], cwd="/", stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, env=clean_environment(), timeout=60, **identity)

    def plan(self, release, *arguments, status=0):
        done = self.run_it("--dry-run", "--os-release", os.path.join(self.folder, release), *arguments)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def packages(self, release, *arguments):
        """What would be installed, and by which program."""
        line = re.search(r"would run (?:env \S+ )?(\S+) (.*\binstall\b.*)", self.plan(release, *arguments))
        return line.group(1), set(word for word in line.group(2).split() if not word.startswith("-"))

    def refused(self, status, *arguments):
        done = self.run_it(*arguments)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertNotIn("would run", done.stdout)
        return done.stderr


class Distributions(Plan):
    def test_each_is_set_up_by_its_own_package_manager(self):
        for release, wanted in {"debian": "debian", "ubuntu": "debian", "mint": "debian", "fedora": "fedora",
                                "nobara": "fedora", "tumbleweed": "tumbleweed"}.items():
            with self.subTest(release):
                text = self.plan(release)
                for manager in MANAGERS.values():
                    self.assertEqual(f" {manager} " in text, manager == MANAGERS[wanted], text)

    def test_packages_are_named_as_the_distribution_names_them(self):
        self.assertEqual(self.packages("fedora", "--languages", "c++,php")[1] & {"gcc-c++", "php-cli", "g++"}, {"gcc-c++", "php-cli"})
        self.assertEqual(self.packages("tumbleweed", "--languages", "bf,php")[1] & {"bff", "php8-cli", "beef"}, {"bff", "php8-cli"})
        self.assertEqual(self.packages("debian", "--languages", "bf,tcl")[1] & {"bff", "beef", "tcl"}, {"beef", "tcl"})

    def test_the_usual_languages_are_c_sh_bash_python_and_perl(self):
        self.assertEqual(self.packages("debian"), self.packages("debian", "--languages", "c,sh,bash,python3,perl"))
        self.assertLessEqual({"gcc", "libc6-dev", "python3", "perl", "bash"}, self.packages("debian")[1])

    def test_nothing_asks_a_question(self):
        self.assertIn("DEBIAN_FRONTEND=noninteractive apt-get -q -y", self.plan("debian"))
        self.assertIn("dnf -y", self.plan("fedora"))
        self.assertIn("zypper --non-interactive", self.plan("tumbleweed"))

    def test_what_is_not_known_is_refused_with_what_to_do_by_hand(self):
        for release in ("rocky", "leap", "arch"):
            with self.subTest(release):
                text = self.plan(release, status=69)
                self.assertIn("--distribution NAME", text)
                self.assertIn("pbotvm-guest, started as root at boot", text)
                self.assertNotIn("would run", text)

    def test_can_be_named_where_it_is_much_like_a_known_one(self):
        self.assertIn("dnf", self.plan("rocky", "--distribution", "fedora"))


class Languages(Plan):
    def test_every_language_is_in_every_list(self):
        for distribution in MANAGERS:
            with self.subTest(distribution):
                listed = self.plan(distribution, "--list-languages")
                known = set(word for line in listed.splitlines() for word in re.split(r"  +", line)[0].split())
                self.assertEqual([name for name in NAMES if name not in known], [])

    def test_every_row_names_a_command_and_packages_or_says_that_there_are_none(self):
        for distribution in MANAGERS:
            for line in (TOP / "guest" / "setup" / f"packages-{distribution}").read_text().splitlines():
                fields = line.split("#")[0].split()
                if fields:
                    self.assertTrue(len(fields) >= 3 or fields[1:] == ["-"], f"packages-{distribution}: {line}")

    def test_an_unknown_one_is_wrong_usage_and_the_nearest_is_named(self):
        text = self.plan("debian", "--languages", "sh,pyhton3", status=64)
        self.assertIn("unknown language 'pyhton3', did you mean 'python3'?", text)
        self.assertIn("known are: c c89", text)
        self.assertNotIn("did you mean", self.plan("debian", "--languages", "fortran77", status=64))
        for odd in ("*", "$(id)", ";", "-x", ",", ""):
            self.plan("debian", "--languages", odd, status=64)

    def test_one_that_the_distribution_lacks_stops_everything(self):
        text = self.plan("fedora", "--languages", "sh,bf", status=69)
        self.assertIn("fedora has no packages for the language 'bf'", text)
        self.assertNotIn("would run", text)

    def test_or_is_passed_over_when_that_is_wished(self):
        text = self.plan("fedora", "--languages", "sh,bf,perl", "--skip-missing")
        self.assertIn("passed over: bf", text)
        self.assertRegex(text, r"install .*\bperl\b")

    def test_all_means_all_that_there_are(self):
        text = self.plan("fedora", "--languages", "all")
        self.assertIn("no packages for the language 'tendra'", text)
        self.assertRegex(text, r"install .*\bghc\b.*\bruby\b")


class Actions(Plan):
    def test_everything_that_a_guest_needs_is_planned(self):
        text = self.plan("debian")
        for part in ("useradd --system", "/etc/polkit-1/rules.d/00-pbotvm.rules", "/usr/local/sbin/pbotvm-guest",
                     "/usr/local/bin/guest-server", "/usr/local/bin/setup-guest", "/usr/include/prelude.h",
                     "/usr/include/pbotvm/usual.hpp", "/usr/local/share/pbotvm/guest/include/pbotvm/value.h",
                     "mask serial-getty@ttyS2.service", "mask serial-getty@ttyS3.service", "enable pbotvm-guest.service",
                     "restart pbotvm-guest.service", "/etc/modules-load.d/pbotvm.conf", "/etc/pbotvm/network.nft",
                     "enable pbotvm-network.service", "restart pbotvm-network.service"):
            self.assertIn(part, text)

    def test_headers_are_precompiled_where_there_is_a_compiler_for_them(self):
        command = "would run sh /usr/local/share/pbotvm/guest/setup/precompile /usr/include/pbotvm c11 c2x c++14\n"
        self.assertIn(command, self.plan("debian"))
        self.assertIn(command, self.plan("fedora", "--languages", "c++"))
        self.assertIn(command, self.plan("debian", "--languages", "sh,c11"))
        self.assertNotIn("precompile /usr/include", self.plan("debian", "--languages", "sh,clang"))

    def test_the_script_keeps_all_its_data_in_the_guest(self):
        text = self.plan("debian")
        for file in (TOP / "guest" / "setup").iterdir():
            self.assertIn(f"/usr/local/share/pbotvm/guest/setup/{file.name}\n", text)

    def test_the_network_is_left_alone_when_that_is_wished(self):
        self.assertNotIn("network.nft", self.plan("debian", "--network", "on"))
        self.assertIn("network-ssh.nft /etc/pbotvm/network.nft", self.plan("debian", "--network", "ssh"))

    def test_the_port_of_vm_sockets_is_settled(self):
        self.assertIn("VSOCK=6000", self.plan("debian", "--vsock", "6000"))

    def test_only_root_may_change_anything(self):
        self.assertIn("must be root", self.refused(77, "--distribution", "debian"))

    def test_wrong_usage_is_told_from_failure(self):
        for arguments in (["--wrong"], ["wrong"], ["--languages"], ["--network", "maybe"], ["--vsock", "x"], ["--vsock=4294967295"],
                          ["--distribution", "gentoo"], ["--os-release", "/dev/null"]):
            with self.subTest(arguments):
                self.assertRegex(self.refused(64, *arguments), r"^setup-guest: error: ")

    def test_an_incomplete_copy_is_refused(self):
        os.rename(self.guest / "include", self.guest / "elsewhere")
        self.addCleanup(os.rename, self.guest / "elsewhere", self.guest / "include")
        self.assertIn("prelude.h", self.plan("debian", status=69))


if __name__ == "__main__":
    main()
