"""nsjail-lite's sandboxes: real programs in them, their limits, their walls, and what is left after."""

import os
import pathlib
import shutil
import socket
import subprocess
import unittest

import tap
from instance import PATIENCE, STORE, descendants, process_parents, wait_until
from lite import TINY, Running, cgroups, lite, program, ranges, temporary_directory

WITHOUT = str(pathlib.Path(os.environ.get("top_builddir", "."), "tests/system/without"))
SYS_RESOURCE = 24  # the capability
CPROGRAM = r"""
#include <stdio.h>
int main(void) { puts("compiled inside"); return 42; }
"""
PING = r"""
import os, socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
s.settimeout(20)
s.sendto(struct.pack("!BBHHH", 8, 0, 0, 0, 7) + b"payload", ("127.0.0.1", 0))
answer = s.recv(1024)
print(answer[0], answer[6:8], answer[8:])
"""


class Programs(unittest.TestCase):
    """Of the image base, as root inside."""

    def run_in_base(self, *command, **options):
        done = lite("--", *command, **options)
        self.assertEqual(done.stderr, b"")
        return done.returncode, done.stdout.decode()

    def test_bash(self):
        """bash runs, as root"""
        self.assertEqual(self.run_in_base("bash", "-c", "echo $UID ${BASH_VERSION%%.*}; exit 3"),
                         (3, "0 5\n"))

    def test_python(self):
        """python3 runs a script from stdin, with threads and processes"""
        script = (b"import threading, subprocess\n"
                  b"t = threading.Thread(target=print, args=('thread',)); t.start(); t.join()\n"
                  b"print(subprocess.check_output(['echo', 'child']).decode(), end='')\n")
        self.assertEqual(self.run_in_base("python3", "-", stdin=script), (0, "thread\nchild\n"))

    def test_git(self):
        """git makes a repository and a commit in it"""
        status, out = self.run_in_base(
            "sh", "-c", "git init -q /r && cd /r && echo text >file && git add file && "
            "git -c user.name=Name -c user.email=name@example.org commit -q -m message && "
            "git log --format='%an %s' && git status --short && git fsck")
        self.assertEqual((status, out), (0, "Name message\n"))

    def test_gcc(self):
        """gcc compiles a program that runs"""
        status, out = self.run_in_base("sh", "-c", "gcc -O2 -Wall -x c -o /a - && /a",
                                       stdin=CPROGRAM.encode())
        self.assertEqual((status, out), (42, "compiled inside\n"))

    def test_ping(self):
        """an ICMP echo to the loopback is answered, without any capability for it"""
        self.assertEqual(self.run_in_base("python3", "-c", PING),
                         (0, "0 b'\\x00\\x07' b'payload'\n"))
        drop = "import os; os.setgroups([]); os.setgid(1000); os.setuid(1000)\n"
        self.assertEqual(self.run_in_base("python3", "-c", drop + PING),
                         (0, "0 b'\\x00\\x07' b'payload'\n"))


