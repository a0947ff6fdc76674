"""nsjail-lite from its command line: options, exit statuses, streams, signals, terminal."""

import fcntl
import hashlib
import os
import pty
import pwd
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time
import unittest

import tap
from instance import PATIENCE, STORE
from lite import TINY, Running, lite, program, temporary_directory

TINY_ROOT = STORE / "tiny/root"


class CommandLine(unittest.TestCase):
    def refused(self, words, part, status=125):
        done = lite(*words)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stdout, b"")
        message = done.stderr.decode()
        self.assertRegex(message, r"\Ansjail-lite: [^\n]+\n\Z")
        self.assertIn(part, message)

    def test_help(self):
        """--help lists the options on stdout and is no failure"""
        done = lite("--help")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertTrue(done.stdout.startswith(b"usage: nsjail-lite "))

    def test_version(self):
        """--version tells name and number"""
        done = lite("--version")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertRegex(done.stdout.decode(), r"\Ansjail-lite \d+\.\d+[^ ]*\n\Z")

    def test_missing_values(self):
        """each option that wants a value says so when it has none"""
        names = re.findall(r"^  (--[a-z-]+) [A-Z]", lite("--help").stdout.decode(), re.M)
        self.assertEqual(len(names), 16)
        for name in names:
            with self.subTest(name):
                self.refused([name], f"option '{name}' needs a value")

    def test_usage(self):
        """a command line that makes no sense is refused with the reason"""
        for words, part in (
                ([], "a command is wanted"),
                (["--"], "a command is wanted"),
                (["--image", "tiny"], "a command is wanted"),
                (["--no-such=3", "--", "true"], "unknown option '--no-such':"),
                (["-x", "--", "true"], "unknown option '-x'"),
                (["-it", "--", "true"], "unknown option '-i'"),
                (["--cpu", "1", "--", "true"], "option '--cpu' is ambiguous"),
                (["--tty=1", "--", "true"], "option '--tty' takes no value"),
                (["--image", "tiny", "--rootfs", "/", "--", "true"], "exclude each other")):
            with self.subTest(words):
                self.refused(words, part)

    def test_bad_values(self):
        """a bad value is refused with what is wanted instead"""
        for name, values in {
                "--memory": ["", "x", "-1", "1M", "1Q", "1.5.2G", "99999999999999999999"],
                "--disk": ["", "x", "-1", "1K"],
                "--inodes": ["", "x", "-1", "0", "63", "1e3"],
                "--open-files": ["", "x", "-1", "63", "1048577"],
                "--cpu-weight": ["", "x", "-1", "0", "10001", "1.5"],
                "--io-read": ["", "x", "-1", "0", "4095"],
                "--io-write": ["", "x", "-1", "0", "1Q"],
                "--pids": ["", "x", "-1", "0", "1", "2", "1e3", "99999999999999999999"],
                "--cpus": ["", "x", "-1", "0", "0.001", "1001", "1,5"],
                "--timeout": ["", "x", "-1s", "0", "25h", "3 s"],
                "--env": ["", "K", "=V"],
                "--cwd": ["", "relative", "./x"],
                "--hostname": ["", "UPPER", "a b", "a/b", "x" * 64],
                "--bind": ["", "/tmp", ":/x", "/tmp:", "/tmp:x", "/tmp:/", "/tmp:/x:rw",
                           "/tmp:/x:ro:ro", "/tmp:/" + "x" * 256, "/tmp://", "/tmp:/.", "/tmp:/dev",
                           "/tmp:/dev/x", "/tmp://proc/./x", "/tmp:/x/../dev"]}.items():
            for value in values:
                with self.subTest(option=name, value=value):
                    self.refused([name, value, *TINY, "true"], f"{name}")

    def test_too_many(self):
        """more binds or variables than there is room for are refused"""
        self.refused(["--bind", "/tmp:/x"] * 9 + [*TINY, "true"], "--bind: at most 8")
        self.refused(["--env", "K=V"] * 257 + [*TINY, "true"], "--env: at most 256")

    def test_images(self):
        """an image that is not there or has no proper name is told"""
        self.refused(["--image", "no-such-image", "--", "true"], "no-such-image")
        self.refused(["--image", "../images/tiny", "--", "true"], "../images/tiny")
        self.refused(["--image", "", "--", "true"], "image")

    def test_bad_directories(self):
        """a --rootfs or --bind that is no directory is told"""
        for path, part in (("/no/such", "No such file"), ("/etc/passwd", "directory")):
            self.refused(["--rootfs", path, "--", "true"], f"{path}")
            self.refused(["--rootfs", path, "--", "true"], part)
            self.refused(["--bind", f"{path}:/x", *TINY, "true"], path)
            self.refused(["--bind", f"{path}:/x", *TINY, "true"], part)

    def test_not_root(self):
        """without root it says that it needs root, before anything else happens"""
        done = lite(*TINY, "true", user=pwd.getpwnam("nobody").pw_uid)
        self.assertEqual(done.returncode, 125)
        self.assertIn(b"needs root (EPERM)", done.stderr)


