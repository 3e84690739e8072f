#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A guest that was written from docs/protocol.md alone: it shows that the document says enough. It contains nothing, so
it is for harmless jobs only.

usage: third_party_guest.py DATA_SOCKET HEART_SOCKET"""

import contextlib
import fnmatch
import os
import pathlib
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from pbotvm_frames import (CANCEL, CLEAN, COLLECTED, CREDIT, ERROR, FILE, HELLO, INPUT, JOB, MAX_PAYLOAD, OUTPUT, PING,
                           PONG, RESULT, STEP, WELCOME, Frame, Reader, message)

MAX_SLOTS = 4
OUTPUT_CREDIT = 262144
INPUT_CREDIT = 65536


class Bad(Exception):
    pass


def check_path(path):
    parts = path.split("/") if isinstance(path, str) else []
    if not parts or len(path.encode()) > 4095 or "\0" in path:
        raise Bad("path")
    if any(part in ("", ".", "..") or len(part.encode()) > 255 for part in parts):
        raise Bad("path: a part")
    return path


def check_job(job):
    if not isinstance(job, dict) or not isinstance(job.get("steps"), list) or not 1 <= len(job["steps"]) <= 16:
        raise Bad("steps")
    for step in job["steps"]:
        argv = step.get("argv")
        if not isinstance(argv, list) or not argv or not all(isinstance(a, str) and "\0" not in a for a in argv) or not argv[0]:
            raise Bad("argv")
    files = job.get("files", [])
    paths = [check_path(file.get("path")) for file in files]
    if len(files) > 256 or len(set(paths)) != len(paths) or sum(file.get("size", 0) for file in files) > 16 << 20:
        raise Bad("files")
    for path in job.get("directories", []) + job.get("collect", {}).get("patterns", []):
        check_path(path)
    return job


def matches(path, pattern):
    """Parts against parts; `**` stands for any number of them."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        return matches(path, pattern[1:]) or bool(path) and matches(path[1:], pattern)
    return bool(path) and fnmatch.fnmatchcase(path[0], pattern[0]) and matches(path[1:], pattern[1:])


