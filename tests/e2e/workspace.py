"""Workspaces, and what else a lease has of its own, as a user has them."""

import array
import fcntl
import json
import os
import shutil
import socket
import stat
import struct
import subprocess
import tempfile
import unittest

import rpc_client
import tap
from fake_supervisor import DONE, REFUSED, header, packet
from instance import Instance, start

OWNER = 14 * 65536  # of files of root inside, on the host: JAIL_WORKSPACE_UID
CONFIG = """[workspaces]
directory = {directory}
limit = 64M

[pool "tiny"]
min = 3
max = 12
memory = 64M
pids = 64
cpus = 1
hostname = plain
"""
GROW = "x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done"
FORKS = "(i=0; while [ $i -lt 60 ]; do sleep 1000 & i=$((i + 1)); done); kill -9 -1"
WORKSPACE_REMOVE = 11
LIMIT, UNSUPPORTED = 5, 7  # why it is refused
GET_FLAGS, SET_FLAGS, IMMUTABLE = 0x80086601, 0x40086602, 0x10  # FS_IOC_


def remove(instance, workspace):
    """What the supervisor answers: (type, reason, retry_ms, text), or (DONE,)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
        link.connect(instance.file("control.sock"))
        link.send(packet(WORKSPACE_REMOVE, 1, workspace.encode().ljust(64, b"\0")))
        data = link.recv(512)
    kind, _ = header(data)
    if kind != REFUSED:
        return (kind,)
    return kind, *struct.unpack_from("=II", data, 16), data[24:].rstrip(b"\0").decode()


def removed(directory):
    """What is still to go."""
    return [name for name in os.listdir(directory) if name.startswith(".removed-")]


def make_chain(path, length):
    """Directories in each other."""
    os.makedirs(path)
    at = os.open(path, os.O_RDONLY)
    for _ in range(length):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)


def set_immutable(path, is_on):
    with open(path, "rb") as file:
        flags = array.array("i", [0])
        fcntl.ioctl(file, GET_FLAGS, flags)
        flags[0] = flags[0] | IMMUTABLE if is_on else flags[0] & ~IMMUTABLE
        fcntl.ioctl(file, SET_FLAGS, flags)


class OfItsOwn(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Its file system has to map ids, which that of the images does.
        cls.directory = tempfile.mkdtemp(prefix="hearth-e2e.", dir="/var/lib/hearth")
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.instance = Instance.of(CONFIG.format(directory=cls.directory))
        cls.addClassCleanup(cls.instance.close)

    def setUp(self):
        self.workspace = self.id().rpartition(".")[2].replace("test_", "")
        self.fill()

    def fill(self):
        """One is ready, so that the rung of the next lease is known."""
        rpc_client.until(lambda: self.instance.pool()["ready"] > 0, "a sandbox is ready")

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def run_(self, script, *options):
        return self.instance.hearth("run", *options, "--", "sh", "-c", script)

    def run_ok(self, script, *options):
        result = self.run_(script, *options)
        self.assertEqual((result.returncode, result.stderr), (0, b""), script)
        return result.stdout.decode()

    def assert_refused(self, options, text):
        result = self.run_("echo ran", *options)
        self.assertEqual((result.returncode, result.stdout), (125, b""), options)
        self.assertIn(text.encode(), result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_a_file_survives_its_sandbox(self):
        """what is written at /workspace is there for the next lease, and outside nothing of the sandbox is"""
        self.run_ok("mkdir /workspace/d && echo kept > /workspace/d/file && echo lost > /file", "--workspace", self.workspace)
        said = self.run_ok("cat /workspace/d/file; ls /file 2>/dev/null; ls /workspace", "--workspace", self.workspace)
        self.assertEqual(said, "kept\nd\n")
        with open(self.path(self.workspace, "d", "file"), encoding="ascii") as file:
            self.assertEqual(file.read(), "kept\n")

    def test_who_owns_the_files(self):
        """root inside owns it; on the host all has one owner that is nobody's, whichever sandbox wrote it"""
        for name in "abcd":
            self.run_ok(f"touch /workspace/{name}", "--workspace", self.workspace)
        self.run_ok("chown 1000:1001 /workspace/d", "--workspace", self.workspace)
        said = self.run_ok("stat -c '%n %u:%g' /workspace /workspace/*", "--workspace", self.workspace)
        self.assertEqual(said, "/workspace 0:0\n" + "".join(f"/workspace/{n} 0:0\n" for n in "abc") +
                         "/workspace/d 1000:1001\n")
        for name, uid, gid in (".", 0, 0), ("a", 0, 0), ("c", 0, 0), ("d", 1000, 1001):
            found = os.stat(self.path(self.workspace, name))
            self.assertEqual((found.st_uid, found.st_gid), (OWNER + uid, OWNER + gid), name)

    def test_two_leases_see_only_their_own(self):
        """leases with different workspaces, at the same time, see their own; nobody has another's meanwhile"""
        client = self.instance.agentd()
        self.addCleanup(client.close)
        leases = {}
        for name in ("one", "two"):
            lease = client.call("sandbox.acquire", workspace=f"{self.workspace}-{name}")
            leases[name] = {"id": lease["id"], "epoch": lease["epoch"]}
            client.execute(leases[name], "sh", "-c", f"echo {name} > /workspace/{name}")
        for name, handle in leases.items():
            _, out, _ = client.execute(handle, "sh", "-c", "ls /workspace; cat /workspace/*")
            self.assertEqual(out.decode(), f"{name}\n{name}\n")
        taken = f"workspace {self.workspace}-one: another lease has it, or has just given it back"
        self.assert_refused(["--workspace", f"{self.workspace}-one"], taken)
        with self.assertRaises(rpc_client.RpcError) as caught:
            client.call("sandbox.acquire", workspace=f"{self.workspace}-one")
        self.assertEqual((caught.exception.type, caught.exception.data["retry_ms"]), ("limit", 20))
        self.assertIn(taken, str(caught.exception))
        client.call("sandbox.release", **leases["one"])
        self.assertEqual(self.run_ok("cat /workspace/one", "--workspace", f"{self.workspace}-one"), "one\n")
        plain = self.run_ok("ls /workspace 2>/dev/null; true")
        self.assertNotIn("one", plain)

    def test_one_run_after_another(self):
        """a run that follows another in its workspace waits until that one's sandbox is dead"""
        for i in range(20):
            self.assertEqual(self.run_ok("ls /workspace | wc -l; touch /workspace/$(ls /workspace | wc -l)",
                                         "--workspace", self.workspace), f"{i}\n")

    def test_no_way_leads_to_another(self):
        """inside, no other workspace shows, no way leads out of one's own, and no bit and no device works in it"""
        self.run_ok("true", "--workspace", f"{self.workspace}-other")
        self.run_ok("true", "--workspace", self.workspace)
        os.mknod(self.path(self.workspace, "null"), stat.S_IFCHR | 0o666, os.makedev(1, 3))
        said = self.run_ok("grep ' /workspace ' /proc/self/mountinfo; ls -a /workspace; ls -a /workspace/..; "
                           "cat /workspace/null 2>/dev/null || echo refused; umount /workspace 2>/dev/null || echo held",
                           "--workspace", self.workspace)
        self.assertNotIn(f"{self.workspace}-other", said)
        self.assertEqual(said.splitlines()[-2:], ["refused", "held"])
        self.assertLessEqual({"rw", "nosuid", "nodev"}, set(said.splitlines()[0].split()[5].split(",")))

    def test_what_is_no_plain_directory(self):
        """a link or a file in a workspace's place is refused, never followed"""
        os.symlink("/etc", self.path(f"{self.workspace}-link"))
        with open(self.path(f"{self.workspace}-file"), "w", encoding="ascii") as file:
            file.write("x")
        for kind in ("link", "file"):
            self.assert_refused(["--workspace", f"{self.workspace}-{kind}"], f"workspace {self.workspace}-{kind}")
        self.assertEqual(self.run_ok("ls /workspace", "--workspace", self.workspace), "")

    def test_the_host_name(self):
        """a lease has its host name, another the pool's"""
        self.assertEqual(self.run_ok("hostname; cat /proc/sys/kernel/hostname", "--hostname", "box-7"), "box-7\nbox-7\n")
        self.assertEqual(self.run_ok("hostname"), "plain\n")

    def test_limits_are_in_force(self):
        """limits of a lease's own are in force, said when they are hit, and not the next one's"""
        for options, script, text in ((["--memory", "16M"], GROW, "out of memory, limit 16 MiB"),
                                      (["--pids", "12"], FORKS, "too many processes, limit 12")):
            result = self.run_(script, *options)
            self.assertEqual(result.returncode, 137, result.stderr)
            self.assertIn(f"hearth: the command hit a limit: {text}\n".encode(), result.stderr)
        self.assertIn(b"limit 64 MiB", self.run_(GROW).stderr)
        spin = "i=0; while [ $i -lt 50000 ]; do i=$((i + 1)); done"
        said = json.loads(self.run_(spin, "--json", "--cpus", "0.1").stderr)
        self.assertEqual(said["lease"]["limits"], {"cpu": "CPU quota of 0.1 used up"})

    def test_all_at_once(self):
        """all of it together: told by the receipt and by inspect"""
        options = ["--workspace", self.workspace, "--hostname", "all", "--memory", "32M", "--pids", "20", "--cpus", "0.5"]
        process = start("run", "--json", *options, "--", "sh", "-c", "echo on; exec sleep 1000", directory=self.instance.path,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with process:
            self.addCleanup(process.kill)
            self.assertEqual(process.stdout.readline(), b"on\n")
            rows = json.loads(self.instance.hearth("sandbox", "ls", "--json").stdout)["sandboxes"]
            sandbox = [str(row["id"]) for row in rows if row["owner_pid"] == process.pid and row["state"] == "leased"][0]
            found = json.loads(self.instance.hearth("sandbox", "inspect", sandbox, "--json").stdout)
            self.assertEqual([found[key] for key in ("workspace", "hostname", "memory_bytes", "pids", "cpu_milli", "net")],
                             [self.workspace, "all", 32 << 20, 20, 500, "none"])
            process.terminate()
            said = json.loads(process.communicate(timeout=60)[1])
        self.assertEqual((said["rung"], said["hostname"], said["workspace"]["id"], said["workspace"]["limit_bytes"]),
                         ("bound", "all", self.workspace, 64 << 20))
        self.assertIn(said["workspace"]["is_soft"], (True, False))
        self.assertGreater(said["bind_us"], 0)
        self.fill()
        plain = json.loads(self.run_("true", "--json").stderr)
        self.assertEqual((plain["rung"], plain["bind_us"], plain["workspace"], plain["hostname"]),
                         ("ready", 0, None, "plain"))

    def test_what_is_refused(self):
        """what no lease of this pool may have is refused with the reason, and nothing runs"""
        for options, text in ((["--memory", "65M"], "the limit of pool tiny"), (["--pids", "65"], "the limit of pool tiny"),
                              (["--cpus", "1.5"], "the limit of pool tiny"), (["--memory", "1M"], "is less than"),
                              (["--workspace", "../x"], "--workspace"), (["--workspace", "Upper"], "--workspace"),
                              (["--workspace", "x" * 64], "--workspace"), (["--hostname", "a b"], "--hostname"),
                              (["--memory", "much"], "--memory"), (["--pids", "0"], "--pids"), (["--cpus", "-1"], "--cpus")):
            with self.subTest(options):
                self.assert_refused(options, text)
        self.assertEqual(os.path.exists(self.path("..", "x")), False)

    def test_removal_takes_all_of_it(self):
        """a workspace is removed with all that is in it, and nothing beside it; its name is free at once"""
        other = f"{self.workspace}-other"
        self.run_ok("echo kept > /workspace/file", "--workspace", other)
        self.run_ok(f"cd /workspace; ln -s ../{other} out; ln -s ../{other}/file 'a\nb'; ln -s /etc etc; mkfifo fifo; "
                    "mkdir -p 'x\ny' -- -rf; echo x > '-rf/x'; chmod 0 -- -rf; touch \"$(printf '\\377')\"",
                    "--workspace", self.workspace)
        path = self.path(self.workspace)
        os.link(self.path(other, "file"), os.path.join(path, "hard"))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.join(path, "socket"))
        make_chain(os.path.join(path, "deep"), 10000)
        os.mkdir(os.path.join(path, "many"))
        for i in range(100000):
            os.mknod(os.path.join(path, "many", str(i)))
        self.assertEqual(remove(self.instance, self.workspace), (DONE,))
        self.assertEqual(self.run_ok("ls -A /workspace; echo new > /workspace/new", "--workspace", self.workspace), "")
        rpc_client.until(lambda: not removed(self.directory), "all of it has gone")
        self.assertEqual(self.run_ok("cat /workspace/*", "--workspace", other), "kept\n")
        self.assertEqual(os.stat(self.path(other, "file")).st_nlink, 1)
        self.assertEqual(self.run_ok("cat /workspace/*", "--workspace", self.workspace), "new\n")

    def test_removal_waits_for_the_lease(self):
        """a workspace that a lease has is not removed, until its sandbox is dead; then it is, also a second time"""
        client = self.instance.agentd()
        self.addCleanup(client.close)
        lease = client.call("sandbox.acquire", workspace=self.workspace)
        handle = {"id": lease["id"], "epoch": lease["epoch"]}
        client.execute(handle, "sh", "-c", "echo kept > /workspace/x")
        self.assertEqual(remove(self.instance, self.workspace), (
            REFUSED, LIMIT, 20, f"workspace {self.workspace} is in use: a lease has it, or has just given it back"))
        self.assertEqual(client.execute(handle, "cat", "/workspace/x")[1], b"kept\n")
        client.call("sandbox.release", **handle)
        rpc_client.until(lambda: remove(self.instance, self.workspace) == (DONE,), "it is free")
        self.assertFalse(os.path.exists(self.path(self.workspace)))
        self.assertEqual(remove(self.instance, self.workspace), (DONE,))

    def test_removal_of_what_is_none(self):
        """what no sandbox has had, but stands there all the same, is not removed"""
        path = self.path(self.workspace)
        os.mkdir(path)
        with open(os.path.join(path, "file"), "w", encoding="ascii") as file:
            file.write("an administrator's")
        self.assertEqual(remove(self.instance, self.workspace)[:2], (REFUSED, UNSUPPORTED))
        self.assertEqual(os.listdir(path), ["file"])
        os.unlink(os.path.join(path, "file"))
        self.assertEqual(remove(self.instance, self.workspace), (DONE,))
        self.assertFalse(os.path.exists(path))

    def test_agentd_gives_them_too(self):
        """a client of agentd asks for the same, and is refused the same"""
        client = self.instance.agentd()
        self.addCleanup(client.close)
        lease = client.call("sandbox.acquire", workspace=self.workspace, hostname="box", memory_bytes=32 << 20, pids=20)
        self.assertEqual((lease["rung"], lease["workspace"]["id"], lease["hostname"], lease["limits"]["memory_bytes"],
                          lease["limits"]["pids"]), ("bound", self.workspace, "box", 32 << 20, 20))
        handle = {"id": lease["id"], "epoch": lease["epoch"]}
        self.assertFalse(client.tool(handle, "write", path="/workspace/x", content="hello")["is_error"])
        client.call("sandbox.release", **handle)
        self.assertEqual(self.run_ok("cat /workspace/x", "--workspace", self.workspace), "hello")
        with self.assertRaises(rpc_client.RpcError) as caught:
            client.call("sandbox.acquire", memory_bytes=65 << 20)
        self.assertEqual(caught.exception.type, "limit")