class Options(unittest.TestCase):
    def out(self, *words, **options):
        done = lite(*words, **options)
        self.assertEqual((done.returncode, done.stderr or b""), (0, b""))
        return done.stdout.decode()

    def test_default_image(self):
        """without --image the image is base, and -- may be left out"""
        self.assertIn("Debian", self.out("cat", "/etc/os-release"))

    def test_options_of_the_command(self):
        """options behind the command are the command's"""
        self.assertEqual(self.out("--image", "tiny", "echo", "--image", "x", "--help"),
                         "--image x --help\n")

    def test_rootfs(self):
        """--rootfs takes any directory and leaves it as it was"""
        before = sorted(os.listdir(TINY_ROOT))
        out = self.out("--rootfs", str(TINY_ROOT), "--", "sh", "-c",
                       "echo x >/new-file; rm -r /etc; ls -d /new-file /etc 2>/dev/null; true")
        self.assertEqual(out, "/new-file\n")
        self.assertEqual(sorted(os.listdir(TINY_ROOT)), before)

    def test_limits(self):
        """the limits of memory, processes, CPU time and io arrive in the sandbox's cgroup"""
        with Running("--memory", "96M", "--pids", "77", "--cpus", "1.5", "--cpu-weight", "50",
                     "--io-read", "1M", "--io-write", "2M", *TINY, "cat") as running:
            running.echo()
            self.assertEqual(running.knob("memory.limit_in_bytes", "memory.max"), str(96 << 20))
            self.assertEqual(running.knob("pids.max", "pids.max"), "77")
            self.assertIn(running.knob("cpu.cfs_quota_us", "cpu.max"), ("150000", "150000 100000"))
            self.assertIn(running.knob("cpu.shares", "cpu.weight"), ("512", "50"))
            read = running.knob("blkio.throttle.read_bps_device", "io.max")
            write = running.knob("blkio.throttle.write_bps_device", "io.max")
        if os.major(os.stat(STORE).st_dev):
            self.assertRegex(read, r"\d+:\d+ (.*=)?1048576")
            self.assertRegex(write, r"(=| )2097152")
        else:  # on no disk of its own
            self.assertEqual((read, write), ("", ""))
            done = lite("--io-read", "1M", *TINY, "true")
            self.assertEqual(done.stderr, b"nsjail-lite: warning: this host cannot enforce limits of: io\n")

    def test_default_limits(self):
        """without options memory is 1G, processes are 512, and CPU time has no quota"""
        with Running(*TINY, "cat") as running:
            running.echo()
            self.assertEqual(running.knob("memory.limit_in_bytes", "memory.max"), str(1 << 30))
            self.assertEqual(running.knob("pids.max", "pids.max"), "512")
            self.assertIn(running.knob("cpu.cfs_quota_us", "cpu.max"), ("-1", "max 100000"))

    def test_disk(self):
        """--disk is the size of the writable layer; without, it is half of the memory"""
        size = "df -k / | awk 'END {print $2}'"
        self.assertEqual(self.out("--disk", "16M", *TINY, "sh", "-c", size), "16384\n")
        self.assertEqual(self.out("--memory", "64M", *TINY, "sh", "-c", size), "32768\n")

    def test_env(self):
        """--env sets, sets anew and sets to nothing; the image's own variables stay"""
        out = self.out("--env", "A=first", "--env", "B=", "--env", "A=x=y z", *TINY, "env")
        lines = out.splitlines()
        self.assertIn("A=x=y z", lines)
        self.assertIn("B=", lines)
        self.assertNotIn("A=first", lines)
        self.assertTrue([line for line in lines if line.startswith("PATH=/")])

    def test_environment_of_the_caller(self):
        """nothing of the caller's environment is seen inside"""
        out = self.out(*TINY, "env", env={**os.environ, "HEARTH_SECRET": "of-the-host"})
        self.assertNotIn("of-the-host", out)

    def test_cwd(self):
        """--cwd is where the command starts; one that is not there is told"""
        self.assertEqual(self.out("--cwd", "/etc", *TINY, "pwd"), "/etc\n")
        done = lite("--cwd", "/no/such", *TINY, "pwd")
        self.assertEqual(done.returncode, 126)
        self.assertIn(b"/no/such: No such file", done.stderr)

    def test_bind(self):
        """--bind shows a directory to write to, or with :ro one to read only; several at once"""
        with temporary_directory() as one, temporary_directory() as two:
            (two / "file").write_text("of two\n")
            out = self.out("--bind", f"{one}:/bound/deep", "--bind", f"{two}:/two:ro",
                           "--bind", f"{two}:/again", *TINY, "sh", "-c",
                           "exec 2>&1; cat /two/file; echo inside >/bound/deep/file; "
                           "echo x >/again/new; echo x >/two/other || echo refused")
            self.assertTrue(out.startswith("of two\n"), out)
            self.assertIn("Read-only file system", out)
            self.assertTrue(out.endswith("refused\n"), out)
            self.assertEqual((one / "file").read_text(), "inside\n")
            self.assertEqual((one / "file").stat().st_uid, 0)
            self.assertEqual(sorted(os.listdir(two)), ["file", "new"])

    def test_bind_that_fails(self):
        """of several binds the one that cannot be made is named"""
        with temporary_directory() as one:
            done = lite("--bind", f"{one}:/one", "--bind", f"{one}:/etc/passwd/x", *TINY, "true")
        self.assertEqual(done.returncode, 125)
        self.assertIn(b"/etc/passwd/x: Not a directory (ENOTDIR)", done.stderr)

    def test_directories_above_a_bind(self):
        """directories that --bind makes are root's inside, however the destination is written"""
        with temporary_directory() as one:
            (one / "file").write_text("bound\n")
            out = self.out("--bind", f"{one}:/new//deep/./at/", *TINY, "sh", "-c",
                           "stat -c %u:%g /new /new/deep; echo x >/new/file; cat /new/deep/at/file; "
                           "rm -r /new/file")
        self.assertEqual(out, "0:0\n0:0\nbound\n")

    def test_hostname(self):
        """--hostname is the name inside, sandbox without, and the host keeps its own"""
        before = socket.gethostname()
        self.assertEqual(self.out("--hostname", "x" * 63, *TINY, "hostname"), "x" * 63 + "\n")
        self.assertEqual(self.out(*TINY, "hostname"), "sandbox\n")
        self.assertEqual(socket.gethostname(), before)

    def test_timeout(self):
        """at --timeout everything is killed and the status is 124"""
        for script in ("sleep 1000", "trap '' TERM HUP INT; while :; do sleep 1; done",
                       "(setsid sleep 1000 &); kill -STOP $$"):
            with self.subTest(script):
                done = lite("--timeout", "200ms", *TINY, "sh", "-c", script)
                self.assertEqual(done.returncode, 124)
                self.assertIn(b"its --timeout (ETIMEDOUT)", done.stderr)


