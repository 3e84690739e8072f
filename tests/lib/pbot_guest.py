#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Stands in for a machine with PBot's guest-server in it: speaks that dialect, written from how it was seen to behave.

Its two lines are real terminals in their usual state (line mode, echo, newlines become CR LF), bridged to Unix sockets as a
machine's serial ports are: a socket takes one client at a time, and what the guest writes while there is none is lost. One job at
a time; the others wait in the terminal. Every request is appended to FOLDER/requests.jsonl. Standard library only."""

import argparse
import contextlib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

COMPILED = re.compile(r"(c|clang)\d\w|clang|cpp|clangpp|haskell|freebasic|qbasic|tendra")
LIMITS = "ulimit -f 2000; ulimit -t 8; ulimit -u 200; "
COMMAND_TIME = 60


def bridge(path, keyboard):
    """A serial port's far end at the socket `path`; `keyboard` is the terminal's other side."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o777)
    listener.listen(1)
    client = None

    def to_client():
        while True:
            piece = os.read(keyboard, 65536)
            with contextlib.suppress(OSError):
                if client is not None:
                    client.sendall(piece)

    threading.Thread(target=to_client, daemon=True).start()
    while True:
        client, _ = listener.accept()
        with contextlib.suppress(OSError):
            while piece := client.recv(65536):
                while piece:
                    piece = piece[os.write(keyboard, piece):]
        client, gone = None, client
        gone.close()


def terminal(path):
    """A terminal whose keyboard is the socket `path`."""
    keyboard, screen = os.openpty()
    threading.Thread(target=bridge, args=(path, keyboard), daemon=True).start()
    return screen


def write(screen, text):
    data = text.encode()
    while data:
        data = data[os.write(screen, data):]


def heart(screen, mode):
    while mode == "mute":  # nobody reads: only the terminal's echo comes back
        threading.Event().wait()
    while mode == "beat":
        write(screen, "\n")
        threading.Event().wait(5)
    while os.read(screen, 4096):
        write(screen, "procs -----------memory----------\n r  b   swpd   free\n 1  0      0 123456\n:END\n")


def run(argv, typed, folder):
    """Exit status, standard output, standard error."""
    try:
        done = subprocess.run(argv, input=typed.encode(), capture_output=True, cwd=folder, timeout=COMMAND_TIME,
                              start_new_session=True)
    except subprocess.TimeoutExpired:
        return -1, "", "[Timed-out]"
    except OSError as e:
        return 127, "", str(e)
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return status, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def both(out, err):
    return err + (" " if err else "") + out


def bash(command, typed, folder):
    if typed:
        command = f"/bin/bash -c {shlex.quote(command)} <<< {shlex.quote(typed)}"
    return run(["/bin/bash"], LIMITS + command, folder)


def compiled(request, arguments, folder):
    status, out, err = run(shlex.split(request["cmdline"]), "", folder)
    messages = both(out, err).strip()
    if status != 0:
        return 0, messages
    status, out, err = bash("./prog " + arguments, request["input"], folder)
    result = both(out, err)
    return status, (f"[{messages}]\n" if messages else "") + result if result else ""


def answer(request):
    request.setdefault("arguments", "")
    request.setdefault("input", "")
    arguments = " ".join(shlex.quote(a) for a in shlex.split(request["arguments"]))
    folder = tempfile.mkdtemp(prefix="pbot-job-")
    try:
        with open(os.path.join(folder, request["sourcefile"]), "w", encoding="utf-8") as source:
            source.write(request["code"] + "\n")
        if COMPILED.fullmatch(request["lang"]):
            status, output = compiled(request, arguments, folder)
        else:
            status, out, err = bash(request["cmdline"] + " " + arguments, request["input"], folder)
            output = both(out, err)
    finally:
        shutil.rmtree(folder, True)
    if not output:
        output = "" if request.get("factoid") else f"Exit {status}.\n" if status else "Success (no output).\n"
    elif status:
        output += f" [Exit {status}]"
    return output if output.endswith("\n") else output + "\n"


def serve(screen, options):
    text = ""
    while piece := os.read(screen, 4096):
        text += piece.decode()
        if "\n\n" not in text:
            continue
        request, text = text.split("\n\n", 1)
        try:
            request = json.loads(request.replace("\n", ""))
        except ValueError as e:
            request = {"lang": "sh", "sourcefile": "prog.sh", "cmdline": "sh prog.sh", "bad": True,
                       "code": f"echo 'Failed to decode JSON: {type(e).__name__}'"}
        with open(os.path.join(options.folder, "requests.jsonl"), "a", encoding="utf-8") as log:
            log.write(json.dumps(request) + "\n")
        result = answer(request)
        if options.noise:
            write(screen, "[   12.345678] random: crng init done\nresult\n result:{\"result\":\"no\"}\nxresult:end\n")
        write(screen, "result:" + json.dumps({"result": result}) + "\n")
        write(screen, "result:end\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="where the sockets data.sock and heart.sock are made")
    parser.add_argument("--heart", choices=["poll", "beat", "mute"], default="poll")
    parser.add_argument("--noise", action="store_true", help="other lines stand between the answers")
    options = parser.parse_args()
    data = terminal(os.path.join(options.folder, "data.sock"))
    beating = terminal(os.path.join(options.folder, "heart.sock"))
    threading.Thread(target=heart, args=(beating, options.heart), daemon=True).start()
    print("ready", flush=True)
    serve(data, options)


if __name__ == "__main__":
    sys.exit(main())
