"""hearth bench acquire and compare against a real pool. No figure is judged here: see docs/benchmarks.md."""

import csv
import json
import os
import tempfile
import unittest
import xml.etree.ElementTree

import tap
from instance import Instance, hearth

PERCENTILES = ["p50_us", "p90_us", "p99_us", "p999_us", "p9999_us", "max_us"]


class Bench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.instance = Instance(pool=8)
        cls.addClassCleanup(cls.instance.close)

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="hearth-e2e.")
        self.addCleanup(directory.cleanup)
        self.file = lambda name: os.path.join(directory.name, name)

    def bench(self, *words):
        return self.instance.hearth("bench", "acquire", *words)

    def result(self, *words):
        result = self.bench(*words, "--json")
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return json.loads(result.stdout)

    def test_one_object(self):
        """--json prints one object with all that was measured"""
        bench = self.result("-n", "120", "--pause-us", "100")
        self.assertEqual((bench["bench"], bench["n"], bench["pause_us"]), ("acquire", 120, 100))
        self.assertEqual((bench["hits"], bench["misses"]), (120, 0))
        self.assertTrue(4 <= bench["round"] <= 12)  # half of the ready ones: by demand they may be more than min
        self.assertTrue(0 < bench["p50_us"] <= bench["p90_us"] <= bench["p99_us"] <= bench["max_us"])
        self.assertEqual(bench["floor"]["n"], 120)
        self.assertEqual(bench["floor_p50_us"], bench["floor"]["p50_us"])
        self.assertGreater(bench["floor_p50_us"], 0)
        self.assertEqual(set(bench["stages"]), {f"{stage}_p50_us" for stage in ("wait", "queue", "bind", "build")})
        self.assertGreater(bench["stages"]["wait_p50_us"], 0)
        self.assertGreater(bench["stages"]["build_p50_us"], 0)
        self.assertEqual((bench["stages"]["queue_p50_us"], bench["stages"]["bind_p50_us"]), (0, 0))

    def test_a_percentile_that_n_does_not_support(self):
        """a percentile with no sample beyond it is null, and a dash for people"""
        bench = self.result("-n", "30")
        self.assertEqual([key for key in PERCENTILES if bench[key] is None], ["p99_us", "p999_us", "p9999_us"])
        row = self.bench("-n", "30").stdout.decode().splitlines()[1].split()
        self.assertEqual((row[:2], row[4:7]), (["acquire", "30"], ["-", "-", "-"]))

    def test_the_environment(self):
        """it is said where the figures are from: kernel, processors, load, cgroups, pool, version and commit"""
        bench = self.result("-n", "4")
        where = bench["environment"]
        self.assertEqual(where["kernel"], os.uname().release)
        self.assertEqual((where["kernel"], where["cores"]), (bench["kernel"], bench["cores"]))
        self.assertGreaterEqual(where["pool"].pop("ready"), 8)
        self.assertEqual(where["pool"], {"name": "tiny", "image": "tiny", "min": 8, "max": 24})
        self.assertIn(where["cgroups"], ["v1", "hybrid", "v2"])
        for key in ("load_start", "load_end", "cpu", "version", "commit"):
            self.assertIn(key, where)

    def test_every_sample_is_an_acquire(self):
        """each sample is one acquire, and everything is given back"""
        before = self.instance.pool()["hits"]
        self.assertEqual(self.bench("-n", "21").returncode, 0)
        after = self.instance.pool()
        self.assertEqual(after["hits"], before + 21)
        self.assertEqual(after["leased"], 0)

    def test_a_warm_up_is_not_counted(self):
        """samples of a warm-up are taken and thrown away"""
        before = self.instance.pool()["hits"]
        bench = self.result("-n", "10", "--warmup", "40", "-c", "3")  # more than a round
        self.assertEqual((bench["n"], bench["warmup"]), (10, 40))
        self.assertEqual(self.instance.pool()["hits"], before + 50)

    def test_several_clients(self):
        """several clients take their part each, and the least and most favoured are told"""
        path = self.file("samples.csv")
        bench = self.result("-n", "31", "-c", "3", "--csv", path)
        self.assertEqual((bench["n"], bench["clients"], bench["hits"]), (31, 3, 31))
        self.assertTrue(0 < bench["client_p50_min_us"] <= bench["client_p50_max_us"])
        with open(path, encoding="utf-8") as file:
            clients = [row["client"] for row in csv.DictReader(file)]
        self.assertEqual([clients.count(client) for client in "123"], [11, 10, 10])

    def test_an_open_loop(self):
        """with --rate no arrival waits for another, and each is answered or counted as a miss"""
        path = self.file("samples.csv")
        bench = self.result("-n", "200", "--rate", "400", "--csv", path)
        self.assertEqual((bench["rate"], bench["hits"] + bench["misses"]), (400, 200))
        self.assertEqual(sum(bench["rungs"].values()), 200)
        self.assertIn("late_p50_us", bench["stages"])
        with open(path, encoding="utf-8") as file:
            starts = [float(row["started_us"]) for row in csv.DictReader(file)]
        self.assertEqual(starts, [2500.0 * i for i in range(200)])

    def test_with_refill(self):
        """--refill measures while the pool refills, whatever rung serves"""
        bench = self.result("-n", "60", "--refill")
        self.assertEqual(bench["hits"] + bench["misses"], 60)
        self.assertTrue(bench["refill"])

    def test_a_table_for_people(self):
        """without --json it is a table of what was measured, its stages and its floor, with the environment below"""
        lines = self.bench("-n", "5", "--image", "tiny").stdout.decode().splitlines()
        self.assertEqual(lines[0].split(), ["WHAT", "N", *(key.upper() for key in PERCENTILES)])
        self.assertEqual([line.split()[0] for line in lines[1:7]],
                         ["acquire", "floor", "wait", "queue", "bind", "build"])
        self.assertRegex(lines[7], r"^1 client, pause 0 us; at most \d+ held; ready 5, built 0, waited 0, refused 0$")
        self.assertIn(os.uname().release, lines[8])
        self.assertRegex(lines[9], r"^pool tiny of image tiny: min 8, max 24, \d+ ready; hearth ")

    def test_csv(self):
        """--csv writes a line for each sample"""
        path = self.file("samples.csv")
        bench = self.result("-n", "50", "--csv", path)
        with open(path, encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([int(row["sample"]) for row in rows], list(range(1, 51)))
        self.assertEqual({row["rung"] for row in rows}, {"ready"})
        latencies = sorted(float(row["latency_us"]) for row in rows)
        self.assertAlmostEqual(latencies[24], bench["p50_us"], delta=latencies[24] / 1000)
        self.assertAlmostEqual(latencies[-1], bench["max_us"], delta=latencies[-1] / 1000)

    def test_svg(self):
        """--svg draws the samples and the floor"""
        path = self.file("plot.svg")
        self.assertEqual(self.bench("-n", "100", "--svg", path).returncode, 0)
        root = xml.etree.ElementTree.parse(path).getroot()
        self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
        lines = {line.get("id"): [[float(number) for number in point.split(",")]
                                  for point in line.get("points").split()]
                 for line in root.iter("{http://www.w3.org/2000/svg}polyline")}
        self.assertEqual(set(lines), {"samples", "floor"})
        for points in lines.values():
            self.assertGreater(len(points), 50)
            self.assertEqual([x for x, _ in points], sorted(x for x, _ in points))

    def test_a_file_that_cannot_be_written(self):
        """a file that cannot be written is a failure that names it"""
        for option in ("--csv", "--svg"):
            result = self.bench("-n", "4", option, "/nonexistent/file")
            self.assertEqual(result.returncode, 3)
            self.assertIn(b"/nonexistent/file", result.stderr)

    def test_two_runs_are_compared(self):
        """two results are compared, and one with itself is no change"""
        for name in ("a.json", "b.json"):
            with open(self.file(name), "wb") as file:
                file.write(self.bench("-n", "300", "--json").stdout)
        result = hearth("bench", "--compare", self.file("a.json"), self.file("b.json"), "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        compared = json.loads(result.stdout)
        self.assertEqual((compared["bench"], compared["a"]["n"], compared["b"]["n"]), ("acquire", 300, 300))
        median, tail = compared["quantiles"]
        self.assertIn(median["verdict"], ["no change", "faster", "slower"])
        self.assertLessEqual(median["low_us"], median["high_us"])
        self.assertEqual(tail, {"quantile": "p99", "verdict": "n is too small"})
        result = hearth("bench", "--compare", self.file("a.json"), self.file("a.json"))
        self.assertRegex(result.stdout.decode(), r"(?m)^p50 +no change ")

    def test_an_unknown_image(self):
        """an image without a pool is not found"""
        result = self.bench("-n", "5", "--image", "other")
        self.assertEqual(result.returncode, 3)
        self.assertIn(b"no pool 'other'", result.stderr)

    def test_more_clients_than_are_ready(self):
        """a pool that keeps fewer ready than there are clients is exhausted, and nobody waits for ever"""
        result = self.bench("-n", "50", "-c", "25")
        self.assertEqual(result.returncode, 5)
        self.assertRegex(result.stderr, rb"pool tiny keeps \d+ ready: too few for 25 clients")


class Usage(unittest.TestCase):
    def test_wrong_values_are_refused(self):
        """wrong values are refused before anything is done"""
        for words in (["acquire", "-n", "0"], ["acquire", "-n", "1000001"], ["acquire", "-c", "0"],
                      ["acquire", "-c", "65"], ["acquire", "--warmup", "-1"], ["acquire", "--rate", "0"],
                      ["acquire", "--rate", "5", "--pause-us", "5"], ["acquire", "-n", "3", "-c", "4"],
                      ["acquire", "--image", "../x"], ["acquire", "--fresh"], ["acquire", "true"],
                      ["exec", "--rate", "5"], ["churn", "--refill"], ["miss", "--batch", "2"],
                      ["burst", "-n", "0"], ["burst", "-n", "4097"], ["burst", "--batch", "65"],
                      ["burst", "-n", "5", "-c", "2"], ["burst", "--rounds", "0"], ["burst", "-n", "4096", "--rounds",
                                                                                   "1000"],
                      ["--compare"], ["--compare", "a"], ["--compare", "a", "b", "c"], ["turn"]):
            with self.subTest(words):
                result = hearth("bench", *words)
                self.assertEqual(result.returncode, 2)
                self.assertNotEqual(result.stderr, b"")

    def test_no_instance(self):
        """without an instance every kind says so"""
        for kind in ("acquire", "exec", "churn", "miss", "burst"):
            result = hearth("bench", kind, "--dir", "/nonexistent/instance")
            self.assertEqual((result.returncode, result.stdout), (3, b""), kind)
            self.assertIn(b"/nonexistent/instance", result.stderr)


class Smallest(unittest.TestCase):
    def test_a_pool_of_one(self):
        """a pool of one is measured one at a time"""
        with Instance(pool=1) as instance:
            result = instance.hearth("bench", "acquire", "-n", "4", "--json")
            self.assertEqual(json.loads(result.stdout)["hits"], 4)


if __name__ == "__main__":
    tap.main()