class Limits(unittest.TestCase):
    def test_memory(self):
        """a memory hog is killed, and we say which limit that was"""
        done = lite("--memory", "48M", *TINY, "sh", "-c",
                    "x=$(head -c 200000000 /dev/zero | tr '\\0' x)")
        self.assertEqual(done.returncode, 137)
        self.assertIn(b"nsjail-lite: the command hit a limit: out of memory, limit 48 MiB\n", done.stderr)

    def test_processes(self):
        """a fork bomb is stopped, and we say which limit that was"""
        done = lite("--pids", "40", "--timeout", "2s", *TINY, "sh", "-c",
                    "mkfifo /f; exec 3<>/f; (b() { b | b & }; b) & read never <&3")
        self.assertEqual(done.returncode, 124)
        self.assertIn(b"nsjail-lite: the command hit a limit: too many processes, limit 40\n", done.stderr)

    def test_disk(self):
        """a full disk is the program's ENOSPC, and we say which limit that was"""
        done = lite("--disk", "8M", *TINY, "dd", "if=/dev/zero", "of=/big", "bs=1M", "count=64")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"No space left on device", done.stderr)
        self.assertIn(b"nsjail-lite: the command hit a limit: disk full, limit 8 MiB and 200000 files\n",
                      done.stderr)

    def test_inodes(self):
        """as many files as --inodes allows, then it is the program's ENOSPC and told"""
        done = lite("--inodes", "100", *TINY, "sh", "-c",
                    "i=0; while echo >/f$i; do i=$((i + 1)); done; exit 7")
        self.assertEqual(done.returncode, 7)
        self.assertIn(b"No space left on device", done.stderr)
        self.assertIn(b"limit: disk full, limit 512 MiB and 100 files\n", done.stderr)

    def test_open_files(self):
        """as many descriptors as --open-files allows, then it is the program's EMFILE"""
        done = lite("--open-files", "64", *TINY, "sh", "-c",
                    "i=3; while [ $i -lt 100 ]; do eval \"exec $i</dev/null\" || exit; i=$((i + 1)); done")
        self.assertNotEqual(done.returncode, 0)
        done = lite("--open-files", "128", *TINY, "sh", "-c", "ulimit -n; ulimit -Hn")
        self.assertEqual((done.returncode, done.stdout), (0, b"128\n128\n"))

    def limited(self, *words):
        """On a host whose hard limit of open files is 1024, and which cannot raise it."""
        return subprocess.run([WITHOUT, "-nofile", "1024", "-capability", str(SYS_RESOURCE), "--", program(), *words],
                              capture_output=True, timeout=PATIENCE, check=False)

    def test_hard_limit_of_open_files(self):
        """below a hard limit under the default it runs, and what is wanted and cannot be had is told"""
        done = self.limited(*TINY, "sh", "-c", "ulimit -n")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"1024\n", b""))
        done = self.limited("--open-files", "2048", *TINY, "true")
        self.assertEqual(done.returncode, 125)
        self.assertEqual(done.stderr, b"nsjail-lite: --open-files 2048: the hard limit is 1024: "
                                      b"raise it (ulimit -Hn) (EPERM)\n")

    def test_raised_open_files(self):
        """whoever may raise the hard limit gets the default"""
        status = pathlib.Path("/proc/self/status").read_text()
        may = int(status.partition("CapEff:")[2].split()[0], 16) >> SYS_RESOURCE & 1
        done = subprocess.run([WITHOUT, "-nofile", "1024", "--", program(), *TINY, "sh", "-c", "ulimit -n"],
                              capture_output=True, timeout=PATIENCE, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, b"4096\n" if may else b"1024\n"), done.stderr)

    def test_fewest_processes(self):
        """the least that --pids takes is enough for a command"""
        self.assertEqual(lite("--pids", "3", *TINY, "true").returncode, 0)

    def test_cpu(self):
        """a quota that was used up is told, and harms nothing"""
        done = lite("--cpus", "0.1", *TINY, "sh", "-c",
                    "i=0; while [ $i -lt 50000 ]; do i=$((i + 1)); done; echo done")
        self.assertEqual((done.returncode, done.stdout), (0, b"done\n"))
        self.assertEqual(done.stderr, b"nsjail-lite: the command hit a limit: CPU quota of 0.1 used up\n")

    def test_what_cannot_be_enforced(self):
        """a limit that this host cannot enforce is a warning, with --strict a failure"""
        with temporary_directory() as directory:
            subprocess.run(["mount", "-t", "tmpfs", "hearth-test", directory], check=True)
            try:
                shutil.copytree(STORE / "tiny/root", directory / "root", symlinks=True)
                words = ["--rootfs", str(directory / "root"), "--io-read", "1M"]
                done = lite(*words, "--", "true")
                self.assertEqual(done.returncode, 0)
                self.assertEqual(done.stderr,
                                 b"nsjail-lite: warning: this host cannot enforce limits of: io\n")
                done = lite(*words, "--strict", "--", "true")
                self.assertEqual(done.returncode, 125)
                self.assertIn(b"cannot enforce limits of: io (EOPNOTSUPP)", done.stderr)
            finally:
                subprocess.run(["umount", directory], check=True)

    def test_default_disk(self):
        """without --disk the size that is told is the one that holds: half of the memory"""
        done = lite("--memory", "32M", *TINY, "dd", "if=/dev/zero", "of=/big", "bs=1M", "count=64")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"disk full, limit 16 MiB and 200000 files\n", done.stderr)

    def test_no_limit_was_hit(self):
        """a run within its limits says nothing"""
        done = lite("--memory", "64M", "--pids", "40", "--disk", "8M", *TINY, "true")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))