class Job:
    """One job: its frames come in by the line's thread, its steps are run by a thread of its own."""

    def __init__(self, line, number, order):
        self.line, self.number, self.order = line, number, order
        self.limits = order.get("limits", {})
        self.folder = tempfile.mkdtemp(prefix="third-party-")
        self.files, self.due, self.content = order.get("files", []), 0, b""
        self.input, self.input_ended, self.input_left = b"", False, INPUT_CREDIT
        self.credit, self.sent, self.cut = OUTPUT_CREDIT, 0, 0
        self.limit, self.process, self.over, self.silent = "none", None, False, False
        self.changed = threading.Condition()
        for path in order.get("directories", []):
            os.makedirs(os.path.join(self.folder, path), exist_ok=True)
        self.set_timer()

    def set_timer(self):
        self.timer = threading.Timer(self.limits.get("wall_ms", 60000) / 1000, self.strike, ["wall"])
        self.timer.daemon = True
        self.timer.start()

    # ---- what the host sends

    def begin_when_fed(self):
        while self.due < len(self.files) and len(self.content) == self.files[self.due].get("size", 0):
            path = os.path.join(self.folder, self.files[self.due]["path"])
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(self.content)
            os.chmod(path, self.files[self.due].get("mode", 0o644))
            self.due, self.content = self.due + 1, b""
        if self.due == len(self.files):
            threading.Thread(target=self.run, daemon=True).start()

    def take(self, frame):
        with self.changed:
            if frame.type == FILE:
                if len(frame.payload) < 4 or struct.unpack(">I", frame.payload[:4])[0] != self.due or self.due == len(self.files):
                    raise Bad("file: not the one that is due")
                self.content += frame.payload[4:]
                if len(self.content) > self.files[self.due].get("size", 0):
                    raise Bad("file: more than its size")
                self.begin_when_fed()
            elif frame.type == INPUT:
                self.input_left -= len(frame.payload)
                if self.input_left < 0 or self.input_ended:
                    raise Bad("input: more than was allowed")
                self.input += frame.payload
                self.input_ended = not frame.payload
            elif frame.type == CREDIT:
                if len(frame.payload) != 4:
                    raise Bad("credit: not four bytes")
                self.credit += struct.unpack(">I", frame.payload)[0]
            elif frame.type == CANCEL:
                self.strike("cancelled")
            self.changed.notify_all()

    def strike(self, limit):
        with self.changed:
            if self.limit == "none":
                self.limit = limit
            self.end_processes()
            if self.due < len(self.files):
                threading.Thread(target=self.finish, daemon=True).start()
            self.changed.notify_all()

    def end_processes(self):
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    # ---- what is sent to it

    def send(self, type, value):
        if not self.silent:
            self.line.send(message(type, value, self.number, self.line.nonce))

    def use_credit(self, size):
        """Waits for credit, for up to `size` bytes."""
        with self.changed:
            self.changed.wait_for(lambda: self.credit > 0 or self.limit != "none" or self.silent)
            size = min(size, self.credit)
            self.credit -= size
            return size

    def send_output(self, step, stream, data):
        allowed = max(0, self.limits.get("output", 1 << 20) - self.sent)
        if len(data) > allowed and self.limit == "none":
            self.strike("output")
        keep = data[:allowed]
        self.cut += len(data) - len(keep)
        while keep:
            size = self.use_credit(min(len(keep), MAX_PAYLOAD - 5))
            if size == 0:
                self.cut += len(keep)
                return
            self.sent += size
            self.send(OUTPUT, struct.pack(">IB", step, stream) + keep[:size])
            keep = keep[size:]

    # ---- its life

    def run(self):
        self.timer.cancel()
        self.set_timer()
        last, error = None, ""
        try:
            for index, step in enumerate(self.order["steps"]):
                when = step.get("when", "after_success")
                if when == "always" or when == ("after_success" if last in (None, 0) else "after_crash" if last < 0 else ""):
                    last = self.run_step(index, step)
                if self.limit != "none":
                    break
        except OSError as e:
            error = str(e)
        self.timer.cancel()
        if self.limit == "none" and not error and self.order.get("collect", {}).get("patterns"):
            self.collect()
        self.finish(error)

    def run_step(self, index, step):
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder, **dict(step.get("env", []))}
        begun = time.monotonic()
        told = {"step": index, "label": step.get("label", "")}
        try:
            with self.changed:
                if self.limit != "none":
                    return None
                self.process = subprocess.Popen(
                    step["argv"], cwd=self.folder, env=environment, start_new_session=True, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, stdin=subprocess.PIPE if step.get("input") else subprocess.DEVNULL)
        except OSError as e:
            self.send(STEP, {**told, "exit": 127, "error": str(e)})
            return 127
        if step.get("input"):
            threading.Thread(target=self.feed, args=[self.process.stdin], daemon=True).start()
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ, 1)
            selector.register(self.process.stderr, selectors.EVENT_READ, 2)
            while selector.get_map():
                for key, _ in selector.select():
                    data = os.read(key.fd, 16384)
                    if data:
                        self.send_output(index, key.data, data)
                    else:
                        selector.unregister(key.fileobj)
        code = self.process.wait()
        with self.changed:
            self.end_processes()
            self.process = None
        told["wall_us"] = int((time.monotonic() - begun) * 1e6)
        told.update({"signal": -code} if code < 0 else {"exit": code})
        self.send(STEP, told)
        return code

    def feed(self, pipe):
        given = 0
        try:
            with pipe:
                while True:
                    with self.changed:
                        self.changed.wait_for(lambda: len(self.input) > given or self.input_ended or self.over)
                        piece, ended = self.input[given:], self.input_ended or self.over
                    if not piece and ended:
                        return
                    pipe.write(piece)
                    pipe.flush()
                    given += len(piece)
                    with self.changed:
                        self.input_left += len(piece)
                    if piece:
                        self.send(CREDIT, struct.pack(">I", len(piece)))
        except BrokenPipeError:
            pass

    def collect(self):
        wanted, found, left = self.order["collect"], [], []
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = os.path.join(folder, name)
                relative = os.path.relpath(path, self.folder)
                if not any(matches(relative.split("/"), pattern.split("/")) for pattern in wanted["patterns"]):
                    continue
                if os.path.islink(path) or not os.path.isfile(path):
                    left.append({"path": relative, "why": "no regular file"})
                elif len(found) == (wanted.get("files") or 256):
                    left.append({"path": relative, "why": "too many files"})
                else:
                    found.append((relative, pathlib.Path(path).read_bytes(), os.stat(path).st_mode & 0o777))
        found.sort()
        self.send(COLLECTED, {"files": [{"path": path, "size": len(data), "mode": mode} for path, data, mode in found],
                              "left_behind": left[:64]})
        for index, (_, data, _) in enumerate(found):
            while data:
                size = self.use_credit(min(len(data), MAX_PAYLOAD - 4))
                if size == 0:
                    return
                self.send(FILE, struct.pack(">I", index) + data[:size])
                data = data[size:]

    def finish(self, error=""):
        with self.changed:
            if self.over:
                return
            self.over = True
            self.timer.cancel()
            self.changed.notify_all()
        shutil.rmtree(self.folder, True)
        self.send(RESULT, {"limit": self.limit, "cut": self.cut, "error": error})
        self.line.forget(self)
        self.send(CLEAN, {"proven": True})

    def abandon(self):
        self.silent = True
        self.strike("cancelled")


