"""A terminal for hearth, as a person has it."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

from instance import HEARTH

PATIENCE_S = 30


class Terminal:
    """A program on a terminal of its own, as a person has it."""

    def __init__(self, directory, *words, rows=33, columns=101):
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.text = b""
        self.process = subprocess.Popen(
            [HEARTH, *words], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "HEARTH_DIR": directory})

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text)

    def read_until(self, wanted):
        """All that was shown up to and with `wanted`, which must come."""
        until = time.monotonic() + PATIENCE_S
        while wanted not in self.text:
            if not select.select([self.master], [], [], max(0, until - time.monotonic()))[0]:
                raise AssertionError(f"{wanted!r} did not come: {self.text!r}")
            self.text += os.read(self.master, 65536)
        shown, self.text = self.text.split(wanted, 1)
        return shown + wanted

    def wait(self):
        return self.process.wait(PATIENCE_S)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)