def cgroup_mounts(kind):
    """Where hierarchies of that type (cgroup, cgroup2) are mounted here."""
    with open("/proc/self/mountinfo", encoding="ascii") as table:
        rows = [line.split(" - ") for line in table]
    return [row[0].split()[4] for row in rows if row[1].split()[0] == kind]


class CoveredCgroups(unittest.TestCase):
    """What a container's runtime does: something else is mounted over a hierarchy."""

    def covered(self, points):
        cover = "".join(f"mount -t tmpfs none {point} && " for point in points)
        return subprocess.run(
            ["unshare", "-m", "sh", "-c", cover + 'exec "$0" "$@"', program(), *TINY, "echo", "ran"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=PATIENCE, check=False)

    def test_the_v2_tree_is_covered(self):
        """a v2 tree that something is mounted over is not used: v1 does, if it is there"""
        done = self.covered(cgroup_mounts("cgroup2"))
        if cgroup_mounts("cgroup"):
            self.assertEqual((done.returncode, done.stdout), (0, b"ran\n"), done.stderr)
        else:
            self.assertEqual(done.returncode, 125)
            self.assertIn(b"mount one below /sys/fs/cgroup", done.stderr)

    def test_all_is_covered(self):
        """where all are covered it says what to mount"""
        done = self.covered(cgroup_mounts("cgroup2") + cgroup_mounts("cgroup"))
        self.assertEqual(done.returncode, 125)
        self.assertIn(b"mount one below /sys/fs/cgroup", done.stderr)


class Status(unittest.TestCase):
    def status(self, expected, *command, part=None):
        done = lite(*TINY, *command)
        self.assertEqual(done.returncode, expected, done.stderr)
        if part is None:
            self.assertEqual(done.stderr, b"")
        else:
            self.assertRegex(done.stderr.decode(), r"\Ansjail-lite: [^\n]+\n\Z")
            self.assertIn(part, done.stderr.decode())

    def test_passed_through(self):
        """the command's exit status is ours"""
        for status in (0, 1, 7, 124, 125, 126, 127, 128, 255):
            self.status(status, "sh", "-c", f"exit {status}")

    def test_signals(self):
        """a command killed by signal N gives 128 + N"""
        for number in (signal.SIGHUP, signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM):
            self.status(128 + number, "sh", "-c", f"kill -{int(number)} $$")

    def test_cannot_be_executed(self):
        """what cannot be executed gives 126 and the reason"""
        self.status(126, "/etc/passwd", part="/etc/passwd: Permission denied (EACCES)")
        self.status(126, "/etc", part="/etc: Permission denied (EACCES)")
        self.status(126, "/etc/passwd/x", part="/etc/passwd/x: Not a directory (ENOTDIR)")

    def test_not_found(self):
        """what is not found gives 127 and the reason"""
        self.status(127, "no-such-command", part="no-such-command: No such file")
        self.status(127, "/no/such", part="/no/such: No such file or directory (ENOENT)")
        self.status(127, "", part="No such file")


class Streams(unittest.TestCase):
    def test_stdin(self):
        """8 MB on stdin come back byte for byte"""
        data = os.urandom(8 << 20)
        done = lite(*TINY, "cat", stdin=data)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(hashlib.sha256(done.stdout).digest(), hashlib.sha256(data).digest())

    def test_stdout(self):
        """64 MB on stdout are what was written, and stderr is apart"""
        script = "x=$(head -c 48 /dev/urandom | base64); echo $x >&2; yes $x | head -c 67108864"
        done = lite(*TINY, "sh", "-c", script)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(len(done.stderr), 65)
        expected = done.stderr * ((64 << 20) // 65 + 1)
        self.assertEqual(len(done.stdout), 64 << 20)
        self.assertEqual(hashlib.sha256(done.stdout).digest(),
                         hashlib.sha256(expected[:64 << 20]).digest())

    def test_unread_stdin(self):
        """a command that reads nothing ends though much is offered"""
        done = lite(*TINY, "echo", "done", stdin=bytes(8 << 20))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"done\n", b""))

    def closed(self, redirection, script):
        return subprocess.run(
            ["sh", "-c", f'exec "$0" --image tiny -- sh -c "$1" {redirection}', program(), script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=PATIENCE, check=False)

    def test_no_stdin(self):
        """without any stdin the command sees its end at once"""
        for redirection in ("</dev/null", "<&-"):
            with self.subTest(redirection):
                done = self.closed(redirection, "cat; echo over")
                self.assertEqual((done.returncode, done.stdout), (0, b"over\n"), done.stderr)

    def test_no_stdout(self):
        """without any stdout a silent command runs, and one that speaks is told of"""
        self.assertEqual(self.closed(">&-", "exit 3").returncode, 3)
        done = self.closed(">&-", "echo x")
        self.assertEqual(done.returncode, 125)
        self.assertIn(b"write the output: Bad file descriptor (EBADF)", done.stderr)
        done = self.closed("2>&-", "echo to-stdout; exit 4")
        self.assertEqual((done.returncode, done.stdout), (4, b"to-stdout\n"))

    def test_full_stdout(self):
        """a stdout that cannot be written to ends the command with the reason"""
        done = self.closed(">/dev/full", "yes")
        self.assertEqual(done.returncode, 125)
        self.assertIn(b"No space left on device (ENOSPC)", done.stderr)

    def test_reader_leaves(self):
        """when the reader of stdout leaves, an endless command ends"""
        done = subprocess.run(["sh", "-c", '"$0" --image tiny -- yes | head -n 2', program()],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, b"y\ny\n"))

    def test_status_without_a_reader(self):
        """a run that ends because the reader of its stdout has left gives 141, as SIGPIPE does"""
        script = '("$0" --image tiny -- yes; echo $? >&2) | head -n 1'
        done = subprocess.run(["sh", "-c", script, program()], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=PATIENCE, check=False,
                              preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL))  # pylint: disable=W1509
        self.assertEqual((done.stdout, done.stderr), (b"y\n", b"141\n"))