class Walls(unittest.TestCase):
    def test_files_of_the_host(self):
        """no file of the host is to be found, by name or through /proc"""
        with temporary_directory() as directory:
            (directory / "canary").write_text("of the host")
            script = (f"cat {directory}/canary /proc/1/root{directory}/canary "
                      f"/proc/*/cwd{directory}/canary /proc/*/root{directory}/canary; "
                      f"ls -d /var/lib/hearth /sys/fs/cgroup/* /run/hearth*; "
                      "cat /proc/mounts; cat /proc/1/environ /proc/1/maps")
            done = lite(*TINY, "sh", "-c", script)
            self.assertNotIn(b"of the host", done.stdout)
            self.assertNotIn(b"/var/lib", done.stdout)
            self.assertNotIn(str(directory).encode(), done.stdout)

    def test_disks_of_the_host(self):
        """no block device can be opened, made or mounted"""
        script = ("mknod /disk b 8 0 && echo made; mount -t tmpfs none /mnt && echo mounted; "
                  "ls /dev | grep -E '^(sd|vd|nvme|loop|mem|kmsg)'; true")
        done = lite(*TINY, "sh", "-c", script)
        self.assertEqual((done.returncode, done.stdout), (0, b""))

    def test_processes_of_the_host(self):
        """only processes of the sandbox are seen, and no signal goes out of it"""
        with Running(*TINY, "cat") as other:
            other.echo()
            script = "ls /proc | grep -c '^[0-9]*$'; kill -9 -1; kill -9 $0"
            done = lite(*TINY, "sh", "-c", script, str(other.process.pid))
            self.assertLess(int(done.stdout), 8)
            other.echo()

    def test_limits_of_the_guest(self):
        """no limit of the guest or of a runner can be set from inside, for instance of CPU time"""
        script = (b"import os, resource\n"
                  b"for pid in 1, os.getppid():\n"
                  b"    for what in resource.RLIMIT_CPU, resource.RLIMIT_NOFILE:\n"
                  b"        try:\n"
                  b"            print(resource.prlimit(pid, what, (1, 1)))\n"
                  b"        except PermissionError:\n"
                  b"            print('refused')\n"
                  b"print(os.getresgid())\n")
        done = lite("--", "python3", "-", stdin=script)
        self.assertEqual(done.stdout, b"refused\n" * 4 + b"(0, 0, 0)\n")

    def test_network_of_the_host(self):
        """a server of the host on the loopback is not there"""
        with socket.create_server(("127.0.0.1", 0)) as server:
            done = lite(*TINY, "nc", "-w", "1", "127.0.0.1", str(server.getsockname()[1]))
            self.assertNotEqual(done.returncode, 0)


