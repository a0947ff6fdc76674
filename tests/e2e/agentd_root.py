"""agentd started as root: what it gives up, and what it leaves behind."""

import grp
import os
import pwd
import shutil
import signal
import tempfile
import unittest

import instance
import tap
from rpc_client import Client, RpcError, until


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(line.split(":\t", 1) for line in file.read().splitlines())


class Root(unittest.TestCase):
    def setUp(self):
        self.instance = instance.Instance()
        self.addCleanup(self.instance.close)

    def test_it_becomes_hearth_for_good(self):
        """all ids are hearth's, no other group, no capability in any set, no new privileges"""
        _, pid = self.instance.daemons()
        status, user = status_of(pid), pwd.getpwnam("hearth")
        self.assertEqual(set(status["Uid"].split()), {str(user.pw_uid)})
        self.assertEqual(set(status["Gid"].split()), {str(user.pw_gid)})
        self.assertEqual(status["Groups"].split(), [str(user.pw_gid)])
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual(status["NoNewPrivs"], "1")

    def test_the_socket_is_for_group_hearth(self):
        """agentd.sock has mode 0660 and group hearth"""
        stat = os.stat(self.instance.file("agentd.sock"))
        self.assertEqual(stat.st_mode & 0o777, 0o660)
        self.assertEqual(stat.st_gid, grp.getgrnam("hearth").gr_gid)

    def test_every_fd_is_close_on_exec(self):
        """it keeps no fd open across an exec but stdio"""
        with self.instance.agentd() as client:
            client.acquire()
            _, pid = self.instance.daemons()
            checked = 0
            for fd in os.listdir(f"/proc/{pid}/fdinfo"):
                try:
                    with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as file:
                        flags = int(file.read().split("flags:\t")[1].split()[0], 8)
                except FileNotFoundError:
                    continue  # closed since the listing
                if int(fd) > 2:
                    self.assertTrue(flags & os.O_CLOEXEC, f"fd {fd}")
                    checked += 1
            self.assertGreaterEqual(checked, 4)  # its loop, its socket, the supervisor's, a client's

    def test_it_works_from_where_hearth_cannot_enter(self):
        """neither the tree it is installed in nor DIR need be open to user hearth"""
        closed = tempfile.mkdtemp(prefix="hearth-e2e.")
        self.addCleanup(shutil.rmtree, closed)
        os.chmod(closed, 0o700)
        tree, directory = os.path.join(closed, "tree"), os.path.join(closed, "run")
        shutil.copytree(instance.PREFIX, tree, symlinks=True)
        os.mkdir(directory, 0o700)
        hearth = os.path.join(tree, "bin", "hearth")
        original, instance.HEARTH = instance.HEARTH, hearth
        try:
            up = instance.hearth("up", "--image", "tiny", "--pool", "1", directory=directory)
            self.addCleanup(self.down_from, hearth, directory)
            self.assertEqual(up.returncode, 0, up.stderr)
        finally:
            instance.HEARTH = original
        os.chdir(directory)
        self.addCleanup(os.chdir, "/")
        with Client("agentd.sock") as client:
            _, out, _ = client.execute(client.acquire(), "echo", "inside")
            self.assertEqual(out, b"inside\n")

    @staticmethod
    def down_from(hearth, directory):
        original, instance.HEARTH = instance.HEARTH, hearth
        try:
            instance.hearth("down", directory=directory)
        finally:
            instance.HEARTH = original

    def test_kill_9_gives_its_sandboxes_back(self):
        """a killed agentd's leases end, and another one can take its place"""
        client = self.instance.agentd()
        self.addCleanup(client.close)
        client.acquire()
        _, pid = self.instance.daemons()
        os.kill(pid, signal.SIGKILL)
        self.assertTrue(client.is_closed())
        until(lambda: self.instance.pool()["leased"] == 0, "the lease ends")

    def test_a_lost_supervisor_is_told(self):
        """when the supervisor is killed, open requests end typed and agentd ends"""
        with self.instance.agentd() as client:
            handle = client.acquire()
            request = client.send("sandbox.exec", **handle, argv=["sleep", "1000"])
            supervisor, agentd = self.instance.daemons()
            os.kill(supervisor, signal.SIGKILL)
            with self.assertRaises(RpcError) as caught:
                client.wait(request)
            self.assertEqual(caught.exception.type, "sandbox_ended")
            self.assertTrue(client.is_closed())
            until(lambda: not os.path.exists(f"/proc/{agentd}/exe") or
                  status_of(agentd)["State"].startswith("Z"), "agentd ends")


tap.main()
