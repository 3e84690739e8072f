# SPDX-License-Identifier: MIT
"""Files that jobs of one persist-key keep between them."""

import concurrent.futures
import io
import json
import os
import pathlib
import signal
import stat
import tarfile

from pbotvm_json import JsonClient, run
from pbotvm_testing import NONE_YAML, Folder, Guest, Host, HostAndGuest, main, wait_for


def line(key, code):
    return json.dumps({"code": "-lang=sh " + code, "persist-key": key})


class Kept(HostAndGuest):
    settings = {"PBOTVM_PERSIST_LIMIT": "100000", "PBOTVM_TIMEOUT": "3"}

    def ask(self, key, code):
        return self.host.ask(line(key, code))

    def archive(self, key):
        return pathlib.Path(self.host.state, "persist", key + ".tar")

    def test_stays_from_job_to_job(self):
        self.assertEqual(self.ask("stays", "ls -A stays; mkdir -p stays/a; echo one > stays/a/f; chmod 755 stays/a/f"),
                         "Success (no output).")
        self.assertEqual(self.ask("stays", "cat stays/a/f; stat -c %a stays/a/f; echo two >> stays/a/f"), "one\n755")
        self.assertEqual(self.ask("stays", "cat stays/a/f"), "one\ntwo")
        self.assertEqual(self.ask("other", "ls -A other; ls -A"), "other\nprog.sh")

    def test_is_the_hosts_alone(self):
        self.ask("private", "echo secret > private/f")
        self.assertEqual(stat.S_IMODE(self.archive("private").parent.stat().st_mode), 0o700)
        self.assertEqual(stat.S_IMODE(self.archive("private").stat().st_mode), 0o600)
        with tarfile.open(self.archive("private")) as tar:
            self.assertEqual([m.name for m in tar], ["f"])

    def test_is_no_output_of_the_job(self):
        events = run(self.host, "-lang=sh echo 1 > quiet/f; echo 2 > g", persist_key="quiet", outputs=["**"])
        self.assertEqual([e["path"] for e in events if e["event"] == "file"], ["g", "prog.sh"])

    def test_is_forgotten_when_its_files_are_removed(self):
        self.ask("gone", "echo 1 > gone/f")
        self.assertTrue(self.archive("gone").exists())
        self.ask("gone", "rm gone/f")
        self.assertFalse(self.archive("gone").exists())

    def test_holds_names_of_any_kind(self):
        self.ask("names", "echo 1 > 'names/a\nb'; echo 2 > names/\u00e9; mkdir 'names/ d'; echo 3 > 'names/ d/'$(printf %0200d 7)")
        self.assertEqual(self.ask("names", "cat names/a* names/\u00e9 names/*/*7"), "1\n2\n3")

    def test_serves_one_job_at_a_time(self):
        def count(_):
            return self.ask("count", "n=$(cat count/n 2>/dev/null || echo 0); echo $((n + 1)) > count/n")

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.assertEqual(set(pool.map(count, range(16))), {"Success (no output)."})
        self.assertEqual(self.ask("count", "cat count/n"), "16")

    def test_keeps_the_old_files_over_a_bound_and_says_so(self):
        self.ask("big", "echo old > big/f")
        reply = self.ask("big", "echo hi; head -c 100001 /dev/zero > big/g; echo new > big/f")
        self.assertRegex(reply, r"\Ahi\n\[Persistent files not saved: .*\]\Z")
        self.assertEqual(self.ask("big", "ls big; cat big/f"), "f\nold")
        events = run(self.host, "-lang=sh i=0; while [ $i -lt 200 ]; do echo > big/$i; i=$((i+1)); done", persist_key="big")
        (event,) = [e for e in events if e["event"] == "not-saved"]
        self.assertEqual(event["persist-key"], "big")
        self.assertIn(event["why"], events[-1]["reply"])
        self.assertEqual(self.ask("big", "ls big; cat big/f"), "f\nold")

    def test_keeps_the_old_files_where_a_file_stands_in_the_directorys_place(self):
        self.ask("place", "echo old > place/f")
        self.assertEqual(self.ask("place", "rm -r place; echo x > place"),
                         "Success (no output).\n[Persistent files not saved: 'place' is a file, and must be a directory]")
        self.assertEqual(self.ask("place", "ls place; cat place/f"), "f\nold")
        self.assertEqual(list(self.archive("place").parent.glob("place.tar.*")), [])

    def test_keeps_the_old_files_where_a_limit_ended_the_job(self):
        self.ask("ended", "echo old > ended/f")
        self.assertTrue(self.ask("ended", "echo new > ended/f; yes").endswith(
            "[Persistent files not saved: the job did not come to its end]"))
        self.assertEqual(self.ask("ended", "cat ended/f"), "old")

    def test_keeps_the_old_files_where_one_is_no_file(self):
        self.ask("link", "echo old > link/f")
        self.assertIn("[Persistent files not saved: 'link/l'", self.ask("link", "echo new > link/f; ln -s /etc/passwd link/l"))
        self.assertEqual(self.ask("link", "ls link; cat link/f"), "f\nold")

    def test_keeps_the_old_files_of_a_job_that_timed_out(self):
        self.ask("late", "echo old > late/f")
        reply = self.ask("late", "echo new > late/f; sleep 50")
        self.assertEqual(reply, "[Timed-out]\n[Persistent files not saved: the job did not come to its end]")
        self.assertEqual(self.ask("late", "cat late/f"), "old")

    def test_refuses_keys_that_are_no_names(self):
        for key in ("a/b", "../a", "..", ".a", "a b", "k" * 65, "a\n", "\u00e9"):
            with self.subTest(key):
                reply = self.ask(key, "true")
                self.assertTrue(reply.startswith('Invalid request: the key "persist-key" must be 1 to 64 '), reply)
                self.assertNotIn("\n", reply)
        self.assertEqual(self.ask("", "echo none"), "none")

    def test_refuses_other_files_in_its_place(self):
        for path in ("mine", "mine/f"):
            reply = self.host.ask(json.dumps({"code": "-lang=sh true", "persist-key": "mine",
                                              "files": [{"path": path, "content": ""}]}))
            self.assertIn("stands where the persistent files of 'mine' are", reply)
        self.assertIn("stands where the persistent files", self.ask("prog.sh", "true"))

    def test_puts_a_damaged_archive_aside_and_goes_on(self):
        self.ask("broken", "echo old > broken/f")
        whole = self.archive("broken").read_bytes()
        for damage in (whole[:700], b"nonsense", self.hostile("../../escape"), self.hostile("/tmp/escape"),
                       self.hostile("link", tarfile.SYMTYPE)):
            self.archive("broken").write_bytes(damage)
            reply = self.ask("broken", "echo ran")
            self.assertEqual(reply, "The persistent files of 'broken' cannot be read: their archive is damaged. The host has "
                                    "put it aside; the next job begins without files.")
            aside = [p for p in self.archive("broken").parent.glob("broken.tar.damaged-*") if p.read_bytes() == damage]
            self.assertEqual(len(aside), 1)
            aside[0].unlink()
            self.assertEqual(self.ask("broken", "ls -A broken; echo new > broken/f"), "Success (no output).")

    @staticmethod
    def hostile(name, kind=tarfile.REGTYPE):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            info = tarfile.TarInfo(name)
            info.type = kind
            info.linkname = "/etc/passwd" if kind == tarfile.SYMTYPE else ""
            tar.addfile(info)
        return data.getvalue()


