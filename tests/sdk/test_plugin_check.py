# SPDX-License-Identifier: MIT
"""pbotvm-plugin-check finds plug-ins that break their contract: each of these breaks it in a way of its own."""

import subprocess
import unittest

from pbotvm_testing import BUILD, clean_environment, main, program

FIXTURES = BUILD / "lib" / "fixtures"


def check(*words):
    return subprocess.run([program("pbotvm-plugin-check"), *map(str, words)], capture_output=True, text=True, timeout=200,
                          env=clean_environment())


class PluginCheck(unittest.TestCase):
    def assert_broken(self, folder, plugin, what, *options):
        ended = check(*options, FIXTURES / folder / f"{plugin}.so")
        self.assertEqual(ended.returncode, 1, ended.stdout + ended.stderr)
        self.assertRegex(ended.stdout, rf"(?m)^BROKEN  .*{what}")
        self.assertRegex(ended.stdout, rf"(?m)^{plugin}\.so: \d+ of \d+ kept$")

    def test_a_file_that_a_host_refuses(self):
        self.assert_broken("newer-minor", "transport-newer-minor", "ABI minor: expected ")
        self.assert_broken("throws", "transport-throws-when-made", "no factory today")

    def test_a_language_that_says_something_impossible_of_itself(self):
        for plugin, what in (("bad-name", "the name 'Not A Name"), ("bad-tools", "the tool ''"), ("name-throws", "no name"),
                             ("null-language", "null language"), ("create-throws", "not an exception class")):
            self.assert_broken("bad-identity", f"language-{plugin}", what)

    def test_a_language_that_answers_nothing_at_once_and_has_no_hello(self):
        self.assert_broken("misbehaving", "language-misbehaves", "no reply at once to ''")
        self.assert_broken("misbehaving", "language-misbehaves", "no hello")

    def test_a_language_that_treats_options_otherwise_than_it_tells(self):
        self.assert_broken("bad-identity", "language-many-rules", "rules of LanguageOptions: 10001, at most 10000")
        self.assert_broken("bad-identity", "language-bad-rule", "'no-option'")
        self.assert_broken("bad-options", "language-option-in-code", "takes_options\\(\\) is true, but .* became code")
        self.assert_broken("bad-options", "language-option-refused", "takes_options\\(\\) is false, but .* refused")
        self.assert_broken("bad-options", "language-value-in-code", "the rules say that a value follows '-include', but")

    def test_a_request_that_is_answered_otherwise(self):
        request = ("--code", "arguments", "--arguments", "'a b' c", "--reply")
        good = check(*request, "a b c", FIXTURES / "misbehaving" / "language-misbehaves.so")
        self.assertEqual((good.returncode, good.stdout.splitlines()[-1]), (0, "language-misbehaves.so: 2 of 2 kept"))
        self.assert_broken("misbehaving", "language-misbehaves", "expected 'x', found 'a b c'", *request, "x")
        self.assert_broken("misbehaving", "language-misbehaves", "10000, at most 16", "--code", "many-steps", "--reply", "x")
        self.assert_broken("misbehaving", "language-misbehaves", "has no language 'y'", "--code", "", "--reply", "", "--language",
                           "y")

    def test_a_call_that_does_not_come_back(self):
        self.assert_broken("misbehaving", "language-plan-hangs", "did not come back within 5 s", "--code", "plan-hangs",
                           "--reply", "x")

    def test_a_transport_that_hands_over_nothing(self):
        self.assert_broken("good", "transport-fixture-good", "connect\\(\\) returned no descriptor")
        self.assert_broken("good", "transport-fixture-good", "derive the factory from pbotvm::SettingsCheck")

    def test_a_hypervisor_that_is_null(self):
        self.assert_broken("good", "hypervisor-fixture-good", "create\\(\\) returned null")

    def test_wrong_usage(self):
        for words in ((), ("--nonsense", "x.so"), ("absent.so",), ("--code", "x", program("pbotvm-plugin-check")), ("--settings",)):
            ended = check(*words)
            self.assertEqual(ended.returncode, 64, ended.stderr)
            self.assertIn("usage: pbotvm-plugin-check", ended.stderr)


if __name__ == "__main__":
    main()
