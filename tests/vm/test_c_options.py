# SPDX-License-Identifier: MIT
"""C and C++ with options of the request's: whichever precompiled header the compiler takes with them, the program is compiled and its value is
shown."""

from pbotvm_machine import VirtualMachine
from pbotvm_testing import main

LEVELS = ("", "-w", "-O0", "-O1", "-O2", "-O3", "-Os", "-Og")
C = {
    "int x = 3; x": "x = 3 (int)",
    "int c = tolower('A'); c": "c = 97 (int)",  # an inline function of the C library's when optimised
    "double d = sqrt(2.25); d": "d = 1.5 (double)",
}
CPP = {
    "1+1": "1+1 = 2 (int)",
    "vector<int> v{1}; v": "v = {1} (std::vector<int>)",
    'bitset<4> b(string("0101")); ostringstream o; o << b; function<int(int)> f = [](int i) { return i; }; map<string, int> m{{o.str(), f(2)}}; m':
        'm = {["0101"] = 2} (std::map<std::string, int>)',
}


class Values(VirtualMachine):
    settings = {"PBOTVM_TIMEOUT": "120"}  # the system may be busy

    def shown(self, languages, codes, options):
        for language in languages:
            for option in options:
                for code, value in codes.items():
                    with self.subTest(f"{language} {option} {code}"):
                        reply = self.host.ask(" ".join(f"-lang={language} {option} {code}".split()), 200)
                        self.assertEqual(reply, f"no output: {value}")

    def test_of_cpp_are_shown_at_every_level(self):
        self.shown(("c++",), {"1+1": CPP["1+1"]}, LEVELS)
        self.shown(("c++",), CPP, ("-w", "-O2"))

    def test_of_c_are_shown_at_every_level(self):
        self.shown(("c11",), {"int c = tolower('A'); c": C["int c = tolower('A'); c"]}, LEVELS)
        self.shown(("c17",), C, ("-w", "-O2"))

    def test_are_shown_with_a_standard_and_a_level(self):
        self.shown(("c17",), C, ("-std=c17 -O2",))
        for options in ("-std=c++14", "-std=c++20", "-std=c++20 -O2"):
            self.shown(("c++20",), {"vector<int> v{1}; v": CPP["vector<int> v{1}; v"]}, (options,))

    def test_are_shown_with_a_sanitizer(self):
        self.shown(("c++",), {"1+1": CPP["1+1"]}, ("-fsanitize=undefined", "-O2 -fsanitize=undefined"))

    def test_what_is_undefined_is_told_with_every_precompiled_header(self):
        for options in ("-lang=c11", "-lang=c11 -O2 -fsanitize=undefined", "-lang=c++", "-lang=c++20", "-lang=c++ -O2 -fsanitize=undefined"):
            with self.subTest(options):
                self.assertIn("runtime error: signed integer overflow", self.host.ask(f"{options} int x = INT_MAX; ++x; return x == 0;", 200))


if __name__ == "__main__":
    main()
