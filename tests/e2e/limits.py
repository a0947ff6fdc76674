"""Each limit is hit once through agentd and once through hearth run: its name comes back, and the sandbox works on."""

import json
import os
import subprocess
import unittest

import tap
from instance import HEARTH, Instance, start
from rpc_client import RpcError

CONFIG = """[pool "tiny"]
min = 3
max = 12
memory = 64M
disk = 16M
inodes = 300
pids = 40
cpus = 0.5
open_files = 64

[pool "slow"]
image = tiny
min = 1
max = 4
cpus = 0.1
"""
FORKS = "(i=0; while [ $i -lt 100 ]; do sleep 1000 & i=$((i + 1)); done); kill -9 -1"
COMMANDS = {  # what hits it, status, text
    "memory": ("x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done", 137, "out of memory, limit 64 MiB"),
    "pids": (FORKS, 137, "too many processes, limit 40"),
    "disk": ("dd if=/dev/zero of=/big bs=64k", 1, "disk full, limit 16 MiB and 300 files"),
}
SPIN = "i=0; while [ $i -lt 50000 ]; do i=$((i + 1)); done"
FILES = "i=0; while echo >/file$i; do i=$((i + 1)); done 2>/dev/null; exit 5"
OPEN = "i=3; while [ $i -lt 100 ]; do eval \"exec $i</dev/null\"; i=$((i + 1)); done"


