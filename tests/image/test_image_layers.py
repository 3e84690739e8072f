# SPDX-License-Identifier: MIT
"""pbotvm image with images that no machine uses, by the real qemu-img."""

import contextlib
import hashlib
import json
import os
import pathlib
import random
import signal
import stat
import subprocess

from image_testing import MIB, ImageFolder, Qemu, content, qemu_img
from pbotvm_testing import main, wait_for


class Making(ImageFolder):
    def test_makes_images_of_both_formats(self):
        self.done("create", "a.qcow2", "1G")
        self.done("create", "b.raw", "3M", "--format", "raw")
        self.assertEqual(self.info("a.qcow2")[0]["virtual_size"], 1 << 30)
        self.assertEqual(self.info("a.qcow2")[0]["format"], "qcow2")
        self.assertEqual((self.folder / "b.raw").stat().st_size, 3 * MIB)

    def test_overwrites_nothing(self):
        (self.folder / "a").write_text("precious")
        self.done("create", "base.qcow2", "1M")
        self.refused("exists", "create", "a", "1M")
        self.refused("exists", "overlay", "base.qcow2", "a")
        self.assertEqual((self.folder / "a").read_text(), "precious")
        self.assertEqual(sorted(os.listdir(self.folder)), ["a", "base.qcow2"])

    def test_wrong_usage_is_64_and_names_what_is_wrong(self):
        for words in ([], ["nonsense"], ["info"], ["info", "a", "b"], ["create", "a", "1X"], ["create", "a", "0"],
                      ["create", "a", "65T"], ["create", "a", "99999999999999999999"], ["info", "--nonsense", "a"],
                      ["create", "a", "1M", "--format", "vmdk"], ["commit", "a", "--rate"],
                      ["commit", "a", "--keep", "--delete"]):
            with self.subTest(words):
                done = self.image(*words)
                self.assertEqual(done.returncode, 64, done.stderr)
                self.assertIn("usage: pbotvm [--config FILE] image", done.stderr)

    def test_names_that_are_protocols_or_options_reach_no_program(self):
        for name in ("nbd:127.0.0.1:1", "json:{}", "-b"):
            with self.subTest(name):
                self.assertEqual(self.image("info", name).returncode, 78)
                self.assertEqual(self.image("create", name, "1M").returncode, 78)
        self.done("create", "./nbd:x", "1M")
        self.done("overlay", "./nbd:x", "./-b")
        self.assertEqual(self.info("./-b")[0]["backing"], "./nbd:x")

    def test_an_image_whose_base_is_a_protocol_is_not_opened(self):
        qemu_img("create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", "nbd:127.0.0.1:1", self.folder / "evil.qcow2", "1M")
        for words in (["info", "evil.qcow2"], ["overlay", "evil.qcow2", "new"], ["commit", "evil.qcow2"],
                      ["stream", "evil.qcow2"]):
            with self.subTest(words):
                self.refused("no local file", *words)
        self.assertEqual(os.listdir(self.folder), ["evil.qcow2"])

    def test_an_overlay_always_records_the_format_and_a_path_that_can_move(self):
        self.done("create", "base.raw", "2M", "--format", "raw")
        os.mkdir(self.folder / "sub")
        self.done("overlay", "base.raw", "sub/top.qcow2")
        top = self.info("sub/top.qcow2")
        self.assertEqual((top[0]["backing"], top[0]["backing_format"]), ("../base.raw", "raw"))
        os.mkdir(self.folder / "elsewhere")
        for name in ("base.raw", "sub"):
            os.rename(self.folder / name, self.folder / "elsewhere" / name)
        self.assertEqual(self.info("elsewhere/sub/top.qcow2")[1]["file"], str(self.folder / "elsewhere/base.raw"))

    def test_protect_takes_the_right_to_write_the_base_away(self):
        self.done("create", "base.qcow2", "2M")
        self.done("overlay", "base.qcow2", "top.qcow2", "--protect")
        self.assertEqual(stat.S_IMODE((self.folder / "base.qcow2").stat().st_mode), 0o444)
        self.refused("chmod u+w", "commit", "top.qcow2")

    def test_lists_overlays_of_a_directory_and_of_a_base(self):
        self.done("create", "base.qcow2", "2M")
        self.done("overlay", "base.qcow2", "a.qcow2")
        self.done("overlay", "a.qcow2", "b.qcow2")
        listed = lambda *words: [pathlib.Path(o["file"]).name
                                 for o in json.loads(self.done("overlay", "list", *words, "--json"))["overlays"]]
        self.assertEqual(listed("."), ["a.qcow2", "b.qcow2"])
        self.assertEqual(listed("base.qcow2"), ["a.qcow2"])
        self.assertIn("b.qcow2", self.done("overlay", "list", "a.qcow2"))

    def test_info_is_a_table_for_people(self):
        self.done("create", "base.qcow2", "2M")
        self.done("overlay", "base.qcow2", "top.qcow2")
        lines = self.done("info", "top.qcow2").splitlines()
        self.assertRegex(lines[0], r"^FILE +FORMAT +VIRTUAL +ON DISK +LIES ON +IN USE$")
        self.assertRegex(lines[1], r"top.qcow2 +qcow2 +2.0 MiB +[\d.]+ KiB +base.qcow2 +no$")
        self.assertEqual(len(lines), 3)

    def test_info_says_who_uses_an_image(self):
        self.done("create", "base.qcow2", "2M")
        self.done("overlay", "base.qcow2", "top.qcow2")
        with Qemu(self.folder, "top.qcow2", name="my-machine") as qemu:
            top, base = self.info("top.qcow2")
            self.assertEqual((top["use"], top["pid"], top["machine"]), ("write", qemu.process.pid, "my-machine"))
            self.assertEqual((base["use"], base["machine"]), ("read", "my-machine"))
            for words in (["commit", "top.qcow2"], ["stream", "top.qcow2"], ["rebase", "top.qcow2", "base.qcow2"]):
                self.refused("'my-machine'", *words)
            self.done("overlay", "base.qcow2", "second.qcow2")  # a base that is only read may have more
            self.refused("'my-machine'", "overlay", "top.qcow2", "third.qcow2")
        self.assertEqual([layer["use"] for layer in self.info("top.qcow2")], ["none", "none"])

    def test_has_at_most_64_layers(self):
        self.done("create", "0", "1M")
        for i in range(1, 64):
            qemu_img("create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(i - 1), "-u", self.folder / str(i), "1M")
        self.assertEqual(len(self.info("63")), 64)
        self.refused("64 layers", "overlay", "63", "64")
        self.done("create", "alone", "1M")
        self.done("overlay", "alone", "other")
        self.refused("64 layers", "rebase", "other", "63")


class Merging(ImageFolder):
    def test_the_top_is_merged_and_is_empty_then(self):
        top, (base,) = self.stack(2)
        before = content(top)
        os.chmod(top, 0o640)
        owner = 65534 if os.geteuid() == 0 else os.geteuid()
        os.chown(top, owner, -1)
        printed = self.done("commit", "layer1.qcow2")
        self.assertIn("layer1.qcow2 was merged into", printed)
        self.assertEqual(content(top), before)
        self.assertEqual(content(base), before)
        self.assertLess(self.info("layer1.qcow2")[0]["disk_size"], MIB)
        status = top.stat()
        self.assertEqual((stat.S_IMODE(status.st_mode), status.st_uid), (0o640, owner))

    def test_tells_its_progress_in_percent(self):
        self.stack(2)
        done = self.image("commit", "layer1.qcow2")
        figures = [float(line.split()[1]) for line in done.stderr.splitlines()]
        self.assertEqual(figures, sorted(figures))
        self.assertEqual(figures[-1], 100.0, done.stderr)

    def test_a_layer_between_is_merged_and_those_above_lie_on_the_base(self):
        top, (middle, base) = self.stack(3)
        before, middle_before = content(top), content(middle)
        printed = self.done("commit", "layer1.qcow2", "--delete")
        self.assertIn("layer2.qcow2 lies on", printed)
        self.assertFalse(middle.exists())
        self.assertEqual([pathlib.Path(layer["file"]).name for layer in self.info("layer2.qcow2")],
                         ["layer2.qcow2", "layer0.qcow2"])
        self.assertEqual(content(top), before)
        self.assertEqual(content(base), middle_before)

    def test_keep_leaves_the_merged_image_as_it_was(self):
        self.stack(2)
        size = self.info("layer1.qcow2")[0]["disk_size"]
        self.done("commit", "layer1.qcow2", "--keep")
        self.assertEqual(self.info("layer1.qcow2")[0]["disk_size"], size)

    def test_goes_through_layers_between(self):
        top, (middle, base) = self.stack(3)
        before = content(top)
        printed = self.done("commit", "layer2.qcow2", "--into", "layer0.qcow2")
        self.assertIn("layer1.qcow2 has no content of its own any more", printed)
        os.unlink(middle)
        self.assertEqual(content(top), before)
        self.assertEqual(content(base), before)
        self.refused("does not lie on", "commit", "layer2.qcow2", "--into", "layer2.qcow2")

    def test_a_raw_base_stays_raw(self):
        self.done("create", "base.raw", "8M", "--format", "raw")
        self.done("overlay", "base.raw", "top.qcow2")
        self.fill("top.qcow2", 0, 4)
        before = content(self.folder / "top.qcow2")
        self.done("commit", "top.qcow2")
        self.assertEqual(hashlib.sha256((self.folder / "base.raw").read_bytes()).hexdigest(), before)

    def test_a_base_on_which_others_lie_is_not_written(self):
        self.stack(2)
        self.done("overlay", "layer0.qcow2", "other.qcow2")
        before = content(self.folder / "other.qcow2")
        self.refused("other.qcow2", "commit", "layer1.qcow2")
        self.assertEqual(content(self.folder / "other.qcow2"), before)
        self.done("commit", "layer1.qcow2", "--force")

    def test_layers_between_on_which_others_lie_are_not_made_hollow(self):
        self.stack(3)
        self.done("overlay", "layer1.qcow2", "other.qcow2")
        self.refused("other.qcow2", "commit", "layer2.qcow2", "--into", "layer0.qcow2")

    def test_what_lies_on_nothing_is_not_merged(self):
        self.done("create", "alone.qcow2", "1M")
        self.refused("lies on no other image", "commit", "alone.qcow2")
        self.refused("lies on no other image", "stream", "alone.qcow2")

    def test_a_base_whose_format_is_not_recorded_is_not_guessed(self):
        self.stack(2)
        header = bytearray((self.folder / "layer1.qcow2").read_bytes())
        at = header.index(bytes.fromhex("e2792aca"))
        header[at:at + 4] = b"\x12\x34\x56\x78"  # an extension that nobody knows
        (self.folder / "layer1.qcow2").write_bytes(header)
        self.assertIsNone(self.info("layer1.qcow2")[0]["backing_format"])
        self.refused("does not record the format", "commit", "layer1.qcow2")
        self.done("rebase", "--unsafe", "layer1.qcow2", "layer0.qcow2")
        self.done("commit", "layer1.qcow2")

    def test_a_part_of_a_larger_base_does_not_appear(self):
        self.done("create", "base.qcow2", "16M")
        self.fill("base.qcow2", 8, 8)
        qemu_img("create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "base.qcow2", self.folder / "small.qcow2", "8M")
        qemu_img("create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "small.qcow2", self.folder / "top.qcow2", "16M")
        before = content(self.folder / "top.qcow2")
        self.refused("would appear", "commit", "small.qcow2")
        self.refused("would appear", "commit", "top.qcow2", "--into", "base.qcow2")
        self.assertEqual(content(self.folder / "top.qcow2"), before)

    def test_snapshots_inside_are_not_left_without_what_is_below(self):
        """They have from there what they do not hold themselves, and say so nowhere."""
        top, (base,) = self.stack(2)
        self.done("create", "other.qcow2", "24M")
        before = content(top)
        qemu_img("snapshot", "-c", "mine", top)
        for words in (["commit", top], ["stream", top], ["rebase", top, "other.qcow2"]):
            self.refused("1 snapshot inside", *words)
        qemu_img("snapshot", "-a", "mine", top)
        self.assertEqual(content(top), before)
        self.done("commit", top, "--force")
        self.assertEqual(self.info(top)[0]["snapshots"], 0)
        self.assertEqual(content(top), before)

    def test_snapshots_inside_the_base_stay_what_they_are(self):
        top, (base,) = self.stack(2)
        before = content(base)
        qemu_img("snapshot", "-c", "mine", base)
        self.done("commit", top)
        qemu_img("snapshot", "-a", "mine", base)
        self.assertEqual(content(base), before)


class MovingBases(ImageFolder):
    def test_a_rebase_keeps_the_content(self):
        top, _ = self.stack(2)
        self.done("create", "new.qcow2", "8M")
        self.fill("new.qcow2", 1, 5)
        before = content(top)
        self.done("rebase", "layer1.qcow2", "new.qcow2")
        self.assertEqual(self.info("layer1.qcow2")[1]["file"], str(self.folder / "new.qcow2"))
        self.assertEqual(content(top), before)

    def test_an_unsafe_rebase_mends_a_chain_whose_base_was_moved(self):
        top, (base,) = self.stack(2)
        before = content(top)
        os.rename(base, self.folder / "moved.qcow2")
        self.assertIn("rebase --unsafe", self.image("info", "layer1.qcow2").stderr)
        self.done("rebase", "--unsafe", "layer1.qcow2", "moved.qcow2")
        self.assertEqual(content(top), before)

    def test_nothing_lies_on_itself(self):
        self.stack(3)
        for unsafe in ([], ["--unsafe"]):
            self.refused("would lie on itself", "rebase", "layer0.qcow2", "layer2.qcow2", *unsafe)
            self.refused("would lie on itself", "rebase", "layer1.qcow2", "layer1.qcow2", *unsafe)
        self.assertEqual(len(self.info("layer2.qcow2")), 3)

    def test_a_stream_pulls_everything_in(self):
        top, (middle, base) = self.stack(3)
        before = content(top)
        self.done("stream", "layer2.qcow2")
        os.unlink(middle)
        os.unlink(base)
        self.assertEqual(len(self.info("layer2.qcow2")), 1)
        self.assertEqual(content(top), before)

    def test_a_stream_ends_at_the_base_that_is_named(self):
        top, (middle, _) = self.stack(3)
        before = content(top)
        self.done("stream", "layer2.qcow2", "--base", "layer0.qcow2")
        os.unlink(middle)
        self.assertEqual(len(self.info("layer2.qcow2")), 2)
        self.assertEqual(content(top), before)


class Killed(ImageFolder):
    """Ended in the middle, every overlay opens and has its content; given again, the command comes to its end."""

    def begin(self, *words):
        process = subprocess.Popen(self.command(*words), cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        self.addCleanup(lambda: (process.kill(), process.communicate()))
        return process

    def child_of(self, process):
        """None where it came to its end before it could be seen."""
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while process.poll() is None:  # without a pause: a stream is done in 30 ms
            with contextlib.suppress(OSError):
                if seen := children.read_text().split():
                    return int(seen[0])
        return None

    def test_sigint_leaves_a_consistent_chain(self):
        top, (base,) = self.stack(2, 32)
        before = content(top)
        process = self.begin("commit", "layer1.qcow2", "--rate", "8M")
        while process.stderr.readline().startswith("commit: 0.0 "):
            pass  # until it has written something
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, errors)
        self.assertIn("can be given again", errors)
        self.assertEqual(content(top), before)
        self.assertNotEqual(content(base), before)
        self.done("commit", "layer1.qcow2")
        self.assertEqual(content(top), before)
        self.assertEqual(content(base), before)

    def test_a_commit_of_the_top_that_is_killed_anywhere(self):
        top, (base,) = self.stack(2, 16)
        self.killed_anywhere(top, base, ["commit", "layer1.qcow2", "--rate", "16M"])

    def test_a_commit_of_a_layer_between_that_is_killed_anywhere(self):
        top, (middle, base) = self.stack(3, 16)
        self.killed_anywhere(top, base, ["commit", "layer1.qcow2", "--rate", "16M"], of=middle)

    def test_a_stream_that_is_killed_anywhere(self):
        top, (_, base) = self.stack(3, 32)
        self.killed_anywhere(top, base, ["stream", "layer2.qcow2"], of=None)
        self.assertEqual(len(self.info("layer2.qcow2")), 1)

    def killed_anywhere(self, top, base, words, of="top"):
        """Kills qemu-img or the program above it after a time that differs each time."""
        before = content(top)
        merged = content(top if of == "top" else of) if of else None
        whole = {file: file.read_bytes() for file in self.folder.glob("*.qcow2")}
        random.seed(4)
        killed = i = 0
        while i < 12 or (killed == 0 and i < 100):
            process = self.begin(*words)
            child = self.child_of(process)
            try:
                # The first ones at once, as nothing is left to be done after one that was too late.
                process.wait(0 if i < 3 else random.uniform(0.0, 1.0 if of else 0.2))
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child if child and i % 2 == 0 else process.pid, signal.SIGKILL)
                    killed += 1
                process.wait(60)
            if child:
                wait_for("qemu-img to be gone", lambda: not os.path.exists(f"/proc/{child}"))
            self.assertEqual(content(top), before, f"after {i + 1} times")
            self.assertIn("No errors", qemu_img("check", "-r", "leaks", top).stdout)
            i += 1
            if killed == 0:  # each of them was too late, and nothing is left to be done: all from the beginning
                for file, data in whole.items():
                    file.write_bytes(data)
        self.assertGreater(killed, 0)
        self.image(*words)
        self.assertEqual(content(top), before)
        if merged:
            self.assertEqual(content(base), merged)


if __name__ == "__main__":
    main()
