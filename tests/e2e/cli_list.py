"""hearth pool ls and sandbox ls."""

import json
import os
import unittest

import rpc_client
import tap
from instance import Instance


class List(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.instance = Instance(pool=2)
        cls.addClassCleanup(cls.instance.close)

    def sandboxes(self):
        return json.loads(self.instance.hearth("sandbox", "ls", "--json").stdout)["sandboxes"]

    def settle(self):
        rpc_client.until(lambda: [row["state"] for row in self.sandboxes()] == ["ready"] * 2,
                         "two sandboxes, both ready")

    def test_pools_as_json(self):
        """pool ls --json tells configuration, states and counters as numbers"""
        self.settle()
        pool = self.instance.pool()
        self.assertEqual((pool["pool"], pool["image"], pool["net"]), ("tiny", "tiny", "none"))
        self.assertEqual((pool["min"], pool["max"], pool["ready"]), (2, 12, 2))
        self.assertEqual((pool["target"], pool["frozen"]), (2, 0))
        self.assertGreater(pool["build_p50_us"], 0)
        self.assertGreaterEqual(pool["build_p99_us"], pool["build_p50_us"])
        self.assertIsNone(pool["broken"])

    def test_pools_for_people(self):
        """pool ls prints a table, -q the names"""
        lines = self.instance.hearth("pool", "ls").stdout.decode().splitlines()
        self.assertEqual(len(lines), 2)
        self.assertEqual(lines[0].split()[:4], ["POOL", "IMAGE", "NET", "MIN"])
        self.assertEqual(self.instance.hearth("pool", "ls", "-q").stdout, b"tiny\n")

    def test_a_run_is_counted(self):
        """an acquire is counted by the rung that served it"""
        before = self.instance.pool()
        self.assertEqual(self.instance.hearth("run", "--", "true").returncode, 0)
        after = self.instance.pool()
        self.assertEqual(sum(after[key] for key in ("hits", "built", "waited")),
                         sum(before[key] for key in ("hits", "built", "waited")) + 1)

    def test_sandboxes(self):
        """sandbox ls shows every sandbox with its state and owner"""
        self.settle()
        with self.instance.agentd() as agentd:
            handle = agentd.acquire()
            row = next(row for row in self.sandboxes() if row["id"] == handle["id"])
            self.assertEqual((row["state"], row["pool"]), ("leased", "tiny"))
            self.assertEqual((row["owner_pid"], row["owner_uid"]), (os.getpid(), 0))
            self.assertEqual(row["epoch"], handle["epoch"])
            ids = self.instance.hearth("sandbox", "ls", "-q").stdout.decode().split()
            self.assertIn(str(handle["id"]), ids)
        rpc_client.until(lambda: handle["id"] not in [row["id"] for row in self.sandboxes()],
                         "the sandbox of a client that has gone is gone")

    def test_without_agentd(self):
        """without agentd sandbox ls asks the supervisor"""
        self.settle()
        by_agentd = self.sandboxes()
        os.rename(self.instance.file("agentd.sock"), self.instance.file("away"))
        try:
            by_supervisor = self.sandboxes()
        finally:
            os.rename(self.instance.file("away"), self.instance.file("agentd.sock"))
        self.assertEqual([(row["id"], row["state"], row["epoch"]) for row in by_supervisor],
                         [(row["id"], row["state"], row["epoch"]) for row in by_agentd])
        self.assertEqual(by_supervisor[0].keys(), by_agentd[0].keys())


if __name__ == "__main__":
    tap.main()
