# SPDX-License-Identifier: MIT
"""Edits of what was run before, per channel and language, against a real host and guest program."""

import concurrent.futures
import json
import os
import pathlib
import sqlite3
import stat

from pbotvm_json import run
from pbotvm_testing import NONE_YAML, Folder, Guest, Host, HostAndGuest, main, wait_for


def line(channel, code, **keys):
    return json.dumps({"nick": "alice", "channel": channel, "code": code, **keys})


class Edits(HostAndGuest):
    def say(self, channel, code, **keys):
        return self.host.ask(line(channel, "-lang=sh " + code, **keys))

    def test_runs_what_an_edit_makes_of_the_last_code(self):
        self.assertEqual(self.say("#edit", "echo Hello world"), "Hello world")
        self.assertEqual(self.say("#edit", "s/Hello/Good-bye/ and replace 'world' with 'all'"), "Good-bye all")
        self.assertEqual(self.say("#edit", "run"), "Good-bye all")
        self.assertEqual(self.say("#edit", "show"), "echo Good-bye all")
        self.assertEqual(self.say("#edit", "diff"), "echo [-Hello world-]{+Good-bye all+}")
        self.assertEqual(self.say("#edit", "undo"), "echo Hello world")
        self.assertEqual(self.say("#edit", "append '| wc -w' and prepend 'echo 1;'"), "1\n2")
        self.assertEqual(self.say("#edit", "undo and run"), "Hello world")

    def test_is_one_for_each_channel(self):
        self.assertEqual(self.say("#one", "echo one"), "one")
        self.assertEqual(self.say("#two", "run"), "No recent sh code to run here.")
        self.assertEqual(self.say("#two", "copy #one"), "echo one")
        self.assertEqual(self.say("#two", "s/one/two/"), "two")
        self.assertEqual(self.say("#ONE", "run"), "one")

    def test_is_one_for_each_language_and_its_aliases(self):
        self.assertEqual(self.say("#languages", "echo sh"), "sh")
        self.assertEqual(self.host.ask(line("#languages", "-lang=bash echo bash")), "bash")
        self.assertEqual(self.say("#languages", "run"), "sh")
        self.assertEqual(self.host.ask(line("#languages", "run", lang="bash")), "bash")
        self.host.ask(line("#languages", "-lang=c2x int x;"))
        self.assertEqual(self.host.ask(line("#languages", "-lang=c23 show")), "int x;")

    def test_serves_plain_lines_too(self):
        self.assertEqual(self.host.ask("-lang=sh echo plain"), "plain")
        self.assertEqual(self.host.ask("-lang=sh s/plain/simple/"), "simple")
        self.assertEqual(self.say("", "show"), "echo simple")

    def test_options_and_input_go_with_the_code(self):
        self.assertEqual(self.say("#options", "-x cat; echo $1 -stdin in"), "+ cat\n+ echo\n in")
        self.assertEqual(self.say("#options", "-args word run -stdin out"), "out\nword")
        self.assertEqual(self.say("#options", "show"), "-args word cat; echo $1 -stdin out")
        self.assertEqual(self.say("#options", "-info run"), "sh cmdline: sh prog.sh")

    def test_options_are_those_of_the_language(self):
        def say(code):
            return self.host.ask(line("#valued", "-lang=bash " + code))

        self.assertEqual(say("-o pipefail false | true"), "Exit 1.")
        self.assertEqual(say("-o nounset s/false/exit 3/ and show"), "-o pipefail exit 3 | true")
        self.assertEqual(say("run"), "Exit 3.")
        self.assertEqual(say("-o nounset -info run"), "bash cmdline: bash -o nounset prog.bash")

    def test_says_how_far_back_undo_goes(self):
        for number in range(4):
            self.say("#far", f"echo {number}")
        self.assertEqual(self.say("#far", "undo 5"),
                         "Only 4 pieces of sh code are remembered here: undo 3 goes back to the first of them.")
        self.assertEqual(self.say("#far", "undo 3"), "echo 0")

    def test_pastes_the_last_code(self):
        self.say("#paste", "echo pasted")
        page = pathlib.Path(self.say("#paste", "paste")).read_text()
        self.assertTrue(page.startswith("echo pasted\n"), page)
        self.assertEqual(pathlib.Path(self.say("#paste", "-paste append 'again'")).read_text().count("pasted again"), 2)
        self.assertEqual(self.say("#paste", "show"), "echo pasted again")

    def test_what_is_no_edit_is_code(self):
        self.assertEqual(self.say("#code", "run() { echo ran; }; run"), "ran")
        self.assertEqual(self.say("#code", "echo run; show=1; echo $show"), "run\n1")
        self.assertIn("not found", self.say("#code", "undo everything"))

    def test_says_why_an_edit_cannot_be_done(self):
        self.say("#why", "echo a")
        self.assertEqual(self.say("#why", "replace 'b' with 'c'"), "'b' is not in the code.")
        self.assertIn("missing )", self.say("#why", "s/(a/b/"))
        self.assertIn("write \\' for a quote within", self.say("#why", "append 'don't'"))
        events = run(self.host, "-lang=sh s/[/x/", channel="#why")
        self.assertEqual((events[-1]["event"], events[-1]["code"]), ("error", "bad-request"))
        events = run(self.host, "-lang=sh show", channel="#why")
        self.assertEqual((events[-1]["event"], events[-1]["reply"]), ("end", "echo a"))
        self.assertEqual(self.say("#why", "run"), "a")

    def test_a_factoid_is_no_edit_and_is_not_remembered(self):
        self.say("#factoid", "echo mine")
        self.assertEqual(self.say("#factoid", "echo theirs", factoid=True), "theirs")
        self.assertIn("not found", self.say("#factoid", "show", factoid=True))
        self.assertEqual(self.say("#factoid", "show"), "echo mine")

    def test_code_of_several_lines(self):
        self.say("#lines", "if true\nthen echo 'a b'\nfi")
        self.assertEqual(self.say("#lines", r"s/true\n/true; echo 1\n/ and undo"), "undo stands first, before other edits.")
        self.assertEqual(self.say("#lines", "replace 'true\nthen' with 'true\nthen echo 1\n'"), "1\na b")
        self.assertEqual(self.say("#lines", "show"), "if true\nthen echo 1\n echo 'a b'\nfi")
        self.assertEqual(self.say("#lines", r"s/\n/; /g and diff"),
                         "if true[-\\n-]{+; +}then echo 1[-\\n -]{+;  +}echo 'a b'[-\\n-]{+; +}fi")

    def test_many_at_once(self):  # not in a chat (#many): there a repeated output is told in other words
        self.assertEqual(self.say("many", "echo 0"), "0")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: self.say("many", f"append '{n}'"), range(1, 25)))
        self.assertEqual(sorted(map(int, self.say("many", "run").split())), list(range(25)))

    def test_is_the_hosts_alone(self):
        self.say("#private", "echo secret")
        for path in pathlib.Path(self.host.state).glob("history.db*"):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, path)
            self.assertEqual(path.stat().st_uid, pathlib.Path(self.host.state).stat().st_uid, path)

    def test_somebody_who_looks_at_the_file_disturbs_nobody(self):
        self.say("#look", "echo look")
        database = sqlite3.connect(os.path.join(self.host.state, "history.db"), isolation_level=None)
        self.addCleanup(database.close)
        database.execute("BEGIN")
        self.assertGreater(database.execute("SELECT count(*) FROM entry").fetchone()[0], 0)
        self.assertEqual(self.say("#look", "s/look/see/"), "see")
        database.execute("COMMIT")
        # Even one who locks it.
        database.execute("BEGIN IMMEDIATE")
        self.assertEqual(self.say("#look", "echo served"), "served")
        database.execute("ROLLBACK")
        self.assertEqual(self.say("#look", "run"), "see")
        # For a moment nothing is remembered; the tests behind this one are not to meet that.
        wait_for("it to remember again", lambda: self.say("#look", "echo heard") and self.say("#look", "run") == "heard")


