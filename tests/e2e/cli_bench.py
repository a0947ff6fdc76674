"""hearth bench acquire against a real pool. No figure is judged here: see docs/benchmarks.md."""

import json
import unittest

import tap
from instance import Instance


class Bench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.instance = Instance(pool=8)
        cls.addClassCleanup(cls.instance.close)

    def bench(self, *words):
        return self.instance.hearth("bench", "acquire", *words)

    def test_one_object(self):
        """--json prints one object with all that was measured"""
        result = self.bench("-n", "30", "--pause-us", "100", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        bench = json.loads(result.stdout)
        self.assertEqual((bench["n"], bench["pause_us"]), (30, 100))
        self.assertEqual((bench["hits"], bench["misses"]), (30, 0))
        self.assertTrue(0 < bench["p50_us"] <= bench["p99_us"] <= bench["p999_us"] <= bench["max_us"])
        self.assertGreater(bench["floor_p50_us"], 0)

    def test_every_sample_is_an_acquire(self):
        """each sample is one acquire, and everything is given back"""
        before = self.instance.pool()["hits"]
        self.assertEqual(self.bench("-n", "21").returncode, 0)
        after = self.instance.pool()
        self.assertEqual(after["hits"], before + 21)
        self.assertEqual(after["leased"], 0)

    def test_with_refill(self):
        """--refill measures while the pool refills, whatever rung serves"""
        result = self.bench("-n", "60", "--refill", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        bench = json.loads(result.stdout)
        self.assertEqual(bench["hits"] + bench["misses"], 60)
        self.assertTrue(bench["refill"])

    def test_a_table_for_people(self):
        """without --json it is a table that names floor, cores and kernel"""
        head = self.bench("-n", "5", "--image", "tiny").stdout.decode().splitlines()[0].split()
        for column in ("N", "PAUSE_US", "P50_US", "P99_US", "P999_US", "MAX_US", "FLOOR_P50_US", "CORES", "KERNEL"):
            self.assertIn(column, head)

    def test_an_unknown_image(self):
        """an image without a pool is not found"""
        result = self.bench("-n", "5", "--image", "other")
        self.assertEqual(result.returncode, 3)
        self.assertIn(b"no pool 'other'", result.stderr)


class Smallest(unittest.TestCase):
    def test_a_pool_of_one(self):
        """a pool of one is measured one at a time"""
        with Instance(pool=1) as instance:
            result = instance.hearth("bench", "acquire", "-n", "4", "--json")
            self.assertEqual(json.loads(result.stdout)["hits"], 4)


if __name__ == "__main__":
    tap.main()