class Elsewhere(unittest.TestCase):
    def test_workspaces_outlive_the_instance(self):
        """what an instance kept is there for the next one; nothing of it stays mounted"""
        with tempfile.TemporaryDirectory(prefix="hearth-e2e.", dir="/var/lib/hearth") as directory:
            for script, said in ("echo kept > /workspace/x", b""), ("cat /workspace/x", b"kept\n"):
                with Instance.of(CONFIG.format(directory=directory)) as instance:
                    result = instance.hearth("run", "--workspace", "w", "--", "sh", "-c", script)
                    self.assertEqual((result.returncode, result.stdout, result.stderr), (0, said, b""))
                with open("/proc/self/mountinfo", encoding="utf-8") as file:
                    self.assertNotIn(directory, file.read())

    def test_what_cannot_be_removed(self):
        """an immutable file stays, and the log says so; once it may go, the next start removes it"""
        with tempfile.TemporaryDirectory(prefix="hearth-e2e.", dir="/var/lib/hearth") as directory:
            config = CONFIG.format(directory=directory)
            with Instance.of(config) as instance:
                instance.hearth("run", "--workspace", "w", "--", "sh", "-c", "cd /workspace && mkdir d && touch d/held d/x y")
                set_immutable(os.path.join(directory, "w", "d", "held"), True)
                rpc_client.until(lambda: remove(instance, "w") == (DONE,), "it is free")

                def is_said():
                    with open(instance.file("supervisor.log"), encoding="utf-8") as log:
                        return "1 cannot be removed whole" in log.read()

                rpc_client.until(is_said, "the log says so")
                left = os.path.join(directory, removed(directory)[0])
                self.assertEqual((os.listdir(left), os.listdir(os.path.join(left, "d"))), (["d"], ["held"]))
                set_immutable(os.path.join(left, "d", "held"), False)
            with Instance.of(config):
                rpc_client.until(lambda: not removed(directory), "what was left has gone")

    def test_an_instance_without_workspaces(self):
        """where there are none, who asks for one is refused with what to do"""
        with Instance.of('[workspaces]\ndirectory =\n\n[pool "tiny"]\nmin = 1\nmax = 4\n') as instance:
            result = instance.hearth("run", "--workspace", "w", "--", "true")
            self.assertEqual((result.returncode, result.stdout), (125, b""))
            self.assertIn(b"[workspaces]", result.stderr)
            self.assertEqual(instance.hearth("run", "--hostname", "box", "--", "hostname").stdout, b"box\n")


if __name__ == "__main__":
    tap.main()
