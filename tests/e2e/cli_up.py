"""hearth up and down: what starts, what is said when it does not, and that nothing is left."""

import json
import os
import signal
import subprocess
import tempfile
import unittest

import rpc_client
import tap
from instance import Directory, Instance, hearth, start


def processes_of(directory):
    """Daemons whose command line names the directory, zombies not counted."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if directory.encode() in words and b"hearth-" in words[0]:
            found.append(int(pid))
    return found


def cgroups_of(directory):
    value = 0xCBF29CE484222325
    for byte in os.path.realpath(directory).encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    name = f"hearth-{value >> 24:010x}"
    return [path for path, _, _ in os.walk("/sys/fs/cgroup") if os.path.basename(path) == name]


class UpAndDown(unittest.TestCase):
    def setUp(self):
        self.directory = Directory()
        self.addCleanup(self.directory.close)
        self.path = self.directory.path

    def up(self, *words, pool="2", **options):
        return hearth("up", "--image", "tiny", "--pool", pool, *words, directory=self.path, **options)

    def assert_nothing_is_left(self):
        # A check of the host that a supervisor had begun ends by itself.
        rpc_client.until(lambda: not processes_of(self.path), "all have ended")
        self.assertEqual(cgroups_of(self.path), [])
        for name in ("control.sock", "agentd.sock"):
            self.assertFalse(os.path.exists(self.directory.file(name)), name)

    def test_from_nothing_to_ready_and_back(self):
        """up returns when N are ready, down when nothing is left"""
        result = self.up("--json", pool="3")
        self.assertEqual(result.returncode, 0, result.stderr)
        said = json.loads(result.stdout)
        self.assertEqual((said["pool"], said["ready"]), ("tiny", 3))
        pools = json.loads(hearth("pool", "ls", "--json", directory=self.path).stdout)["pools"]
        self.assertEqual((pools[0]["min"], pools[0]["max"]), (3, 14))
        self.assertGreaterEqual(pools[0]["ready"], 3)
        self.assertEqual(len(processes_of(self.path)), 2)
        result = hearth("down", "--json", directory=self.path)
        self.assertEqual(json.loads(result.stdout), {"stopped": 2})
        self.assert_nothing_is_left()
        self.assertTrue(os.path.exists(self.directory.file("hearth.conf")))
        self.assertTrue(os.path.exists(self.directory.file("supervisor.log")))

    def test_down_may_be_repeated(self):
        """down may be repeated, and where nothing ever ran"""
        for path in (self.path, self.path, "/nonexistent/hearth"):
            result = hearth("down", directory=path)
            self.assertEqual((result.returncode, result.stdout), (0, b"hearth: nothing runs there\n"))

    def test_a_directory_is_made(self):
        """up makes the directory when it is missing"""
        inner = os.path.join(self.path, "a", "b")
        try:
            self.assertEqual(hearth("up", "--image", "tiny", "--pool", "1", directory=inner).returncode, 0)
        finally:
            hearth("down", directory=inner)

    def test_it_may_be_private_to_root(self):
        """the directory may be closed to everybody but root"""
        os.chmod(self.path, 0o700)
        self.assertEqual(self.up().returncode, 0)
        self.assertEqual(hearth("sandbox", "ls", directory=self.path).returncode, 0)

    def test_a_long_path(self):
        """the path may be longer than a socket's name can be"""
        long = os.path.join(self.path, "x" * 100, "y" * 100)
        try:
            result = hearth("up", "--image", "tiny", "--pool", "1", directory=long)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(hearth("run", "--", "true", directory=long).returncode, 0)
        finally:
            hearth("down", directory=long)

    def test_twice_is_an_error(self):
        """an instance that runs is not started again, and goes on"""
        self.assertEqual(self.up().returncode, 0)
        result = self.up("--json")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(json.loads(result.stderr)["error"]["errno"], "EEXIST")
        self.assertEqual(hearth("run", "--", "true", directory=self.path).returncode, 0)

    def test_a_supervisor_without_a_socket(self):
        """a supervisor whose socket was removed is not joined by another, and ended by down"""
        self.assertEqual(self.up().returncode, 0)
        os.unlink(self.directory.file("control.sock"))
        result = self.up()
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"it runs already (pid ", result.stderr)
        result = hearth("down", "--json", directory=self.path)
        self.assertEqual((result.returncode, result.stdout), (0, b'{"stopped": 2}\n'), result.stderr)
        self.assert_nothing_is_left()

    def test_an_image_without_a_recipe(self):
        """an image that is not there and has no recipe is said, and nothing is left"""
        result = hearth("up", "--image", "no-such-image", "--pool", "1", directory=self.path)
        self.assertEqual(result.returncode, 3)
        self.assertIn(b"no-such-image", result.stderr)
        result = hearth("up", "--image", "no-such-image", "--pool", "1", "--json", directory=self.path)
        self.assertEqual(result.returncode, 3)
        self.assertIn("no recipe", json.loads(result.stderr)["error"]["message"])
        self.assert_nothing_is_left()

    def test_a_supervisor_that_ends_is_said(self):
        """a supervisor that cannot start is said in its own words, and nothing is left"""
        result = self.up("--net", "default", "--except", "10.1.2.3/8")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"hearth-supervisor ended: ", result.stderr)
        self.assertIn(b"10.1.2.3/8", result.stderr)
        self.assertNotIn(b"{", result.stderr)
        self.assert_nothing_is_left()

    def test_an_interrupted_start_is_taken_back(self):
        """an interrupted start leaves nothing behind"""
        process = start("up", "--image", "tiny", "--pool", "2000", directory=self.path,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        rpc_client.until(lambda: len(processes_of(self.path)) == 2, "both daemons run")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1)
        self.assertIn(b"interrupted (EINTR)", err)
        self.assert_nothing_is_left()

    def test_an_agentd_that_dies_meanwhile_is_said(self):
        """a daemon that dies while up waits is said, and nothing is left"""
        process = start("up", "--image", "tiny", "--pool", "2000", directory=self.path,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        rpc_client.until(lambda: os.path.exists(self.directory.file("agentd.sock")), "agentd listens")
        for pid in processes_of(self.path):
            with open(f"/proc/{pid}/comm") as file:
                if file.read().startswith("hearth-agentd"):
                    os.kill(pid, signal.SIGKILL)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1)
        self.assertIn(b"hearth-agentd ended", err)
        self.assert_nothing_is_left()

    def test_after_the_death_of_everything(self):
        """after kill -9 of both daemons down removes what they left"""
        self.assertEqual(self.up().returncode, 0)
        for pid in processes_of(self.path):
            os.kill(pid, signal.SIGKILL)
        rpc_client.until(lambda: not processes_of(self.path), "the daemons are dead")
        self.assertEqual(hearth("down", directory=self.path).returncode, 0)
        self.assert_nothing_is_left()

    def test_after_the_death_of_the_supervisor(self):
        """after kill -9 of the supervisor alone down removes what it left"""
        self.assertEqual(self.up().returncode, 0)
        for pid in processes_of(self.path):
            with open(f"/proc/{pid}/comm") as file:
                if file.read().startswith("hearth-supervis"):
                    os.kill(pid, signal.SIGKILL)
        self.assertEqual(hearth("down", directory=self.path).returncode, 0)
        self.assert_nothing_is_left()

    def test_up_after_the_death_of_everything(self):
        """after kill -9 of both daemons up starts again"""
        self.assertEqual(self.up().returncode, 0)
        for pid in processes_of(self.path):
            os.kill(pid, signal.SIGKILL)
        rpc_client.until(lambda: not processes_of(self.path), "the daemons are dead")
        result = self.up()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(hearth("run", "--", "true", directory=self.path).returncode, 0)

    def test_a_stopped_daemon_is_killed(self):
        """down ends an agentd that does not listen to it"""
        self.assertEqual(self.up().returncode, 0)
        for pid in processes_of(self.path):
            with open(f"/proc/{pid}/comm") as file:
                if file.read().startswith("hearth-agentd"):
                    os.kill(pid, signal.SIGSTOP)
        self.assertEqual(hearth("down", directory=self.path).returncode, 0)
        self.assert_nothing_is_left()

    def test_the_background_holds_nothing_of_the_caller(self):
        """the daemons hold neither the caller's output, nor its directory, nor its session"""
        with tempfile.TemporaryDirectory(prefix="hearth-e2e.") as away:
            # communicate() would wait for ever for the end of an output that a daemon holds.
            self.assertEqual(self.up("-q", cwd=away).returncode, 0)
        for pid in processes_of(self.path):
            self.assertEqual(os.readlink(f"/proc/{pid}/fd/0"), "/dev/null")
            self.assertTrue(os.readlink(f"/proc/{pid}/fd/1").startswith(self.path))
            self.assertTrue(os.readlink(f"/proc/{pid}/fd/2").startswith(self.path))
            self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), "/")
            self.assertEqual(os.getsid(pid), pid)

    def test_both_daemons_sit_in_the_instance(self):
        """both daemons sit in the instance's cgroup"""
        self.assertEqual(self.up().returncode, 0)
        pids = processes_of(self.path)
        self.assertEqual(len(pids), 2)
        for pid in pids:
            with open(f"/proc/{pid}/cgroup") as file:
                self.assertRegex(file.read(), r"/hearth-[0-9a-f]{10}/daemon")

    def test_two_instances_do_not_know_each_other(self):
        """the end of one instance leaves another alone"""
        with Instance() as other:
            self.assertEqual(self.up().returncode, 0)
            before = other.daemons()
            self.assertEqual(hearth("down", directory=self.path).returncode, 0)
            self.assertEqual(other.daemons(), before)
            self.assertEqual(other.hearth("run", "--", "true").returncode, 0)
        self.assert_nothing_is_left()

    def test_a_file_instead_of_a_directory(self):
        """a file where the directory should be is said"""
        path = self.directory.file("file")
        with open(path, "w"):
            pass
        result = hearth("up", "--image", "tiny", "--pool", "1", directory=path)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"(ENOTDIR)", result.stderr)
        result = hearth("down", directory=path)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"(ENOTDIR)", result.stderr)


if __name__ == "__main__":
    tap.main()
