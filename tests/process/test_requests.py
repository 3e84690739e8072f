# SPDX-License-Identifier: MIT
"""Requests through the real host and the real guest program: what a client sends and what it reads."""

import concurrent.futures
import json
import subprocess

from pbotvm_testing import HostAndGuest, clean_environment, free_port, main, program, read_all, wait_for


class Requests(HostAndGuest):
    def test_runs_shell_c_and_python(self):
        self.assertEqual(self.host.ask("-lang=sh echo hello"), "hello")
        self.assertEqual(self.host.ask('-lang=bash [[ abc == a* ]] && echo "${BASH_VERSION%%.*}"'), "5")
        self.assertEqual(self.host.ask('-lang=c11 printf("%d\\n", 6 * 7);'), "42")
        self.assertEqual(self.host.ask("-lang=python3 print(6 * 7)"), "42")
        self.assertEqual(self.host.ask('-lang=perl print 6 * 7, "\\n";'), "42")

    def test_takes_pbots_own_line(self):
        line = json.dumps({"nick": "n", "channel": "#c", "code": "-lang=sh echo hello"})
        self.assertEqual(self.host.ask(line), "hello")

    def test_a_channel_need_not_read_the_same_long_output_twice(self):
        def say(code, channel="#same", **keys):
            return self.host.ask(json.dumps({"nick": "n", "channel": channel, "code": code, **keys}))

        long, short = "-lang=sh printf %051d 7", "-lang=sh printf %050d 7"
        output = f"{7:051}"
        self.assertEqual([say(long), say(long), say(long, "#SAME")], [output, "Same output.", "Same output."])
        self.assertEqual([say(short), say(short)], [f"{7:050}"] * 2)
        self.assertEqual(say(long), output, "another output was shown meanwhile")
        self.assertEqual(say(long.replace("sh", "bash")), output, "another language")
        self.assertEqual(say(long, "#other"), output)
        self.assertEqual([say(long, "alice"), say(long, "alice")], [output] * 2, "no channel")
        self.assertEqual(self.host.ask(long), output)

        # Whoever reads JSON is a program, and gets what it asked for; a factoid is always shown.
        self.assertEqual(json.loads(say(long, reply="json").splitlines()[-1])["reply"], output)
        self.assertEqual(say(long, factoid=True), output)
        self.assertEqual(say(long), "Same output.")
        self.assertRegex(say("-paste " + long.removeprefix("-lang=sh "), lang="sh"), r"/paste/[0-9a-f]{32}\.sh$")

    def test_an_output_that_its_client_did_not_wait_for_was_not_shown(self):
        code = "-lang=sh sleep 1; printf %060d 5"
        line = json.dumps({"nick": "n", "channel": "#lost", "code": code})
        before = self.host.log().count("gone before its reply was sent")
        with self.host.connect() as s:
            s.sendall(line.encode() + b"\n")
        wait_for("the reply to be lost", lambda: self.host.log().count("gone before its reply was sent") > before, 60)
        self.assertEqual([self.host.ask(line), self.host.ask(line)], [f"{5:060}", "Same output."])

    def test_ends_a_reply_with_one_newline_and_closes(self):
        self.assertEqual(self.host.send("-lang=sh printf 'a  \\n\\n  b\\n \\n'"), b"a  \n\n  b\n")

    def test_serves_the_first_line_that_is_not_blank_and_takes_crlf(self):
        with self.host.connect() as s:
            s.sendall(b"\n \r\n-lang=sh echo first\r\n-lang=sh echo second\n")
            self.assertEqual(read_all(s), b"first\n")

    def test_tells_the_exit_status_as_pbot_does(self):
        for code, reply in [("echo hi; exit 3", "hi\n [Exit 3]"), ("printf abc; exit 4", "abc [Exit 4]"),
                            ("exit 3", "Exit 3."), ("true", "Success (no output)."),
                            ("echo x; kill -9 $$", "x\n [Exit 137]")]:
            with self.subTest(code):
                self.assertEqual(self.host.ask("-lang=sh " + code), reply)

    def test_puts_standard_error_in_front_of_standard_output(self):
        self.assertEqual(self.host.ask("-lang=sh echo out1; echo err1 >&2; echo out2; echo err2 >&2"),
                         "err1\nerr2\n out1\nout2")

    def test_answers_with_the_compilers_messages_where_it_does_not_compile(self):
        reply = self.host.ask("-lang=c11 int x = 5; return y;")
        self.assertIn("error: 'y' undeclared", reply.replace("‘", "'").replace("’", "'"))

    def test_passes_input_and_arguments(self):
        self.assertEqual(self.host.ask("-lang=sh cat -stdin one\\ntwo"), "one\ntwo")
        self.assertEqual(self.host.ask("-lang=sh -args \"'a b' c\" printf '<%s>' \"$@\""), "<a b><c>")
        line = json.dumps({"code": "-lang=python3 import sys; print(sys.argv[1:], sys.stdin.read())", "stdin": "in",
                           "arguments": "x 'y z'"})
        self.assertEqual(self.host.ask(line), "['x', 'y z'] in")

    def test_passes_large_input_and_output_whole(self):
        text = "0123456789abcde\n" * 12000
        line = json.dumps({"code": "-lang=sh cat", "stdin": text})
        self.assertEqual(self.host.ask(line), text.rstrip())

    def test_shows_the_command_line(self):
        self.assertEqual(self.host.ask("-lang=sh -info"), "sh cmdline: sh prog.sh")
        self.assertTrue(self.host.ask("-lang=c11 -info").startswith("c11 cmdline: gcc -gdwarf-2 -g3 prog.c -Wextra"))

    def test_uses_the_default_language_where_none_is_named(self):
        self.assertEqual(self.host.ask('puts("c2x");'), "c2x")

    def test_lists_languages_and_machines_for_unknown_ones(self):
        self.assertRegex(self.host.ask("-lang=nosuch x"),
                         r"\ALanguage 'nosuch' is not supported\.\nSupported languages are: .*bash, .*c11, .*python3, .*sh\b.*\Z")
        self.assertIn("Supported languages are:", self.host.ask("-lang=?"))
        self.assertEqual(self.host.ask("-vm=nosuch -lang=sh x"),
                         "Unknown machine 'nosuch'; available machines are: main")

    def test_says_what_to_write_where_an_option_lacks_its_equals_sign(self):
        self.assertEqual(self.host.ask("-lang sh echo hello"),
                         "Invalid request: write -lang=NAME, with '=' and without blanks.")
        self.assertEqual(self.host.ask("-lang=sh -vm main echo hello"),
                         "Invalid request: write -vm=NAME, with '=' and without blanks.")
        self.assertEqual(self.host.ask("-lang=sh echo -lang sh"), "-lang sh")

    def test_explains_itself_to_a_request_without_code(self):
        for line in ("-lang=sh", '{"code":""}', "-lang=c11 "):
            with self.subTest(line):
                self.assertTrue(self.host.ask(line).startswith("Usage: cc [-lang=<language>]"))

    def test_starts_every_job_in_an_empty_directory_of_its_own(self):
        self.host.ask("-lang=sh echo secret > note; mkdir d")
        self.assertEqual(self.host.ask("-lang=sh ls -A"), "prog.sh")

    def test_never_mixes_the_replies_of_many_clients(self):
        def ask(n):
            return self.host.ask(f"-lang=sh echo {n}")

        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            replies = list(pool.map(ask, range(60)))
        self.assertEqual(replies, [str(n) for n in range(60)])

    def test_shows_what_cannot_be_text_as_pbot_does(self):
        self.assertEqual(self.host.ask(r"-lang=sh printf 'a\377b\001c\033d'"), "a\ufffdb\\x01c<esc>d")


class Client(HostAndGuest):
    def client(self, *arguments, port=None):
        return subprocess.run([program("vm-client"), *arguments], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, env=clean_environment(PBOTVM_SERVER=port or self.host.port))

    def test_joins_its_arguments_prints_the_reply_and_succeeds(self):
        done = self.client("-lang=sh", "echo", "hello  world;", "exit", "3")
        self.assertEqual((done.returncode, done.stdout), (0, "hello world\n [Exit 3]\n"))

    def test_says_what_the_original_said_where_nobody_listens(self):
        done = self.client("-lang=sh", "true", port=free_port())
        self.assertEqual(done.returncode, 111)
        self.assertEqual(done.stdout + done.stderr, "Fatal error: Connection refused; try again later\n")


if __name__ == "__main__":
    main()
