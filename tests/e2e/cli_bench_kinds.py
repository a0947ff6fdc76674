"""hearth bench exec, churn, miss and burst against a real pool. No figure is judged: see docs/benchmarks.md."""

import csv
import json
import os
import tempfile
import unittest

import tap
from instance import Instance

ON_DEMAND = "[pool \"tiny\"]\nimage = tiny\nmin = 0\nmax = 40\n"


class Kinds(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.instance = Instance(pool=8)
        cls.addClassCleanup(cls.instance.close)

    def bench(self, *words, instance=None):
        result = (instance or self.instance).hearth("bench", words[0], "--json", *words[1:])
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        bench = json.loads(result.stdout)
        self.assertEqual(bench["bench"], words[0])
        self.assertTrue(0 < bench["p50_us"] <= bench["p90_us"] <= bench["max_us"])
        return bench

    def tearDown(self):
        self.assertEqual(self.instance.pool()["leased"], 0)


class Exec(Kinds):
    def test_a_command_in_a_held_sandbox(self):
        """exec runs a command again and again in one sandbox, with the host's own in turn"""
        before = self.instance.pool()["hits"]
        bench = self.bench("exec", "-n", "40", "--warmup", "3")
        self.assertEqual((bench["n"], bench["floor"]["n"], bench["stages"]), (40, 40, {}))
        self.assertGreater(bench["floor_p50_us"], 0)
        self.assertNotIn("hits", bench)
        self.assertEqual(self.instance.pool()["hits"], before + 1)

    def test_a_fresh_sandbox_for_each(self):
        """exec --fresh acquires one for each command: both stages are in the whole"""
        bench = self.bench("exec", "--fresh", "-n", "20")
        self.assertEqual((bench["n"], bench["hits"], bench["fresh"]), (20, 20, True))
        self.assertEqual(set(bench["stages"]), {"acquire_p50_us", "exec_p50_us"})
        self.assertLess(bench["stages"]["exec_p50_us"], bench["max_us"])

    def test_a_command_of_the_caller(self):
        """what follows -- is run, inside and on the host"""
        with tempfile.TemporaryDirectory(prefix="hearth-e2e.") as directory:
            path = os.path.join(directory, "samples.csv")
            self.bench("exec", "-n", "10", "-c", "2", "--csv", path, "--", "sh", "-c", "exit 0")
            with open(path, encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), 10)
        self.assertTrue(all(float(row["floor_us"]) > 0 for row in rows))

    def test_a_command_that_fails_on_the_host(self):
        """what only root of the sandbox can do has no floor"""
        bench = self.bench("exec", "-n", "10", "--", "sh", "-c", "test -w /")
        self.assertEqual((bench["floor"]["n"], bench["floor_p50_us"]), (0, None))
        self.assertEqual(bench["command"], ["sh", "-c", "test -w /"])

    def test_a_command_that_fails(self):
        """a command that fails inside fails the run and leaves nothing leased"""
        for words in (["exec"], ["exec", "--fresh"], ["churn"]):
            result = self.instance.hearth("bench", *words, "-n", "10", "--", "sh", "-c", "exit 3")
            self.assertEqual((result.returncode, result.stdout), (1, b""), words)
            self.assertIn(b"sh in the sandbox: status 3", result.stderr)


class Churn(Kinds):
    def test_from_creation_to_death(self):
        """churn takes each sandbox from acquire to its proven death, by several at once"""
        before = self.instance.pool()
        bench = self.bench("churn", "-n", "24", "-c", "2")
        self.assertEqual((bench["n"], bench["clients"], sum(bench["rungs"].values())), (24, 2, 24))
        self.assertEqual(set(bench["stages"]), {"create_p50_us", "exec_p50_us", "destroy_p50_us"})
        self.assertGreater(bench["per_second"], 0)
        self.assertEqual(bench["floor"]["n"], 12)  # of the first client
        after = self.instance.pool()
        served = [sum(row[key] for key in ("hits", "built", "waited")) for row in (before, after)]
        self.assertEqual(served[1] - served[0], 24)


class Miss(Kinds):
    def test_nothing_is_ready(self):
        """miss counts only what no ready sandbox served"""
        bench = self.bench("miss", "-n", "20", "--warmup", "25")
        self.assertEqual((bench["n"], bench["hits"], bench["misses"]), (20, 0, 20))
        self.assertEqual(bench["rungs"]["built"] + bench["rungs"]["waited"], 20)
        self.assertGreater(bench["stages"]["queue_p50_us"], 0)

    def test_a_pool_that_keeps_none_ready(self):
        """in a pool that keeps none ready each is built for its acquire"""
        with Instance.of(ON_DEMAND) as instance:
            bench = self.bench("miss", "-n", "15", instance=instance)
            self.assertEqual((bench["n"], bench["misses"]), (15, 15))
            self.assertLessEqual(bench["round"], 40)

    def test_a_pool_without_room(self):
        """a pool that can hold no more than its ready ones has no room for a miss or a burst"""
        with Instance.of("[pool \"tiny\"]\nimage = tiny\nmin = 2\nmax = 2\n") as instance:
            for kind in ("miss", "burst"):
                result = instance.hearth("bench", kind, "-n", "4")
                self.assertEqual((result.returncode, result.stdout), (5, b""))
                self.assertIn(b"pool tiny", result.stderr)
                self.assertIn(b"max 2", result.stderr)


class Burst(Kinds):
    def test_many_at_once(self):
        """burst asks for many at once on an empty pool and tells first, median, last and the order"""
        with Instance.of(ON_DEMAND) as instance:
            bench = self.bench("burst", "-n", "12", "--rounds", "2", "--batch", "1", instance=instance)
            self.assertEqual((bench["n"], bench["burst"], bench["batch"]), (24, 12, 1))
            self.assertTrue(0 < bench["first_us"] <= bench["median_us"] <= bench["last_us"] <= bench["last_max_us"])
            self.assertEqual(bench["last_max_us"], bench["max_us"])
            self.assertIs(bench["in_order"], True)

    def test_several_in_one_message(self):
        """one message asks for several, and so may several clients"""
        with Instance.of(ON_DEMAND) as instance:
            bench = self.bench("burst", "-n", "10", "--batch", "4", instance=instance)
            self.assertEqual((bench["n"], bench["round"], bench["batch"]), (10, 10, 4))
            bench = self.bench("burst", "-n", "10", "-c", "2", instance=instance)
            self.assertEqual((bench["n"], bench["clients"]), (10, 2))

    def test_ready_ones_are_taken_before(self):
        """ready sandboxes are taken before the burst, so that it finds an empty pool"""
        bench = self.bench("burst", "-n", "10")
        self.assertGreaterEqual(bench["environment"]["pool"]["ready"], 8)
        self.assertEqual((bench["n"], sum(bench["rungs"].values()), bench["rungs"]["refused"]), (10, 10, 0))
        self.assertGreaterEqual(bench["round"], 18)


if __name__ == "__main__":
    tap.main()
