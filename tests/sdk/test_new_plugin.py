# SPDX-License-Identifier: MIT
"""`pbotvm plugin new` for each kind and each compiler, from an installed prefix and nothing else of this tree: the project
builds, its tests pass, and the installed host loads it."""

import json
import os
import pathlib
import shutil
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor

from pbotvm_testing import BUILD, TOP, Folder, Host, clean_environment, main

KINDS = ("language", "transport", "hypervisor")
COMPILERS = ("g++", "clang++")
SANITIZED = "PBOTVM_SANITIZE:BOOL=ON" in (BUILD / "CMakeCache.txt").read_text()


def run(*command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=280, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout}")
    return done.stdout


@unittest.skipIf(SANITIZED, "what is installed of a sanitized build is not what authors build against")
class NewPlugin(Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        missing = [compiler for compiler in COMPILERS if shutil.which(compiler) is None]
        if missing:
            raise RuntimeError(f"{' and '.join(missing)}: not installed; see scripts/packages-test")
        cls.prefix = os.path.join(cls.folder, "prefix")
        run("cmake", "--install", str(BUILD), "--prefix", cls.prefix)
        cls.programs = os.path.join(cls.prefix, "bin")
        cls.environment = clean_environment(PATH=f"{cls.programs}:{os.environ['PATH']}")
        jobs = [(kind, compiler) for kind in KINDS for compiler in COMPILERS]
        with ThreadPoolExecutor(2) as pool:
            cls.projects = dict(zip(jobs, pool.map(cls.make, jobs)))

    @classmethod
    def make(cls, job):
        """Exactly what the guide says; returns the project's directory and what ctest said."""
        kind, compiler = job
        source = os.path.join(cls.folder, f"{kind}-{compiler}")
        run("pbotvm", "plugin", "new", kind, cls.name(kind, compiler), "--directory", source, env=cls.environment)
        run("cmake", "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={cls.prefix}", f"-DCMAKE_CXX_COMPILER={compiler}",
            "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", cwd=source, env=cls.environment)
        run("cmake", "--build", "build", cwd=source, env=cls.environment)
        tested = run("ctest", "--test-dir", "build", "--output-on-failure", cwd=source, env=cls.environment)
        return source, tested

    @staticmethod
    def name(kind, compiler):
        return f"new-{kind}-{compiler.rstrip('+')}"

    def plugins(self):
        return ":".join([os.path.join(self.prefix, "lib", "pbotvm"),
                         *(os.path.join(source, "build", "lib", "pbotvm") for source, _ in self.projects.values())])

    def test_each_passes_the_contract_tests_of_its_kind(self):
        least = {"language": 4, "transport": 2, "hypervisor": 1}
        for (kind, compiler), (_, tested) in self.projects.items():
            with self.subTest(kind, compiler=compiler):
                self.assertRegex(tested, rf"100% tests passed, 0 tests failed out of {least[kind]}")

    def test_nothing_but_the_installed_prefix_is_used(self):
        for source, _ in self.projects.values():
            commands = json.loads(pathlib.Path(source, "build", "compile_commands.json").read_text())
            for command in commands:
                self.assertNotIn(str(TOP), command["command"])
                self.assertNotIn(str(BUILD), command["command"])
            cache = pathlib.Path(source, "build", "CMakeCache.txt").read_text()
            self.assertNotIn(f"{TOP}/core", cache)
            for library in pathlib.Path(source, "build", "lib", "pbotvm").glob("*.so"):
                needed = run("ldd", str(library))
                self.assertIn(f"libpbotvm.so.1 => {self.prefix}/lib/", needed)

    def test_the_installed_host_loads_each(self):
        listed = run("pbotvm-host", "--list-plugins", env={**self.environment, "PBOTVM_PLUGINS": self.plugins()})
        for kind, compiler in self.projects:
            self.assertRegex(listed, rf"(?m)^loaded\t{kind}\t{self.name(kind, compiler)}\t.*\tversion 1\.0$")
        self.assertNotIn("refused", listed)

    def test_a_request_goes_through_all_three_of_them(self):
        """The new hypervisor runs the installed guest program, the new transport reaches it, the new language asks it."""
        for compiler in COMPILERS:
            with self.subTest(compiler):
                self.serve(compiler)

    def serve(self, compiler):
        folder = os.path.join(self.folder, f"host-{compiler}")
        lines = os.path.join(folder, "lines")
        os.makedirs(lines)
        os.chmod(lines, 0o777)
        yaml = f"""\
default_machine: main
machines:
  main:
    hypervisor:
      plugin: {self.name("hypervisor", compiler)}
      command: [{self.programs}/pbotvm-guest, --listen, "unix:{lines}/data.sock", --heartbeat, "unix:{lines}/heart.sock",
                --work, {lines}, --user, nobody, --allow-missing, all]
    transports: [{{plugin: {self.name("transport", compiler)}, line: "unix:{lines}/data.sock"}}]
    serial: 0
    virtio_serial: "unix:{lines}/data.sock"
    heart: "unix:{lines}/heart.sock"
"""
        host = Host(folder, {"PBOTVM_PLUGINS": self.plugins(), "PBOTVM_LANGUAGES": lines}, yaml)
        host.program = os.path.join(self.programs, "pbotvm-host")
        host.start()
        self.addCleanup(host.stop)
        host.await_state("ready", 120)
        language = self.name("language", compiler)
        self.assertEqual(host.ask(f"-lang={language} 2 + 3 * 4"), "14")
        self.assertIn("Only numbers", host.ask(f"-lang={language} `reboot`"))

    def test_what_is_there_already_stays(self):
        source, _ = self.projects["language", "g++"]
        before = pathlib.Path(source, "plugin.cpp").stat().st_mtime_ns
        ended = subprocess.run(["pbotvm", "plugin", "new", "language", "other", "--directory", source], text=True, timeout=60,
                               capture_output=True, env=self.environment)
        self.assertEqual(ended.returncode, 77)
        self.assertRegex(ended.stderr, r"^pbotvm: .* is there already, .*--directory\n$")
        self.assertEqual(pathlib.Path(source, "plugin.cpp").stat().st_mtime_ns, before)

    def test_a_plugin_that_breaks_its_contract_is_told_so(self):
        source, _ = self.projects["language", "g++"]
        broken = shutil.copytree(source, os.path.join(self.folder, "broken"), ignore=shutil.ignore_patterns("build"))
        code = pathlib.Path(broken, "plugin.cpp")
        code.write_text(code.read_text().replace('{"awk", "-f", file_name}', '{"gawk", "-f", file_name}'))
        run("cmake", "-S", broken, "-B", broken + "/build", f"-DCMAKE_PREFIX_PATH={self.prefix}", env=self.environment)
        run("cmake", "--build", broken + "/build", env=self.environment)
        ended = subprocess.run(["ctest", "--test-dir", broken + "/build", "--output-on-failure"], text=True, timeout=120,
                               capture_output=True, env=self.environment)
        self.assertNotEqual(ended.returncode, 0)
        self.assertIn("BROKEN  names the programs that its steps need: a step runs 'gawk', which tools() does not name",
                      ended.stdout)


if __name__ == "__main__":
    main()