class Restarts(Folder):
    """Hosts of one state directory, one after the other."""

    def setUp(self):
        self.guest = Guest(self.folder)
        self.addCleanup(self.guest.stop)
        self.host = None

    def start(self, **settings):
        if self.host is not None:
            self.host.stop()
        yaml = NONE_YAML.format(data=self.guest.data, heart=self.guest.heart)
        self.host = Host(self.folder, settings, yaml).start()
        self.addCleanup(self.host.stop)
        self.host.await_state("ready")
        return self.host

    def file(self, end=""):
        return pathlib.Path(self.folder, "state", "history.db" + end)

    def test_life_of_a_file(self):
        self.assertEqual(self.start().ask("-lang=sh echo kept"), "kept")
        self.assertEqual(self.start().ask("-lang=sh run"), "kept")

        with self.subTest("killed"):
            self.assertEqual(self.host.ask("-lang=sh s/kept/killed/"), "killed")
            self.host.process.kill()
            self.host.process.wait()
            self.assertEqual(self.start().ask("-lang=sh run"), "killed")

        with self.subTest("bounds"):
            host = self.start(PBOTVM_HISTORY_ENTRIES=3)
            for i in range(5):
                host.ask(f"-lang=sh echo {i}")
            self.assertEqual(host.ask("-lang=sh undo 2"), "echo 2")
            self.assertEqual(host.ask("-lang=sh undo"), "There is nothing before it to go back to.")

        with self.subTest("damaged"):
            self.host.stop()
            for path in self.file().parent.glob("history.db-*"):
                path.unlink()
            self.file().write_bytes(b"x" * 20000)
            host = self.start()
            self.assertEqual(host.ask("-lang=sh echo anew"), "anew")
            self.assertEqual(host.ask("-lang=sh run"), "anew")
            self.assertEqual(self.file(".damaged").read_bytes(), b"x" * 20000)
            self.assertEqual(host.log().count("history.db.damaged"), 1)

        with self.subTest("unusable"):
            self.host.stop()
            for path in self.file().parent.glob("history.db*"):
                path.unlink()
            self.file().mkdir()
            host = self.start()
            for i in range(5):
                self.assertEqual(host.ask(f"-lang=sh echo {i}"), str(i))
            self.assertIn("cannot be read at the moment", host.ask("-lang=sh run"))
            self.assertEqual(host.log().count("history.db cannot be used"), 1)
            self.file().rmdir()
            self.assertEqual(host.ask("-lang=sh echo well"), "well")
            self.assertEqual(host.ask("-lang=sh run"), "well")

        with self.subTest("off"):
            self.host.stop()
            for path in self.file().parent.glob("history.db*"):
                path.unlink()
            host = self.start(PBOTVM_HISTORY="false")
            host.ask("-lang=sh echo forgotten")
            self.assertIn("not found", host.ask("-lang=sh run"))
            self.assertFalse(self.file().exists())


class ClosedParent(Folder):
    def test_a_directory_above_the_state_that_the_hosts_user_cannot_enter(self):
        if os.geteuid() != 0:
            self.skipTest("only root starts a host where its own user may not go")
        closed = pathlib.Path(self.folder, "closed")
        closed.mkdir(mode=0o700)
        guest = Guest(self.folder)
        self.addCleanup(guest.stop)
        state = os.path.join(closed, "state")
        host = Host(self.folder, {"PBOTVM_STATE": state}, NONE_YAML.format(data=guest.data, heart=guest.heart))
        host.state = state
        host.start()
        self.addCleanup(host.stop)
        host.await_state("ready")
        self.assertEqual(host.ask("-lang=sh echo one"), "one")
        self.assertEqual(host.ask("-lang=sh s/one/two/"), "two")
        self.assertNotIn("history.db", host.log())
        self.assertNotEqual(os.stat(os.path.join(state, "history.db")).st_uid, 0)
        self.assertEqual(os.listdir(closed), ["state"])


if __name__ == "__main__":
    main()
