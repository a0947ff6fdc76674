"""What an instance promises and what it refuses: the host's budget of memory, limits that it cannot enforce."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

import tap
from instance import Instance
from rpc_client import RpcError, until

STORE = "/var/lib/hearth/images"
BUDGET = """[instance]
memory_budget = 250M
overcommit = 1

[pool "tiny"]
min = 2
max = 20
memory = 64M
"""


class Budget(unittest.TestCase):
    """Of 250 MiB three sandboxes of 64 MiB can be promised, and a few that are ready."""

    @classmethod
    def setUpClass(cls):
        cls.instance = Instance.of(BUDGET)
        cls.addClassCleanup(cls.instance.close)

    def setUp(self):
        until(lambda: self.instance.pool()["leased"] + self.instance.pool()["discarding"] == 0, "all are back")
        self.client = self.instance.agentd()
        self.addCleanup(self.client.close)

    def use_up(self):
        """As many leases as are granted, and the refusal."""
        handles = []
        with self.assertRaises(RpcError) as caught:
            while len(handles) < 20:
                handles.append(self.client.acquire())
        return handles, caught.exception

    def test_beyond_the_budget_is_refused(self):
        """what would promise more memory than there is, is refused with its type and reason"""
        handles, error = self.use_up()
        self.assertEqual((len(handles), error.type, error.data["refusal"]), (3, "limit", "limit"))
        self.assertIn("memory", error.message)
        done = self.instance.hearth("run", "--", "true")
        self.assertEqual(done.returncode, 125)
        self.assertIn(b"memory", done.stderr)
        self.assertIn(b"(EDQUOT)", done.stderr)
        done = self.instance.hearth("bench", "acquire", "-n", "1")
        self.assertEqual(done.returncode, 5)
        self.client.call("sandbox.release", **handles[0])
        until(lambda: self.instance.hearth("run", "--", "true").returncode == 0, "there is room again")

    def test_the_pool_shows_what_is_promised(self):
        """pool ls and pool.status show budget and promise"""
        pool = self.instance.pool()
        self.assertEqual((pool["budget_bytes"], pool["lease_bytes"]), (250 << 20, 64 << 20))
        self.assertGreater(pool["idle_bytes"], 0)
        self.client.acquire()
        status = self.client.call("pool.status")["pools"][0]
        self.assertEqual(status["budget_bytes"], 250 << 20)
        self.assertGreaterEqual(status["promised_bytes"], 64 << 20)

    def test_bench_keeps_within_it(self):
        """a round of bench is as large as is granted, and has no misses"""
        done = self.instance.hearth("bench", "acquire", "-n", "20", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        bench = json.loads(done.stdout)
        self.assertEqual((bench["n"], bench["misses"]), (20, 0))
        self.assertLessEqual(bench["round"], 3)


class NotEnforced(unittest.TestCase):
    """A store in memory: there is no disk below the image whose io could be limited."""

    def setUp(self):
        self.store = tempfile.mkdtemp(prefix="hearth-e2e.")
        self.addCleanup(os.rmdir, self.store)
        subprocess.run(["mount", "-t", "tmpfs", "hearth-test", self.store], check=True)
        self.addCleanup(subprocess.run, ["umount", self.store], check=True)
        shutil.copytree(f"{STORE}/tiny", f"{self.store}/tiny", symlinks=True)

    def config(self, strict):
        return f'[instance]\nstore = {self.store}\nstrict = {strict}\n' \
               '[pool "tiny"]\nmin = 1\nmax = 3\nio_read = 1M\n'

    def test_it_is_a_warning(self):
        """what the host cannot enforce is in the lease, a warning of run, and once in agentd's log"""
        instance = Instance.of(self.config("no"))
        try:
            with instance.agentd() as client:
                for _ in range(2):
                    self.assertEqual(client.call("sandbox.acquire")["unenforced"], ["io"])
            done = instance.hearth("run", "--", "sh", "-c", "exit 3")
            self.assertEqual((done.returncode, done.stderr), (
                3, b"hearth: warning: limits that this host cannot enforce: io\n"))
            with open(instance.file("agentd.log")) as log:
                self.assertEqual(log.read().count("limits_unenforced"), 1)
        finally:
            instance.close()

    def test_strict_is_an_error(self):
        """with strict = yes the supervisor does not start, and says which limit it is"""
        with self.assertRaises(RuntimeError) as caught:
            Instance.of(self.config("yes"))
        self.assertIn("pool tiny: limits not enforced: io", str(caught.exception))


if __name__ == "__main__":
    tap.main()
