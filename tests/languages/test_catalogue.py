# SPDX-License-Identifier: MIT
"""The hello and the stdin program of every language that the guest has, in a real machine, as the host's own catalogue
has them."""

import json
import subprocess

from pbotvm_machine import VirtualMachine
from pbotvm_testing import IMAGE, TOP, Host, main, program

# In every Debian.
ESSENTIAL = {"bash", "dash", "mawk", "sed"}

# Behind a file's end its last page is zero, on which clang's lexer counts: see -no-tailends in guest/image/build.
TAILS = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void) {
  char path[4096];
  FILE *files = popen("find /usr -xdev -type f -size +128k", "r");
  int checked = 0;
  while (fgets(path, sizeof path, files)) {
    path[strcspn(path, "\n")] = 0;
    int file = open(path, O_RDONLY);
    struct stat about;
    if (file < 0) continue;
    if (fstat(file, &about) == 0 && about.st_size % 4096 != 0) {
      size_t size = about.st_size;
      char *there = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
      if (there == MAP_FAILED) return 1;
      ++checked;
      for (size_t i = size; i % 4096 != 0; ++i)
        if (there[i] != 0) {
          puts(path);
          break;
        }
      munmap(there, size);
    }
    close(file);
  }
  puts(checked > 100 ? "checked" : "too few");
  return 0;
}
"""


class Catalogue:
    def results(self):
        """Of every language: its state, its Debian packages, why it did not pass; printed as they come."""
        command = [program("pbotvm"), "language", "test", "--machine", "pbot-vm", "--all"]
        tester = subprocess.Popen(command, env=self.host.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(tester.wait)
        self.addCleanup(tester.stdout.close)
        results = {}
        for line in tester.stdout:
            print(line, end="", flush=True)
            name, state, hello, with_input, packages, why = line.rstrip("\n").split("\t")
            results[name] = (state, set(packages.split()) - {"-"}, with_input, why)
        return results

    def check(self, must_be_there):
        results = self.results()
        self.assertGreaterEqual(len(results), 55)
        for name, (state, packages, with_input, why) in results.items():
            with self.subTest(name):
                self.assertNotEqual(state, "failed", why)
                if packages and must_be_there(packages):
                    self.assertEqual(state, "passed", why)
                if state == "passed":
                    self.assertNotEqual(with_input, "-", "it has no stdin program")


class CoreLanguages(Catalogue, VirtualMachine):
    settings = {"PBOTVM_TIMEOUT": 120}

    def test_says_hello_and_reads_its_input(self):
        lines = (TOP / "guest" / "image" / "packages-core").read_text().splitlines()
        there = {line for line in lines if line and not line.startswith("#")} | ESSENTIAL
        self.check(lambda packages: packages <= there)

    def test_mapped_files_end_in_zeros(self):
        self.assertEqual(self.host.ask(json.dumps({"lang": "c11", "code": TAILS})), "checked")


class AllLanguages(Catalogue, VirtualMachine):
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

    @classmethod
    def start_host(cls, folder):
        settings = {"PBOTVM_IMAGE": IMAGE, "PBOTVM_TIMEOUT": 600, "PBOTVM_MEMORY_LIMIT": "2 GiB"}
        host = Host(folder, settings, cls.yaml)
        host.start()
        cls.addClassCleanup(host.stop)
        return host.await_state("ready", 600)

    def test_says_hello_and_reads_its_input(self):
        self.check(lambda packages: True)


if __name__ == "__main__":
    main()
