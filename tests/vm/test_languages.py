# SPDX-License-Identifier: MIT
"""Every language of this version, in the real machine."""

from pbotvm_machine import VirtualMachine
from pbotvm_testing import main


class Languages(VirtualMachine):
    def test_runs_the_shells(self):
        self.assertEqual(self.host.ask('-lang=sh echo "$(id -un) in $(basename "$SHELL")$0"').split()[0], "vm")
        self.assertEqual(self.host.ask("-lang=bash a=(1 2 3); echo ${#a[@]}"), "3")

    def test_runs_every_standard_of_c(self):
        for standard, version in [("c89", "0"), ("c99", "199901"), ("c11", "201112"), ("c2x", "202000")]:
            with self.subTest(standard):
                code = 'printf("%ld\\n", __STDC_VERSION__ + 0L);' if standard != "c89" else 'printf("0\\n");'
                self.assertEqual(self.host.ask(f"-lang={standard} {code}"), version)

    def test_finds_undefined_behaviour(self):
        reply = self.host.ask('-lang=c11 int x = INT_MAX; x++; printf("%d\\n", x);')
        self.assertIn("signed integer overflow", reply)

    def test_runs_a_whole_program_in_c(self):
        self.assertEqual(self.host.ask('-lang=c11 int main(void) { puts("m"); return 7; }').split()[-3:], ["m", "[Exit", "7]"])

    def test_has_the_address_sanitizer(self):
        reply = self.host.ask("-lang=c11 -fsanitize=address -std=c11 char *p = malloc(4); free(p); p[1] = 1;")
        self.assertIn("heap-use-after-free", reply)

    def test_runs_python_with_its_usual_modules(self):
        self.assertEqual(self.host.ask("-lang=python3 import json, re, math, random, datetime; print(json.dumps([math.floor(2.5)]))"),
                         "[2]")

    def test_runs_perl_with_its_usual_modules(self):
        self.assertEqual(self.host.ask("-lang=perl use strict; use POSIX; use List::Util qw(sum); print sum(1..4), floor(2.5);"),
                         "102")

    def test_has_gxx_and_gdb(self):
        self.assertIn("works", self.host.ask("-lang=bash gdb -q -batch -ex 'print \"works\"' && command -v g++"))

    def test_has_the_time_of_day_after_a_revert(self):
        import time
        self.assertTrue(self.host.control("revert", machine="pbot-vm")["ok"])
        before = time.time()
        told = float(self.host.ask("-lang=sh date +%s.%N"))
        self.assertGreater(told, before - 2)
        self.assertLess(told, time.time() + 2)

    def test_repeats_no_random_numbers_after_a_revert(self):
        seen = set()
        for _ in range(3):
            self.assertTrue(self.host.control("revert", machine="pbot-vm")["ok"])
            seen.add(self.host.ask("-lang=sh od -An -N16 -tx1 /dev/urandom"))
        self.assertEqual(len(seen), 3)


if __name__ == "__main__":
    main()
