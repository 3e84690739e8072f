# SPDX-License-Identifier: MIT
"""pbotvm image through a running QEMU, by its QMP socket. What the guest would write is written by QEMU's own qemu-io."""

import os
import random
import signal
import socket
import subprocess
import threading

from image_testing import MIB, ImageFolder, Qemu, content, qemu_img
from pbotvm_testing import main


class Running(ImageFolder):
    def qemu(self, disk):
        qemu = Qemu(self.folder, disk).__enter__()
        self.addCleanup(qemu.__exit__)
        return qemu

    def begin(self, *words):
        process = subprocess.Popen(self.command(*words), cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        self.addCleanup(lambda: (process.kill(), process.communicate()))
        return process

    def begun(self, *words):
        """One that is in the middle of its work, and goes on for some seconds."""
        process = self.begin(*words, "--qmp", "qmp.sock", "--rate", "4M")
        self.assertRegex(process.stderr.readline(), r"^[a-z]+: [\d.]+ %$")
        return process

    def write_more(self, qemu, node):
        """As a guest that goes on working: a MiB of one byte at a place of its own."""
        qemu.io(node, "write -P 171 20M 1M")
        return qemu.io(node, "read -P 171 20M 1M")


class Committing(Running):
    def test_the_machine_goes_on_with_the_base(self):
        top, (base,) = self.stack(2, 8)
        qemu = self.qemu(top)
        qemu.io("disk", "write -P 99 0 1M")
        printed = self.done("commit", top, "--qmp", "qmp.sock")
        self.assertIn("the machine writes to", printed)
        self.assertIn("layer0.qcow2", printed)
        (active,) = [n for n in qemu.nodes().values()]
        self.assertEqual(os.path.basename(active["file"]), "layer0.qcow2")
        qemu.io(active["node-name"], "read -P 99 0 1M")
        self.write_more(qemu, active["node-name"])
        qemu.kill()
        with Qemu(self.folder, base) as again:
            again.io("disk", "read -P 99 0 1M")

    def test_a_layer_between_leaves_the_machine_where_it_is(self):
        top, (middle, base) = self.stack(3, 8)
        before, merged = self.read(top, 0, 20), content(middle)
        qemu = self.qemu(top)
        self.done("commit", middle, "--qmp", "qmp.sock")
        self.assertEqual(set(qemu.nodes()), {"layer2.qcow2", "layer0.qcow2"})
        self.write_more(qemu, "disk")
        qemu.kill()
        chain = self.info(top)
        self.assertEqual([layer["file"] for layer in chain], [str(top), str(base)])
        self.assertEqual((chain[0]["backing"], chain[0]["backing_format"]), ("layer0.qcow2", "qcow2"))
        self.assertEqual(content(base), merged)
        self.assertEqual(self.read(top, 0, 20), before)

    def test_one_job_after_the_other(self):
        top, (middle, base) = self.stack(3, 8)
        before = content(top)
        qemu = self.qemu(top)
        self.done("commit", middle, "--qmp", "qmp.sock")
        self.done("stream", top, "--qmp", "qmp.sock")
        qemu.kill()
        os.unlink(base)
        self.assertEqual(content(top), before)

    def read(self, file, start, size):
        subprocess.run(["qemu-img", "convert", "-O", "raw", file, self.folder / "flat"], check=True, timeout=60)
        with open(self.folder / "flat", "rb") as f:
            f.seek(start * MIB)
            return f.read(size * MIB)

    def test_several_layers_at_once(self):
        top, (middle, base) = self.stack(3, 8)
        before = content(top)
        self.qemu(top)
        self.done("commit", top, "--into", base, "--qmp", "qmp.sock")
        self.assertEqual([layer["use"] for layer in self.info(base)], ["write"])
        self.assertEqual(self.info(middle)[0]["use"], "none")
        self.assertEqual(self.content_in_use(base), before)

    def content_in_use(self, file):
        subprocess.run(["qemu-img", "convert", "-U", "-O", "raw", file, self.folder / "flat"], check=True, timeout=60)
        return content(self.folder / "flat")

    def test_tells_its_progress_and_is_cancelled_by_sigint(self):
        self.cancelled_by(signal.SIGINT)

    def test_is_cancelled_when_its_terminal_goes(self):
        self.cancelled_by(signal.SIGHUP)

    def cancelled_by(self, number):
        top, (base,) = self.stack(2, 16)
        before = content(top)
        qemu = self.qemu(top)
        process = self.begun("commit", top)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, errors)
        self.assertEqual(set(qemu.nodes()), {"layer1.qcow2", "layer0.qcow2"})
        self.assertEqual(qemu.execute("query-block-jobs"), [])
        qemu.io("disk", "write -P 99 40M 1M")
        qemu.io("disk", "write -P 0 40M 1M")
        qemu.kill()
        self.assertEqual(content(top), before)

    def test_a_base_on_which_others_lie_is_not_written(self):
        top, _ = self.stack(2)
        self.done("overlay", "layer0.qcow2", "other.qcow2")
        self.qemu(top)
        self.refused("other.qcow2", "commit", top, "--qmp", "qmp.sock")

    def test_a_layer_on_which_others_lie_too_is_not_merged_away_under_them(self):
        top, (middle, base) = self.stack(3)
        self.done("overlay", middle, "other.qcow2")
        self.fill("other.qcow2", 1, 2)
        contents = {file: content(file) for file in (top, self.folder / "other.qcow2")}
        below = content(base)
        qemu = self.qemu(top)
        for more in ((), ("--force",)):
            self.refused("other.qcow2; stream them first (pbotvm image stream", "commit", middle, "--qmp",
                         "qmp.sock", *more)
        self.assertEqual(set(qemu.nodes()), {"layer2.qcow2", "layer1.qcow2", "layer0.qcow2"})
        self.done("stream", "other.qcow2")  # the remedy
        self.done("commit", middle, "--qmp", "qmp.sock")
        qemu.kill()
        self.assertNotEqual(content(base), below)
        os.unlink(middle)
        self.assertEqual({file: content(file) for file in contents}, contents)

    def test_one_that_was_put_onto_another_image_is_in_nobodys_way(self):
        top, (middle, base) = self.stack(3)
        self.done("create", "elsewhere.qcow2", "20M")
        self.done("overlay", middle, "other.qcow2")
        before = content(self.folder / "other.qcow2")
        self.qemu(top)
        self.refused("pbotvm image rebase FILE NEW_BASE", "commit", middle, "--qmp", "qmp.sock")
        self.done("rebase", "other.qcow2", "elsewhere.qcow2")
        self.done("commit", middle, "--qmp", "qmp.sock")
        self.assertEqual(content(self.folder / "other.qcow2"), before)

    def test_overlays_beside_that_of_the_machine_count_and_so_do_those_on_what_it_writes_to(self):
        for name in ("below", "above"):
            (self.folder / name).mkdir()
        self.done("create", "below/base.qcow2", "16M")
        self.done("overlay", "below/base.qcow2", "below/middle.qcow2")
        for name in ("top", "other"):
            self.done("overlay", "below/middle.qcow2", f"above/{name}.qcow2")
        self.done("overlay", "above/top.qcow2", "above/later.qcow2")
        qemu = self.qemu("above/top.qcow2")
        self.refused("other.qcow2", "commit", "below/middle.qcow2", "--qmp", "qmp.sock")
        (self.folder / "above/other.qcow2").unlink()
        self.refused("later.qcow2", "commit", "above/top.qcow2", "--qmp", "qmp.sock")
        self.assertEqual(set(qemu.nodes()), {"top.qcow2", "middle.qcow2", "base.qcow2"})

    def mount_small(self):
        """A disk of 12 MiB."""
        folder = self.folder / "small"
        folder.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12M", "none", folder], capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest(f"a small disk cannot be had: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", folder], check=True)

    def test_a_full_disk_is_told_in_qemus_words_and_costs_nothing(self):
        self.mount_small()
        self.done("create", "small/base.qcow2", "32M")
        self.fill("small/base.qcow2", 0, 4)
        self.done("overlay", "small/base.qcow2", "top.qcow2")
        self.fill("top.qcow2", 4, 16)
        before = content(self.folder / "top.qcow2")
        qemu = self.qemu("top.qcow2")
        self.refused("No space left on device", "commit", "top.qcow2", "--qmp", "qmp.sock")
        self.assertEqual(set(qemu.nodes()), {"top.qcow2", "base.qcow2"})
        qemu.kill()
        self.assertEqual(content(self.folder / "top.qcow2"), before)

    def test_a_full_disk_off_line_costs_nothing_either(self):
        self.mount_small()
        self.done("create", "small/base.qcow2", "32M")
        self.done("overlay", "small/base.qcow2", "top.qcow2")
        self.fill("top.qcow2", 4, 16)
        before = content(self.folder / "top.qcow2")
        done = self.image("commit", "top.qcow2")
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left on device; make room", done.stderr)
        self.assertEqual(content(self.folder / "top.qcow2"), before)