class Line:
    def __init__(self, connection):
        self.connection, self.nonce, self.jobs, self.slots = connection, None, {}, 1
        self.lock = threading.Lock()
        self.texts = {}

    def send(self, data):
        with self.lock:
            try:
                self.connection.sendall(data)
            except OSError:
                pass

    def forget(self, job):
        if self.jobs.get(job.number) is job:
            del self.jobs[job.number]

    def abandon_all(self):
        for job in list(self.jobs.values()):
            job.abandon()
        self.jobs = {}

    def serve(self):
        reader = Reader()
        while True:
            # Nothing for 2 s: the rest of half a frame will not come.
            self.connection.settimeout(2 if reader.bytes else None)
            try:
                data = self.connection.recv(65536)
            except TimeoutError:
                reader = Reader()
                continue
            if not data:
                return self.abandon_all()
            reader.feed(data)
            for frame in reader.frames():
                self.take(frame)

    def refuse(self, frame, code, text):
        self.send(message(ERROR, {"code": code, "text": text}, frame.job, frame.nonce))

    def whole(self, frame):
        """The text of a message once its last frame is there."""
        if frame.more and not frame.payload:
            raise Bad("an empty frame")
        text = self.texts.pop((frame.type, frame.job), b"") + frame.payload
        if len(text) > 4 << 20:
            raise Bad("too long")
        if frame.more:
            self.texts[frame.type, frame.job] = text
            return None
        try:
            return Frame(frame.type, text).json()
        except ValueError:
            raise Bad("not JSON") from None

    def take(self, frame):
        try:
            if frame.type == HELLO:
                return self.take_hello(frame)
            if self.nonce is None and frame.type == JOB:
                return self.refuse(frame, "no-conversation", "say HELLO first")
            if frame.nonce != self.nonce:
                return None
            if frame.type == PING:
                return self.send(Frame(PONG, frame.payload, frame.job, self.nonce).encode())
            if frame.type == JOB:
                return self.take_job(frame)
            job = self.jobs.get(frame.job)
            if job and not job.over:
                job.take(frame)
        except Bad as e:
            job = self.jobs.pop(frame.job, None)
            if job:
                job.abandon()
            self.refuse(frame, "bad-message", str(e))

    def take_hello(self, frame):
        hello = self.whole(frame)
        if hello is None:
            return
        if not isinstance(hello, dict) or not isinstance(hello.get("time_ns"), int) or len(hello.get("seed", "")) < 64:
            raise Bad("hello")
        self.abandon_all()
        self.nonce, self.texts = frame.nonce, {}
        self.slots = min(MAX_SLOTS, hello.get("slots", 1))
        tools = [tool for tool in hello.get("tools", []) if shutil.which(tool)]
        welcome = {"version": "third party", "slots": self.slots, "tools": tools,
                   "containment": [{"name": "all", "given": False, "why": "a guest for tests"}]}
        self.send(message(WELCOME, welcome, 0, self.nonce))

    def take_job(self, frame):
        if frame.job == 0 or frame.job in self.jobs:
            return self.refuse(frame, "bad-job", "its number")
        order = self.whole(frame)
        if order is None:
            return
        check_job(order)
        if len(self.jobs) == self.slots:
            return self.refuse(frame, "busy", "no slot is free")
        job = self.jobs[frame.job] = Job(self, frame.job, order)
        with job.changed:
            job.begin_when_fed()


def beat(connection):
    try:
        while True:
            connection.sendall(b"\n")
            time.sleep(5)
    except OSError:
        pass


def listen(path, serve):
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    os.chmod(path, 0o777)
    server.listen()
    while True:
        connection, _ = server.accept()
        threading.Thread(target=serve, args=[connection], daemon=True).start()


if __name__ == "__main__":
    threading.Thread(target=listen, args=[sys.argv[2], beat], daemon=True).start()
    listen(sys.argv[1], lambda connection: Line(connection).serve())
