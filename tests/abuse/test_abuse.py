# SPDX-License-Identifier: MIT
"""Attacks on a real machine, one file each in attacks/, run one after the other as any client would send them. Of each is held: what
its reply must and must not hold; whether it could make the machine revert; that the host serves on; that an ordinary job is answered
afterwards, as fast as before; and that a later job finds nothing of it. README.md says how an attack is written."""

import contextlib
import json
import os
import pathlib
import re
import statistics
import time

from pbotvm_machine import VirtualMachine
from pbotvm_testing import main

HERE = pathlib.Path(__file__).parent
TIMEOUT = 8
COMMENT = re.compile(r"(?:#|//) (\w+): (.*)")
KEYS = {"abuse", "language", "expect", "never", "machine", "then", "then_python", "outputs"}
SLOWER = 1.5  # times the usual time of an ordinary job
PATIENCE = 20  # s within which an ordinary job must have been that fast once: other work on this system slows all of them


class Attack:
    def __init__(self, path):
        self.name = path.name.replace(".", "_")
        self.code = path.read_text()
        head = [COMMENT.fullmatch(line) for line in self.code.splitlines()]
        head = dict(found.groups() for found in head[:head.index(None)])
        if unknown := head.keys() - KEYS:
            raise ValueError(f"{path}: unknown {unknown}")
        self.what = head["abuse"]
        self.language = head["language"]
        self.expect = head.get("expect")
        self.never = head.get("never")
        self.machine = head["machine"]
        self.outputs = head.get("outputs")
        self.later = [(language, *head[key].rsplit(" => ", 1)) for key, language in (("then", "sh"), ("then_python", "python3")) if key in head]
        if not (self.expect or self.never or self.later) or self.machine not in ("kept", "reverted", "either"):
            raise ValueError(f"{path}: nothing is held of it")

    def request(self):
        request = {"lang": self.language, "code": self.code}
        if self.outputs:
            request |= {"reply": "json", "outputs": [self.outputs]}
        return json.dumps(request)


class Abuse(VirtualMachine):
    settings = {"PBOTVM_TIMEOUT": TIMEOUT, "PBOTVM_QUEUE_TIMEOUT": 30}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.table = []
        for _ in range(3):
            cls.ordinary_job()
        cls.usual = statistics.median(cls.ordinary_job() for _ in range(15))

    @classmethod
    def tearDownClass(cls):
        cls.print_table()
        super().tearDownClass()

    @classmethod
    def ordinary_job(cls):
        begun = time.monotonic()
        reply = cls.host.ask("-lang=sh echo ordinary")
        if reply != "ordinary":
            raise AssertionError(f"an ordinary job was answered {reply!r}")
        return time.monotonic() - begun

    @classmethod
    def print_table(cls):
        print(f"\nusual time of an ordinary job: {cls.usual * 1000:.1f} ms")
        for row in cls.table:
            print("{name:28} {seconds:6.2f} s  {machine:8}  ordinary x{ratio:4.2f}  {reply}".format(**row))
        with contextlib.suppress(KeyError):
            pathlib.Path(os.environ["PBOTVM_TEST_ABUSE_TABLE"]).write_text(json.dumps(cls.table, indent=1))

    def hold(self, attack):
        before = self.reverts()
        begun = time.monotonic()
        reply = self.host.ask(attack.request())
        seconds = time.monotonic() - begun
        self.ordinary_job()  # comes behind the revert, if there is one
        self.host.await_state("ready")
        row = {"name": attack.name, "seconds": seconds, "machine": "reverted" if self.reverts() > before else "kept",
               "ratio": self.ordinary_ratio(), "reply": " ".join(reply.split())[-60:]}
        self.table.append(row)
        self.assertLess(seconds, TIMEOUT + 3, reply[-500:])
        if attack.expect:
            self.assertRegex(reply, re.compile(attack.expect, re.DOTALL))
        if attack.never:
            self.assertNotRegex(reply, re.compile(attack.never))
        if attack.machine != "either":
            self.assertEqual(row["machine"], attack.machine, reply[-500:])
        self.assertLessEqual(row["ratio"], SLOWER)
        for language, code, pattern in attack.later:
            self.assertRegex(self.host.ask(json.dumps({"lang": language, "code": code})), pattern)

    # A slow answer may be other work on this system; a machine that the attack has slowed down never answers as before.
    def ordinary_ratio(self):
        end = time.monotonic() + PATIENCE
        best = self.ordinary_job()
        while best > SLOWER * self.usual and time.monotonic() < end:
            best = min(best, self.ordinary_job())
        return best / self.usual


def add_attacks():
    for path in sorted((HERE / "attacks").iterdir()):
        attack = Attack(path)

        def test(self, held=attack):
            self.hold(held)

        test.__doc__ = attack.what
        setattr(Abuse, "test_" + attack.name, test)


add_attacks()

if __name__ == "__main__":
    main()