class Bounds(HostAndGuest):
    settings = {"PBOTVM_PERSIST_KEYS": "2", "PBOTVM_QUEUE_TIMEOUT": "1", "PBOTVM_TIMEOUT": "60"}

    def test_is_bounded_in_the_number_of_keys(self):
        for key in ("one", "two"):
            self.assertEqual(self.host.ask(line(key, f"echo 1 > {key}/f")), "Success (no output).")
        self.assertIn("[Persistent files not saved: files are kept under 2 keys already",
                      self.host.ask(line("three", "echo 1 > three/f")))
        self.assertEqual(self.host.ask(line("two", "echo 2 >> two/f; cat two/f")), "1\n2")

    def test_is_not_waited_for_for_ever(self):
        with JsonClient(self.host, "-lang=sh echo holds; read x", persist_key="held", stdin_stream=True) as holder:
            holder.await_text("holds\n")
            self.assertEqual(self.host.ask(line("held", "true")), "The persistent files of 'held' are in use by another job, "
                                                                  "which did not end within 1 s; try again soon.")
            (event,) = run(self.host, "-lang=sh true", persist_key="held")
            self.assertEqual(event["code"], "persist-key-busy")
            self.assertEqual(self.host.ask(line("free", "echo free")), "free")
            holder.say(stdin="\n")
            holder.rest()
        self.assertEqual(self.host.ask(line("held", "echo mine")), "mine")

    def test_is_free_again_when_its_client_is_gone(self):
        holder = JsonClient(self.host, "-lang=sh echo holds; sleep 50", persist_key="left")
        holder.await_text("holds\n")
        holder.vanish()
        wait_for("the key", lambda: self.host.ask(line("left", "echo mine")) == "mine")