class Left(unittest.TestCase):
    def assert_nothing_left(self, pid):
        self.assertEqual(cgroups(pid), [])
        self.assertEqual(ranges(pid), [])

    def test_after_a_run(self):
        """a run leaves no cgroup, process or uid range, whether its command ends or is ended"""
        for words in ([*TINY, "sh", "-c", "(setsid sleep 1000 &); exit 0"],
                      ["--timeout", "100ms", *TINY, "sleep", "1000"],
                      [*TINY, "no-such-command"]):
            with Running(*words) as running:
                running.process.communicate(timeout=PATIENCE)
                self.assert_nothing_left(running.process.pid)

    def test_after_a_failed_start(self):
        """a start that fails leaves nothing either"""
        with temporary_directory() as directory:
            (directory / "file").write_text("")
            with Running("--rootfs", str(directory), "--", "true") as running:
                running.process.communicate(timeout=PATIENCE)
                self.assert_nothing_left(running.process.pid)

    def test_killed(self):
        """what kill -9 of nsjail-lite leaves, the next run takes away"""
        script = "(setsid sleep 1000 &); echo ready; sleep 1000"
        with Running(*TINY, "sh", "-c", script) as running:
            pid = running.process.pid
            self.assertEqual(running.read_line(), b"ready\n")
            self.assertEqual(len(ranges(pid)), 1)
            before = descendants(pid)
            self.assertGreater(len(before), 4)
            running.process.kill()
            running.process.wait()
            self.assertEqual(lite(*TINY, "true").returncode, 0)
            self.assert_nothing_left(pid)

            def all_dead():
                alive = process_parents()
                return not [p for p, start, _ in before if p in alive and alive[p][1] == start]
            wait_until("the end of its processes", all_dead)

    def test_a_pid_that_is_given_again(self):
        """what a killed run left is taken away although its pid is another process's by now"""
        with Running(*TINY, "cat") as running:
            running.echo()
            bases = cgroups(running.process.pid)
            earlier = [base.with_name(f"hearth-nsjail-{running.process.pid}-1") for base in bases]
            for base in earlier:
                base.mkdir()
            self.assertEqual(lite(*TINY, "true").returncode, 0)
            self.assertEqual([base for base in earlier if base.exists()], [])
            self.assertEqual(cgroups(running.process.pid), bases)
            running.echo()

    def test_a_sandbox_that_does_not_go(self):
        """a uid range stays taken while a cgroup of its sandbox cannot be removed"""
        with Running(*TINY, "cat") as running:
            running.echo()
            pid = running.process.pid
            stuck = cgroups(pid)[0] / "stuck"
            (stuck / "below").mkdir(parents=True)
            try:
                running.process.communicate(timeout=PATIENCE)
                self.assertEqual(len(ranges(pid)), 1)
            finally:
                (stuck / "below").rmdir()
            self.assertEqual(lite(*TINY, "true").returncode, 0)
            self.assert_nothing_left(pid)

    def test_a_builder_that_hangs(self):
        """a builder that does not end with its link is killed"""
        with temporary_directory() as tree:
            (tree / "bin").mkdir()
            (tree / "libexec/hearth").mkdir(parents=True)
            shutil.copy(program(), tree / "bin")
            builder = tree / "libexec/hearth/hearth-builder"
            builder.write_text(f"#!/bin/sh\necho $$ >{tree}/pid\nexec 3>&-\nexec sleep 100\n")
            builder.chmod(0o755)
            done = subprocess.run([tree / "bin/nsjail-lite", *TINY, "true"], capture_output=True,
                                  timeout=PATIENCE, check=False)
            self.assertEqual(done.returncode, 125)
            self.assertIn(b"(EPIPE)", done.stderr)
            self.assertFalse(pathlib.Path("/proc", (tree / "pid").read_text().strip()).exists())

    def test_two_at_once(self):
        """two at once have uid ranges that do not meet, above those of the host"""
        with Running(*TINY, "cat") as one, Running(*TINY, "cat") as two:
            one.echo()
            two.echo()
            spans = sorted(ranges(one.process.pid) + ranges(two.process.pid))
            self.assertEqual(len(spans), 2)
            self.assertGreaterEqual(spans[0][0], 16)
            self.assertLessEqual(spans[0][0] + spans[0][1], spans[1][0])

    def test_many_at_once(self):
        """twelve at once all work and leave nothing"""
        runs = [Running(*TINY, "cat") for _ in range(12)]
        try:
            for run in runs:
                run.echo()
            self.assertEqual(len({span for r in runs for span in ranges(r.process.pid)}), 12)
        finally:
            for run in runs:
                out, err = run.process.communicate(timeout=PATIENCE)
                self.assertEqual((out, err, run.process.returncode), (b"", b"", 0))
        for run in runs:
            self.assert_nothing_left(run.process.pid)

    def test_a_file_of_ranges_that_makes_no_sense(self):
        """a file of uid ranges that is not understood is refused, told, and left as it is"""
        script = ("mount -t tmpfs none /run; echo this is no span >/run/hearth-uid-ranges; "
                  '"$0" --image tiny true; echo $?; cat /run/hearth-uid-ranges')
        done = subprocess.run(["unshare", "--mount", "sh", "-c", script, program()],
                              capture_output=True, timeout=PATIENCE, check=False)
        self.assertEqual(done.stdout, b"125\nthis is no span\n")
        self.assertIn(b"hearth-uid-ranges: not understood: \"this is no span\"", done.stderr)


if __name__ == "__main__":
    tap.main()
