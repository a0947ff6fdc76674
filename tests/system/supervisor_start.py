"""How a supervisor starts, refuses to start, and stops: exit status, the last line of its log, what is left."""

import contextlib
import json
import os
import pathlib
import pwd
import resource
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import unittest

import tap
from instance import LEASE_ENDED, PATIENCE, Instance, descendants, make_tree, require_tiny, wait_until

SHUTDOWN = 8  # enum lease_end_reason
OWN_NETWORK = "ip link set lo up && echo 0 >/proc/sys/net/ipv4/ip_forward && echo ready && exec sleep infinity"


class Start(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        require_tiny()
        cls.tree = make_tree()
        cls.addClassCleanup(shutil.rmtree, cls.tree)

    def instance(self, config='[pool "tiny"]\nmin = 2\n'):
        instance = Instance(self.tree, config)
        self.addCleanup(instance.remove)
        return instance

    def run_supervisor(self, *arguments, under=(), **how):
        """under: the words of a command that runs it."""
        return subprocess.run([*under, self.tree / "sbin/hearth-supervisor", *arguments], timeout=PATIENCE,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, **how)

    def refused(self, says, *arguments, **how):
        """It exits 1 and its last line, which `hearth up` shows, says why."""
        run = self.run_supervisor(*arguments, **how)
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn(says, json.loads(run.stderr.splitlines()[-1])["message"])

    def test_two(self):
        """one directory has one supervisor, and a second one disturbs nothing"""
        first = self.instance()
        first.start()
        first.wait_until_it_serves()
        for more in [], ["--recover"]:
            self.refused("another hearth-supervisor serves it", "--dir", first.directory, *more)
        first.wait_until_it_serves()
        first.stop()
        self.assertEqual(first.left(), [])

    @staticmethod
    def connect_as(name, path):
        """As connect_ex()."""
        user = pwd.getpwnam(name)
        pid = os.fork()
        if pid == 0:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            os._exit(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect_ex(path))
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def test_missing_directory(self):
        """a directory that it makes itself lets user hearth in"""
        instance = self.instance()
        config = pathlib.Path(f"{instance.directory}.conf")
        pathlib.Path(instance.directory, "hearth.conf").rename(config)
        self.addCleanup(config.unlink)
        os.rmdir(instance.directory)
        instance.supervisor = subprocess.Popen(
            [self.tree / "sbin/hearth-supervisor", "--dir", instance.directory, "--config", config],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        instance.processes.append(instance.supervisor)
        instance.wait_until_it_serves()
        self.assertEqual(self.connect_as("hearth", f"{instance.directory}/control.sock"), 0)
        instance.stop()
        self.assertEqual(instance.left(), [])

    def test_no_config(self):
        """without a configuration it says where it looked"""
        instance = self.instance()
        pathlib.Path(instance.directory, "hearth.conf").unlink()
        self.refused("no configuration: neither", "--dir", instance.directory)
        self.assertEqual(instance.left(), [])

    def test_wrong_config(self):
        """a mistake in the configuration is told with its line"""
        instance = self.instance('[pool "tiny"]\nmni = 2\n')
        self.refused("hearth.conf:2: ", "--dir", instance.directory)

    def test_no_image(self):
        """an image that is missing is told with the command that builds it"""
        instance = self.instance('[pool "nosuch"]\n')
        self.refused("image nosuch is not in", "--dir", instance.directory)
        self.refused("hearth image build nosuch", "--dir", instance.directory)
        self.assertEqual(instance.left(), [])

    def test_no_user(self):
        """a user that does not exist is told with the command that makes it"""
        instance = self.instance('[instance]\nuser = nosuch\n[pool "tiny"]\n')
        self.refused("useradd --system", "--dir", instance.directory)
        self.assertEqual(instance.left(), [])

    def test_open_files(self):
        """a pool for which descriptors do not suffice is refused with the number that is needed"""
        instance = self.instance('[pool "tiny"]\nmax = 5000\n')
        self.refused("5384 open files are needed, the hard limit is 4500", "--dir", instance.directory,
                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4500, 4500)))

    def test_no_builder(self):
        """without the builder program it says so and leaves nothing"""
        instance = self.instance()
        tree = make_tree()
        self.addCleanup(shutil.rmtree, tree)
        (tree / "libexec/hearth/hearth-builder").write_text("#!/bin/sh\nexit 3\n")
        instance.tree = tree
        instance.start()
        instance.tree = self.tree
        self.assertEqual(instance.supervisor.wait(PATIENCE), 1)
        last = instance.log().splitlines()[-1]
        self.assertRegex(last, r"ended because builder \d was lost 6 times within 60 s, at last: it exited with 3")
        self.assertEqual(instance.left(), [])

    def start_with_workspaces(self, directory):
        instance = self.instance(f'[workspaces]\ndirectory = {directory}\n[pool "tiny"]\nmin = 2\n')
        instance.start()
        instance.wait_until_it_serves()
        return instance

    def test_workspaces_mode(self):
        """an empty directory for workspaces is entered by root only, whatever it was"""
        directory = tempfile.mkdtemp(prefix="hearth-system.")
        self.addCleanup(shutil.rmtree, directory)
        os.mkdir(pathlib.Path(directory, "lost+found"))
        os.chown(directory, 1000, 1000)
        os.chmod(directory, 0o755)
        instance = self.start_with_workspaces(directory)
        found = os.stat(directory)
        self.assertEqual((found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)), (0, 0, 0o700))
        instance.stop()
        self.assertEqual(instance.left(), [])

    @staticmethod
    def open_files(instance):
        """What its supervisor has open, but for what it closes meanwhile."""
        found = []
        for fd in pathlib.Path("/proc", str(instance.supervisor.pid), "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                found.append(os.readlink(fd))
        return found

    def test_workspaces_not_ours(self):
        """a directory that others have filled stays as it was, there are no workspaces then, and that is said"""
        directory = tempfile.mkdtemp(prefix="hearth-system.")
        self.addCleanup(shutil.rmtree, directory)
        pathlib.Path(directory, "file").touch()
        os.chown(directory, 1000, 1000)
        os.chmod(directory, 0o1777)
        instance = self.start_with_workspaces(directory)
        self.assertNotIn(directory, self.open_files(instance))
        self.assertIn(f"there are no workspaces: [workspaces] directory {directory}: there is something in it",
                      instance.log())
        found = os.stat(directory)
        self.assertEqual((found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)), (1000, 1000, 0o1777))
        instance.stop()
        self.assertEqual(instance.left(), [])

    def test_addresses_too_few(self):
        """addresses that do not reach as far as the instance's last sandbox are refused"""
        instance = self.instance('[network]\naddresses = 10.213.0.0/28\n[pool "tiny"]\nnet = default\nmin = 30\n')
        self.refused("[network] addresses 10.213.0.0/28: too few", "--dir", instance.directory)
        self.assertEqual(instance.left(), [])

    def test_addresses_in_use(self):
        """addresses that the host reaches by a route already are refused with that route"""
        instance = self.instance('[network]\naddresses = 10.213.0.0/16\n[pool "tiny"]\nnet = default\n')
        host = 'ip link set lo up && ip route add 10.213.7.0/24 dev lo && exec "$0" "$@"'
        self.refused("addresses 10.213.0.0/16: the host has a route to 10.213.7.0/24 by lo",
                     "--dir", instance.directory, under=("unshare", "--net", "sh", "-c", host))
        self.assertEqual(instance.left(), [])

    def test_stop(self):
        """SIGTERM ends leases with the reason shutdown and leaves nothing"""
        for signum in signal.SIGTERM, signal.SIGINT:
            instance = self.instance()
            instance.start()
            instance.wait_until_it_serves()
            client = instance.connect()
            self.addCleanup(client.close)
            handle = client.acquire()
            instance.supervisor.send_signal(signum)
            packet = client.socket.recv(1024)
            self.assertEqual(struct.unpack_from("<H", packet, 2)[0], LEASE_ENDED)
            self.assertEqual(packet[16:32], handle)
            self.assertEqual(struct.unpack_from("<I", packet, 32)[0], SHUTDOWN)
            self.assertEqual(instance.supervisor.wait(PATIENCE), 0)
            self.assertEqual(instance.left(), [])

    def test_stop_during_start(self):
        """SIGTERM during the start ends it in order: nothing is left then either"""
        for signum in signal.SIGTERM, signal.SIGINT:
            instance = self.instance()
            instance.start()
            name = f"*/hearth-{instance.id}"
            wait_until("its cgroup is there", lambda: any(pathlib.Path("/sys/fs/cgroup").glob(name)))
            instance.supervisor.send_signal(signum)
            self.assertEqual(instance.supervisor.wait(PATIENCE), 0, instance.log())
            self.assertEqual(instance.left(), [])

    def own_network(self):
        """The words that run a command in a network namespace which lasts as long as the test."""
        holder = subprocess.Popen(["unshare", "--net", "sh", "-c", OWN_NETWORK], stdout=subprocess.PIPE)
        self.addCleanup(holder.stdout.close)
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        self.assertEqual(holder.stdout.readline(), b"ready\n")
        return "nsenter", f"--net=/proc/{holder.pid}/ns/net"

    def kill_with_networks(self, instance):
        """hearth-network would clean up after its supervisor: so it is stopped when that is killed."""
        supervisor = instance.supervisor.pid
        network, = [pid for pid, _, _ in descendants(supervisor)
                    if pathlib.Path(f"/proc/{pid}/comm").read_text() == "hearth-network\n"]
        os.kill(network, signal.SIGSTOP)
        os.kill(supervisor, signal.SIGKILL)
        instance.supervisor.wait()

    def test_recovery_is_killed(self):
        """networks that a killed recovery did not come to are removed by the next one, whoever starts in between"""
        under = self.own_network()
        instance = self.instance('[network]\naddresses = 10.213.0.0/16\n[pool "tiny"]\nnet = default\nmin = 2\n')
        instance.under = under
        instance.start()
        instance.wait_until_it_serves()
        self.kill_with_networks(instance)
        instance.tree = make_tree()
        self.addCleanup(shutil.rmtree, instance.tree)
        (instance.tree / "libexec/hearth/hearth-network").write_text("#!/bin/sh\nkill -9 $PPID\n")
        self.assertEqual(instance.run("hearth-supervisor", "--recover").wait(PATIENCE), -signal.SIGKILL)
        other = self.instance()
        other.start()
        other.wait_until_it_serves()
        other.stop()
        instance.tree = self.tree
        self.assertIn(f"table inet hearth-{instance.id}", instance.left())
        self.assertIn("forwarding", instance.left())
        self.assertEqual(instance.run("hearth-supervisor", "--recover").wait(PATIENCE), 0, instance.log())
        self.assertEqual(instance.left(), [])

    def test_usage(self):
        """wrong usage is status 2, help and version are 0"""
        for arguments in ["--nosuch"], ["extra"], ["--dir"]:
            self.assertEqual(self.run_supervisor(*arguments).returncode, 2)
        self.assertIn("usage: hearth-supervisor", self.run_supervisor("--help").stdout)
        self.assertIn("hearth 0.", self.run_supervisor("--version").stdout)

    def test_not_root(self):
        """whoever is not root is told so"""
        self.refused("must be started by root", user="nobody")


if __name__ == "__main__":
    tap.main()