class Lives(Folder):
    """Hosts and guests that end at the wrong moment."""

    def setUp(self):
        self.guest = Guest(self.folder)
        self.addCleanup(self.guest.stop)
        self.host = None
        self.start_host()
        self.addCleanup(lambda: self.host.stop())

    def start_host(self):
        yaml = NONE_YAML.format(data=self.guest.data, heart=self.guest.heart)
        self.host = Host(self.folder, {"PBOTVM_PERSIST_LIMIT": "4 MiB"}, yaml).start()
        self.host.await_state("ready")

    def test_keeps_the_old_files_of_a_job_whose_machine_was_lost(self):
        self.assertEqual(self.host.ask(line("lost", "echo old > lost/f")), "Success (no output).")
        with JsonClient(self.host, "-lang=sh echo new > lost/f; echo begun; sleep 50", persist_key="lost") as client:
            client.await_text("begun\n")
            self.guest.process.kill()
            last = client.rest()[-1]
            self.assertEqual((last["event"], last["code"]), ("error", "unavailable"))
            self.assertTrue(last["reply"].startswith("begun\n Virtual machine 'main' is unavailable: "))
        self.guest.process.wait()
        self.guest.start()
        self.host.await_state("ready")
        self.assertEqual(self.host.ask(line("lost", "cat lost/f")), "old")

    def test_has_the_old_or_the_new_files_when_the_host_was_killed(self):
        big = "head -c 2000000 /dev/zero | tr '\\0' {0} > kill/data; echo {0} > kill/name"
        check = "n=$(cat kill/name); [ \"$(tr -d $n < kill/data | wc -c)\" = 0 ] && wc -c < kill/data"
        self.host.ask(line("kill", big.format("a")))
        store = pathlib.Path(self.host.state, "persist")
        for letter in "bcdefg":
            before = (store / "kill.tar").stat().st_ino
            with self.host.connect() as client:
                client.sendall(line("kill", big.format(letter)).encode() + b"\n")
                # In the midst of it where it can be seen, else right behind it.
                wait_for("the host to write", lambda: list(store.glob(".new-*")) or
                         (store / "kill.tar").stat().st_ino != before)
                self.host.process.send_signal(signal.SIGKILL)
                self.host.process.wait()
            self.start_host()
            self.assertEqual(self.host.ask(line("kill", check)).strip(), "2000000")
            self.assertEqual(sorted(os.listdir(store)), ["kill.tar"])


if __name__ == "__main__":
    main()
