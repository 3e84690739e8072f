# SPDX-License-Identifier: MIT
"""Files that a client sends with its job, and files that it gets back."""

import base64
import hashlib
import json

from pbotvm_json import content_of, run
from pbotvm_testing import HostAndGuest, main


def files_of(events):
    return {e["path"]: e for e in events if e["event"] == "file"}


class Inputs(HostAndGuest):
    def ask(self, code, files, **keys):
        return self.host.ask(json.dumps({"code": code, "files": files, **keys}))

    def test_writes_them_below_the_jobs_directory(self):
        files = [{"path": "data/deep/one.txt", "content": "one\n"}, {"path": "with blank \u00e9\n'", "content": "two\n"},
                 {"path": "empty", "content": ""}]
        self.assertEqual(self.ask("-lang=sh cat data/deep/one.txt with*; wc -c < empty", files), "one\ntwo\n0")

    def test_carries_any_bytes(self):
        data = bytes(range(256)) * 100
        files = [{"path": "data", "base64": base64.b64encode(data).decode()}]
        code = "-lang=python3 import hashlib; print(hashlib.sha256(open('data','rb').read()).hexdigest())"
        self.assertEqual(self.ask(code, files), hashlib.sha256(data).hexdigest())

    def test_gives_them_their_modes(self):
        files = [{"path": "run", "content": "#!/bin/sh\necho ran\n", "mode": "755"},
                 {"path": "n", "content": "", "mode": 0o640}, {"path": "plain", "content": ""}]
        self.assertEqual(self.ask("-lang=sh ./run; stat -c %a run n plain", files), "ran\n755\n640\n644")

    def test_lets_a_program_include_them(self):
        files = [{"path": "answer.h", "content": "enum { answer = 42 };\n"}]
        self.assertEqual(self.ask('-lang=c11 #include <stdio.h>\n#include "answer.h"\n'
                                  'int main(void) { printf("%d\\n", answer); }', files), "42")

    def test_refuses_one_in_the_place_of_the_program_itself(self):
        self.assertEqual(self.ask("-lang=sh true", [{"path": "prog.sh", "content": "echo mine"}]),
                         "Invalid request: the file 'prog.sh' has the name of the file that language 'sh' makes of the "
                         "code; give it another one.")
        self.assertEqual(self.ask("-lang=sh true", [{"path": "prog.sh/x", "content": ""}]),
                         "Invalid request: the file 'prog.sh' stands where 'prog.sh/x' needs a directory.")

    def test_refuses_what_cannot_be(self):
        for files, text in (([{"path": "../x", "content": ""}], "'../x'"), ([{"path": "/x", "content": ""}], "relative"),
                            ([{"path": "x", "base64": "x"}], "base64"), ([{"path": "a", "content": ""}] * 2, "twice"),
                            ([{"path": "x", "content": "", "mode": 4096}], "mode"), ({"path": "x"}, "list"),
                            ([{"path": "p" * 256, "content": ""}], "255"),
                            ([{"path": str(n), "content": ""} for n in range(257)], "256")):
            with self.subTest(text):
                reply = self.ask("-lang=sh true", files)
                self.assertTrue(reply.startswith("Invalid request: "), reply)
                self.assertIn(text, reply)
                self.assertNotIn("\n", reply)
        self.assert_works()

    def test_takes_as_many_as_it_says(self):
        files = [{"path": f"d/{n}", "content": str(n)} for n in range(255)]
        self.assertEqual(self.ask("-lang=sh ls d | wc -l", files).strip(), "255")
        files.append({"path": "one more", "content": ""})
        self.assertTrue(self.ask("-lang=sh true", files).startswith("Invalid request: "))


class Outputs(HostAndGuest):
    settings = {"PBOTVM_COLLECT_LIMIT": "10000", "PBOTVM_COLLECT_FILES": "3"}

    def test_come_back_by_pattern(self):
        code = "-lang=sh mkdir -p out/deep; echo 1 > a.txt; echo 2 > out/deep/b.txt; echo 3 > c.log; chmod 600 a.txt"
        events = run(self.host, code, outputs=["*.txt", "out/**"])
        files = files_of(events)
        self.assertEqual(set(files), {"a.txt", "out/deep/b.txt"})
        self.assertEqual(files["a.txt"], {"event": "file", "path": "a.txt", "mode": "0600", "size": 2, "text": "1\n"})
        self.assertEqual(events[-1]["event"], "end")

    def test_carry_any_bytes(self):
        events = run(self.host, "-lang=sh printf '\\000\\377' > data", outputs=["data"])
        self.assertEqual(content_of(files_of(events)["data"]), b"\0\xff")

    def test_come_back_though_the_job_failed(self):
        events = run(self.host, "-lang=sh echo 1 > a; exit 7", outputs=["a"])
        self.assertEqual(files_of(events)["a"]["text"], "1\n")
        self.assertEqual(events[-1]["exit"], 7)

    def test_name_what_exceeds_their_bounds(self):
        events = run(self.host, "-lang=sh for i in 1 2 3 4 5; do echo $i > f$i; done", outputs=["f*"])
        left = [e for e in events if e["event"] == "left-behind"]
        self.assertEqual(len(files_of(events)), 3)
        self.assertEqual(len(left), 2)
        events = run(self.host, "-lang=sh head -c 10001 /dev/zero > big; echo 1 > small", outputs=["*"])
        self.assertNotIn("big", files_of(events))
        self.assertIn("big", [e["path"] for e in events if e["event"] == "left-behind"])

    def test_never_follow_a_link_nor_open_what_is_no_file(self):
        code = ("-lang=sh ln -s /etc/passwd link; ln -s / root; mkfifo pipe; mkdir d; ln /etc/passwd hard 2>/dev/null; "
                "echo 1 > d/f")
        events = run(self.host, code, outputs=["link", "pipe", "root/etc/passwd", "hard", "d/*"])
        self.assertEqual(set(files_of(events)), {"d/f"})
        self.assertEqual({e["path"] for e in events if e["event"] == "left-behind"}, {"link", "pipe"})

    def test_are_none_where_nothing_fits(self):
        events = run(self.host, "-lang=sh echo 1 > a", outputs=["b", "c/**"])
        self.assertEqual([e["event"] for e in events], ["start", "step", "end"])


if __name__ == "__main__":
    main()
