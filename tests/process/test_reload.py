# SPDX-License-Identifier: MIT
"""SIGHUP: the languages are read anew while the host serves, and no request is lost by it."""

import concurrent.futures
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time
import unittest

from pbotvm_json import JsonClient
from pbotvm_testing import BUILD, NONE_YAML, Folder, Guest, Host, HostAndGuest, clean_environment, main, program, wait_for

DEFINITION = """\
name: {name}
file: prog.{name}
tools: [{tool}]
hello: echo hello
steps:
  - label: run
    argv: [{tool}, {words}"{{file}}"]
    reads_input: true
"""


class Reload(Folder):
    def setUp(self):
        folder = os.path.join(self.folder, self._testMethodName)
        self.shipped, self.own = os.path.join(folder, "shipped"), os.path.join(folder, "own")
        for path in (self.shipped, self.own):
            os.makedirs(path)
        self.guest = Guest(folder)
        self.addCleanup(self.guest.stop)
        self.write("one", words="")
        yaml = NONE_YAML.format(data=self.guest.data, heart=self.guest.heart)
        self.host = Host(folder, {"PBOTVM_LANGUAGES": self.shipped + ":" + self.own, "PBOTVM_FORTUNE": "false",
                                  "PBOTVM_TIMEOUT": 60}, yaml)
        self.host.start()
        self.addCleanup(self.host.stop)
        self.host.await_state("ready")

    def write(self, name, where=None, **changes):
        """A language that the Bourne shell runs, written whole, as an editor does."""
        values = {"name": name, "tool": "sh", "words": ""} | changes
        path = pathlib.Path(where or self.shipped, name + ".yaml")
        path.with_suffix(".new").write_text(DEFINITION.format(**values))
        path.with_suffix(".new").rename(path)
        return path

    def reload(self):
        """Returns what the host logged of it."""
        before = len(self.host.log())

        def said():
            log = self.host.log()[before:]
            return log if "were read anew" in log or "stay as they are" in log else None

        self.host.process.send_signal(signal.SIGHUP)
        return wait_for("the end of the reload", said, 60)

    def test_finds_added_changed_and_removed_languages(self):
        self.assertIn("not supported", self.host.ask("-lang=two echo x"))
        self.write("two")
        self.assertIn("added two;", self.reload())
        self.assertEqual(self.host.ask("-lang=two echo x"), "x")
        self.assertEqual(self.host.ask("-lang=two false; echo on"), "on")
        self.write("two", words="-e, ")
        self.assertIn("changed two;", self.reload())
        self.assertEqual(self.host.ask("-lang=two false; echo on"), "Exit 1.")
        pathlib.Path(self.shipped, "two.yaml").unlink()
        self.assertIn("removed two;", self.reload())
        self.assertIn("not supported", self.host.ask("-lang=two echo x"))
        self.assertIn("no change is seen;", self.reload())

    def test_goes_on_reading_below_a_closed_directory(self):
        if os.geteuid() != 0:
            self.skipTest("this run is not root's, so the host stays who it is")
        self.host.stop()
        closed = os.path.join(os.path.dirname(self.shipped), "closed")
        os.mkdir(closed, 0o700)
        inner, single = os.path.join(closed, "inner"), os.path.join(closed, "single")
        os.mkdir(inner, 0o755)
        os.mkdir(single, 0o755)
        self.write("two", where=inner)
        named = self.write("three", where=single)
        self.host.environment["PBOTVM_LANGUAGES"] = f"{self.shipped}:{inner}:{named}"
        self.host.start()
        self.host.await_state("ready")
        self.write("two", where=inner, words="-e, ")
        self.write("three", where=single, words="-e, ")
        self.write("four", where=inner)
        self.assertRegex(self.reload(), "added four; .*changed (two, three|three, two);")
        self.assertEqual(self.host.ask("-lang=two false; echo on"), "Exit 1.")
        self.assertEqual(self.host.ask("-lang=four echo x"), "x")
        self.write("four", where=inner, tool="[")
        self.assertIn(f"stay as they are, as they could not be read anew: {inner}/four.yaml:", self.reload())
        os.rename(inner, inner + ".old")
        os.mkdir(inner)
        self.write("two", where=inner)
        for _ in range(2):
            self.assertRegex(self.reload(), f"could not be read anew: .*definitions in {inner}: the directory was moved or removed")
            shutil.rmtree(inner + ".old", ignore_errors=True)
        self.assertEqual(self.host.ask("-lang=four echo x"), "x")

    @unittest.skipUnless(os.geteuid() == 0, "only root's host becomes another user")
    def test_a_start_warns_of_a_file_that_only_root_reads(self):
        self.assertNotIn("was read as root", self.host.log())
        self.host.stop()
        private = self.write("two")
        private.chmod(0o600)
        self.host.start().await_state("ready")
        self.assertEqual(self.host.ask("-lang=two echo x"), "x")
        self.assertRegex(self.host.log(), rf"{private} was read as root, and user \w+ may not read it: SIGHUP .*chmod o\+r makes")
        self.assertNotIn(f"{self.shipped}/one.yaml was read", self.host.log())
        self.assertRegex(self.reload(), f"stay as they are.*{private}")
        private.chmod(0o644)
        self.assertIn("were read anew", self.reload())

    def test_says_that_an_operators_file_overrides_a_shipped_one(self):
        own = self.write("one", where=self.own, words="-e, ")
        log = self.reload()
        self.assertIn("changed one;", log)
        self.assertRegex(log, f"language one: {own}, instead of {self.shipped}/one.yaml")
        self.assertEqual(self.host.ask("-lang=one false; echo on"), "Exit 1.")

    def test_keeps_the_old_languages_where_a_file_is_wrong(self):
        self.write("two")
        wrong = pathlib.Path(self.own, "wrong.yaml")
        wrong.write_text("name: wrong\nfile: [\n")
        log = self.reload()
        self.assertRegex(log, f"stay as they are.*{wrong}:[0-9]+:[0-9]+: error: ")
        self.assertEqual(self.host.ask("-lang=one echo x"), "x")
        self.assertIn("not supported", self.host.ask("-lang=two echo x"))
        wrong.unlink()
        self.assertIn("added two;", self.reload())

    def test_keeps_the_old_languages_where_the_default_one_would_be_gone(self):
        self.host.stop()
        self.host.environment["PBOTVM_LANGUAGE"] = "one"
        self.host.start().await_state("ready")
        pathlib.Path(self.shipped, "one.yaml").unlink()
        self.assertIn("stay as they are", self.reload())
        self.assertEqual(self.host.ask("echo x"), "x")

    def test_asks_the_guest_after_the_tools_of_new_languages(self):
        self.write("two", tool="no-such-tool")
        self.write("three", tool="cat")
        self.reload()
        wait_for("the guest's answer", lambda: "needs no-such-tool, which" in self.host.ask("-lang=two x"))
        self.assertEqual(self.host.ask("-lang=three x"), "x")
        answer = self.host.control("languages", machine="main")
        missing = {one["name"]: one["missing"]["main"] for one in answer["languages"]}
        self.assertEqual((missing["two"], missing["three"], missing["sh"]), (["no-such-tool"], [], []))

    def test_a_job_ends_with_the_language_that_it_began_with(self):
        with JsonClient(self.host, "-lang=one echo begun; read x; echo old; false; echo end", stdin_stream=True) as client:
            client.await_text("begun\n")
            pathlib.Path(self.shipped, "one.yaml").unlink()
            self.assertIn("removed one;", self.reload())
            client.say(stdin="\n")
            self.assertEqual(client.rest()[-1]["reply"], "begun\nold\nend")
        self.assertIn("not supported", self.host.ask("-lang=one echo x"))

    def test_loses_no_request_while_it_is_told_again_and_again(self):
        done = threading.Event()
        replies = []

        def client(number):
            count = 0
            while not done.is_set():
                text = f"{number} {count}"
                replies.append((self.host.ask(f"-lang=one echo {text}"), text))
                count += 1

        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            clients = [pool.submit(client, number) for number in range(6)]
            try:
                end = time.monotonic() + 120
                rounds = 0
                while rounds < 10 or len(replies) <= 30 or self.host.log().count("were read anew") < 5:
                    self.assertLess(time.monotonic(), end, f"{len(replies)} replies, {rounds} signals:\n{self.host.log()[-3000:]}")
                    self.write("other", tool=f"tool-{rounds}", words=f'"{rounds}", ')
                    self.host.process.send_signal(signal.SIGHUP)
                    rounds += 1
                    time.sleep(0.1)  # a pace, so that reloads meet requests in every state
                self.reload()
            finally:
                done.set()
            for one in clients:
                one.result(120)
        self.assertEqual([pair for pair in replies if pair[0] != pair[1]], [])
        self.assertNotIn("reverting", self.host.log())
        self.assertEqual(self.host.machine()["faults"], 0)

    def test_still_ends_when_told_to(self):
        for _ in range(5):
            self.host.process.send_signal(signal.SIGHUP)
        self.assertEqual(self.host.stop(), 0)