class Signals(unittest.TestCase):
    def test_signals_reach_the_command(self):
        """SIGTERM, SIGHUP, SIGINT and SIGQUIT reach the command, which decides"""
        script = ("trap 'echo got; exit 9' TERM HUP INT QUIT; echo ready; "
                  "while :; do sleep 0.01; done")
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            with self.subTest(number), Running(*TINY, "sh", "-c", script) as running:
                self.assertEqual(running.process.stdout.readline(), b"ready\n")
                running.process.send_signal(number)
                out, err = running.process.communicate(timeout=PATIENCE)
                # the signal goes to the whole group: the shell may say that its sleep has ended
                self.assertEqual((out, running.process.returncode), (b"got\n", 9), err)

    def test_ignored_signals(self):
        """a signal that was ignored before we started, as by nohup, does not reach the command"""
        def ignore():
            for number in (signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)

        with Running(*TINY, "cat", preexec_fn=ignore) as running:
            running.echo()
            running.process.send_signal(signal.SIGHUP)
            running.process.send_signal(signal.SIGINT)
            out, err = running.process.communicate(b"last\n", timeout=PATIENCE)
            self.assertEqual((out, err, running.process.returncode), (b"last\n", b"", 0))

    def test_ignored_children(self):
        """whoever ignores SIGCHLD, as some init processes do, gets the command's status too"""
        done = lite(*TINY, "sh", "-c", "exit 3",
                    preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.assertEqual((done.returncode, done.stderr), (3, b""))

    def test_a_signal_that_kills(self):
        """a command that SIGTERM kills gives 143"""
        with Running(*TINY, "cat") as running:
            running.echo()
            running.process.terminate()
            self.assertEqual(running.process.wait(PATIENCE), 143)


class Terminal(unittest.TestCase):
    """A pty whose other end is ours."""

    def setUp(self):
        self.master, self.slave = pty.openpty()
        self.addCleanup(os.close, self.master)
        self.output = b""
        self.resize(33, 99)

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def start(self, *command):
        def take_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        process = subprocess.Popen(
            [program(), "--tty", *TINY, *command], stdin=self.slave, stdout=self.slave,
            stderr=self.slave, preexec_fn=take_terminal)  # pylint: disable=W1509
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.kill)
        return process

    def read_until(self, part):
        """What has come since the last call, up to and with this part."""
        until = time.monotonic() + PATIENCE
        while part not in self.output:
            ready, _, _ = select.select([self.master], [], [], max(0, until - time.monotonic()))
            self.assertTrue(ready, f"no {part} in {self.output}")
            self.output += os.read(self.master, 65536)
        before, _, self.output = self.output.partition(part)
        return before + part

    def test_size(self):
        """--tty is a terminal with our size, and follows it"""
        process = self.start("sh", "-c", "tty; trap 'stty size; exit 5' WINCH; stty size; "
                             "while :; do sleep 0.01; done")
        self.assertIn(b"/dev/pts/", self.read_until(b"33 99\r\n"))
        self.resize(44, 111)
        self.read_until(b"44 111\r\n")
        self.assertEqual(process.wait(PATIENCE), 5)

    def test_interrupt(self):
        """Ctrl-C is the command's SIGINT, not ours"""
        process = self.start("sh", "-c", "trap 'echo interrupted; exit 6' INT; echo ready; "
                             "while :; do sleep 0.01; done")
        self.read_until(b"ready\r\n")
        os.write(self.master, b"\x03")
        self.read_until(b"interrupted\r\n")
        self.assertEqual(process.wait(PATIENCE), 6)

    def test_restored(self):
        """the terminal's settings are as before when the command has ended, well or killed"""
        before = termios.tcgetattr(self.slave)
        process = self.start("sh", "-c", "echo raw; read line; echo got $line")
        self.read_until(b"raw\r\n")
        self.assertNotEqual(termios.tcgetattr(self.slave), before)
        os.write(self.master, b"word\r")
        self.read_until(b"got word\r\n")
        self.assertEqual(process.wait(PATIENCE), 0)
        self.assertEqual(termios.tcgetattr(self.slave), before)

    def test_tty_from_elsewhere(self):
        """--tty gives the command a terminal where we have none ourselves"""
        done = lite("--tty", *TINY, "sh", "-c", "tty && stty size")
        self.assertEqual((done.returncode, done.stdout), (0, b"/dev/pts/0\r\n24 80\r\n"))


if __name__ == "__main__":
    tap.main()