class Reported(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.instance = Instance.of(CONFIG)
        cls.addClassCleanup(cls.instance.close)

    def setUp(self):
        self.client = self.instance.agentd()
        self.addCleanup(self.client.close)

    def works(self, handle):
        """The sandbox can be used, as the first time."""
        content = self.client.tool(handle, "bash", command="echo on | cat")["content"]
        self.assertEqual(content, "exit code: 0\nstdout:\non\n")

    def run_(self, command, *options):
        return self.instance.hearth("run", *options, "--", "sh", "-c", command)

    def test_the_model_reads_which_limit_it_was(self):
        """bash says which limit a command hit, with its value, and the sandbox works on"""
        for limit, (command, status, text) in COMMANDS.items():
            handle = self.client.acquire()
            answer = self.client.tool(handle, "bash", command=command, timeout=60000)
            self.assertIn(f"exit code: {status}\n", answer["content"])
            self.assertIn(f"hit a limit: {text}", answer["content"])
            self.assertEqual((answer["receipt"]["limits_hit"], answer["receipt"]["limits"]), ([limit], {limit: text}))
            if limit == "disk":
                self.client.execute(handle, "rm", "/big")
            self.works(handle)
            self.client.call("sandbox.release", **handle)

    def test_programs_read_which_limit_it_was(self):
        """sandbox.exec answers with the limit, and hearth run says it in one line; the status stays"""
        for limit, (command, status, text) in COMMANDS.items():
            handle = self.client.acquire()
            result, _, _ = self.client.execute(handle, "sh", "-c", command, timeout_ms=60000)
            self.assertEqual((result["exit_code"], result["limits_hit"], result["limits"]),
                             (status, [limit], {limit: text}))
            self.client.call("sandbox.release", **handle)
            done = self.run_(command, "--timeout", "60s")
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertIn(f"hearth: the command hit a limit: {text}\n".encode(), done.stderr)

    def test_as_many_files_as_there_may_be(self):
        """when all files are used up that is the disk's limit too, and a tool says what to do"""
        handle = self.client.acquire()
        result, _, _ = self.client.execute(handle, "sh", "-c", FILES)
        self.assertEqual((result["exit_code"], result["limits_hit"]), (5, ["disk"]))
        answer = self.client.tool(handle, "write", path="/one/more", content="x")
        self.assertTrue(answer["is_error"])
        self.assertIn("(ENOSPC): disk full, limit 16 MiB and 300 files: delete something first",
                      answer["content"])
        self.client.execute(handle, "sh", "-c", "rm /file*")
        self.assertFalse(self.client.tool(handle, "write", path="/one/more", content="x")["is_error"])
        self.works(handle)
        done = self.run_(FILES)
        self.assertEqual((done.returncode, done.stderr), (
            5, b"hearth: the command hit a limit: disk full, limit 16 MiB and 300 files\n"))

    def test_as_many_descriptors_as_there_may_be(self):
        """a process gets no more descriptors than it may, and others go on"""
        lease = self.client.call("sandbox.acquire")
        self.assertEqual(lease["limits"]["open_files"], 64)
        handle = {"id": lease["id"], "epoch": lease["epoch"]}
        result, _, err = self.client.execute(handle, "sh", "-c", OPEN)
        self.assertNotEqual(result["exit_code"], 0)
        self.assertIn(b"Too many open files", err)
        self.works(handle)

    def test_output(self):
        """output is cut where it was asked for, and that is told"""
        handle = self.client.acquire()
        result, out, _ = self.client.execute(handle, "sh", "-c", "yes | head -c 50000; exit 4", output_max=1000)
        self.assertEqual((result["exit_code"], result["limits"], result["stdout_bytes"], len(out)),
                         (4, {"output": "output cut at 1000 bytes"}, 50000, 1000))
        done = self.run_("yes | head -c 50000; exit 4", "--output-max", "1000")
        self.assertEqual((done.returncode, len(done.stdout), done.stderr), (
            4, 1000, b"hearth: the command hit a limit: output cut at 1000 bytes\n"))
        answer = self.client.tool(handle, "bash", command="head -c 300000000 /dev/zero")
        self.assertIn("hit a limit: output cut at 268435456 bytes\n", answer["content"])
        self.works(handle)

    def test_time(self):
        """at its time limit a command ends with 124 and all it started, and the sandbox works on"""
        handle = self.client.acquire()
        answer = self.client.tool(handle, "bash", command="sleep 1000 & sleep 1000", timeout=500)
        self.assertTrue(answer["content"].startswith("Error: time limit of 500 ms, "), answer["content"])
        self.assertEqual(answer["receipt"]["limits"], {"time": "time limit of 500 ms"})
        self.assertNotIn(b"sleep", self.client.execute(handle, "ps")[1])
        self.works(handle)
        done = self.run_("sleep 1000", "--timeout", "500ms")
        self.assertEqual((done.returncode, done.stderr),
                         (124, b"hearth: sh: ended after 500 ms, its --timeout (ETIMEDOUT)\n"))

    def test_the_cpu_quota_is_in_the_receipts(self):
        """a quota that was used up slows a command down, and the lease's receipt says so"""
        handle = self.client.acquire(template="slow")
        result, _, _ = self.client.execute(handle, "sh", "-c", SPIN)
        self.assertEqual((result["exit_code"], result["limits_hit"]), (0, []))
        receipt = self.client.call("sandbox.release", **handle)["receipt"]
        self.assertEqual((receipt["limits_hit"], receipt["limits"]),
                         (["cpu"], {"cpu": "CPU quota of 0.1 used up"}))
        said = json.loads(self.run_(SPIN, "--json", "--image", "slow").stderr)
        self.assertEqual((said["limits_hit"], said["lease"]["limits_hit"]), ([], ["cpu"]))

    def test_nproc_is_honest(self):
        """a program that asks how many processors there are is told as many as its quota pays for"""
        self.assertEqual(self.client.execute(self.client.acquire(), "nproc")[1], b"1\n")

    def test_exec_says_it_too(self):
        """hearth exec names the limit in the same words, and with --json in agentd's"""
        sandbox = str(self.client.acquire()["id"])
        command, status, text = COMMANDS["memory"]
        done = self.instance.hearth("exec", sandbox, "--", "sh", "-c", command)
        self.assertEqual(done.returncode, status)
        self.assertTrue(done.stderr.endswith(f"hearth: the command hit a limit: {text}\n".encode()), done.stderr)
        done = self.instance.hearth("exec", sandbox, "--json", "--", "sh", "-c", command)
        self.assertEqual(json.loads(done.stderr.splitlines()[-1])["limits"], {"memory": text})

    def test_a_lease_has_a_receipt(self):
        """what a sandbox used is told when it is released"""
        handle = self.client.acquire()
        command = "dd if=/dev/zero of=/x bs=1M count=8 2>/dev/null; sleep 0.01 | cat"
        self.assertEqual(self.client.execute(handle, "sh", "-c", command)[0]["exit_code"], 0)
        receipt = self.client.call("sandbox.release", **handle)["receipt"]
        self.assertEqual((receipt["reason"], receipt["limits_hit"], receipt["oom_kills"]), ("released", [], 0))
        self.assertGreater(receipt["memory_peak_bytes"], 8 << 20)
        self.assertGreater(receipt["cpu_ms"], 0)
        self.assertGreater(receipt["wall_ms"], 10)
        said = json.loads(self.run_(command, "--json").stderr)["lease"]
        self.assertEqual(set(said), set(receipt))
        self.assertGreater(said["memory_peak_bytes"], 8 << 20)

    def expect_end(self, handle, request, reason, text):
        with self.assertRaises(RpcError) as caught:
            self.client.wait(request)
        self.assertEqual((caught.exception.type, caught.exception.data["reason"]), ("sandbox_ended", reason))
        self.assertTrue(caught.exception.message.endswith(text), caught.exception.message)
        ended = self.client.wait_notification("sandbox.ended")
        self.assertEqual((ended["id"], ended["reason"]), (handle["id"], reason))
        receipt = self.client.wait_notification("sandbox.receipt")
        self.assertEqual((receipt["id"], receipt["epoch"], receipt["reason"]),
                         (handle["id"], handle["epoch"], reason))

    def test_a_deadline_ends_everything(self):
        """at the lease's deadline every open request is answered with the reason, then comes the receipt"""
        handle = self.client.acquire(lease_ms=700)
        request = self.client.send("sandbox.exec", **handle, argv=["sleep", "1000"])
        self.expect_end(handle, request, "deadline", "its time of 700 ms is over")

    def test_a_kill_ends_everything(self):
        """hearth sandbox kill ends a lease of agentd, and the owner is told who did it"""
        handle = self.client.acquire()
        request = self.client.send("sandbox.exec", **handle, argv=["sleep", "1000"])
        killed = self.instance.hearth("sandbox", "kill", str(handle["id"]))
        self.assertEqual((killed.returncode, killed.stdout.decode()), (0, f"{handle['id']}\n"))
        self.expect_end(handle, request, "killed", "killed by an administrator")
        self.assertEqual(self.instance.hearth("sandbox", "kill", str(handle["id"])).returncode, 3)

    def test_a_kill_ends_a_run(self):
        """hearth sandbox kill ends a run, which says so: 125"""
        process = start("run", "--", "sh", "-c", "echo on; exec sleep 1000", directory=self.instance.path,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with process:
            self.assertEqual(process.stdout.readline(), b"on\n")
            mine = self.lease_of(process.pid)
            self.assertEqual(self.instance.hearth("sandbox", "kill", str(mine)).returncode, 0)
            self.assertEqual(process.wait(30), 125)
            self.assertIn(b"the sandbox is gone: killed by an administrator", process.stderr.read())

    def test_who_may_kill(self):
        """another user may kill his own leases, and is denied root's: 4"""
        os.chmod(self.instance.path, 0o755)
        as_user = {"user": "hearth", "group": "hearth", "extra_groups": []}
        root = self.client.acquire()["id"]
        denied = self.instance.hearth("sandbox", "kill", str(root), **as_user)
        self.assertEqual((denied.returncode, denied.stdout), (4, b""))
        self.assertIn(f"sandbox {root} is leased to uid 0, ".encode(), denied.stderr)
        process = start("run", "--", "sh", "-c", "echo on; exec sleep 1000", directory=self.instance.path,
                        stdout=subprocess.PIPE, **as_user)
        with process:
            self.assertEqual(process.stdout.readline(), b"on\n")
            mine = self.lease_of(process.pid)
            self.assertEqual(self.instance.hearth("sandbox", "kill", str(mine), **as_user).returncode, 0)
            self.assertEqual(process.wait(30), 125)

    def lease_of(self, pid):
        rows = json.loads(self.instance.hearth("sandbox", "ls", "--json").stdout)["sandboxes"]
        found = [row["id"] for row in rows if row["state"] == "leased" and row["owner_pid"] == pid]
        self.assertEqual(len(found), 1)
        return found[0]

    def test_an_end_ends_an_exec(self):
        """hearth exec says why its sandbox ended: 124 at a deadline, 125 when it was killed"""
        sandbox = str(self.client.acquire(lease_ms=1500)["id"])
        done = self.instance.hearth("exec", sandbox, "--", "sleep", "1000")
        self.assertEqual(done.returncode, 124)
        self.assertIn(b"its time of 1500 ms is over", done.stderr)
        sandbox = str(self.client.acquire()["id"])
        kill = f"{HEARTH} exec {sandbox} -- sh -c 'echo on; exec sleep 1000' | " \
               f"{{ read on; {HEARTH} sandbox kill {sandbox}; }}; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", kill], env={**os.environ, "HEARTH_DIR": self.instance.path},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        self.assertEqual(done.stdout.decode(), f"{sandbox}\n125\n")
        self.assertIn(b"killed by an administrator", done.stderr)

    def test_an_idle_lease_ends(self):
        """a lease that is not used for its idle time ends, and its owner is told"""
        handle = self.client.acquire(idle_ms=400)
        self.assertEqual(self.client.wait_notification("sandbox.ended")["reason"], "idle")
        self.assertEqual(self.client.wait_notification("sandbox.receipt")["id"], handle["id"])


if __name__ == "__main__":
    tap.main()
