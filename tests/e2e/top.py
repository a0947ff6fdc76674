"""hearth top and hearth pool set."""

import json
import os
import signal
import termios
import time
import unittest

import rpc_client
import tap
from instance import SECONDS, Instance, hearth
from terminal import Terminal

CONFIG = "[pool \"tiny\"]\nimage = tiny\nmin = 2\nmax = 6\n"
ESCAPE = b"\x1b"


class Top(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.instance = Instance.of(CONFIG)
        cls.addClassCleanup(cls.instance.close)

    def look(self):
        done = self.instance.hearth("top", "--once", "--json")
        self.assertEqual(done.returncode, 0)
        lines = done.stdout.decode().splitlines()
        self.assertEqual(len(lines), 1)
        return json.loads(lines[0])

    def test_one_frame_as_text(self):
        """--once prints one frame without control codes and ends"""
        done = self.instance.hearth("top", "--once")
        self.assertEqual(done.returncode, 0)
        self.assertNotIn(ESCAPE, done.stdout)
        text = done.stdout.decode()
        self.assertEqual(text.count("hearth top - "), 1)
        for part in ("POOL ", "ACQUIRES ", "LATENCY ", "MISSES ", "LEASES "):
            self.assertIn("\n" + part, text)
        row = next(line.split() for line in text.splitlines() if line.startswith("tiny "))
        self.assertEqual(row[1:3], ["2", "6"])

    def test_frames_as_text(self):
        """without a terminal -n prints so many frames"""
        text = self.instance.hearth("top", "-n", "2").stdout
        self.assertEqual(text.count(b"hearth top - "), 2)
        self.assertNotIn(ESCAPE, text)

    def test_frames_as_json(self):
        """--json prints one object an interval"""
        lines = self.instance.hearth("top", "--json", "-n", "2", "--interval", "1").stdout.decode().splitlines()
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.assertEqual(json.loads(line).keys(),
                             {"pools", "acquires", "misses", "refused", "leased", "frozen", "leases"})

    def test_a_lease_is_shown(self):
        """a lease is counted by its path and shown with who holds it"""
        rpc_client.until(lambda: self.instance.pool()["ready"] >= 2, "ready")
        before = self.look()
        with self.instance.agentd() as agentd:
            handle = agentd.acquire()
            during = self.look()
            text = self.instance.hearth("top", "--once").stdout.decode()
        self.assertIn(handle["id"], [lease["id"] for lease in during["leases"]])
        self.assertEqual(during["leased"], before["leased"] + 1)
        ready = during["acquires"]["ready"]
        self.assertEqual(ready["count"], before["acquires"]["ready"]["count"] + 1)
        self.assertEqual([bound for bound, _ in ready["buckets"]][:2], [25e-6, 50e-6])
        self.assertLessEqual(sum(count for _, count in ready["buckets"]), ready["count"])
        self.assertIn(str(handle["id"]), [line.split()[0] for line in text.splitlines() if line.strip()])

    def test_reasons_for_misses(self):
        """an acquire that was refused is shown with its reason"""
        before = self.look()
        self.assertEqual(self.instance.hearth("pool", "set", "tiny", "min=0", "max=1").returncode, 0)
        try:
            rpc_client.until(lambda: self.instance.pool()["ready"] <= 1, "the pool has shrunk")
            with self.instance.agentd() as agentd:
                agentd.acquire()
                rpc_client.until(lambda: self.instance.pool()["ready"] == 0, "none is ready")
                with self.assertRaises(rpc_client.RpcError):
                    agentd.acquire(on_empty="fail")
                after = self.look()
        finally:
            self.assertEqual(self.instance.hearth("pool", "set", "tiny", "min=2", "max=6").returncode, 0)
        self.assertEqual(after["refused"].get("empty", 0), before["refused"].get("empty", 0) + 1)
        self.assertGreater(after["misses"], before["misses"])

    def test_on_a_terminal(self):
        """on a terminal it uses the other screen, follows its size, and q puts everything back"""
        terminal = Terminal(self.instance.path, "top", rows=40, columns=120)
        self.addCleanup(terminal.close)
        self.assertIn(b"\x1b[?1049h", terminal.read_until(b"q quits"))
        terminal.read_until(b"q quits")  # the next one
        terminal.resize(4, 20)
        terminal.process.send_signal(signal.SIGWINCH)
        until = time.monotonic() + SECONDS
        frame = b""
        while frame.count(b"\r\n") != 3:
            self.assertLess(time.monotonic(), until)
            frame = terminal.read_until(b"q quits")
        for line in frame.split(b"\r\n"):
            self.assertLessEqual(len(line.replace(b"\x1b[H", b"").replace(b"\x1b[K", b"").replace(b"\x1b[J", b"")), 20)
        os.write(terminal.master, b"q")
        terminal.read_until(b"\x1b[?1049l")
        self.assertEqual(terminal.process.wait(SECONDS), 0)
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)

    def test_a_signal_puts_the_terminal_back(self):
        """ended by SIGTERM it leaves the terminal as it was"""
        terminal = Terminal(self.instance.path, "top", rows=40, columns=120)
        self.addCleanup(terminal.close)
        terminal.read_until(b"q quits")
        terminal.process.send_signal(signal.SIGTERM)
        terminal.read_until(b"\x1b[?1049l")
        self.assertEqual(terminal.process.wait(SECONDS), 0)
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)

    def test_bad_words(self):
        """bad options are usage errors, no instance is not found"""
        for words in (["-n", "0"], ["-n", "x"], ["--interval", "0"], ["--interval", "3601"], ["now"],
                      ["--once", "-n", "2"]):
            with self.subTest(words):
                self.assertEqual(hearth("top", *words).returncode, 2)
        self.assertEqual(hearth("top", "--once", "--dir", "/nonexistent/instance").returncode, 3)
        self.assertEqual(hearth("top", "--once", "--json", "--dir", "/nonexistent/instance").returncode, 3)