class Streaming(Running):
    def test_pulls_everything_in_under_the_running_machine(self):
        top, (middle, base) = self.stack(3, 8)
        before = content(top)
        qemu = self.qemu(top)
        self.done("stream", top, "--qmp", "qmp.sock")
        self.assertEqual(set(qemu.nodes()), {"layer2.qcow2"})
        qemu.kill()  # at once: nothing that counts may be in its memory only
        os.unlink(middle)
        os.unlink(base)
        self.assertEqual(content(top), before)

    def test_ends_at_the_base_that_is_named(self):
        top, (middle, base) = self.stack(3, 8)
        before = content(top)
        qemu = self.qemu(top)
        self.done("stream", top, "--base", base, "--qmp", "qmp.sock")
        qemu.kill()
        os.unlink(middle)
        self.assertEqual(self.info(top)[0]["backing"], "layer0.qcow2")
        self.assertEqual(content(top), before)


class LeftBehind(Running):
    def test_the_job_of_one_that_was_killed_is_cleared_away(self):
        top, _ = self.stack(3, 32)
        before = content(top)
        qemu = self.qemu(top)
        process = self.begun("stream", top)
        process.kill()
        process.wait(60)
        self.assertEqual(len(qemu.execute("query-block-jobs")), 1)
        self.done("stream", top, "--qmp", "qmp.sock")
        self.assertEqual(set(qemu.nodes()), {"layer2.qcow2"})
        qemu.kill()
        self.assertEqual(content(top), before)