class SlowPlugin(HostAndGuest):
    fixtures = BUILD / "lib" / "fixtures" / "misbehaving"
    settings = {"PBOTVM_PLUGINS": f"{BUILD / 'lib' / 'pbotvm'}:{fixtures}", "PBOTVM_LANGUAGES": fixtures}

    def reload(self):
        before = len(self.host.log())
        self.host.process.send_signal(signal.SIGHUP)
        wait_for("the end of the reload", lambda: "were read anew" in self.host.log()[before:], 60)
        return self.host.log()[before:]

    def status(self):
        return subprocess.run([program("pbotvm"), "status"], env=clean_environment(PBOTVM_STATE=self.host.state),
                              capture_output=True, text=True, timeout=60).stdout

    def test_a_plugin_whose_call_came_back_late_is_taken_up_again(self):
        go = pathlib.Path(self.folder, "go")
        self.assertNotIn("suspended", self.status())
        reply = self.host.ask(f"-lang=misbehaves plan-waits-for {go}")
        self.assertIn("did not come back within 5 s, so the plug-in is suspended", reply)
        with self.subTest("not while the call is out"):
            self.assertIn("plug-in language-misbehaves.so stays suspended: 1 of its calls did not come back", self.reload())
            self.assertIn("the languages of plug-in language-misbehaves.so stay as they are: a call did not come back", self.reload())
            self.assertIn("suspended because", self.host.ask("-lang=misbehaves x"))
            self.assertRegex(self.status(), r"(?m)^plug-in language-misbehaves.so is suspended: a call did not come back; ")
        with self.subTest("when it is back"):
            go.touch()
            wait_for("the call to come back", lambda: "came back too late" in self.status(), 60)
            self.assertIn("suspended because", self.host.ask("-lang=misbehaves x"))
            self.assertIn("plug-in language-misbehaves.so is taken up again", self.reload())
            self.assertEqual(self.host.ask("-lang=misbehaves x"), "x")
            self.assertNotIn("suspended", self.status())
        with self.subTest("it was not asked for its languages while the call was out"):
            self.assertEqual(self.host.ask("-lang=misbehaves creations"), "2")


if __name__ == "__main__":
    main()