class PoolSet(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.instance = Instance.of(CONFIG)
        cls.addClassCleanup(cls.instance.close)

    def set(self, *words):
        return self.instance.hearth("pool", "set", *words)

    def test_it_is_in_force_at_once(self):
        """min and max are in force at once, and hearth.conf stays as it is"""
        done = self.set("tiny", "min=4")
        self.assertEqual((done.returncode, done.stdout), (0, b"tiny: min 4, max 6\n"))
        rpc_client.until(lambda: self.instance.pool()["ready"] >= 4, "four are ready")
        done = self.set("tiny", "min=1", "max=2", "--json")
        self.assertEqual(json.loads(done.stdout), {"pool": "tiny", "min": 1, "max": 2})
        row = self.instance.pool()
        self.assertEqual((row["min"], row["max"]), (1, 2))
        rpc_client.until(lambda: self.instance.pool()["ready"] <= 2, "what is beyond max has gone")
        with open(self.instance.file("hearth.conf"), encoding="utf-8") as file:
            self.assertEqual(file.read(), CONFIG)
        self.assertEqual(self.set("tiny", "min=2", "max=6").returncode, 0)

    def test_what_cannot_be(self):
        """a max beyond the start is exhausted, a min beyond max wrong usage, an unknown pool not found"""
        done = self.set("tiny", "max=7")
        self.assertEqual(done.returncode, 5)
        self.assertIn(b"started with", done.stderr)
        self.assertEqual(self.set("tiny", "min=7").returncode, 2)
        self.assertEqual(self.set("nope", "min=1").returncode, 3)

    def test_bad_words(self):
        """bad words are usage errors"""
        for words in ([], ["tiny"], ["tiny", "min"], ["tiny", "min="], ["tiny", "min=-1"], ["tiny", "max=0"],
                      ["tiny", "min=x"], ["tiny", "min=99999999"], ["tiny", "mid=1"], ["tiny", "min=1", "min=2"],
                      ["tiny", "min=3", "max=2"], ["Tiny", "min=1"], ["../x", "min=1"],
                      ["tiny", "min=1", "max=2", "max=3"]):
            with self.subTest(words):
                done = self.set(*words)
                self.assertEqual(done.returncode, 2)
                self.assertNotEqual(done.stderr, b"")

    def test_only_root_may(self):
        """others than root are denied"""
        import pwd
        user = pwd.getpwnam("hearth")
        os.chmod(self.instance.path, 0o755)
        done = self.instance.hearth("pool", "set", "tiny", "min=1", user=user.pw_uid, group=user.pw_gid,
                                    extra_groups=[])
        self.assertEqual(done.returncode, 4)
        self.assertEqual(self.instance.pool()["min"], 2)


if __name__ == "__main__":
    tap.main()