class Snapshots(Running):
    """Inside the image, as the hosts' are: they need what it lies on."""

    def test_a_stream_or_a_commit_does_not_leave_them_without(self):
        top, _ = self.stack(2)
        qemu_img("snapshot", "-c", "mine", top)
        before = content(top)
        qemu = self.qemu(top)
        self.refused("1 snapshot inside", "stream", top, "--qmp", "qmp.sock")
        self.refused("1 snapshot inside", "commit", top, "--qmp", "qmp.sock")
        qemu.kill()
        qemu_img("snapshot", "-a", "mine", top)
        self.assertEqual(content(top), before)

    def test_one_that_is_taken_meanwhile_ends_a_stream(self):
        top, _ = self.stack(2, 64)
        before = content(top)
        qemu = self.qemu(top)
        process = self.begun("stream", top)
        self.snapshot(qemu)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, errors)
        self.assertIn("somebody took a snapshot", errors)
        qemu.kill()
        self.assertEqual(self.info(top)[0]["backing"], "layer0.qcow2")
        qemu_img("snapshot", "-a", "mine", top)
        self.assertEqual(content(top), before)

    def snapshot(self, qemu):
        """As a host takes one: memory and devices in a file of their own."""
        qemu.job("blockdev-create", options={"driver": "file", "filename": str(self.folder / "memory"), "size": 0})
        qemu.execute("blockdev-add", **{"driver": "file", "node-name": "file", "filename": str(self.folder / "memory")})
        qemu.job("blockdev-create", options={"driver": "qcow2", "file": "file", "size": MIB})
        qemu.execute("blockdev-add", **{"driver": "qcow2", "node-name": "memory", "file": "file"})
        qemu.job("snapshot-save", tag="mine", vmstate="memory", devices=["memory", "disk"])


