"""The system test binaries of `list`, run on Debian's own kernel with cgroup v2 alone, in qemu.

    debian_kernel.py [NAME]     only the listed programs in whose line NAME stands

Each test of the guest is a test here; so is that each listed program said how many it has, ran them all and
ended well, and that the guest came to the end of the list.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import guest

SECONDS = 540  # tests/limited ends the whole test after 600


class Tap:
    """Writes TAP, the plan last."""

    def __init__(self):
        self.count = self.failed = 0

    def line(self, passed, name, directive=""):
        self.count += 1
        self.failed += not passed
        print(f"{'ok' if passed else 'not ok'} {self.count} - {name}{directive}", flush=True)

    def note(self, text):
        print(f"# {text}", flush=True)


class Program:
    """What one program of the list has said so far."""

    def __init__(self, words):
        self.words = words
        self.name = Path(words[0]).stem + "".join(" " + word for word in words[1:])
        self.plan = self.status = None
        self.ran = 0
        self.began = 0.0

    def problem(self):
        """Why it cannot be said to have run, or None."""
        if self.status is None:
            return "did not end"
        if self.plan is None:
            return f"said no plan, ended with {self.status}"
        if self.ran != self.plan:
            return f"ran {self.ran} of {self.plan} tests, ended with {self.status}"
        return f"ended with {self.status}" if self.status else None


class Console:
    """Turns the guest's serial console into tests."""

    def __init__(self, tap, listed):
        self.tap = tap
        self.left = [Program(words) for words in listed.programs]
        self.programs = list(self.left)
        self.current = None
        self.is_done = False

    def take(self, line):
        mark = re.match(r"hearth-guest: (begin|end|done)\b ?(\S*) ?(\d*)$", line)
        if mark:
            self._mark(*mark.groups())
        elif self.current and (plan := re.match(r"1\.\.(\d+)$", line)):
            self.current.plan = int(plan.group(1))
        elif self.current and (test := re.match(r"(ok|not ok) \d+ ?-? ?([^#]*?) *(#.*)?$", line)):
            self.current.ran += 1
            directive = f" {test.group(3)}" if test.group(3) else ""
            self.tap.line(test.group(1) == "ok", f"{self.current.name}: {test.group(2)}", directive)
        elif line:
            self.tap.note(line)

    def _mark(self, word, program, status):
        if word == "begin":
            self.current = self.left.pop(0) if self.left else Program([program])
            self.current.began = time.monotonic()
        elif word == "end" and self.current:
            self.current.status = int(status)
            self.tap.note(f"{self.current.name}: {time.monotonic() - self.current.began:.0f} s")
            self.current = None
        elif word == "done":
            self.is_done = True

    def judge(self):
        for program in self.programs:
            problem = program.problem()
            if problem:
                self.tap.note(f"{program.name}: {problem}")
            self.tap.line(not problem, f"{program.name} ran all its tests and ended well")
        self.tap.line(self.is_done, "the guest came to the end of its list")


def boot(command, console):
    """Run the guest to its end, or to the time-out; every line of it goes to the console."""
    qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    timer = threading.Timer(SECONDS, qemu.kill)
    timer.start()
    try:
        for line in qemu.stdout:
            text = line.decode("utf-8", "replace").rstrip()
            console.take(re.sub(r"\x1b[\[()c][0-9;?]*[A-Za-z]?", "", text))
    finally:
        timer.cancel()
        qemu.kill()
        qemu.wait()


def main():
    build = Path(os.environ["top_builddir"]).resolve()
    listed = guest.Listed(guest.HERE / "list", sys.argv[1] if len(sys.argv) > 1 else "")
    tap = Tap()
    if not listed.programs:
        sys.exit("no such program in the list")
    console = Console(tap, listed)
    with tempfile.TemporaryDirectory(dir=build) as directory:
        version, command = guest.qemu_command(Path(directory), build, build / "debian-kernel", listed)
        tap.note(f"kernel {version}, cgroup v2 only")
        boot(command, console)
    console.judge()
    ran = sum(program.ran for program in console.programs)
    tap.note(f"debian kernel: {ran} tests of {len(console.programs)} programs ran, {tap.failed} lines not ok")
    print(f"1..{tap.count}")
    sys.exit(tap.failed > 0)


if __name__ == "__main__":
    main()
