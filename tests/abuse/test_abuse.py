# SPDX-License-Identifier: MIT
"""Attacks on a real machine, one file each in attacks/, run one after the other as any client would send them. Of each is held: what
its reply must and must not hold; whether it could make the machine revert; that the host serves on; that an ordinary job is answered
afterwards, as fast as on a machine that was never attacked; and that a later job finds nothing of it. README.md says how an attack is
written."""

import json
import os
import pathlib
import re
import tempfile
import time

from pbotvm_machine import VirtualMachine
from pbotvm_testing import main

HERE = pathlib.Path(__file__).parent
TIMEOUT = 8  # s, of attacks that only it ends
AMPLE_TIMEOUT = 40  # s, of attacks that must end otherwise: a busy system may be many times slower
COMMENT = re.compile(r"(?:#|//) (\w+): (.*)")
KEYS = {"abuse", "language", "expect", "never", "machine", "endless", "then", "then_python", "outputs"}
SLOWER = 1.5  # times what an ordinary job takes on the machine that was never attacked
ROUNDS = range(4, 400)  # of one ordinary job on each machine; the fastest of both are compared


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
        self.endless = head.get("endless") == "yes"
        self.later = [(language, *head[key].rsplit(" => ", 1)) for key, language in (("then", "sh"), ("then_python", "python3")) if key in head]
        if not (self.expect or self.never or self.later) or self.machine not in ("kept", "reverted", "either"):
            raise ValueError(f"{path}: nothing is held of it")

    def request(self):
        request = {"lang": self.language, "code": self.code}
        if self.outputs:
            request |= {"reply": "json", "outputs": [self.outputs]}
        return json.dumps(request)


class AbuseOfAMachine(VirtualMachine):
    """Beside the attacked machine stands one that is left alone: a system that is busy slows both down."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.table = []
        untouched = tempfile.mkdtemp(prefix="untouched-", dir=cls.folder)
        os.chmod(untouched, 0o755)
        cls.untouched = cls.start_host(untouched)
        for host in (cls.host, cls.untouched):
            for _ in range(3):
                cls.ordinary_job(host)

    @classmethod
    def tearDownClass(cls):
        cls.print_table()
        super().tearDownClass()

    @classmethod
    def ordinary_job(cls, host):
        begun = time.monotonic()
        reply = host.ask("-lang=sh echo ordinary")
        if reply != "ordinary":
            raise AssertionError(f"an ordinary job was answered {reply!r}")
        return time.monotonic() - begun

    @classmethod
    def print_table(cls):
        print()
        for row in cls.table:
            print("{name:28} {seconds:6.2f} s  {machine:8}  ordinary {ordinary:5.1f} ms x{ratio:4.2f}  {reply}".format(**row))
        if path := os.environ.get("PBOTVM_TEST_ABUSE_TABLE"):
            with open(path, "a") as table:
                table.write("".join(json.dumps(row) + "\n" for row in cls.table))

    def hold(self, attack):
        before = self.reverts()
        begun = time.monotonic()
        reply = self.host.ask(attack.request())
        seconds = time.monotonic() - begun
        self.ordinary_job(self.host)  # comes behind the revert, if there is one
        self.host.await_state("ready")
        ordinary, ratio = self.ordinary_ratio()
        row = {"name": attack.name, "seconds": seconds, "machine": "reverted" if self.reverts() > before else "kept",
               "ordinary": ordinary * 1000, "ratio": ratio, "reply": " ".join(reply.split())[-60:]}
        self.table.append(row)
        self.assertLess(seconds, self.settings["PBOTVM_TIMEOUT"] + 30, reply[-500:])
        if attack.expect:
            self.assertRegex(reply, re.compile(attack.expect, re.DOTALL))
        if attack.never:
            self.assertNotRegex(reply, re.compile(attack.never))
        if attack.machine != "either":
            self.assertEqual(row["machine"], attack.machine, f"{reply[-500:]}\nThe host's log ends:\n{self.host.log()[-2000:]}")
        self.assertLessEqual(row["ratio"], SLOWER)
        for language, code, pattern in attack.later:
            self.assertRegex(self.host.ask(json.dumps({"lang": language, "code": code})), pattern)

    # A slow answer may be other work on this system, and then comes from either machine; one that the attack has slowed down is
    # slower than the other every time.
    def ordinary_ratio(self):
        attacked = untouched = float("inf")
        for rounds in range(ROUNDS.stop):
            attacked = min(attacked, self.ordinary_job(self.host))
            untouched = min(untouched, self.ordinary_job(self.untouched))
            if rounds >= ROUNDS.start and attacked <= SLOWER * untouched:
                break
        return attacked, attacked / untouched


class EndlessAbuse(AbuseOfAMachine):
    """Of the attacks that only their time-out ends."""

    settings = {"PBOTVM_TIMEOUT": TIMEOUT, "PBOTVM_QUEUE_TIMEOUT": 30}


class Abuse(AbuseOfAMachine):
    """Of all others."""

    settings = {"PBOTVM_TIMEOUT": AMPLE_TIMEOUT, "PBOTVM_QUEUE_TIMEOUT": 30}


def add_attacks():
    for path in sorted((HERE / "attacks").iterdir()):
        attack = Attack(path)

        def test(self, held=attack):
            self.hold(held)

        test.__doc__ = attack.what
        setattr(EndlessAbuse if attack.endless else Abuse, "test_" + attack.name, test)


add_attacks()

if __name__ == "__main__":
    main()