class Refusals(Running):
    def test_a_qemu_of_somebody_else_is_named_with_what_to_do(self):
        top, _ = self.stack(2)
        qemu = self.qemu(top)
        for command in ("commit", "stream"):
            self.refused(f"QEMU process {qemu.process.pid} (machine 'machine')", command, top)
            self.refused("--qmp SOCKET", command, top)
        self.refused("end process", "rebase", top, "layer0.qcow2")

    def test_a_domain_of_libvirts_is_left_to_libvirt(self):
        top, (middle, base) = self.stack(3)
        # How libvirt starts it.
        monitor = ["-chardev", "null,id=charmonitor", "-mon", "chardev=charmonitor,id=monitor,mode=control"]
        qemu = Qemu(self.folder, top, "guest=box,debug-threads=on", more=monitor).__enter__()
        self.addCleanup(qemu.__exit__)
        self.refused(f"virsh blockcommit box {top} --shallow --active --pivot --wait", "commit", top)
        self.refused(f"virsh blockcommit box DISK --top {middle} --base {base} --wait", "commit", middle, "--into", base)
        self.refused(f"virsh blockpull box {top} --wait", "stream", top)
        self.refused("virsh shutdown box", "rebase", top, base)
        self.assertEqual({layer["holder"] for layer in self.info(top)}, {"libvirt"})
        self.assertIn("domain 'box' of libvirt", self.done("info", top))
        self.refused("lies on no other image", "stream", base)

    def test_an_image_that_the_machine_does_not_have(self):
        top, _ = self.stack(2)
        self.done("create", "other.qcow2", "1M")
        self.done("overlay", "other.qcow2", "upon.qcow2")
        self.qemu(top)
        self.refused("layer1.qcow2", "commit", "upon.qcow2", "--qmp", "qmp.sock")
        self.refused("lies on no other image", "stream", "layer0.qcow2", "--qmp", "qmp.sock")

    def test_no_qemu_there(self):
        top, _ = self.stack(2)
        done = self.image("commit", top, "--qmp", "none.sock")
        self.assertEqual(done.returncode, 69)
        self.assertIn("-qmp unix:SOCKET", done.stderr)

    def test_a_qemu_that_is_stopped_does_not_answer(self):
        top, _ = self.stack(2)
        qemu = self.qemu(top)
        qemu.process.send_signal(signal.SIGSTOP)
        done = self.image("stream", top, "--qmp", "qmp.sock")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(f"QEMU (process {qemu.process.pid}) does not answer", done.stderr)
        self.assertIn(f"it is stopped; let it go on: kill -CONT {qemu.process.pid}", done.stderr)
        qemu.process.send_signal(signal.SIGCONT)
        self.done("stream", top, "--qmp", "qmp.sock")

    def test_a_qemu_that_speaks_to_somebody_else(self):
        top, _ = self.stack(2)
        self.qemu(top)
        done = self.image("stream", top, "--qmp", "own.sock")  # which the test has
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("or speaks to another client there", done.stderr)

    def test_someone_there_that_is_no_qemu(self):
        top, _ = self.stack(2)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.folder / "odd.sock"))
            listener.listen()

            def serve():
                connection, _ = listener.accept()
                connection.sendall(b"SSH-2.0\n")
                connection.close()

            thread = threading.Thread(target=serve)
            thread.start()
            done = self.image("commit", top, "--qmp", "odd.sock")
            thread.join()
        self.assertEqual(done.returncode, 76, done.stderr)

    def test_a_qemu_that_is_killed_meanwhile_is_reported(self):
        top, _ = self.stack(2, 16)
        before = content(top)
        qemu = self.qemu(top)
        process = self.begun("commit", top)
        qemu.kill()
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 69, errors)
        self.assertIn("QEMU", errors)
        self.assertEqual(content(top), before)


class Killed(Running):
    """QEMU killed in the middle, or right behind the end: the chain that is recorded then has the content."""

    def test_a_commit_of_what_the_machine_writes_to(self):
        top, (base,) = self.stack(2, 16)
        self.killed_anywhere(top, ["commit", top, "--rate", "16M"])

    def test_a_commit_of_a_layer_between(self):
        top, (middle, _) = self.stack(3, 16)
        self.killed_anywhere(top, ["commit", middle, "--rate", "16M"])

    def test_a_stream(self):
        top, _ = self.stack(3, 16)
        self.killed_anywhere(top, ["stream", top, "--rate", "32M"])

    def killed_anywhere(self, top, words):
        before = content(top)
        random.seed(4)
        killed = 0
        for i in range(8):
            with Qemu(self.folder, top) as qemu:
                process = self.begin(*words, "--qmp", "qmp.sock")
                try:
                    process.wait(random.uniform(0.1, 1.5))
                except subprocess.TimeoutExpired:
                    killed += 1
                qemu.kill()
                process.communicate(timeout=60)
            self.assertEqual(content(top), before, f"after {i + 1} times")
            if len(self.info(top)) == 1 or process.returncode == 0:
                break
        self.assertGreater(killed, 0)


if __name__ == "__main__":
    main()
