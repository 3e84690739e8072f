# SPDX-License-Identifier: MIT
"""A page of -paste is still a program of its language, whatever stood in the input and the output that are its comments:
of every language that the guest has, with the real compilers."""

import os
import pathlib
import re
import time

import yaml

from pbotvm_json import output_text, run
from pbotvm_machine import VirtualMachine
from pbotvm_testing import IMAGE, TOP, Host, main

# What ends a comment, begins another, joins lines, is an instruction or is refused in some language. The first line is a
# number for bc, which reads nothing else.
HOSTILE = "\n".join([
    "7", "*/ /* **/ /***", "--> <!-- -- ]] --]] --[[ [[ ]==]", '""" \'\'\' ` " \\"', "'", '"', "=cut =end", "=cut", "=end", "=begin",
    "__END__", "-} {- #-} {-# -}", "{| |} *) (* |} \" {|", "|# #| #!", "{ } }} {{ ) ( ] [ ][-][.]", "?> <?php echo 1;", "'/ /' '/",
    "OUTPUT", "OUTPUT:", "CMDLINE", "EOF", "  OUTPUT", "%}", "%{", "#n", "#{exit}", "$(exit) `exit` ${x", "quit", ".quit", ";", "go", "/",
    "\\u002a\\u002f \\u000a \\uuu000a", "*??/", "/ trigraph", "*\\", "/ a line that ends in one \\", "??/", "}", "'", "coding: x-none",
    "r\rcarriage return", "line\u2028separator", "form\ffeed", "b\u202eidi \u2066x", "b\ufeffom", "e\u0301 \u00e9 \U0001f600 \u0085next",
    "#include <none.h>", "#if", "#error no", "end program", "long " * 90, "the last one ends in a \\"])

# Snippets, of which a page holds all that the host made of them.
C = ["int c; while ((c = getchar()) != EOF) putchar(c);"]
CPP = ["std::cout << std::cin.rdbuf();"]
SHELL = ["echo hello", "cat"]

# One of each compiler is enough, beside the oldest C, which has no line comments.
DIALECTS = {"c99", "c17", "c2x", "c++", "c++17", "c++23", "clang89", "clang99", "clang11"}


def programs():
    """The programs that every language shows itself with, by its name."""
    found = {name: SHELL for name in ("sh", "bash")}
    for file in (TOP / "etc" / "languages").glob("*.yaml"):
        definition = yaml.safe_load(file.read_text())
        found[definition["name"]] = [definition["hello"], definition["stdin_program"]]
    return found


class Pages:
    def languages(self):
        """Those that this machine's guest has, and their programs."""
        known = programs()
        for language in self.host.control("languages")["languages"]:
            name = language["name"]
            if language["missing"]["pbot-vm"] == [] and name not in DIALECTS:
                yield name, known.get(name) or (CPP if language["file"].endswith("pp") else C)

    def answer(self, name, code):
        """What was printed, errors of a compiler included, and the reply."""
        events = run(self.host, code, lang=name, stdin=HOSTILE, timeout=self.seconds)
        return output_text(events), events[-1].get("reply")

    def check(self, name, program):
        program = program.split(" -stdin ")[0]
        options = re.match(r"(-\S+ +)*", program).group()
        printed, path = self.answer(name, "-paste " + program)
        self.assertRegex(printed, "(?m)hello|^7$")
        self.assertTrue(path.startswith(os.path.join(self.host.state, "paste")), path)
        page = pathlib.Path(path).read_text()
        if program in C + CPP:  # what stands behind the last statement is no part of the program that is made
            page += "int after_the_comments;\n"
        self.assertEqual(self.answer(name, options + page)[0], printed, page)

    def test_are_programs_that_print_the_same(self):
        checked = set()
        for name, examples in self.languages():
            with self.subTest(name):
                begun = time.monotonic()
                for program in examples:
                    self.check(name, program)
                checked.add(name)
                print(f"{name}: {time.monotonic() - begun:.1f} s", flush=True)
        self.assertGreaterEqual(checked, self.at_least)


class CoreLanguages(Pages, VirtualMachine):
    settings = {"PBOTVM_TIMEOUT": 300}
    seconds = 330
    at_least = {"bash", "bc", "bf", "c11", "c89", "c++20", "javascript", "lua", "perl", "php", "python3", "ruby", "sh", "tcl"}


class AllLanguages(Pages, VirtualMachine):
    """Compilers written for faster machines than an emulated one."""

    yaml = """\
host: {warm_up: 1}
machines:
  pbot-vm:
    hypervisor: {plugin: qemu, accel: tcg, memory: 3 GiB}
    transports: [virtio-serial]
    serial: "unix:machines/pbot-vm/serial.sock"
    heart: "unix:machines/pbot-vm/heart.sock"
"""
    seconds = 620
    at_least = CoreLanguages.at_least | {"ada", "asm", "cobol", "d", "forth", "fortran", "go", "haskell", "java", "ocaml", "pascal", "rust"}

    @classmethod
    def start_host(cls, folder):
        settings = {"PBOTVM_IMAGE": IMAGE, "PBOTVM_TIMEOUT": 600, "PBOTVM_MEMORY_LIMIT": "2 GiB"}
        host = Host(folder, settings, cls.yaml)
        host.start()
        cls.addClassCleanup(host.stop)
        return host.await_state("ready", 600)


if __name__ == "__main__":
    main()
